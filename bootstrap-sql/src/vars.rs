//! The values that steps may use, each with its kind. Passwords are not among them: no step file can name one.

use crate::quote::Ident;
use crate::secret::Secret;

/// What the caller decides about a target. Every field has a sound default; see [`Vars::default`].
#[derive(Debug, Clone)]
pub struct Vars {
    /// Role that the REST server connects as.
    pub authenticator: Ident,
    /// Its password, set at every run so that a rotated one takes effect; `None` leaves the role's password alone.
    pub authenticator_password: Option<Secret>,
    /// Role of requests without a token.
    pub web_anon: Ident,
    /// Whether `web_anon` may read and write what the bootstrapping user creates in `public`. Right on a laptop; off
    /// by default, because it publishes every table.
    pub web_anon_may_use_public: bool,
    /// Whether it may write there, too, where it may use `public` at all.
    pub web_anon_may_write: bool,
    /// Whether the custom database gets the extension `postgres_fdw`; off for someone who follows the tutorial by hand.
    pub postgres_fdw: bool,
    /// Whether the origin gets the tutorial's table `todos` with its row.
    pub sample_table: bool,
    /// Whether the origin gets a login for the foreign data wrapper of the custom database. Off by default: a laptop
    /// joins its databases with the documented users.
    pub with_fdw_user: bool,
    /// Name of that login.
    pub fdw_user: Ident,
    /// Its password, set at every run so that a rotated one takes effect; `None` leaves the role's password alone.
    pub fdw_password: Option<Secret>,
    /// Channel on which the REST server listens for schema changes.
    pub reload_channel: Ident,
    /// Login that authenticates with IAM tokens; the target `aurora` needs it.
    pub iam_user: Option<Ident>,
    /// A password for that login where no service accepts tokens, as on a laptop; set at every run. `None`, as on AWS,
    /// gives it none.
    pub iam_user_password: Option<Secret>,
}

impl Default for Vars {
    fn default() -> Self {
        Self {
            authenticator: Ident::constant("authenticator"),
            authenticator_password: None,
            web_anon: Ident::constant("web_anon"),
            web_anon_may_use_public: false,
            web_anon_may_write: true,
            postgres_fdw: true,
            sample_table: true,
            with_fdw_user: false,
            fdw_user: Ident::constant("customdb_fdw"),
            fdw_password: None,
            reload_channel: Ident::constant("pgrst"),
            iam_user: None,
            iam_user_password: None,
        }
    }
}

/// A value with its kind; the kind decides how a step may write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Ident(Ident),
    Flag(bool),
}

/// Why a placeholder has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LookupError {
    /// No such variable exists: the step file is wrong.
    Unknown,
    /// The variable exists and the caller left it out.
    Unset,
}

impl Vars {
    /// Names of all variables, as step files write them.
    pub const NAMES: [&'static str; 10] = [
        "authenticator",
        "web_anon",
        "web_anon_may_use_public",
        "web_anon_may_write",
        "postgres_fdw",
        "sample_table",
        "with_fdw_user",
        "fdw_user",
        "reload_channel",
        "iam_user",
    ];

    pub(crate) fn lookup(&self, name: &str) -> Result<Value, LookupError> {
        Ok(match name {
            "authenticator" => Value::Ident(self.authenticator.clone()),
            "web_anon" => Value::Ident(self.web_anon.clone()),
            "web_anon_may_use_public" => Value::Flag(self.web_anon_may_use_public),
            "web_anon_may_write" => Value::Flag(self.web_anon_may_write),
            "postgres_fdw" => Value::Flag(self.postgres_fdw),
            "sample_table" => Value::Flag(self.sample_table),
            "with_fdw_user" => Value::Flag(self.with_fdw_user),
            "fdw_user" => Value::Ident(self.fdw_user.clone()),
            "reload_channel" => Value::Ident(self.reload_channel.clone()),
            "iam_user" => Value::Ident(self.iam_user.clone().ok_or(LookupError::Unset)?),
            _ => return Err(LookupError::Unknown),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_has_a_value() {
        let vars = Vars { iam_user: Some(Ident::constant("app")), ..Vars::default() };
        for name in Vars::NAMES {
            assert!(vars.lookup(name).is_ok(), "{name}");
        }
        assert_eq!(vars.lookup("nope"), Err(LookupError::Unknown));
        assert_eq!(Vars::default().lookup("iam_user"), Err(LookupError::Unset));
    }
}

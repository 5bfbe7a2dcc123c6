//! What proves the login role to the server.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use super::aws::ProcessCredentials;
use super::conninfo::{ConnInfo, Host, Secret};
use super::iam::IamTokens;

/// A token for one new connection, or why there is none.
pub type TokenFuture<'a> = Pin<Box<dyn Future<Output = Result<Secret, String>> + Send + 'a>>;

/// Makes short-lived tokens that stand for a password.
pub trait TokenSource: Send + Sync {
    /// A token for logging in as `user` at `host`:`port`, fresh enough to be used at once.
    fn token<'a>(&'a self, host: &'a str, port: u16, user: &'a str) -> TokenFuture<'a>;
}

/// Where passwords come from.
#[derive(Clone, Default)]
pub enum CredentialSource {
    /// The connection string, the environment or the password file.
    #[default]
    Password,
    /// A token per new connection. It is sent only over TLS, because whoever reads it can use it.
    Token(Arc<dyn TokenSource>),
}

impl CredentialSource {
    /// What `PGAPP_DB_AUTH` of this process says: `password`, or `iam` for a database of RDS or Aurora.
    pub fn of_process() -> Result<Self, String> {
        // Read once: the variables of a process do not change.
        static SOURCE: OnceLock<Result<CredentialSource, String>> = OnceLock::new();
        SOURCE.get_or_init(|| Self::read(|name| std::env::var(name).ok())).clone()
    }

    fn read(var: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let set = |name: &str| var(name).filter(|it| !it.is_empty());
        match set("PGAPP_DB_AUTH").as_deref() {
            None | Some("password") => Ok(Self::Password),
            Some("iam") => {
                let region = set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION"));
                let region = region.ok_or("PGAPP_DB_AUTH is \"iam\", but AWS_REGION is not set")?;
                let credentials = ProcessCredentials::read(&var).map_err(|it| it.to_string())?;
                Ok(Self::Token(Arc::new(IamTokens::new(region, credentials))))
            }
            Some(other) => Err(format!("PGAPP_DB_AUTH is \"{other}\", expected iam or password")),
        }
    }

    /// The secret for a new connection to `host`, if any.
    pub(super) async fn secret(&self, info: &ConnInfo, host: &Host) -> Result<Option<Secret>, String> {
        match self {
            Self::Password => Ok(info.password.clone().or_else(|| host.password.clone())),
            Self::Token(source) => {
                let name = host.name.as_deref().ok_or("a token needs the name of the host")?;
                source.token(name, host.port, &info.user).await.map(Some)
            }
        }
    }

    /// Sending the secret without encryption is out of the question.
    pub(super) fn demands_tls(&self) -> bool {
        matches!(self, Self::Token(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<&'static str, String> {
        let var =
            |name: &str| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        CredentialSource::read(var).map(|it| if it.demands_tls() { "token" } else { "password" })
    }

    #[test]
    fn tokens_are_asked_for_by_name_and_need_a_region() {
        assert_eq!(read(&[]), Ok("password"));
        assert_eq!(read(&[("PGAPP_DB_AUTH", "password")]), Ok("password"));
        assert_eq!(read(&[("PGAPP_DB_AUTH", "iam"), ("AWS_REGION", "eu-west-1")]), Ok("token"));
        let no_region = read(&[("PGAPP_DB_AUTH", "iam")]).unwrap_err();
        assert_eq!(no_region, "PGAPP_DB_AUTH is \"iam\", but AWS_REGION is not set");
        let odd = read(&[("PGAPP_DB_AUTH", "kerberos")]).unwrap_err();
        assert_eq!(odd, "PGAPP_DB_AUTH is \"kerberos\", expected iam or password");
    }
}

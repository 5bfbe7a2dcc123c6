//! The keywords of a connection string and the environment variables behind them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{ConnInfoError, Surroundings};

/// Keyword and its environment variable.
const KEYWORDS: &[(&str, Option<&str>)] = &[
    ("application_name", Some("PGAPPNAME")),
    ("channel_binding", Some("PGCHANNELBINDING")),
    ("client_encoding", None),
    ("connect_timeout", Some("PGCONNECT_TIMEOUT")),
    ("dbname", Some("PGDATABASE")),
    ("fallback_application_name", None),
    ("gssdelegation", Some("PGGSSDELEGATION")),
    ("gssencmode", Some("PGGSSENCMODE")),
    ("gsslib", Some("PGGSSLIB")),
    ("host", Some("PGHOST")),
    ("hostaddr", Some("PGHOSTADDR")),
    ("keepalives", None),
    ("keepalives_count", None),
    ("keepalives_idle", None),
    ("keepalives_interval", None),
    ("krbsrvname", Some("PGKRBSRVNAME")),
    ("load_balance_hosts", Some("PGLOADBALANCEHOSTS")),
    ("max_protocol_version", Some("PGMAXPROTOCOLVERSION")),
    ("min_protocol_version", Some("PGMINPROTOCOLVERSION")),
    ("options", Some("PGOPTIONS")),
    ("passfile", Some("PGPASSFILE")),
    ("password", Some("PGPASSWORD")),
    ("port", Some("PGPORT")),
    ("replication", None),
    ("require_auth", Some("PGREQUIREAUTH")),
    ("requirepeer", Some("PGREQUIREPEER")),
    ("requiressl", Some("PGREQUIRESSL")),
    ("service", Some("PGSERVICE")),
    ("servicefile", Some("PGSERVICEFILE")),
    ("ssl_max_protocol_version", Some("PGSSLMAXPROTOCOLVERSION")),
    ("ssl_min_protocol_version", Some("PGSSLMINPROTOCOLVERSION")),
    ("sslcert", Some("PGSSLCERT")),
    ("sslcertmode", Some("PGSSLCERTMODE")),
    ("sslcompression", Some("PGSSLCOMPRESSION")),
    ("sslcrl", Some("PGSSLCRL")),
    ("sslcrldir", Some("PGSSLCRLDIR")),
    ("sslkey", Some("PGSSLKEY")),
    ("sslmode", Some("PGSSLMODE")),
    ("sslnegotiation", Some("PGSSLNEGOTIATION")),
    ("sslpassword", None),
    ("sslrootcert", Some("PGSSLROOTCERT")),
    ("sslsni", Some("PGSSLSNI")),
    ("target_session_attrs", Some("PGTARGETSESSIONATTRS")),
    ("tcp_user_timeout", None),
    ("user", Some("PGUSER")),
];

/// What libpq could do and this program cannot, with the values that ask for nothing special.
const UNSUPPORTED: &[(&str, &[&str])] = &[
    ("gssencmode", &["disable", "prefer"]),
    ("gssdelegation", &["0"]),
    ("max_protocol_version", &["3.0", "latest"]),
    ("min_protocol_version", &["3.0"]),
    ("replication", &["false", "off", "no", "0"]),
    ("require_auth", &[]),
    ("requirepeer", &[]),
    ("sslcrldir", &[]),
    ("sslpassword", &[]),
];

/// Values by keyword. Empty values count as not given, as in libpq.
#[derive(Default)]
pub(super) struct Options(BTreeMap<&'static str, String>);

impl Options {
    /// Sets a value; a later one replaces an earlier one. `false` when there is no such keyword.
    pub(super) fn set(&mut self, keyword: &str, value: String) -> bool {
        match KEYWORDS.iter().find(|(known, _)| *known == keyword) {
            Some((known, _)) => {
                self.0.insert(known, value);
                true
            }
            None => false,
        }
    }

    /// Sets a value where none was given. `false` when there is no such keyword.
    pub(super) fn set_default(&mut self, keyword: &str, value: &str) -> bool {
        self.0.contains_key(keyword) || self.set(keyword, value.to_owned())
    }

    /// A value that was given and is not empty.
    pub(super) fn get(&self, keyword: &str) -> Option<&str> {
        debug_assert!(KEYWORDS.iter().any(|(known, _)| *known == keyword), "{keyword}");
        self.0.get(keyword).map(String::as_str).filter(|it| !it.is_empty())
    }

    /// Fills from the environment what was not given.
    pub(super) fn apply_environment(&mut self, around: &dyn Surroundings) {
        for (keyword, var) in KEYWORDS {
            if !self.0.contains_key(keyword)
                && let Some(value) = var.and_then(|it| around.var(it))
            {
                self.0.insert(keyword, value);
            }
        }
        // The predecessor of `sslmode`, which it replaces.
        if self.get("requiressl") == Some("1") {
            self.set_default("sslmode", "require");
        }
    }

    /// Refuses, rather than ignores, what was asked for and cannot be had.
    pub(super) fn refuse_unsupported(&self) -> Result<(), ConnInfoError> {
        for &(option, harmless) in UNSUPPORTED {
            if let Some(value) = self.get(option)
                && !harmless.contains(&value)
            {
                let value = if option == "sslpassword" { "***" } else { value };
                return Err(ConnInfoError::Unsupported { option, value: value.into() });
            }
        }
        Ok(())
    }

    /// One of a set of values.
    pub(super) fn choice<T: Copy>(
        &self,
        option: &'static str,
        default: T,
        values: &[(&str, T)],
    ) -> Result<T, ConnInfoError> {
        let Some(given) = self.get(option) else { return Ok(default) };
        match values.iter().find(|(name, _)| *name == given) {
            Some((_, value)) => Ok(*value),
            None => Err(ConnInfoError::InvalidValue { option, value: given.into() }),
        }
    }

    /// A whole number.
    pub(super) fn integer(&self, option: &'static str) -> Result<Option<i64>, ConnInfoError> {
        let Some(given) = self.get(option) else { return Ok(None) };
        match given.trim().parse::<i32>() {
            Ok(number) => Ok(Some(number.into())),
            Err(_) => Err(ConnInfoError::InvalidInteger { option, value: given.into() }),
        }
    }

    /// A number of seconds; zero and less mean the default.
    pub(super) fn seconds(&self, option: &'static str) -> Result<Option<Duration>, ConnInfoError> {
        let seconds = self.integer(option)?.filter(|it| *it > 0);
        Ok(seconds.map(|it| Duration::from_secs(it.unsigned_abs())))
    }
}

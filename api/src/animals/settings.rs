//! The database of the animals app, from `DB_…` variables.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::execute::Connector;
use pg_wire_client::conninfo::{ConnInfo, ConnInfoError, Host, RootCert, Secret, SslMode, Surroundings};
use pg_wire_client::{CredentialSource, IamTokens, InvalidSource, ProcessCredentials, region_of};

/// The authorities of Aurora clusters, where `cargo xtask lambda build` was given them: beside the binary.
pub const CA_BUNDLE: &str = "rds-ca-bundle.pem";

/// Connection options that are not the user's to choose. A server that is gone without a word is noticed within
/// seconds, by whoever waits for a connection as well as by whoever waits for an answer.
const OPTIONS: &str = "connect_timeout=5 tcp_user_timeout=5000 keepalives_idle=30 target_session_attrs=any";

/// Why the variables make no database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A variable that there has to be.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// A value that is not one of the known ones.
    #[error("{name} is \"{value}\", expected {expected}")]
    Invalid {
        /// Variable.
        name: &'static str,
        /// As given.
        value: String,
        /// What it can be.
        expected: &'static str,
    },
    /// A token is worth its 15 minutes to whoever reads it.
    #[error("DB_SSLMODE is \"disable\", but with DB_AUTH=iam a token is sent, and only over TLS")]
    TokenInTheClear,
    /// A token is signed for a region.
    #[error("AWS_REGION is not set, and DB_HOST does not name a region")]
    NoRegion,
    /// A variable about AWS credentials.
    #[error(transparent)]
    Credentials(#[from] InvalidSource),
    /// Everything else.
    #[error(transparent)]
    ConnInfo(#[from] ConnInfoError),
}

/// Where the table is and how to get in.
#[derive(Clone)]
pub struct Settings {
    info: ConnInfo,
    credentials: CredentialSource,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("info", &self.info).finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads variables through `var`; `beside` is the folder of the program.
    pub fn read(var: impl Fn(&str) -> Option<String>, beside: Option<&Path>) -> Result<Self, SettingsError> {
        let set = |name: &str| var(name).filter(|it| !it.is_empty());
        let need = |name: &'static str| set(name).ok_or(SettingsError::Missing(name));
        let mut info = ConnInfo::resolve(OPTIONS, "pgapp-animals", &Nothing)?;
        let host = need("DB_HOST")?;
        let port = match set("DB_PORT") {
            None => 5432,
            Some(text) => text.parse().map_err(|_| SettingsError::Invalid {
                name: "DB_PORT",
                value: text.clone(),
                expected: "a port number",
            })?,
        };
        info.dbname = need("DB_NAME")?;
        info.user = need("DB_USERNAME")?;
        info.ssl.mode = ssl_mode(set("DB_SSLMODE").as_deref())?;
        info.ssl.root_cert = root_cert(set("DB_SSLROOTCERT"), beside, info.ssl.mode);
        let credentials = match set("DB_AUTH").as_deref() {
            None | Some("iam") => {
                if info.ssl.mode == SslMode::Disable {
                    return Err(SettingsError::TokenInTheClear);
                }
                let region = set("AWS_REGION")
                    .or_else(|| set("AWS_DEFAULT_REGION"))
                    .or_else(|| region_of(&host).map(ToOwned::to_owned))
                    .ok_or(SettingsError::NoRegion)?;
                let tokens = IamTokens::new(region, ProcessCredentials::read(&var)?);
                CredentialSource::Token(std::sync::Arc::new(tokens))
            }
            Some("password") => {
                info.password = Some(Secret::new(need("DB_PASSWORD")?));
                CredentialSource::Password
            }
            Some(other) => {
                return Err(SettingsError::Invalid {
                    name: "DB_AUTH",
                    value: other.to_owned(),
                    expected: "iam or password",
                });
            }
        };
        info.hosts = vec![Host { name: Some(host), addr: None, port, password: None }];
        Ok(Self { info, credentials })
    }

    /// Reads the variables of this process.
    pub fn of_process() -> Result<Self, SettingsError> {
        let program = std::env::current_exe().ok();
        Self::read(|name| std::env::var(name).ok(), program.as_deref().and_then(Path::parent))
    }

    /// Tokens signed by others, in place of those that the variables say.
    #[must_use]
    pub fn with_credentials(mut self, credentials: CredentialSource) -> Self {
        self.credentials = credentials;
        self
    }

    /// Opens connections.
    pub fn connector(&self) -> Connector {
        Connector::to(self.info.clone(), self.credentials.clone(), false)
    }
}

fn ssl_mode(text: Option<&str>) -> Result<SslMode, SettingsError> {
    Ok(match text {
        None | Some("verify-full") => SslMode::VerifyFull,
        Some("verify-ca") => SslMode::VerifyCa,
        Some("require") => SslMode::Require,
        Some("prefer") => SslMode::Prefer,
        Some("allow") => SslMode::Allow,
        Some("disable") => SslMode::Disable,
        Some(other) => {
            return Err(SettingsError::Invalid {
                name: "DB_SSLMODE",
                value: other.to_owned(),
                expected: "verify-full, verify-ca, require, prefer, allow or disable",
            });
        }
    })
}

/// RDS Proxy shows certificates of public authorities, a cluster those of RDS's own. Both are trusted where the bundle
/// with the latter is at hand, because one setting serves both ways to a database.
fn root_cert(named: Option<String>, beside: Option<&Path>, mode: SslMode) -> Option<RootCert> {
    match named {
        Some(name) if name == "system" => Some(RootCert::System),
        Some(path) => Some(RootCert::Public(vec![path.into()])),
        None if mode < SslMode::VerifyCa => None,
        None => {
            let bundle = beside.map(|it| it.join(CA_BUNDLE)).filter(|it| it.is_file());
            Some(RootCert::Public(bundle.into_iter().collect()))
        }
    }
}

/// A world without libpq's variables and files: what the app connects to is said by `DB_…` alone.
struct Nothing;

impl Surroundings for Nothing {
    fn var(&self, _: &str) -> Option<String> {
        None
    }

    fn user(&self) -> Option<String> {
        Some("unused".to_owned())
    }

    fn home(&self) -> Option<PathBuf> {
        None
    }

    fn read(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn accessible_to_others(&self, _: &Path) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let var =
            |name: &str| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Settings::read(var, None)
    }

    const HOST: (&str, &str) = ("DB_HOST", "p.proxy-x.eu-west-1.rds.amazonaws.com");
    const NAME: (&str, &str) = ("DB_NAME", "animals");
    const USER: (&str, &str) = ("DB_USERNAME", "lambda_iam");

    #[test]
    fn defaults_are_tokens_and_verified_names() {
        let settings = read(&[HOST, NAME, USER]).unwrap();
        assert_eq!(settings.info.ssl.mode, SslMode::VerifyFull);
        assert_eq!(settings.info.ssl.root_cert, Some(RootCert::Public(Vec::new())));
        assert_eq!(settings.info.hosts[0].port, 5432);
        assert!(matches!(settings.credentials, CredentialSource::Token(_)));
        assert_eq!(settings.info.options, None, "startup options pin a proxy's connection");
    }

    #[test]
    fn bundle_beside_the_program_is_trusted_too() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(CA_BUNDLE), "").unwrap();
        let found = root_cert(None, Some(dir.path()), SslMode::VerifyFull);
        assert_eq!(found, Some(RootCert::Public(vec![dir.path().join(CA_BUNDLE)])));
        assert_eq!(root_cert(Some("/x.pem".into()), Some(dir.path()), SslMode::VerifyFull), {
            Some(RootCert::Public(vec!["/x.pem".into()]))
        });
        assert_eq!(root_cert(None, None, SslMode::Require), None);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let check = |vars: &[(&str, &str)], message: &str| {
            assert_eq!(read(vars).unwrap_err().to_string(), message);
        };
        check(&[], "DB_HOST is not set");
        check(&[HOST], "DB_NAME is not set");
        check(&[HOST, NAME], "DB_USERNAME is not set");
        check(&[HOST, NAME, USER, ("DB_PORT", "x")], "DB_PORT is \"x\", expected a port number");
        check(&[HOST, NAME, USER, ("DB_AUTH", "none")], "DB_AUTH is \"none\", expected iam or password");
        check(&[HOST, NAME, USER, ("DB_AUTH", "password")], "DB_PASSWORD is not set");
        check(
            &[HOST, NAME, USER, ("DB_SSLMODE", "disable")],
            "DB_SSLMODE is \"disable\", but with DB_AUTH=iam a token is sent, and only over TLS",
        );
        check(
            &[("DB_HOST", "localhost"), NAME, USER],
            "AWS_REGION is not set, and DB_HOST does not name a region",
        );
    }

    #[test]
    fn password_is_not_printed() {
        let vars = [HOST, NAME, USER, ("DB_AUTH", "password"), ("DB_PASSWORD", "s3cret")];
        assert!(!format!("{:?}", read(&vars).unwrap()).contains("s3cret"));
    }
}

//! What proves the login role to the server.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use crate::conninfo::{ConnInfo, Host, Secret};

/// A token for one new connection, or why there is none.
pub type TokenFuture<'a> = Pin<Box<dyn Future<Output = Result<Secret, String>> + Send + 'a>>;

/// Where the time comes from.
pub(crate) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

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
    /// The secret for a new connection to `host`, if any.
    pub(crate) async fn secret(&self, info: &ConnInfo, host: &Host) -> Result<Option<Secret>, String> {
        match self {
            Self::Password => Ok(info.password.clone().or_else(|| host.password.clone())),
            Self::Token(source) => {
                let name = host.name.as_deref().ok_or("a token needs the name of the host")?;
                source.token(name, host.port, &info.user).await.map(Some)
            }
        }
    }

    /// Sending the secret without encryption is out of the question.
    pub fn demands_tls(&self) -> bool {
        matches!(self, Self::Token(_))
    }
}

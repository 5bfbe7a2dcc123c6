//! What logging in takes and how it fails, for whatever speaks the protocol afterwards.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::conninfo::{ConnInfo, Host, Secret};
use crate::dial::Endpoint;
use crate::stream::Stream;

/// What a server wants to know about us.
pub struct LoginParams<'a> {
    /// The connection string.
    pub info: &'a Arc<ConnInfo>,
    /// The host of it.
    pub host: &'a Host,
    /// What proves the login role.
    pub password: Option<&'a Secret>,
    /// The address of the host.
    pub endpoint: &'a Endpoint,
    /// For a later request to cancel a statement, which takes the same way.
    pub tls: Option<(Arc<rustls::ClientConfig>, &'a str)>,
}

/// Why a server did not let us in.
#[derive(Debug)]
pub enum LoginError {
    /// It said so.
    Refused {
        /// SQLSTATE.
        code: String,
        /// As libpq prints it, with a newline at the end.
        message: String,
    },
    /// The connection broke, or what came was not understood; with a newline at the end.
    Failed(String),
    /// Our side cannot give what every server of this name would ask for; with a newline at the end.
    GaveUp(String),
}

/// A way to speak the protocol once there is a connection.
pub trait Login: Sized + Send {
    /// Logs in.
    fn login(
        stream: Stream,
        params: LoginParams<'_>,
    ) -> impl Future<Output = Result<Self, LoginError>> + Send;

    /// Runs a query with one row of one text column.
    fn ask(&mut self, sql: &'static str) -> impl Future<Output = Result<String, String>> + Send;
}

/// A server's refusal as libpq prints it.
pub fn refusal(severity: &str, message: &str, detail: Option<&str>, hint: Option<&str>) -> String {
    let mut text = format!("{severity}:  {message}\n");
    for (label, value) in [("DETAIL", detail), ("HINT", hint)] {
        if let Some(value) = value {
            text.push_str(&format!("{label}:  {value}\n"));
        }
    }
    text
}

/// What comes of it in time.
pub async fn within<T>(limit: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    match limit {
        None => Some(work.await),
        Some(limit) => tokio::time::timeout(limit, work).await.ok(),
    }
}

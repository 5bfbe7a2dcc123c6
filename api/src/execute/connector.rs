//! Connections as the configuration wants them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pg_wire_client::conninfo::{ConnInfo, TargetSessionAttrs};
use pg_wire_client::login::Login;
use pg_wire_client::{CredentialSource, Driven, Notifications, Source};
use tokio_postgres::Client;

use super::db_auth;
use crate::config::AppConfig;
use crate::error::DbError;
use crate::kept::Usage;
use crate::version;

/// Knows how to open a connection; made once per configuration.
pub struct Connector {
    inner: pg_wire_client::Connector,
    /// What the statements prepared on a connection may take in Postgres; nothing where they must not outlive a
    /// transaction.
    pub(super) statement_budget: AtomicUsize,
    /// How often such statements were of use, over all connections.
    pub(super) statements: Arc<Usage>,
}

fn source(conf: &AppConfig) -> Source {
    let limit = |seconds: u64| (seconds > 0).then(|| Duration::from_secs(seconds));
    Source {
        uri: conf.db_uri.clone(),
        file: conf.db_uri_file.clone(),
        application_name: version::full(),
        connect_timeout: limit(conf.pgapp_db_connect_timeout),
        hang_timeout: limit(conf.pgapp_db_hang_timeout),
    }
}

impl Connector {
    /// Reads the connection string, with passwords from where it says.
    pub fn new(conf: &AppConfig) -> Result<Self, DbError> {
        let credentials = db_auth::of_process()
            .map_err(|it| DbError::Connection { was_established: false, message: format!("{it}\n") })?;
        Self::with_credentials(conf, credentials)
    }

    /// Reads the connection string, with passwords from elsewhere.
    pub fn with_credentials(conf: &AppConfig, credentials: CredentialSource) -> Result<Self, DbError> {
        let inner = pg_wire_client::Connector::new(source(conf), credentials)?;
        let connector = Self { inner, statement_budget: AtomicUsize::new(0), statements: Arc::default() };
        connector.reconfigure(conf);
        Ok(connector)
    }

    /// For a database that is described already.
    pub fn to(info: ConnInfo, credentials: CredentialSource, prepared_statements: bool) -> Self {
        let budget = if prepared_statements { AppConfig::default().pgapp_statement_cache_bytes } else { 0 };
        let inner = pg_wire_client::Connector::to(info, credentials);
        Self { inner, statement_budget: AtomicUsize::new(budget), statements: Arc::default() }
    }

    /// Takes over what a reload may have changed, for connections to come. Whether anything has changed.
    pub(super) fn reconfigure(&self, conf: &AppConfig) -> bool {
        let budget = if conf.db_prepared_statements { conf.pgapp_statement_cache_bytes } else { 0 };
        self.statement_budget.swap(budget, Ordering::Relaxed) != budget
    }

    /// How long one address may take.
    pub(super) fn connect_timeout(&self) -> Option<Duration> {
        self.inner.connect_timeout()
    }

    /// A connection for what is not on the request path; see [`connect_cold`].
    pub async fn connect_cold(&self) -> Result<(Client, Notifications), DbError> {
        let Driven { client, notifications, .. } = self.open().await?;
        Ok((client, notifications))
    }

    /// Opens a connection to the first server that fits.
    pub(super) async fn open<L: Login>(&self) -> Result<L, DbError> {
        Ok(self.inner.open().await?)
    }
}

/// A connection for what is not on the request path: introspection, in-database settings, `LISTEN`.
///
/// Notifications arrive on the receiver, which closes when the connection is gone. The connection
/// closes when the client is dropped.
pub async fn connect_cold(conf: &AppConfig) -> Result<(Client, Notifications), DbError> {
    Connector::new(conf)?.connect_cold().await
}

/// The same to the one server that can be written to, since `NOTIFY` is not replicated; with the
/// `host:port` it was found at.
pub async fn connect_listener(conf: &AppConfig) -> Result<(Client, Notifications, String), DbError> {
    let connector = Connector::new(conf)?.inner.only(TargetSessionAttrs::ReadWrite);
    let Driven { client, notifications, address } = connector.open().await?;
    Ok((client, notifications, address))
}

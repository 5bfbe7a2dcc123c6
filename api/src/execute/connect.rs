//! Opening connections.

use std::future::poll_fn;
use std::str::FromStr;

use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio_postgres::{AsyncMessage, Client, NoTls};

use crate::config::AppConfig;
use crate::error::DbError;

/// Knows how to open a connection; made once per configuration.
pub(super) struct Connector {
    config: tokio_postgres::Config,
    pub(super) prepared_statements: bool,
}

impl Connector {
    pub(super) fn new(conf: &AppConfig) -> Result<Self, DbError> {
        let config = tokio_postgres::Config::from_str(&conf.db_uri).map_err(|it| not_established(&it))?;
        Ok(Self { config, prepared_statements: conf.db_prepared_statements })
    }

    pub(super) async fn connect(&self) -> Result<Client, DbError> {
        let (client, _) = self.connect_listening().await?;
        Ok(client)
    }

    async fn connect_listening(&self) -> Result<(Client, UnboundedReceiver<Notification>), DbError> {
        let (client, mut connection) = self.config.connect(NoTls).await.map_err(|it| not_established(&it))?;
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            // An error also reaches whoever uses the client; the channel closes when this task ends.
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notification(it) = message {
                    let _ = sender
                        .send(Notification { channel: it.channel().into(), payload: it.payload().into() });
                }
            }
        });
        Ok((client, receiver))
    }
}

/// A `NOTIFY` that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Channel.
    pub channel: String,
    /// Payload.
    pub payload: String,
}

/// A connection for what is not on the request path: introspection, in-database settings, `LISTEN`.
///
/// Notifications arrive on the receiver, which closes when the connection is gone. The connection
/// closes when the client is dropped.
pub async fn connect_cold(conf: &AppConfig) -> Result<(Client, UnboundedReceiver<Notification>), DbError> {
    Connector::new(conf)?.connect_listening().await
}

fn not_established(error: &tokio_postgres::Error) -> DbError {
    DbError::Connection { was_established: false, message: super::session::describe(error) }
}

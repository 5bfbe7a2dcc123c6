//! Stopping a statement from outside its connection.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::conninfo::ConnInfo;
use crate::dial::{self, Endpoint, Negotiated};

/// Names a session to its server, and how to reach that server again.
#[derive(Clone)]
pub struct CancelKey {
    pub(super) info: Arc<ConnInfo>,
    pub(super) endpoint: Endpoint,
    /// The configuration and host name with which the session was encrypted.
    pub(super) tls: Option<(Arc<rustls::ClientConfig>, String)>,
    pub(super) process_id: i32,
    pub(super) secret_key: i32,
}

impl CancelKey {
    /// Asks the server to stop what the session runs. The answer, if any, arrives on the session.
    pub async fn cancel(&self) -> io::Result<()> {
        let mut stream = dial::open(&self.endpoint, &self.info).await?;
        if let Some((config, host)) = &self.tls {
            let negotiation = self.info.ssl.negotiation;
            match dial::negotiate(stream, host, negotiation, Arc::clone(config)).await {
                Ok(Negotiated::Tls(encrypted)) => stream = encrypted,
                // Whoever reads the key in the clear could use it.
                Ok(Negotiated::Refused(_)) => {
                    return Err(io::Error::other("server does not support SSL any more"));
                }
                Err(message) => return Err(io::Error::other(message)),
            }
        }
        let mut request = BytesMut::new();
        frontend::cancel_request(self.process_id, self.secret_key, &mut request);
        stream.write_all(&request).await?;
        stream.flush().await?;
        // The server closes the connection when the request was passed on.
        let _ = stream.read(&mut [0]).await?;
        Ok(())
    }
}

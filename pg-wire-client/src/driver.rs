//! Connections driven by `tokio-postgres`.

use std::future::{Ready, poll_fn, ready};
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_postgres::{AsyncMessage, Client, SimpleQueryMessage, config};

use crate::conninfo;
use crate::dial::Endpoint;
use crate::login::{Login, LoginError, LoginParams, refusal};
use crate::stream::Stream;

/// Notifications of a connection, in order.
pub type Notifications = UnboundedReceiver<Notification>;

/// A `NOTIFY` that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Channel.
    pub channel: String,
    /// Payload.
    pub payload: String,
}

/// A logged-in client and what it is notified of.
pub struct Driven {
    /// The client; the connection closes when it is dropped.
    pub client: Client,
    /// What it is notified of; closes when the connection is gone.
    pub notifications: Notifications,
    /// `host:port`, with the host as it was given.
    pub address: String,
}

impl Login for Driven {
    async fn login(stream: Stream, params: LoginParams<'_>) -> Result<Self, LoginError> {
        let (client, mut connection) = driver_config(&params)
            .connect_raw(stream, Negotiated)
            .await
            .map_err(|error| login_error(&error))?;
        let (sender, notifications) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            // An error also reaches whoever uses the client; the channel closes with this task.
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notification(it) = message {
                    // Nobody listening is not a reason to stop serving the client.
                    let _ = sender
                        .send(Notification { channel: it.channel().into(), payload: it.payload().into() });
                }
            }
        });
        Ok(Self { client, notifications, address: address(&params) })
    }

    async fn ask(&mut self, sql: &'static str) -> Result<String, String> {
        let messages = self.client.simple_query(sql).await.map_err(|it| format!("{it}\n"))?;
        messages
            .iter()
            .find_map(|it| match it {
                SimpleQueryMessage::Row(row) => row.get(0).map(Into::into),
                _ => None,
            })
            .ok_or_else(|| "the server gave no answer\n".into())
    }
}

fn address(params: &LoginParams<'_>) -> String {
    let host = match (&params.host.name, &params.host.addr, params.endpoint) {
        (Some(name), ..) => name.clone(),
        (None, Some(addr), _) => addr.to_string(),
        (None, None, Endpoint::Unix(path)) => {
            path.parent().map(|it| it.display().to_string()).unwrap_or_default()
        }
        (None, None, Endpoint::Tcp(addr)) => addr.ip().to_string(),
    };
    format!("{host}:{}", params.host.port)
}

fn driver_config(params: &LoginParams<'_>) -> config::Config {
    let info = params.info;
    let mut config = config::Config::new();
    config.user(&info.user).dbname(&info.dbname);
    // The stream is negotiated already: "direct" makes the driver take it as it is.
    config.ssl_mode(config::SslMode::Require).ssl_negotiation(config::SslNegotiation::Direct);
    config.channel_binding(match info.channel_binding {
        conninfo::ChannelBinding::Disable => config::ChannelBinding::Disable,
        conninfo::ChannelBinding::Prefer => config::ChannelBinding::Prefer,
        conninfo::ChannelBinding::Require => config::ChannelBinding::Require,
    });
    if let Some(password) = params.password {
        config.password(password.expose());
    }
    if let Some(name) = &info.application_name {
        config.application_name(name);
    }
    let mut options = info.options.clone().unwrap_or_default();
    for (setting, value) in &info.startup_settings {
        let value = value.replace('\\', "\\\\").replace(' ', "\\ ");
        options.push_str(&format!(" -c {setting}={value}"));
    }
    if !options.is_empty() {
        config.options(options);
    }
    config
}

fn login_error(error: &tokio_postgres::Error) -> LoginError {
    use std::error::Error as _;
    if let Some(db) = error.as_db_error() {
        return LoginError::Refused {
            code: db.code().code().into(),
            message: refusal(db.severity(), db.message(), db.detail(), db.hint()),
        };
    }
    match error.source() {
        Some(source) => match source.downcast_ref::<io::Error>() {
            Some(io) => LoginError::Failed(crate::dial::lost(io)),
            None => LoginError::Failed(format!("{source}\n")),
        },
        None => LoginError::Failed(format!("{error}\n")),
    }
}

/// "Performs" a handshake that is done already.
struct Negotiated;

impl TlsConnect<Stream> for Negotiated {
    type Stream = Stream;
    type Error = io::Error;
    type Future = Ready<Result<Stream, io::Error>>;

    fn connect(self, stream: Stream) -> Self::Future {
        ready(Ok(stream))
    }
}

impl TlsStream for Stream
where
    Self: AsyncRead + AsyncWrite,
{
    fn channel_binding(&self) -> ChannelBinding {
        match Stream::channel_binding(self) {
            Some(data) => ChannelBinding::tls_server_end_point(data),
            None => ChannelBinding::none(),
        }
    }
}

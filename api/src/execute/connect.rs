//! Opening connections: which server, with or without TLS, logged in as whom.
//!
//! Owns the order in which hosts, addresses and `sslmode`'s fallbacks are tried, and the messages of
//! a failure, which are libpq's. How the protocol is spoken afterwards is [`Login`]'s business: the
//! request path and the cold path (introspection, `LISTEN`) differ only there.

pub(super) mod cold;
pub(super) mod dial;
pub(super) mod stream;

use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use rand::seq::SliceRandom;
use tokio_postgres::Client;

use super::conninfo::{ConnInfo, Host, Process, Secret, SslMode, TargetSessionAttrs};
use super::credentials::CredentialSource;
use super::tls;
use crate::config::AppConfig;
use crate::error::DbError;
use crate::version;
use cold::Notifications;
use dial::{Endpoint, Negotiated};
use stream::Stream;

/// Certificate files are read again after this time, so that renewed ones are picked up without
/// reading a few hundred system certificates for every connection.
const TLS_CONFIG_LIFETIME: Duration = Duration::from_secs(60);

/// Knows how to open a connection; made once per configuration.
pub struct Connector {
    info: ArcSwap<ConnInfo>,
    /// Where that can be read again, for when it has changed.
    source: Option<Source>,
    credentials: CredentialSource,
    /// What the statements prepared on a connection may take in Postgres; nothing where they must not outlive a
    /// transaction.
    pub(super) statement_budget: AtomicUsize,
    /// By host name, with the time the files were read.
    tls_configs: Mutex<Vec<(String, Instant, Arc<rustls::ClientConfig>)>>,
}

/// Where a connection string comes from, and what holds where it says nothing.
struct Source {
    uri: String,
    file: Option<PathBuf>,
    connect_timeout: Option<Duration>,
    hang_timeout: Option<Duration>,
}

impl Source {
    fn of(conf: &AppConfig) -> Self {
        let limit = |seconds: u64| (seconds > 0).then(|| Duration::from_secs(seconds));
        Self {
            uri: conf.db_uri.clone(),
            file: conf.db_uri_file.clone(),
            connect_timeout: limit(conf.pgapp_db_connect_timeout),
            hang_timeout: limit(conf.pgapp_db_hang_timeout),
        }
    }

    /// What it says now, passwords included.
    fn read(&self) -> Result<ConnInfo, DbError> {
        // A file that is just being replaced says what it said.
        let written = self.file.as_ref().and_then(|it| std::fs::read_to_string(it).ok());
        let uri = written.as_deref().map(str::trim).filter(|it| !it.is_empty()).unwrap_or(&self.uri);
        let mut info = ConnInfo::resolve(uri, &version::full(), &Process)
            .map_err(|error| not_established(format!("{error}\n")))?;
        info.connect_timeout = info.connect_timeout.or(self.connect_timeout);
        if let Some(limit) = self.hang_timeout {
            // A connection that a firewall forgot is found by this alone once it is in use. Not sooner: a server that
            // works on one statement may have no room yet for the next, and would be given up as well.
            info.tcp_user_timeout = info.tcp_user_timeout.or(Some(4 * limit));
            if let Some(keepalive) = &mut info.keepalive {
                let third = (limit / 3).max(Duration::from_secs(1));
                keepalive.idle = keepalive.idle.or(Some(third));
                keepalive.interval = keepalive.interval.or(Some(third));
                keepalive.count = keepalive.count.or(Some(3));
            }
        }
        Ok(info)
    }
}

/// What a server wants to know about us.
pub(super) struct LoginParams<'a> {
    pub(super) info: &'a Arc<ConnInfo>,
    pub(super) host: &'a Host,
    pub(super) password: Option<&'a Secret>,
    pub(super) endpoint: &'a Endpoint,
    /// For a later request to cancel a statement, which takes the same way.
    pub(super) tls: Option<(Arc<rustls::ClientConfig>, &'a str)>,
}

/// Why a server did not let us in.
#[derive(Debug)]
pub(super) enum LoginError {
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
pub(super) trait Login: Sized + Send {
    /// Logs in.
    fn login(
        stream: Stream,
        params: LoginParams<'_>,
    ) -> impl Future<Output = Result<Self, LoginError>> + Send;

    /// Runs a query with one row of one text column.
    fn ask(&mut self, sql: &'static str) -> impl Future<Output = Result<String, String>> + Send;
}

/// Encryption of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encryption {
    Plain,
    /// Plain again when the server has no TLS.
    TlsIfOffered,
    Tls,
}

/// How a failed attempt goes on.
enum Failure {
    /// The next address or host may do better.
    TryNext(String),
    /// The next kind of encryption, then the next address.
    TryOtherEncryption(String),
    /// The same (unless this was the last kind that makes sense), but no other host.
    Refused { message: String, retry: bool },
}

impl Connector {
    /// Reads the connection string, with passwords from where it says.
    pub fn new(conf: &AppConfig) -> Result<Self, DbError> {
        let credentials = CredentialSource::of_process().map_err(|it| not_established(format!("{it}\n")))?;
        Self::with_credentials(conf, credentials)
    }

    /// Reads the connection string, with passwords from elsewhere.
    pub fn with_credentials(conf: &AppConfig, credentials: CredentialSource) -> Result<Self, DbError> {
        let source = Source::of(conf);
        let mut connector = Self::to(source.read()?, credentials, false);
        connector.source = Some(source);
        connector.reconfigure(conf);
        Ok(connector)
    }

    /// Takes over what a reload may have changed, for connections to come. Whether anything has changed.
    pub(super) fn reconfigure(&self, conf: &AppConfig) -> bool {
        let budget = if conf.db_prepared_statements { conf.pgapp_statement_cache_bytes } else { 0 };
        self.statement_budget.swap(budget, Ordering::Relaxed) != budget
    }

    /// For a database that is described already.
    pub fn to(info: ConnInfo, credentials: CredentialSource, prepared_statements: bool) -> Self {
        let tls_configs = Mutex::new(Vec::new());
        let budget = if prepared_statements { AppConfig::default().pgapp_statement_cache_bytes } else { 0 };
        Self {
            info: ArcSwap::from_pointee(info),
            source: None,
            credentials,
            statement_budget: AtomicUsize::new(budget),
            tls_configs,
        }
    }

    /// How long one address may take.
    pub(super) fn connect_timeout(&self) -> Option<Duration> {
        self.info.load().connect_timeout
    }

    /// Where we connect to now, if that is not what it was: a password or a host may have changed.
    fn reread(&self, old: &ConnInfo) -> Option<Arc<ConnInfo>> {
        let new = self.source.as_ref()?.read().ok()?;
        let new = ConnInfo { target_session_attrs: old.target_session_attrs, ..new };
        (new != *old).then(|| {
            let new = Arc::new(new);
            self.info.store(Arc::clone(&new));
            new
        })
    }

    /// A connection for what is not on the request path; see [`connect_cold`].
    pub async fn connect_cold(&self) -> Result<(Client, Notifications), DbError> {
        let cold::Cold { client, notifications, .. } = self.open().await?;
        Ok((client, notifications))
    }

    /// Opens a connection to the first server that fits. Where none does, what says where they are is read again.
    pub(super) async fn open<L: Login>(&self) -> Result<L, DbError> {
        let info = self.info.load_full();
        match self.open_by(&info).await {
            Ok(opened) => Ok(opened),
            Err(error) => match self.reread(&info) {
                Some(info) => self.open_by(&info).await,
                None => Err(error),
            },
        }
    }

    async fn open_by<L: Login>(&self, info: &Arc<ConnInfo>) -> Result<L, DbError> {
        let mut hosts: Vec<&Host> = info.hosts.iter().collect();
        if info.load_balance {
            hosts.shuffle(&mut rand::rng());
        }
        let wanted = info.target_session_attrs;
        let passes: &[TargetSessionAttrs] = match wanted {
            TargetSessionAttrs::PreferStandby => &[TargetSessionAttrs::Standby, TargetSessionAttrs::Any],
            _ => std::slice::from_ref(&wanted),
        };
        let mut messages = String::new();
        for wanted in passes {
            for host in &hosts {
                match self.open_host(info, host, *wanted, &mut messages).await {
                    Ok(Some(opened)) => return Ok(opened),
                    Ok(None) => {}
                    Err(()) => return Err(failed(info, messages)),
                }
            }
        }
        Err(failed(info, messages))
    }

    /// Tries a host's addresses; `Err` when trying other hosts is pointless.
    async fn open_host<L: Login>(
        &self,
        info: &Arc<ConnInfo>,
        host: &Host,
        wanted: TargetSessionAttrs,
        messages: &mut String,
    ) -> Result<Option<L>, ()> {
        // A name server may hang as well as a database.
        let resolved = within(info.connect_timeout, dial::resolve(host)).await.unwrap_or_else(|| {
            let name = host.name.as_deref().unwrap_or_default();
            Err(format!("could not translate host name \"{name}\" to address: timeout expired\n"))
        });
        let mut endpoints = match resolved {
            Ok(endpoints) => endpoints,
            Err(message) => {
                messages.push_str(&message);
                return Ok(None);
            }
        };
        if info.load_balance {
            endpoints.shuffle(&mut rand::rng());
        }
        for endpoint in &endpoints {
            for encryption in self.encryptions(info, endpoint) {
                let attempt = self.attempt(info, host, endpoint, *encryption, wanted);
                let outcome = within(info.connect_timeout, attempt)
                    .await
                    .unwrap_or_else(|| Err(Failure::TryNext("timeout expired\n".into())));
                let failure = match outcome {
                    Ok(opened) => return Ok(Some(opened)),
                    Err(failure) => failure,
                };
                let (Failure::TryNext(message)
                | Failure::TryOtherEncryption(message)
                | Failure::Refused { message, .. }) = &failure;
                messages.push_str(&place(host, endpoint));
                messages.push_str(message);
                let last = self.encryptions(info, endpoint).last() == Some(encryption);
                match failure {
                    Failure::TryNext(_) => break,
                    Failure::Refused { retry, .. } if last || !retry => return Err(()),
                    Failure::TryOtherEncryption(_) | Failure::Refused { .. } => {}
                }
            }
        }
        Ok(None)
    }

    fn encryptions(&self, info: &ConnInfo, endpoint: &Endpoint) -> &'static [Encryption] {
        use Encryption::{Plain, Tls, TlsIfOffered};
        let tokens = self.credentials.demands_tls();
        match (endpoint, info.ssl.mode) {
            // Nobody listens in on a Unix socket; libpq never encrypts there.
            (Endpoint::Unix(_), _) | (_, SslMode::Disable) => &[Plain],
            (_, SslMode::Allow | SslMode::Prefer) if tokens => &[Tls],
            (_, SslMode::Allow) => &[Plain, Tls],
            (_, SslMode::Prefer) => &[TlsIfOffered, Plain],
            (_, SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull) => &[Tls],
        }
    }

    async fn attempt<L: Login>(
        &self,
        info: &Arc<ConnInfo>,
        host: &Host,
        endpoint: &Endpoint,
        encryption: Encryption,
        wanted: TargetSessionAttrs,
    ) -> Result<L, Failure> {
        let mut stream = dial::open(endpoint, info)
            .await
            .map_err(|error| Failure::TryNext(unreachable_message(endpoint, &error)))?;
        let addr = host.addr.map(|it| it.to_string());
        let name = host.name.as_deref().or(addr.as_deref()).unwrap_or_default();
        let mut tls = None;
        if encryption != Encryption::Plain {
            let config = self.tls_config(info, host, name).map_err(Failure::TryNext)?;
            tls = Some((Arc::clone(&config), name));
            let negotiation = info.ssl.negotiation;
            stream = match dial::negotiate(stream, name, negotiation, config).await {
                Ok(Negotiated::Tls(stream)) => stream,
                Ok(Negotiated::Refused(stream)) if encryption == Encryption::TlsIfOffered => stream,
                Ok(Negotiated::Refused(_)) => {
                    return Err(Failure::TryNext(
                        "server does not support SSL, but SSL was required\n".into(),
                    ));
                }
                Err(message) => return Err(Failure::TryOtherEncryption(message)),
            };
        }
        if self.credentials.demands_tls() && !stream.is_tls() {
            return Err(Failure::TryNext("a token is only sent over an encrypted connection\n".into()));
        }
        let tls = tls.filter(|_| stream.is_tls());
        let password = self
            .credentials
            .secret(info, host)
            .await
            .map_err(|reason| Failure::TryNext(format!("{reason}\n")))?;
        // Without TLS although it was asked for, the second attempt would be the same again.
        let retry = encryption != Encryption::TlsIfOffered || stream.is_tls();
        let params = LoginParams { info, host, password: password.as_ref(), endpoint, tls };
        let mut opened = L::login(stream, params).await.map_err(|error| match error {
            // Starting up, shutting down or in recovery: another host may be ready.
            LoginError::Refused { code, message } if code == "57P03" => Failure::TryNext(message),
            LoginError::Refused { message, .. } => Failure::Refused { message, retry },
            LoginError::GaveUp(message) => Failure::Refused { message, retry: false },
            LoginError::Failed(message) if retry => Failure::TryOtherEncryption(message),
            LoginError::Failed(message) => Failure::TryNext(message),
        })?;
        match check_session(&mut opened, wanted).await {
            Ok(()) => Ok(opened),
            Err(message) => Err(Failure::TryNext(message)),
        }
    }

    fn tls_config(
        &self,
        info: &ConnInfo,
        host: &Host,
        name: &str,
    ) -> Result<Arc<rustls::ClientConfig>, String> {
        if info.ssl.mode == SslMode::VerifyFull && host.name.is_none() {
            return Err("host name must be specified for a verified SSL connection\n".into());
        }
        let mut configs = self.tls_configs.lock().unwrap_or_else(PoisonError::into_inner);
        configs.retain(|(_, read, _)| read.elapsed() < TLS_CONFIG_LIFETIME);
        if let Some((_, _, config)) = configs.iter().find(|(known, _, _)| known == name) {
            return Ok(Arc::clone(config));
        }
        let config = tls::client_config(&info.ssl, name).map_err(|error| format!("{error}\n"))?;
        let config = Arc::new(config);
        configs.push((name.to_owned(), Instant::now(), Arc::clone(&config)));
        Ok(config)
    }
}

fn failed(info: &ConnInfo, mut message: String) -> DbError {
    if let Some(note) = &info.passfile_note
        && (message.contains("password authentication failed") || message.contains("no password supplied"))
    {
        message.push_str(note);
        message.push('\n');
    }
    not_established(message)
}

/// Compares the session with `target_session_attrs`.
async fn check_session<L: Login>(opened: &mut L, wanted: TargetSessionAttrs) -> Result<(), String> {
    let (sql, expected, otherwise) = match wanted {
        TargetSessionAttrs::Any | TargetSessionAttrs::PreferStandby => return Ok(()),
        TargetSessionAttrs::ReadWrite => ("SHOW transaction_read_only", "off", "session is read-only\n"),
        TargetSessionAttrs::ReadOnly => ("SHOW transaction_read_only", "on", "session is not read-only\n"),
        TargetSessionAttrs::Primary => {
            ("SELECT pg_catalog.pg_is_in_recovery()::text", "false", "server is in hot standby mode\n")
        }
        TargetSessionAttrs::Standby => {
            ("SELECT pg_catalog.pg_is_in_recovery()::text", "true", "server is not in hot standby mode\n")
        }
    };
    if opened.ask(sql).await? == expected { Ok(()) } else { Err(otherwise.into()) }
}

/// What comes of it in time.
pub(super) async fn within<T>(limit: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    match limit {
        None => Some(work.await),
        Some(limit) => tokio::time::timeout(limit, work).await.ok(),
    }
}

/// `connection to server … failed: `.
fn place(host: &Host, endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Unix(path) => {
            format!("connection to server on socket \"{}\" failed: ", path.display())
        }
        Endpoint::Tcp(addr) => {
            let ip = addr.ip().to_string();
            let shown = host.name.as_deref().unwrap_or(&ip);
            let real = if shown == ip { String::new() } else { format!(" ({ip})") };
            format!("connection to server at \"{shown}\"{real}, port {} failed: ", addr.port())
        }
    }
}

fn unreachable_message(endpoint: &Endpoint, error: &std::io::Error) -> String {
    let question = match endpoint {
        Endpoint::Unix(_) => "running locally and accepting connections on that socket?",
        Endpoint::Tcp(_) => "running on that host and accepting TCP/IP connections?",
    };
    format!("{}\n\tIs the server {question}\n", dial::system_message(error))
}

/// A server's refusal as libpq prints it.
pub(super) fn refusal(severity: &str, message: &str, detail: Option<&str>, hint: Option<&str>) -> String {
    let mut text = format!("{severity}:  {message}\n");
    for (label, value) in [("DETAIL", detail), ("HINT", hint)] {
        if let Some(value) = value {
            text.push_str(&format!("{label}:  {value}\n"));
        }
    }
    text
}

fn not_established(message: String) -> DbError {
    DbError::Connection { was_established: false, message }
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
    let connector = Connector::new(conf)?;
    connector
        .info
        .rcu(|it| ConnInfo { target_session_attrs: TargetSessionAttrs::ReadWrite, ..ConnInfo::clone(it) });
    let cold::Cold { client, notifications, address } = connector.open().await?;
    Ok((client, notifications, address))
}

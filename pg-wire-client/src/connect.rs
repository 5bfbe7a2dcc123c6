//! Opening connections: which server, with or without TLS, logged in as whom.
//!
//! Owns the order in which hosts, addresses and `sslmode`'s fallbacks are tried, and the messages of a failure, which
//! are libpq's. How the protocol is spoken afterwards is the business of a [`Login`].

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use rand::seq::SliceRandom;

use crate::conninfo::{ConnInfo, Host, Process, SslMode, TargetSessionAttrs};
use crate::credentials::CredentialSource;
use crate::dial::{self, Endpoint, Negotiated};
use crate::error::Error;
use crate::login::{Login, LoginError, LoginParams, within};
use crate::tls;

/// Certificate files are read again after this time, so that renewed ones are picked up without
/// reading a few hundred system certificates for every connection.
const TLS_CONFIG_LIFETIME: Duration = Duration::from_secs(60);

/// Knows how to open a connection.
pub struct Connector {
    info: ArcSwap<ConnInfo>,
    /// Where that can be read again, for when it has changed.
    source: Option<Source>,
    credentials: CredentialSource,
    /// By host name, with the time the files were read.
    tls_configs: Mutex<Vec<(String, Instant, Arc<rustls::ClientConfig>)>>,
}

/// Where a connection string comes from, and what holds where it says nothing. Holds passwords.
#[derive(Clone)]
pub struct Source {
    /// The string, if no file says otherwise.
    pub uri: String,
    /// A file with the string, which is read again when no server can be reached.
    pub file: Option<PathBuf>,
    /// What `pg_stat_activity` shows, unless the string says so.
    pub application_name: String,
    /// How long one address may take.
    pub connect_timeout: Option<Duration>,
    /// After which time without an answer a connection counts as lost. Sets TCP's keepalive accordingly.
    pub hang_timeout: Option<Duration>,
}

impl Source {
    /// What it says now, passwords included.
    fn read(&self) -> Result<ConnInfo, Error> {
        // A file that is just being replaced says what it said.
        let written = self.file.as_ref().and_then(|it| std::fs::read_to_string(it).ok());
        let uri = written.as_deref().map(str::trim).filter(|it| !it.is_empty()).unwrap_or(&self.uri);
        let mut info = ConnInfo::resolve(uri, &self.application_name, &Process)
            .map_err(|error| Error::not_established(format!("{error}\n")))?;
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
    /// Reads the connection string.
    ///
    /// # Errors
    /// When it is not one, or names files that cannot be read.
    pub fn new(source: Source, credentials: CredentialSource) -> Result<Self, Error> {
        let mut connector = Self::to(source.read()?, credentials);
        connector.source = Some(source);
        Ok(connector)
    }

    /// For a database that is described already.
    pub fn to(info: ConnInfo, credentials: CredentialSource) -> Self {
        Self { info: ArcSwap::from_pointee(info), source: None, credentials, tls_configs: Mutex::default() }
    }

    /// Only to servers of this kind, whatever the connection string asks for.
    #[must_use]
    pub fn only(self, wanted: TargetSessionAttrs) -> Self {
        self.info.rcu(|it| ConnInfo { target_session_attrs: wanted, ..ConnInfo::clone(it) });
        self
    }

    /// How long one address may take.
    pub fn connect_timeout(&self) -> Option<Duration> {
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

    /// Opens a connection to the first server that fits. Where none does, what says where they are is read again.
    ///
    /// # Errors
    /// When no server lets us in; the message names each of them with its reason, as libpq's does.
    pub async fn open<L: Login>(&self) -> Result<L, Error> {
        let info = self.info.load_full();
        match self.open_by(&info).await {
            Ok(opened) => Ok(opened),
            Err(error) => match self.reread(&info) {
                Some(info) => self.open_by(&info).await,
                None => Err(error),
            },
        }
    }

    async fn open_by<L: Login>(&self, info: &Arc<ConnInfo>) -> Result<L, Error> {
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

fn failed(info: &ConnInfo, mut message: String) -> Error {
    if let Some(note) = &info.passfile_note
        && (message.contains("password authentication failed") || message.contains("no password supplied"))
    {
        message.push_str(note);
        message.push('\n');
    }
    Error::not_established(message)
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

//! Connection strings as a libpq user expects them.
//!
//! Text, environment, service file and password file become one [`ConnInfo`]. Everything outside the
//! text is asked of [`Surroundings`], so that this room is pure and a test can state the whole world.
//!
//! Precedence, as in libpq: the string, then the service, then the environment, then defaults.

mod key_value;
mod keywords;
mod passfile;
mod service;
mod surroundings;
#[cfg(test)]
mod tests;
mod uri;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use keywords::Options;
pub use surroundings::{Process, Surroundings};

/// Why a connection string cannot be used. Messages are libpq's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnInfoError {
    /// The text itself is malformed.
    #[error("{0}")]
    Syntax(String),
    /// No such keyword.
    #[error("invalid connection option \"{0}\"")]
    UnknownOption(String),
    /// A value is not one of those allowed.
    #[error("invalid {option} value: \"{value}\"")]
    InvalidValue {
        /// Keyword.
        option: &'static str,
        /// Value as given.
        value: String,
    },
    /// A value is not a whole number in its range.
    #[error("invalid integer value \"{value}\" for connection option \"{option}\"")]
    InvalidInteger {
        /// Keyword.
        option: &'static str,
        /// Value as given.
        value: String,
    },
    /// Lists of hosts, addresses and ports differ in length, or options exclude each other.
    #[error("{0}")]
    Conflict(String),
    /// The service file has no answer.
    #[error("{0}")]
    Service(String),
    /// The value is valid in libpq, but this program cannot do it.
    #[error("connection option \"{option}\" with value \"{value}\" is not supported by this server")]
    Unsupported {
        /// Keyword.
        option: &'static str,
        /// Value as given.
        value: String,
    },
}

/// A value that must not be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The secret itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SslMode {
    /// Never.
    Disable,
    /// Only when the server refuses without.
    Allow,
    /// When the server can.
    Prefer,
    /// Always; the certificate is looked at only when there is a root certificate.
    Require,
    /// Always, signed by a known authority.
    VerifyCa,
    /// Always, signed by a known authority for this host.
    VerifyFull,
}

/// `sslnegotiation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslNegotiation {
    /// Asked for in Postgres' protocol.
    Postgres,
    /// The connection starts with the TLS handshake.
    Direct,
}

/// `channel_binding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelBinding {
    /// Never.
    Disable,
    /// When both sides can.
    Prefer,
    /// Always.
    Require,
}

/// `target_session_attrs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetSessionAttrs {
    /// Any server.
    Any,
    /// Sessions there can write.
    ReadWrite,
    /// Sessions there cannot write.
    ReadOnly,
    /// Not in recovery.
    Primary,
    /// In recovery.
    Standby,
    /// In recovery, or else any.
    PreferStandby,
}

/// `sslrootcert`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootCert {
    /// A file that was named: it has to exist where certificates are verified.
    File(PathBuf),
    /// What the operating system trusts.
    System,
    /// The public authorities that this program carries, and those of files. Not part of libpq.
    Public(Vec<PathBuf>),
}

/// Where one server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Name or address as given; `None` is the default socket directory.
    pub name: Option<String>,
    /// `hostaddr`: spares the name lookup.
    pub addr: Option<IpAddr>,
    /// Port.
    pub port: u16,
    /// Password from the password file, which may differ by host.
    pub password: Option<Secret>,
}

impl Host {
    /// The socket's directory, when this is not a network address.
    pub fn socket_dir(&self) -> Option<&str> {
        match (&self.addr, &self.name) {
            (None, Some(name)) if name.starts_with('/') || name.starts_with('@') => Some(name),
            _ => None,
        }
    }
}

/// TCP keepalive; `None` leaves the system's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// `keepalives_idle`.
    pub idle: Option<Duration>,
    /// `keepalives_interval`.
    pub interval: Option<Duration>,
    /// `keepalives_count`.
    pub count: Option<u32>,
}

/// Certificate files and protocol limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SslOptions {
    /// `sslmode`.
    pub mode: SslMode,
    /// `sslnegotiation`.
    pub negotiation: SslNegotiation,
    /// `sslrootcert`, else the user's `root.crt`.
    pub root_cert: Option<RootCert>,
    /// `sslcert`, and whether it was named (else it is the user's `postgresql.crt`).
    pub cert: Option<(PathBuf, bool)>,
    /// `sslkey`, else the user's `postgresql.key`.
    pub key: Option<PathBuf>,
    /// `sslcrl`, and whether it was named (else it is the user's `root.crl`).
    pub crl: Option<(PathBuf, bool)>,
    /// `sslsni`.
    pub sni: bool,
    /// `ssl_min_protocol_version` is `TLSv1.3`.
    pub min_tls13: bool,
    /// `ssl_max_protocol_version` is `TLSv1.2`.
    pub max_tls12: bool,
}

/// Everything needed to open a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnInfo {
    /// Servers in order of preference; never empty.
    pub hosts: Vec<Host>,
    /// Role to log in as.
    pub user: String,
    /// Database.
    pub dbname: String,
    /// `password`.
    pub password: Option<Secret>,
    /// The password file that gave a host's password, or was ignored: for the message when login fails.
    pub passfile_note: Option<String>,
    /// `options`: command-line options of the session.
    pub options: Option<String>,
    /// `application_name`, else the fallback.
    pub application_name: Option<String>,
    /// Settings sent at the start because the environment names them (`PGTZ`, `PGDATESTYLE`, `PGGEQO`).
    pub startup_settings: Vec<(&'static str, String)>,
    /// `connect_timeout`, per address.
    pub connect_timeout: Option<Duration>,
    /// `keepalives…`; `None` is off.
    pub keepalive: Option<Keepalive>,
    /// `tcp_user_timeout`.
    pub tcp_user_timeout: Option<Duration>,
    /// TLS.
    pub ssl: SslOptions,
    /// `channel_binding`.
    pub channel_binding: ChannelBinding,
    /// `target_session_attrs`.
    pub target_session_attrs: TargetSessionAttrs,
    /// `load_balance_hosts=random`.
    pub load_balance: bool,
}

impl ConnInfo {
    /// Reads a connection string.
    ///
    /// `fallback_application_name` counts where neither string nor environment name one.
    pub fn resolve(
        text: &str,
        fallback_application_name: &str,
        around: &dyn Surroundings,
    ) -> Result<Self, ConnInfoError> {
        let mut options = Options::default();
        match uri::strip_scheme(text) {
            Some(rest) => uri::parse(text, rest, &mut options)?,
            None => key_value::parse(text, &mut options)?,
        }
        service::apply(&mut options, around)?;
        options.apply_environment(around);
        resolve_options(&options, fallback_application_name, around)
    }
}

fn resolve_options(
    options: &Options,
    fallback_application_name: &str,
    around: &dyn Surroundings,
) -> Result<ConnInfo, ConnInfoError> {
    options.refuse_unsupported()?;
    let user = match options.get("user") {
        Some(user) => user.to_owned(),
        None => around.user().ok_or_else(|| {
            ConnInfoError::Conflict("no user name was given and the system does not name one".into())
        })?,
    };
    let dbname = options.get("dbname").unwrap_or(&user).to_owned();
    let password = options.get("password").map(Secret::new);
    let mut hosts = hosts(options)?;
    let mut passfile_note = None;
    if password.is_none() {
        passfile_note = passfile::apply(&mut hosts, &dbname, &user, options, around);
    }
    let application_name = options
        .get("application_name")
        .or(options.get("fallback_application_name"))
        .unwrap_or(fallback_application_name);
    let startup_settings = [("datestyle", "PGDATESTYLE"), ("timezone", "PGTZ"), ("geqo", "PGGEQO")]
        .into_iter()
        .filter_map(|(setting, var)| Some((setting, around.var(var)?)))
        .filter(|(_, value)| !value.eq_ignore_ascii_case("default"))
        .collect();
    Ok(ConnInfo {
        hosts,
        dbname,
        password,
        passfile_note,
        options: options.get("options").map(Into::into),
        application_name: Some(application_name.to_owned()).filter(|it| !it.is_empty()),
        startup_settings,
        connect_timeout: options.seconds("connect_timeout")?,
        keepalive: keepalive(options)?,
        tcp_user_timeout: match options.integer("tcp_user_timeout")? {
            Some(ms @ 1..) => Some(Duration::from_millis(ms.unsigned_abs())),
            _ => None,
        },
        ssl: ssl(options, around)?,
        channel_binding: options.choice(
            "channel_binding",
            ChannelBinding::Prefer,
            &[
                ("disable", ChannelBinding::Disable),
                ("prefer", ChannelBinding::Prefer),
                ("require", ChannelBinding::Require),
            ],
        )?,
        target_session_attrs: options.choice(
            "target_session_attrs",
            TargetSessionAttrs::Any,
            &[
                ("any", TargetSessionAttrs::Any),
                ("read-write", TargetSessionAttrs::ReadWrite),
                ("read-only", TargetSessionAttrs::ReadOnly),
                ("primary", TargetSessionAttrs::Primary),
                ("standby", TargetSessionAttrs::Standby),
                ("prefer-standby", TargetSessionAttrs::PreferStandby),
            ],
        )?,
        load_balance: options.choice("load_balance_hosts", false, &[("disable", false), ("random", true)])?,
        user,
    })
}

/// Pairs up the lists of hosts, addresses and ports.
fn hosts(options: &Options) -> Result<Vec<Host>, ConnInfoError> {
    let list =
        |option| -> Vec<&str> { options.get(option).map_or_else(Vec::new, |it| it.split(',').collect()) };
    let (names, addrs, ports) = (list("host"), list("hostaddr"), list("port"));
    if !names.is_empty() && !addrs.is_empty() && names.len() != addrs.len() {
        return Err(ConnInfoError::Conflict(format!(
            "could not match {} host names to {} hostaddr values",
            names.len(),
            addrs.len()
        )));
    }
    let n_hosts = names.len().max(addrs.len()).max(1);
    if ports.len() > 1 && ports.len() != n_hosts {
        return Err(ConnInfoError::Conflict(format!(
            "could not match {} port numbers to {n_hosts} hosts",
            ports.len()
        )));
    }
    (0..n_hosts)
        .map(|i| {
            let name = names.get(i).copied().filter(|it| !it.is_empty()).map(Into::into);
            let addr = match addrs.get(i).copied().filter(|it| !it.is_empty()) {
                None => None,
                Some(text) => Some(text.parse().map_err(|_| {
                    ConnInfoError::Conflict(format!("could not parse network address \"{text}\""))
                })?),
            };
            let port = ports.get(i).or(ports.first().filter(|_| ports.len() == 1)).copied();
            Ok(Host { name, addr, port: parse_port(port.unwrap_or(""))?, password: None })
        })
        .collect()
}

fn parse_port(text: &str) -> Result<u16, ConnInfoError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(5432);
    }
    let number: i64 =
        text.parse().map_err(|_| ConnInfoError::InvalidInteger { option: "port", value: text.into() })?;
    u16::try_from(number)
        .ok()
        .filter(|it| *it > 0)
        .ok_or_else(|| ConnInfoError::Conflict(format!("invalid port number: \"{text}\"")))
}

fn keepalive(options: &Options) -> Result<Option<Keepalive>, ConnInfoError> {
    if options.integer("keepalives")? == Some(0) {
        return Ok(None);
    }
    let count = options.integer("keepalives_count")?.filter(|it| *it > 0);
    Ok(Some(Keepalive {
        idle: options.seconds("keepalives_idle")?,
        interval: options.seconds("keepalives_interval")?,
        count: count.and_then(|it| u32::try_from(it).ok()),
    }))
}

fn ssl(options: &Options, around: &dyn Surroundings) -> Result<SslOptions, ConnInfoError> {
    let in_home = |name: &str| around.home().map(|it| it.join(".postgresql").join(name));
    let root_cert = match options.get("sslrootcert") {
        Some("system") => Some(RootCert::System),
        Some(path) => Some(RootCert::File(path.into())),
        None => in_home("root.crt").map(RootCert::File),
    };
    let system = root_cert == Some(RootCert::System);
    let mode = options.choice(
        "sslmode",
        if system { SslMode::VerifyFull } else { SslMode::Prefer },
        &[
            ("disable", SslMode::Disable),
            ("allow", SslMode::Allow),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::VerifyCa),
            ("verify-full", SslMode::VerifyFull),
        ],
    )?;
    let given = options.get("sslmode").unwrap_or("prefer");
    // The system's authorities sign for anyone, so that a weaker mode would prove nothing.
    if system && mode != SslMode::VerifyFull {
        return Err(ConnInfoError::Conflict(format!(
            "weak sslmode \"{given}\" may not be used with sslrootcert=system (use \"verify-full\")"
        )));
    }
    let negotiation = options.choice(
        "sslnegotiation",
        SslNegotiation::Postgres,
        &[("postgres", SslNegotiation::Postgres), ("direct", SslNegotiation::Direct)],
    )?;
    if negotiation == SslNegotiation::Direct && mode < SslMode::Require {
        return Err(ConnInfoError::Conflict(format!(
            "weak sslmode \"{given}\" may not be used with sslnegotiation=direct (use \"require\", \"verify-ca\", or \"verify-full\")"
        )));
    }
    let no_cert = options.get("sslcertmode") == Some("disable");
    let named = |option, default: &str| match options.get(option) {
        Some(path) => Some((path.into(), true)),
        None => in_home(default).map(|it| (it, false)),
    };
    let protocol = [("TLSv1", false), ("TLSv1.1", false), ("TLSv1.2", false), ("TLSv1.3", true)];
    Ok(SslOptions {
        mode,
        negotiation,
        root_cert,
        cert: named("sslcert", "postgresql.crt").filter(|_| !no_cert),
        key: named("sslkey", "postgresql.key").map(|(path, _)| path),
        crl: named("sslcrl", "root.crl"),
        sni: options.get("sslsni") != Some("0"),
        min_tls13: options.choice("ssl_min_protocol_version", false, &protocol)?,
        max_tls12: match options.get("ssl_max_protocol_version") {
            None => false,
            Some(_) => !options.choice("ssl_max_protocol_version", false, &protocol[2..])?,
        },
    })
}

//! Where the origin is and who may reach it. Data only.

use std::fmt;
use std::str::FromStr;

use crate::quote::Ident;
use crate::secret::Secret;

/// How much TLS the custom database asks of the origin, as in libpq.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SslMode {
    /// No TLS.
    Disable,
    /// TLS when the origin offers it.
    #[default]
    Prefer,
    /// TLS, whoever answers.
    Require,
    /// TLS with a certificate of a known authority.
    VerifyCa,
    /// TLS with a certificate of a known authority for this very host.
    VerifyFull,
}

impl SslMode {
    const ALL: [Self; 5] = [Self::Disable, Self::Prefer, Self::Require, Self::VerifyCa, Self::VerifyFull];

    /// The name in libpq.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

impl fmt::Display for SslMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SslMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or_else(|| {
            format!("unknown sslmode \"{text}\", expected disable, prefer, require, verify-ca or verify-full")
        })
    }
}

/// Which roles of the custom database reach the origin. A role without a mapping gets an error from every foreign
/// table, whatever it was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MappedRoles {
    /// Every role, those of tokens included; what a role may touch is decided by grants on the foreign tables.
    Everyone,
    /// These roles, besides the one that does the wiring.
    Only(Vec<Ident>),
}

/// The origin as seen from the custom database.
#[derive(Debug, Clone)]
pub struct FdwConfig {
    /// Name of the foreign server.
    pub server: Ident,
    /// Host name or address, resolved by the *custom database's* machine.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Database.
    pub dbname: String,
    /// User at the origin.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// Schema at the origin whose tables are imported.
    pub remote_schema: Ident,
    /// Schema that the foreign tables go to.
    pub local_schema: Ident,
    /// TLS to the origin.
    pub sslmode: SslMode,
    /// File with the authorities' certificates, on the custom database's machine.
    pub sslrootcert: Option<String>,
    /// Who may reach the origin.
    pub mapped: MappedRoles,
}

impl FdwConfig {
    /// An origin with the usual names: server `origin`, schema `public` on both sides, every role mapped.
    pub fn new(
        host: impl Into<String>,
        port: u16,
        dbname: impl Into<String>,
        user: impl Into<String>,
        password: Secret,
    ) -> Self {
        Self {
            server: Ident::constant("origin"),
            host: host.into(),
            port,
            dbname: dbname.into(),
            user: user.into(),
            password,
            remote_schema: Ident::constant("public"),
            local_schema: Ident::constant("public"),
            sslmode: SslMode::default(),
            sslrootcert: None,
            mapped: MappedRoles::Everyone,
        }
    }
}

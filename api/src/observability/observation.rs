//! Everything that can be observed. Data only: nothing here decides what is logged or counted.

use std::time::Duration;

use http::{Method, StatusCode, Version};

use crate::config::UnknownSetting;
use crate::error::DbError;

/// Something that happened while the server ran.
#[derive(Debug)]
pub enum Observation<'a> {
    /// The process starts.
    AppStart,
    /// The API server listens on this address.
    AppListening(&'a str),
    /// The admin server listens on this address.
    AdminListening(&'a str),
    /// The admin server stopped for this reason; the process ends.
    AdminCrashed(&'a str),
    /// Connected to a server of this version (`version()`).
    DbConnected(&'a str),
    /// The server is too old: its version, and the oldest supported one.
    UnsupportedPgVersion {
        /// Version found.
        found: &'a str,
        /// Oldest supported version.
        minimum: &'a str,
    },
    /// `db-pool-automatic-recovery` is off and the connection is lost; the process ends.
    NoRecovery,
    /// An error that trying again cannot mend; the process ends.
    Fatal(FatalError, &'a DbError),
    /// A request came before the first schema cache was there.
    SchemaCacheEmpty,
    /// The schema cache could not be loaded.
    SchemaCacheError {
        /// `db-schemas`.
        schemas: &'a [String],
        /// `db-extra-search-path`.
        extra_search_path: &'a [String],
        /// Why.
        error: &'a DbError,
    },
    /// The catalog was queried for the schema cache.
    SchemaCacheQueried(Duration),
    /// How long each part of that took.
    SchemaCacheTimings(&'a [(&'static str, Duration)]),
    /// The schema cache is in place.
    SchemaCacheLoaded {
        /// Time to build it.
        took: Duration,
        /// Time its queries took.
        query_time: Duration,
        /// What it holds.
        summary: &'a str,
    },
    /// The connection is tried again after this many seconds.
    ConnectionRetry(u64),
    /// The server's version could not be read.
    PgVersionError(&'a DbError),
    /// The listener waits for notifications.
    ListenStart {
        /// `host:port` it is connected to.
        address: &'a str,
        /// `version()` of the server.
        version: &'a str,
        /// Channel.
        channel: &'a str,
    },
    /// The listener failed; what happened.
    ListenFail {
        /// Channel.
        channel: &'a str,
        /// Why.
        error: &'a str,
    },
    /// The listener tries again after this many seconds.
    ListenRetry(u64),
    /// The listener hit the notification queue bug and applies the known remedy.
    ListenQueueRepair,
    /// A notification asked for a schema cache reload.
    ListenReloadSchema(&'a str),
    /// A notification asked for a configuration reload.
    ListenReloadConfig(&'a str),
    /// The texts of a request's statements, with the status of its answer.
    Query(&'a [&'a str], StatusCode),
    /// A request used an embed's target name where its alias is meant.
    LegacyTargetName {
        /// What is deprecated.
        message: &'a str,
        /// What to write instead.
        hint: &'a str,
        /// Method.
        method: &'a Method,
        /// Path and query.
        target: &'a str,
    },
    /// `jwt-role-claim-key` is written in the old syntax; as dumped.
    DeprecatedRoleClaimKey(&'a str),
    /// A source of the configuration has a name that is no setting.
    UnknownSetting(&'a UnknownSetting),
    /// The in-database configuration could not be read.
    ConfigReadError(&'a DbError),
    /// The role settings could not be read.
    RoleSettingsError(&'a DbError),
    /// The reloaded configuration is invalid; the old one stays.
    ConfigInvalid(&'a str),
    /// The configuration was reloaded.
    ConfigReloaded,
    /// A statement failed in a way that is not the client's fault.
    QueryError(&'a DbError),
    /// The folder for temporary files cannot be used, or has no room; what the system said.
    TempFolder(&'a std::io::Error),
    /// The pool is ready; its size.
    PoolInit(usize),
    /// No connection came free in time.
    PoolAcquisitionTimeout,
    /// A request waits for a connection.
    PoolRequest,
    /// The wait is over, one way or the other.
    PoolRequestFulfilled,
    /// Every connection of the pool is being replaced.
    PoolFlushed,
    /// The database does not answer any more.
    DbSilent,
    /// The database answers again.
    DbSpeaks,
    /// A connection changed state; its number within the process.
    Connection(u64, ConnectionStatus),
    /// An answer is on its way.
    Response(Access<'a>),
    /// A token was looked up; whether it was there.
    JwtCacheLookup(bool),
    /// A token made room for another.
    JwtCacheEviction,
    /// A signal asks the process to end.
    Termination(&'a str),
    /// A client's connection failed in an unusual way.
    HttpServer(&'a str),
}

/// A line of the access log.
#[derive(Debug)]
pub struct Access<'a> {
    /// Role, once authenticated.
    pub role: Option<&'a str>,
    /// Peer address.
    pub peer: &'a str,
    /// Method.
    pub method: &'a Method,
    /// Path and query, as sent.
    pub target: &'a str,
    /// HTTP version.
    pub version: Version,
    /// Status.
    pub status: StatusCode,
    /// `Content-Length` of the answer, if it has one.
    pub length: Option<u64>,
    /// `Referer`.
    pub referer: &'a [u8],
    /// `User-Agent`.
    pub user_agent: &'a [u8],
}

/// Why the process cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FatalError {
    /// The password is wrong or missing.
    Auth,
    /// A fault of ours.
    Bug,
    /// `42P05`: a transaction pooler with prepared statements on.
    PreparedStatementExists,
    /// `08P01`: a statement pooler.
    StatementPooling,
}

/// What became of a pooled connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionStatus {
    /// Being made.
    Connecting,
    /// Made, and free to use.
    Established,
    /// In use.
    InUse,
    /// Free again after a session that went well.
    SessionSucceeded,
    /// Free again after a session that failed.
    SessionFailed,
    /// Closed.
    Terminated(TerminationReason),
}

/// Why a pooled connection was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminationReason {
    /// `db-pool-max-lifetime`.
    MaxLifetime,
    /// `db-pool-max-idletime`.
    MaxIdleTime,
    /// The pool was flushed or closed.
    Release,
    /// The connection broke.
    NetworkError,
    /// It could not be set up.
    InitFailure,
}

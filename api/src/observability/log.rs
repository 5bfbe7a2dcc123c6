//! The log: diagnostics go to standard error with a time stamp, the access log to standard output,
//! line by line as PostgREST writes them.

use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;

use super::observation::{Access, ConnectionStatus, FatalError, Observation, TerminationReason};
use crate::config::{LogLevel, UnknownSetting, Verbosity};
use crate::error::http::{database_error_body, error_body};
use crate::error::{DbError, Error};
use crate::version;

/// Pool timeouts come in floods; one line in this time tells as much.
const POOL_TIMEOUT_QUIET: Duration = Duration::from_secs(5);

/// Writes observations at the configured level.
pub struct Logger {
    level: AtomicU8,
    pool_timeouts: Arc<Mutex<Quiet>>,
}

/// Whether a line that was written just now keeps others of its kind back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quiet {
    /// Nothing was written lately.
    No,
    /// Written just now.
    Yes,
    /// The same, and it has happened again since.
    YesWithMore,
}

impl Logger {
    /// A log at this level.
    pub fn new(level: LogLevel) -> Self {
        Self { level: AtomicU8::new(level as u8), pool_timeouts: Arc::new(Mutex::new(Quiet::No)) }
    }

    /// Follows a reloaded `log-level`.
    pub fn set_level(&self, level: LogLevel) {
        self.level.store(level as u8, Relaxed);
    }

    fn at_least(&self, level: LogLevel) -> bool {
        self.level.load(Relaxed) >= level as u8
    }

    /// Answers below this status are not logged at this level.
    fn logs_status(&self, status: StatusCode) -> bool {
        let lowest = if self.at_least(LogLevel::Info) {
            100
        } else if self.at_least(LogLevel::Warn) {
            400
        } else if self.at_least(LogLevel::Error) {
            500
        } else {
            u16::MAX
        };
        status.as_u16() >= lowest
    }

    fn wants(&self, observation: &Observation<'_>) -> bool {
        match observation {
            Observation::PoolAcquisitionTimeout => {
                self.at_least(LogLevel::Error) && is_news(&self.pool_timeouts)
            }
            Observation::QueryError(_) | Observation::SchemaCacheEmpty => self.at_least(LogLevel::Error),
            Observation::Query(_, status) => self.logs_status(*status),
            Observation::Response(access) => self.logs_status(access.status),
            Observation::Connection(..)
            | Observation::PoolRequest
            | Observation::PoolRequestFulfilled
            | Observation::PoolFlushed
            | Observation::JwtCacheEviction
            | Observation::JwtCacheLookup(_)
            | Observation::SchemaCacheTimings(_)
            | Observation::HttpServer(_) => self.at_least(LogLevel::Debug),
            _ => true,
        }
    }

    /// Writes what is to be written. A log that cannot be written is not worth a failed request,
    /// so write errors are dropped.
    pub fn observe(&self, observation: &Observation<'_>) {
        if !self.wants(observation) {
            return;
        }
        match observation {
            Observation::Response(access) => {
                let _ = std::io::stdout().lock().write_all(&access_line(access, &stamp()));
            }
            _ => write_messages(observation),
        }
    }
}

/// Whether a pool timeout is to be written now. The first is; those that follow soon are told of by
/// one more line when the quiet time is over.
fn is_news(quiet: &Arc<Mutex<Quiet>>) -> bool {
    let mut state = quiet.lock().unwrap_or_else(PoisonError::into_inner);
    if *state != Quiet::No {
        *state = Quiet::YesWithMore;
        return false;
    }
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        *state = Quiet::Yes;
        let quiet = Arc::clone(quiet);
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(POOL_TIMEOUT_QUIET).await;
                let mut state = quiet.lock().unwrap_or_else(PoisonError::into_inner);
                if *state == Quiet::Yes {
                    *state = Quiet::No;
                    return;
                }
                *state = Quiet::Yes;
                drop(state);
                write_messages(&Observation::PoolAcquisitionTimeout);
            }
        });
    }
    true
}

fn stamp() -> String {
    jiff::Zoned::now().strftime("%d/%b/%Y:%T %z").to_string()
}

fn write_messages(observation: &Observation<'_>) {
    let now = stamp();
    let mut text = String::new();
    for message in messages(observation) {
        text.push_str(&now);
        text.push_str(": ");
        push_escaped(&mut text, &message, |_| false);
        text.push('\n');
    }
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Apache's combined format. What a client chooses can neither end its field nor the line.
fn access_line(access: &Access<'_>, now: &str) -> Vec<u8> {
    let mut line = String::with_capacity(160);
    let ends_word = |it| matches!(it, ' ' | '[' | ']' | '"' | '\\');
    let ends_text = |it| matches!(it, '"' | '\\');
    push_escaped(&mut line, access.peer, ends_word);
    line.push_str(" - ");
    push_escaped(&mut line, access.role.unwrap_or("-"), ends_word);
    line.push_str(" [");
    line.push_str(now);
    line.push_str("] \"");
    push_escaped(&mut line, access.method.as_ref(), ends_text);
    line.push(' ');
    push_escaped(&mut line, access.target, ends_text);
    let length = access.length.map_or_else(|| "-".to_owned(), |n| n.to_string());
    line.push_str(&format!(" {:?}\" {} {length} \"", access.version, access.status.as_u16()));
    push_escaped_bytes(&mut line, access.referer, ends_text);
    line.push_str("\" \"");
    push_escaped_bytes(&mut line, access.user_agent, ends_text);
    line.push_str("\"\n");
    line.into_bytes()
}

/// Appends text with its control characters, line ends of every script and whatever `ends` the field escaped: the
/// way JSON does, which most lines hold.
fn push_escaped(line: &mut String, text: &str, ends: impl Fn(char) -> bool) {
    for c in text.chars() {
        match c {
            '"' | '\\' if ends(c) => line.extend(['\\', c]),
            // Directions of writing let a line look like another one.
            _ if ends(c)
                || c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                line.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            _ => line.push(c),
        }
    }
}

/// The same of bytes that need not be UTF-8.
fn push_escaped_bytes(line: &mut String, bytes: &[u8], ends: impl Fn(char) -> bool) {
    for chunk in bytes.utf8_chunks() {
        push_escaped(line, chunk.valid(), &ends);
        for byte in chunk.invalid() {
            line.push_str(&format!("\\x{byte:02x}"));
        }
    }
}

/// The lines an observation is told in.
fn messages(observation: &Observation<'_>) -> Vec<String> {
    let line = match observation {
        Observation::AppStart => format!("Starting {}...", version::full()),
        Observation::AppListening(address) => format!("API server listening on {address}"),
        Observation::AdminListening(address) => format!("Admin server listening on {address}"),
        Observation::AdminCrashed(why) => format!("Admin server crashed unexpectedly: {}", single_line(why)),
        Observation::DbConnected(version) => format!("Successfully connected to {version}"),
        Observation::UnsupportedPgVersion { found, minimum } => format!(
            "Cannot run in this PostgreSQL version ({found}), PostgREST needs at least {minimum}"
        ),
        Observation::NoRecovery => "Automatic recovery disabled, exiting.".to_owned(),
        Observation::Fatal(kind, error) => format!("{}{}", fatal_prefix(*kind), json_message(error)),
        Observation::SchemaCacheEmpty => {
            let body = error_body(&Error::NoSchemaCache, Verbosity::Verbose);
            String::from_utf8_lossy(&body).into_owned()
        }
        Observation::SchemaCacheError { schemas, extra_search_path, error } => format!(
            "Failed to load the schema cache using db-schemas={} and db-extra-search-path={}. {}",
            schemas.join(","),
            extra_search_path.join(","),
            json_message(error)
        ),
        Observation::SchemaCacheQueried(took) => {
            format!("Schema cache queried in {} milliseconds", millis(*took))
        }
        Observation::SchemaCacheTimings(timings) => timings
            .iter()
            .map(|(name, took)| format!("{name}: {} ms", millis(*took)))
            .collect::<Vec<_>>()
            .join(", "),
        Observation::SchemaCacheLoaded { took, summary, .. } => {
            return vec![
                format!("Schema cache loaded {summary}"),
                format!("Schema cache loaded in {} milliseconds", millis(*took)),
            ];
        }
        Observation::ConnectionRetry(delay) => {
            format!("Attempting to reconnect to the database in {delay} seconds...")
        }
        Observation::PgVersionError(error) => {
            format!("Failed to query the PostgreSQL version. {}", json_message(error))
        }
        Observation::ListenStart { address, version, channel } => format!(
            "Listener connected to {version} on {address:?} and listening for database notifications on the {channel:?} channel"
        ),
        Observation::ListenFail { channel, error } => format!(
            "Failed listening for database notifications on the {channel:?} channel. {}",
            single_line(error)
        ),
        Observation::ListenRetry(delay) => {
            format!("Retrying listening for database notifications in {delay} seconds...")
        }
        Observation::ListenQueueRepair => "This is likely a PostgreSQL bug in the notification queue, executing the following to try to solve it: SELECT pg_notification_queue_usage();".to_owned(),
        Observation::ListenReloadSchema(channel) => {
            format!("Received a schema cache reload message on the {channel:?} channel")
        }
        Observation::ListenReloadConfig(channel) => {
            format!("Received a config reload message on the {channel:?} channel")
        }
        Observation::Query(statements, _) => {
            return statements.iter().map(|it| readable(&single_line(&without_comments(it)))).collect();
        }
        Observation::LegacyTargetName { message, hint, method, target } => {
            return vec![
                format!("WARNING: {message}"),
                format!("Update filters, orders or limits that use {hint} in `{method} {target}`"),
            ];
        }
        Observation::DeprecatedRoleClaimKey(key) => {
            return vec![
                format!("WARNING: The config `jwt-role-claim-key={key}` is using the deprecated JSPath syntax."),
                format!(
                    "Update `jwt-role-claim-key={key}` to the new JSONPath syntax as support for JSPath will be removed in a future release. See the migration guide on how to update: https://github.com/PostgREST/postgrest/blob/main/CHANGELOG.md#migration-to-v16"
                ),
            ];
        }
        Observation::UnknownSetting(UnknownSetting { name, place, meant }) => {
            let meant = meant.as_ref().map_or_else(String::new, |it| format!(" Did you mean `{it}`?"));
            format!("WARNING: {name:?} in the {place} is no setting and has no effect.{meant}")
        }
        Observation::ConfigReadError(error) => format!(
            "Failed to query database settings for the config parameters.{}",
            json_message(error)
        ),
        Observation::RoleSettingsError(error) => {
            format!("Failed to query the role settings. {}", json_message(error))
        }
        Observation::ConfigInvalid(why) => format!("Failed reloading config: {why}"),
        Observation::ConfigReloaded => "Config reloaded".to_owned(),
        Observation::QueryError(error) => json_message(error),
        Observation::TempFolder(error) => format!(
            "Failed to keep a large answer in the folder for temporary files, which TMPDIR names: {error}. Up to pgapp-temp-memory-max such answers are kept in memory."
        ),
        Observation::PoolInit(size) => {
            format!("Connection Pool initialized with a maximum size of {size} connections")
        }
        Observation::PoolAcquisitionTimeout => json_message(&DbError::AcquisitionTimeout),
        Observation::PoolRequest => "Trying to borrow a connection from pool".to_owned(),
        Observation::PoolRequestFulfilled => "Borrowed a connection from the pool".to_owned(),
        Observation::DbSilent => "The database does not answer. Requests are refused until it does.".to_owned(),
        Observation::DbSpeaks => "The database answers again.".to_owned(),
        Observation::PoolFlushed => "Database connection pool flushed".to_owned(),
        Observation::Connection(id, status) => format!("Connection {id} {}", connection_status(*status)),
        Observation::JwtCacheLookup(_) => "Looked up a JWT in JWT cache".to_owned(),
        Observation::JwtCacheEviction => "Evicted entry from JWT cache".to_owned(),
        Observation::Termination(signal) => format!("Received termination unix signal {signal}"),
        Observation::HttpServer(why) => format!("HTTP server: {why}"),
        // Written as an access line before it gets here.
        Observation::Response(_) => return Vec::new(),
    };
    vec![line]
}

fn fatal_prefix(kind: FatalError) -> &'static str {
    match kind {
        FatalError::Auth => "Failed to establish a connection. ",
        FatalError::Bug => "This is probably a bug in pgapp-api, please report it. ",
        FatalError::PreparedStatementExists => {
            "If you are using connection poolers in transaction mode, try setting db-prepared-statements to false. "
        }
        FatalError::StatementPooling => "Connection poolers in statement mode are not supported.",
    }
}

fn connection_status(status: ConnectionStatus) -> &'static str {
    match status {
        ConnectionStatus::Connecting => "is being established",
        ConnectionStatus::Established => "is available due to connection establishment",
        ConnectionStatus::SessionSucceeded => "is available due to session success",
        ConnectionStatus::SessionFailed => "is available due to session failure",
        ConnectionStatus::InUse => "is used",
        ConnectionStatus::Terminated(TerminationReason::MaxLifetime) => "is terminated due to max lifetime",
        ConnectionStatus::Terminated(TerminationReason::MaxIdleTime) => "is terminated due to max idletime",
        ConnectionStatus::Terminated(TerminationReason::Release) => "is terminated due to release",
        ConnectionStatus::Terminated(TerminationReason::NetworkError) => "is terminated due to network error",
        ConnectionStatus::Terminated(TerminationReason::InitFailure) => "is terminated due to init failure",
    }
}

/// The error as a client would see it.
fn json_message(error: &DbError) -> String {
    text(&database_error_body(error, Verbosity::Verbose))
}

fn text(json: &[u8]) -> String {
    String::from_utf8_lossy(json).into_owned()
}

fn millis(took: Duration) -> String {
    format!("{:.1}", took.as_secs_f64() * 1000.0)
}

/// A statement without the lines that are comments, which would turn all of a single line into one.
fn without_comments(sql: &str) -> String {
    sql.lines().filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join("\n")
}

/// A statement as PostgREST writes it, for whoever reads the log by its patterns: without the qualification of
/// what is Postgres' own, except where that is part of what is read.
fn readable(sql: &str) -> String {
    const SCHEMA: &str = "pg_catalog.";
    const OPERATOR: &str = "OPERATOR(pg_catalog.";
    let mut text = String::with_capacity(sql.len());
    let mut quote = None;
    let mut rest = sql;
    while let Some(c) = rest.chars().next() {
        if quote.is_none() {
            if let Some((operator, after)) = rest.strip_prefix(OPERATOR).and_then(|it| it.split_once(')')) {
                text.push_str(operator);
                rest = after;
                continue;
            }
            if let Some(name) = rest.strip_prefix(SCHEMA)
                && !["count(", "obj_description("].iter().any(|it| name.starts_with(it))
            {
                rest = name;
                continue;
            }
        }
        match quote {
            None if matches!(c, '\'' | '"') => quote = Some(c),
            Some(it) if it == c => quote = None,
            _ => {}
        }
        text.push(c);
        rest = &rest[c.len_utf8()..];
    }
    text
}

/// Lines joined by a space, so that one event is one line of log.
fn single_line(text: &str) -> String {
    text.lines().map(|line| line.replace('\t', "")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut line = String::new();
        push_escaped_bytes(&mut line, text.as_bytes(), |it| it == '"');
        assert_eq!(line, expected);
    }

    #[test]
    fn no_text_ends_a_line_or_its_field() {
        check("plain Ünïcödé ✓", "plain Ünïcödé ✓");
        check("a\nb\r\tc\u{7f}\u{85}", "a\\u000ab\\u000d\\u0009c\\u007f\\u0085");
        check("x\u{1b}[2J\u{2028}\u{202e}", "x\\u001b[2J\\u2028\\u202e");
        check("a\" 200", "a\\\" 200");
        let mut line = String::new();
        push_escaped_bytes(&mut line, b"a\xff\x80b\xc3\xa9", |_| false);
        assert_eq!(line, "a\\xff\\x80bé");
    }

    #[test]
    fn statements_read_as_postgrest_writes_them() {
        let sql = "SELECT pg_catalog.count(a), x OPERATOR(pg_catalog.||) 'pg_catalog.y', \"pg_catalog.z\", \
                   pg_catalog.to_json(b)::pg_catalog.text";
        let shown = "SELECT pg_catalog.count(a), x || 'pg_catalog.y', \"pg_catalog.z\", to_json(b)::text";
        assert_eq!(readable(sql), shown);
    }
}

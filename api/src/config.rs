//! Settings: where they come from, what they mean, how they are shown.
//!
//! [`keys`] is the one table of all settings; reading ([`load`]), `--dump-config` ([`dump`]) and the
//! reference page are loops over it. [`mod@file`] parses the configuration file, [`database`] reads the
//! in-database configuration, [`value`] says how raw values become typed ones.

pub mod database;
pub mod dump;
pub mod file;
pub mod keys;
pub mod load;
mod misspelt;
mod uri;
pub mod value;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;

use crate::jwt::keys::KeySet;
use crate::jwt::role_claim::RoleClaim;

pub use crate::error::Verbosity;
use crate::schema_cache::identifiers::QualifiedIdentifier;
use crate::schema_cache::load::Exposed;
use crate::schema_cache::routine::IsolationLevel;

/// `log-level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// `crit`.
    Crit,
    /// `error`.
    Error,
    /// `warn`.
    Warn,
    /// `info`.
    Info,
    /// `debug`.
    Debug,
}

/// `openapi-mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenApiMode {
    /// Only what the role may use.
    FollowPrivileges,
    /// Everything in the schema.
    IgnorePrivileges,
    /// Nothing.
    Disabled,
}

/// What becomes of something in a request that has no effect, as `pgapp-limited-writes` and
/// `pgapp-unread-parameters` say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// `ignore`: nothing, as in PostgREST.
    Ignore,
    /// `refuse`: the request is refused.
    Refuse,
}

/// What becomes of values for columns that are `GENERATED ALWAYS`, as `pgapp-generated-columns` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GeneratedColumns {
    /// `refuse`: the database refuses them.
    Refuse,
    /// `skip`: they are left out, save where an upsert needs them to find its row.
    Skip,
}

/// A name in the place of a setting that is not a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownSetting {
    /// As it is written there.
    pub name: String,
    /// Where it stands.
    pub place: &'static str,
    /// What may be meant, written the way it has to be there.
    pub meant: Option<String>,
}

/// `server-trace-header`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceHeader {
    /// As used.
    pub name: http::HeaderName,
    /// As written, for the dump.
    pub written: String,
}

/// A configuration that cannot be used; the message says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read or parsed, or a value is not allowed.
    #[error("Error in config {0}")]
    Invalid(String),
    /// A file that a setting points to cannot be read: setting, path, reason.
    #[error("cannot read the file '{path}' that {setting} points to: {reason}")]
    ReadReferenced {
        /// Setting.
        setting: &'static str,
        /// Path.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The secret cannot be used.
    #[error("{0}")]
    Secret(String),
}

/// Every setting, typed. Field names are the setting's name with `_`.
#[derive(Clone)]
pub struct AppConfig {
    /// `app.settings.*`.
    pub app_settings: Vec<(String, String)>,
    /// `client-error-verbosity`.
    pub client_error_verbosity: Verbosity,
    /// `db-aggregates-enabled`.
    pub db_aggregates_enabled: bool,
    /// `db-anon-role`.
    pub db_anon_role: Option<String>,
    /// `db-channel`.
    pub db_channel: String,
    /// `db-channel-enabled`.
    pub db_channel_enabled: bool,
    /// `db-extra-search-path`.
    pub db_extra_search_path: Vec<String>,
    /// `db-hoisted-tx-settings`.
    pub db_hoisted_tx_settings: Vec<String>,
    /// `db-max-rows`.
    pub db_max_rows: Option<i64>,
    /// `db-plan-enabled`.
    pub db_plan_enabled: bool,
    /// `db-pool`.
    pub db_pool: usize,
    /// `db-pool-acquisition-timeout`, seconds.
    pub db_pool_acquisition_timeout: u64,
    /// `db-pool-max-lifetime`, seconds.
    pub db_pool_max_lifetime: u64,
    /// `db-pool-max-idletime`, seconds.
    pub db_pool_max_idletime: u64,
    /// `db-pool-automatic-recovery`.
    pub db_pool_automatic_recovery: bool,
    /// `db-pre-request`.
    pub db_pre_request: Option<QualifiedIdentifier>,
    /// `db-prepared-statements`.
    pub db_prepared_statements: bool,
    /// `db-root-spec`.
    pub db_root_spec: Option<QualifiedIdentifier>,
    /// `db-schemas`; never empty.
    pub db_schemas: Vec<String>,
    /// `db-config`.
    pub db_config: bool,
    /// `db-pre-config`.
    pub db_pre_config: Option<QualifiedIdentifier>,
    /// `db-tx-end` lets `Prefer: tx=` override.
    pub db_tx_allow_override: bool,
    /// `db-tx-end` rolls back by default.
    pub db_tx_rollback_all: bool,
    /// `db-uri`, as it was at the start.
    pub db_uri: String,
    /// The file that it was read from, which may say something else by now.
    pub db_uri_file: Option<PathBuf>,
    /// The configuration file, if one was given.
    pub file_path: Option<PathBuf>,
    /// `jwt-aud`.
    pub jwt_aud: Option<String>,
    /// `jwt-role-claim-key`, compiled.
    pub jwt_role_claim_key: RoleClaim,
    /// `jwt-secret`, decoded.
    pub jwt_secret: Option<Vec<u8>>,
    /// The keys that `jwt-secret` stands for.
    pub jwt_keys: Option<KeySet>,
    /// `jwt-secret-is-base64`.
    pub jwt_secret_is_base64: bool,
    /// `jwt-cache-max-entries`.
    pub jwt_cache_max_entries: usize,
    /// `log-level`.
    pub log_level: LogLevel,
    /// `log-query`.
    pub log_query: bool,
    /// `openapi-mode`.
    pub openapi_mode: OpenApiMode,
    /// `openapi-security-active`.
    pub openapi_security_active: bool,
    /// `openapi-server-proxy-uri`.
    pub openapi_server_proxy_uri: Option<String>,
    /// `pgapp-max-bodies`, bytes; 0 for no limit.
    pub pgapp_max_bodies: u64,
    /// `pgapp-max-body`, bytes; 0 for no limit.
    pub pgapp_max_body: u64,
    /// `pgapp-max-cookies`.
    pub pgapp_max_cookies: usize,
    /// `pgapp-max-header-bytes`.
    pub pgapp_max_header_bytes: usize,
    /// `pgapp-max-headers`.
    pub pgapp_max_headers: usize,
    /// `pgapp-plan-cache-bytes`.
    pub pgapp_plan_cache_bytes: usize,
    /// `pgapp-statement-cache-bytes`.
    pub pgapp_statement_cache_bytes: usize,
    /// `pgapp-temp-memory-max`, bytes.
    pub pgapp_temp_memory_max: u64,
    /// `pgapp-temp-space-max`, bytes.
    pub pgapp_temp_space_max: u64,
    /// `pgapp-temp-space-timeout`, seconds.
    pub pgapp_temp_space_timeout: u64,
    /// `pgapp-db-connect-timeout`, seconds.
    pub pgapp_db_connect_timeout: u64,
    /// `pgapp-db-hang-timeout`, seconds.
    pub pgapp_db_hang_timeout: u64,
    /// `pgapp-db-response-timeout`, seconds.
    pub pgapp_db_response_timeout: u64,
    /// `pgapp-server-body-timeout`, seconds.
    pub pgapp_server_body_timeout: u64,
    /// `pgapp-server-header-timeout`, seconds.
    pub pgapp_server_header_timeout: u64,
    /// `pgapp-server-idle-timeout`, seconds.
    pub pgapp_server_idle_timeout: u64,
    /// `pgapp-server-max-connections`.
    pub pgapp_server_max_connections: usize,
    /// `pgapp-server-max-streams`.
    pub pgapp_server_max_streams: usize,
    /// `pgapp-server-shutdown-timeout`, seconds.
    pub pgapp_server_shutdown_timeout: u64,
    /// `pgapp-server-write-timeout`, seconds.
    pub pgapp_server_write_timeout: u64,
    /// `server-cors-allowed-origins`.
    pub server_cors_allowed_origins: Vec<String>,
    /// `server-host`.
    pub server_host: String,
    /// `server-port`.
    pub server_port: u16,
    /// `server-reuseport`.
    pub server_reuseport: bool,
    /// `server-trace-header`.
    pub server_trace_header: Option<TraceHeader>,
    /// `server-timing-enabled`.
    pub server_timing_enabled: bool,
    /// `server-unix-socket`.
    pub server_unix_socket: Option<PathBuf>,
    /// `server-unix-socket-mode`.
    pub server_unix_socket_mode: u32,
    /// `pgapp-limited-writes`.
    pub pgapp_limited_writes: Unread,
    /// `pgapp-compression`.
    pub pgapp_compression: bool,
    /// `pgapp-etag`.
    pub pgapp_etag: bool,
    /// `pgapp-base-path`: below it is what is at the root; empty where there is no such place.
    pub pgapp_base_path: String,
    /// `pgapp-schema-wait`, seconds.
    pub pgapp_schema_wait: u64,
    /// `pgapp-csv-strict`.
    pub pgapp_csv_strict: bool,
    /// `pgapp-generated-columns`.
    pub pgapp_generated_columns: GeneratedColumns,
    /// `pgapp-null-defaults`.
    pub pgapp_null_defaults: bool,
    /// `pgapp-openapi-precise`.
    pub pgapp_openapi_precise: bool,
    /// `pgapp-unread-parameters`.
    pub pgapp_unread_parameters: Unread,
    /// `url-use-legacy-target-names`.
    pub url_use_legacy_target_names: bool,
    /// `admin-server-host`.
    pub admin_server_host: String,
    /// `admin-server-port`.
    pub admin_server_port: Option<i64>,
    /// `admin-server-unix-socket`.
    pub admin_server_unix_socket: Option<PathBuf>,
    /// `admin-server-unix-socket-mode`.
    pub admin_server_unix_socket_mode: u32,
    /// `internal-schema-cache-query-sleep-before-queries`, milliseconds; for tests of slow loads.
    pub internal_schema_cache_query_sleep_before: Option<i64>,
    /// `internal-schema-cache-query-sleep`, milliseconds; for tests of slow loads.
    pub internal_schema_cache_query_sleep: Option<i64>,
    /// Names in the sources that no setting has; worth a warning.
    pub unknown_settings: Vec<UnknownSetting>,
    /// Per role: settings from `ALTER ROLE … SET`, read by the in-database configuration.
    pub role_settings: HashMap<String, Vec<(String, String)>>,
    /// Per role: `default_transaction_isolation`.
    pub role_isolation: HashMap<String, IsolationLevel>,
}

impl Exposed for AppConfig {
    fn schemas(&self) -> &[String] {
        &self.db_schemas
    }

    fn extra_search_path(&self) -> &[String] {
        &self.db_extra_search_path
    }

    fn hoisted_settings(&self) -> &[String] {
        &self.db_hoisted_tx_settings
    }
}

impl Default for AppConfig {
    /// What holds where nothing is set.
    fn default() -> Self {
        Self {
            app_settings: Vec::new(),
            client_error_verbosity: Verbosity::Verbose,
            db_aggregates_enabled: false,
            db_anon_role: None,
            db_channel: "pgrst".into(),
            db_channel_enabled: true,
            db_extra_search_path: vec!["public".into()],
            db_hoisted_tx_settings: vec![
                "statement_timeout".into(),
                "plan_filter.statement_cost_limit".into(),
                "default_transaction_isolation".into(),
            ],
            db_max_rows: None,
            db_plan_enabled: false,
            db_pool: 10,
            db_pool_acquisition_timeout: 10,
            db_pool_max_lifetime: 1800,
            db_pool_max_idletime: 30,
            db_pool_automatic_recovery: true,
            db_pre_request: None,
            db_prepared_statements: true,
            db_root_spec: None,
            db_schemas: vec!["public".into()],
            db_config: true,
            db_pre_config: None,
            db_tx_allow_override: false,
            db_tx_rollback_all: false,
            db_uri: "postgresql://".into(),
            db_uri_file: None,
            file_path: None,
            jwt_aud: None,
            jwt_role_claim_key: RoleClaim::default(),
            jwt_secret: None,
            jwt_keys: None,
            jwt_secret_is_base64: false,
            jwt_cache_max_entries: 1000,
            log_level: LogLevel::Error,
            log_query: false,
            openapi_mode: OpenApiMode::FollowPrivileges,
            openapi_security_active: false,
            openapi_server_proxy_uri: None,
            pgapp_max_bodies: 1024 * 1024 * 1024,
            pgapp_max_body: 64 * 1024 * 1024,
            pgapp_max_cookies: 500,
            // More than PostgREST's web server takes.
            pgapp_max_header_bytes: 64 * 1024,
            pgapp_max_headers: 100,
            pgapp_plan_cache_bytes: 32 * 1024 * 1024,
            pgapp_statement_cache_bytes: 16 * 1024 * 1024,
            pgapp_temp_memory_max: 64 * 1024 * 1024,
            pgapp_temp_space_max: 1024 * 1024 * 1024,
            pgapp_temp_space_timeout: 10,
            pgapp_db_connect_timeout: 10,
            pgapp_db_hang_timeout: 15,
            pgapp_db_response_timeout: 900,
            pgapp_server_body_timeout: 30,
            pgapp_server_header_timeout: 30,
            pgapp_server_idle_timeout: 75,
            pgapp_server_max_connections: 0,
            pgapp_server_max_streams: 200,
            pgapp_server_shutdown_timeout: 30,
            pgapp_server_write_timeout: 30,
            server_cors_allowed_origins: Vec::new(),
            server_host: "!4".into(),
            server_port: 3000,
            server_reuseport: false,
            server_trace_header: None,
            server_timing_enabled: false,
            server_unix_socket: None,
            server_unix_socket_mode: 0o660,
            pgapp_limited_writes: Unread::Ignore,
            pgapp_compression: true,
            pgapp_etag: false,
            pgapp_base_path: "/rest/v1".into(),
            pgapp_schema_wait: 5,
            pgapp_csv_strict: false,
            pgapp_generated_columns: GeneratedColumns::Refuse,
            pgapp_null_defaults: false,
            pgapp_openapi_precise: false,
            pgapp_unread_parameters: Unread::Ignore,
            url_use_legacy_target_names: true,
            admin_server_host: "!4".into(),
            admin_server_port: None,
            admin_server_unix_socket: None,
            admin_server_unix_socket_mode: 0o660,
            internal_schema_cache_query_sleep_before: None,
            internal_schema_cache_query_sleep: None,
            unknown_settings: Vec::new(),
            role_settings: HashMap::new(),
            role_isolation: HashMap::new(),
        }
    }
}

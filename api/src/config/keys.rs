//! The one table of settings, PostgREST's and our own. Everything that enumerates settings is a loop over [`all`].

mod own;

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::uri::{is_proxy_uri, is_uri};
use super::value::Found;
use super::{AppConfig, LogLevel, OpenApiMode, TraceHeader, Verbosity};
use crate::jwt::role_claim::RoleClaim;
use crate::schema_cache::identifiers::QualifiedIdentifier;

/// How the names of our own settings begin; all others are PostgREST's.
pub(super) const OWN: &str = "pgapp-";

/// A setting.
pub struct Key {
    /// Name in the configuration file.
    pub name: &'static str,
    /// Older names, still read.
    pub aliases: &'static [&'static str],
    /// The alias counts before the name.
    pub(super) alias_first: bool,
    /// What a value looks like.
    pub kind: Kind,
    /// Changes with a configuration reload.
    pub reloadable: bool,
    /// Can be set in the database.
    pub in_database: bool,
    /// What it does.
    pub doc: &'static str,
    /// Takes the values found for it.
    pub(super) read: fn(&mut AppConfig, &Found) -> Result<(), String>,
    /// Its value for the dump.
    pub(super) show: fn(&AppConfig) -> Shown,
}

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text in double quotes.
    String,
    /// A whole number.
    Int,
    /// `true` or `false`.
    Boolean,
}

/// A value for the dump.
pub enum Shown {
    /// To be quoted.
    Text(String),
    /// As it is.
    Bare(String),
}

impl Key {
    /// Name of its environment variable: `PGRST_…`, or `PGAPP_…` for a setting that PostgREST does not have.
    pub fn env_name(name: &str) -> String {
        let upper = name.to_ascii_uppercase().replace('-', "_");
        if name.starts_with(OWN) { upper } else { format!("PGRST_{upper}") }
    }

    /// PostgREST does not have it. The dump shows it only where it is set to something, so that the dump of a
    /// configuration that PostgREST could read is the one that PostgREST makes of it.
    pub fn is_own(&self) -> bool {
        self.name.starts_with(OWN)
    }

    /// What it is called among the settings that were read from the database.
    pub fn db_name(name: &str) -> String {
        name.replace('-', "_")
    }

    /// Its name in the database.
    pub fn db_setting(name: &str) -> String {
        match name.strip_prefix(OWN) {
            Some(own) => format!("pgapp.{}", Self::db_name(own)),
            None => format!("pgrst.{}", Self::db_name(name)),
        }
    }
}

const fn key(
    name: &'static str,
    kind: Kind,
    doc: &'static str,
    read: fn(&mut AppConfig, &Found) -> Result<(), String>,
    show: fn(&AppConfig) -> Shown,
) -> Key {
    Key {
        name,
        aliases: &[],
        alias_first: false,
        kind,
        reloadable: true,
        in_database: false,
        doc,
        read,
        show,
    }
}

impl Key {
    const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    const fn fixed(mut self) -> Self {
        self.reloadable = false;
        self
    }

    const fn in_database(mut self) -> Self {
        self.in_database = true;
        self
    }

    const fn alias_first(mut self) -> Self {
        self.alias_first = true;
        self
    }
}

/// Every setting but `app.settings.*`, in the order of the reference page.
pub fn all() -> impl Iterator<Item = &'static Key> {
    let (before, after) = POSTGREST.split_at(POSTGREST.partition_point(|it| it.name < OWN));
    before.iter().chain(own::KEYS).chain(after)
}

/// Those that PostgREST has.
const POSTGREST: &[Key] = &[
    key(
        "admin-server-host",
        Kind::String,
        "Address the admin server listens on. Without it, that of `server-host`.",
        |c, v| {
            set(&mut c.admin_server_host, v.text());
            Ok(())
        },
        |c| text(&c.admin_server_host),
    )
    .aliases(&["server-host"])
    .fixed(),
    key(
        "admin-server-port",
        Kind::Int,
        "Port of the admin server, which is off without it. Must differ from `server-port`.",
        |c, v| {
            c.admin_server_port = v.integer();
            Ok(())
        },
        |c| optional_number(c.admin_server_port),
    )
    .fixed(),
    key(
        "admin-server-unix-socket",
        Kind::String,
        "Unix socket of the admin server; goes before `admin-server-port`.",
        |c, v| {
            c.admin_server_unix_socket = v.text().map(PathBuf::from);
            Ok(())
        },
        |c| path(c.admin_server_unix_socket.as_ref()),
    )
    .fixed(),
    key(
        "admin-server-unix-socket-mode",
        Kind::String,
        "File mode of that socket, octal, from 600 to 777.",
        |c, v| socket_mode("admin-server-unix-socket-mode", &mut c.admin_server_unix_socket_mode, v),
        |c| text(&format!("{:o}", c.admin_server_unix_socket_mode)),
    )
    .fixed(),
    key(
        "client-error-verbosity",
        Kind::String,
        "What error bodies hold: `verbose` (code, message, details, hint) or `minimal` (code, message).",
        |c, v| {
            c.client_error_verbosity = match v.text().as_deref() {
                None | Some("verbose") => Verbosity::Verbose,
                Some("minimal") => Verbosity::Minimal,
                Some(_) => return Err("Invalid client-error-verbosity. Check your configuration.".into()),
            };
            Ok(())
        },
        |c| {
            text(match c.client_error_verbosity {
                Verbosity::Minimal => "minimal",
                Verbosity::Verbose => "verbose",
            })
        },
    )
    .in_database(),
    key(
        "db-aggregates-enabled",
        Kind::Boolean,
        "Allows aggregate functions in `select`. They let a caller ask for expensive queries, so they are off by default.",
        |c, v| boolean(&mut c.db_aggregates_enabled, v),
        |c| bare(c.db_aggregates_enabled),
    )
    .in_database(),
    key(
        "db-anon-role",
        Kind::String,
        "Role of requests without a token. Without it, such requests are refused.",
        |c, v| {
            c.db_anon_role = v.text();
            Ok(())
        },
        |c| optional_text(c.db_anon_role.as_deref()),
    )
    .in_database(),
    key(
        "db-channel",
        Kind::String,
        "Channel of `NOTIFY` on which reloads are asked for.",
        |c, v| {
            set(&mut c.db_channel, v.text());
            Ok(())
        },
        |c| text(&c.db_channel),
    ),
    key(
        "db-channel-enabled",
        Kind::Boolean,
        "Listens on `db-channel`. Turn it off behind a transaction pooler.",
        |c, v| boolean(&mut c.db_channel_enabled, v),
        |c| bare(c.db_channel_enabled),
    ),
    key(
        "db-config",
        Kind::Boolean,
        "Reads settings from the database.",
        |c, v| boolean(&mut c.db_config, v),
        |c| bare(c.db_config),
    ),
    key(
        "db-extra-search-path",
        Kind::String,
        "Schemas added to every request's `search_path`, separated by commas; they are not exposed. May be empty.",
        |c, v| {
            if let Some(list) = v.text_or_empty() {
                c.db_extra_search_path = if list.is_empty() { Vec::new() } else { split(&list) };
            }
            Ok(())
        },
        |c| list(&c.db_extra_search_path),
    )
    .in_database(),
    key(
        "db-hoisted-tx-settings",
        Kind::String,
        "Settings of a function (`CREATE FUNCTION … SET`) that are applied to the whole transaction, separated by commas.",
        |c, v| {
            set(&mut c.db_hoisted_tx_settings, v.text().map(|it| split(&it)));
            Ok(())
        },
        |c| list(&c.db_hoisted_tx_settings),
    )
    .in_database(),
    key(
        "db-max-rows",
        Kind::Int,
        "Most rows an answer may have. Without it there is no limit.",
        |c, v| {
            c.db_max_rows = v.integer();
            Ok(())
        },
        |c| optional_number(c.db_max_rows),
    )
    .aliases(&["max-rows"])
    .in_database(),
    key(
        "db-plan-enabled",
        Kind::Boolean,
        "Allows to ask for the execution plan with `Accept: application/vnd.pgrst.plan`. Not for production.",
        |c, v| boolean(&mut c.db_plan_enabled, v),
        |c| bare(c.db_plan_enabled),
    )
    .in_database(),
    key(
        "db-pool",
        Kind::Int,
        "Most connections to the database.",
        |c, v| unsigned("db-pool", &mut c.db_pool, v),
        |c| bare(c.db_pool),
    )
    .fixed(),
    key(
        "db-pool-acquisition-timeout",
        Kind::Int,
        "Seconds a request waits for a connection before it fails with `PGRST003`.",
        |c, v| unsigned("db-pool-acquisition-timeout", &mut c.db_pool_acquisition_timeout, v),
        |c| bare(c.db_pool_acquisition_timeout),
    )
    .fixed(),
    key(
        "db-pool-automatic-recovery",
        Kind::Boolean,
        "Connects again when the database went away. When off, the process ends instead.",
        |c, v| boolean(&mut c.db_pool_automatic_recovery, v),
        |c| bare(c.db_pool_automatic_recovery),
    ),
    key(
        "db-pool-max-idletime",
        Kind::Int,
        "Seconds after which an idle connection is closed.",
        |c, v| unsigned("db-pool-max-idletime", &mut c.db_pool_max_idletime, v),
        |c| bare(c.db_pool_max_idletime),
    )
    .aliases(&["db-pool-timeout"])
    .alias_first()
    .fixed(),
    key(
        "db-pool-max-lifetime",
        Kind::Int,
        "Seconds after which a connection is replaced.",
        |c, v| unsigned("db-pool-max-lifetime", &mut c.db_pool_max_lifetime, v),
        |c| bare(c.db_pool_max_lifetime),
    )
    .fixed(),
    key(
        "db-pre-config",
        Kind::String,
        "Function that sets the in-database configuration with `set_config('pgrst.…')`.",
        |c, v| {
            c.db_pre_config = v.text().map(|it| QualifiedIdentifier::parse(&it));
            Ok(())
        },
        |c| qualified(c.db_pre_config.as_ref()),
    )
    .in_database(),
    key(
        "db-pre-request",
        Kind::String,
        "Function called at the start of every transaction, after the request's settings are in place.",
        |c, v| {
            c.db_pre_request = v.text().map(|it| QualifiedIdentifier::parse(&it));
            Ok(())
        },
        |c| qualified(c.db_pre_request.as_ref()),
    )
    .aliases(&["pre-request"])
    .in_database(),
    key(
        "db-prepared-statements",
        Kind::Boolean,
        "Keeps statements prepared. Turn it off behind a transaction pooler.",
        |c, v| boolean(&mut c.db_prepared_statements, v),
        |c| bare(c.db_prepared_statements),
    )
    .in_database(),
    key(
        "db-root-spec",
        Kind::String,
        "Function that answers at `/` in place of the OpenAPI document.",
        |c, v| {
            c.db_root_spec = v.text().map(|it| QualifiedIdentifier::parse(&it));
            Ok(())
        },
        |c| qualified(c.db_root_spec.as_ref()),
    )
    .aliases(&["root-spec"])
    .in_database(),
    key(
        "db-schemas",
        Kind::String,
        "Schemas exposed, separated by commas; the first is the default.",
        |c, v| {
            if let Some(schemas) = v.text() {
                let schemas = split(&schemas);
                if let Some(system) =
                    ["pg_catalog", "information_schema"].iter().find(|it| schemas.iter().any(|s| s == *it))
                {
                    return Err(format!("db-schemas does not allow schema: '{system}'"));
                }
                c.db_schemas = schemas;
            }
            Ok(())
        },
        |c| list(&c.db_schemas),
    )
    .aliases(&["db-schema"])
    .in_database(),
    key(
        "db-tx-end",
        Kind::String,
        "How transactions end: `commit`, `commit-allow-override`, `rollback` or `rollback-allow-override`; the latter of each let `Prefer: tx=` choose.",
        |c, v| {
            (c.db_tx_rollback_all, c.db_tx_allow_override) = match v.text().as_deref() {
                None | Some("commit") => (false, false),
                Some("commit-allow-override") => (false, true),
                Some("rollback") => (true, false),
                Some("rollback-allow-override") => (true, true),
                Some(_) => return Err("Invalid transaction termination. Check your configuration.".into()),
            };
            Ok(())
        },
        |c| {
            text(match (c.db_tx_rollback_all, c.db_tx_allow_override) {
                (false, false) => "commit",
                (false, true) => "commit-allow-override",
                (true, false) => "rollback",
                (true, true) => "rollback-allow-override",
            })
        },
    )
    .in_database(),
    key(
        "db-uri",
        Kind::String,
        "Connection string, as a URI or as `key=value` pairs; what it leaves out comes from `PGHOST` and its kin. `@file` reads it from a file, and again when a connection cannot be made: a changed password or host needs no restart.",
        |c, v| {
            set(&mut c.db_uri, v.text());
            Ok(())
        },
        |c| text(&c.db_uri),
    )
    .fixed(),
    key(
        "jwt-aud",
        Kind::String,
        "Audience a token must name, if it names any: a string, or a URI when it holds a colon.",
        |c, v| {
            c.jwt_aud = v.text();
            match &c.jwt_aud {
                Some(aud) if aud.contains(':') && !is_uri(aud) => {
                    Err("jwt-aud should be a string or a valid URI".into())
                }
                _ => Ok(()),
            }
        },
        |c| optional_text(c.jwt_aud.as_deref()),
    )
    .in_database(),
    key(
        "jwt-cache-max-entries",
        Kind::Int,
        "Most verified tokens that are remembered; 0 remembers none.",
        |c, v| {
            if let Some(n) = v.integer() {
                // Below zero has always meant what zero means.
                c.jwt_cache_max_entries = usize::try_from(n.max(0)).unwrap_or(usize::MAX);
            }
            Ok(())
        },
        |c| bare(c.jwt_cache_max_entries),
    )
    .in_database(),
    key(
        "jwt-role-claim-key",
        Kind::String,
        "Where the role is in a token: a JSONPath (RFC 9535) such as `$.role`, whose first result counts. `$` is written `$$` in a file.",
        |c, v| {
            if let Some(path) = v.text() {
                c.jwt_role_claim_key = RoleClaim::parse(&path)?;
            }
            Ok(())
        },
        |c| text(&c.jwt_role_claim_key.dump()),
    )
    .aliases(&["role-claim-key"])
    .in_database(),
    key(
        "jwt-secret",
        Kind::String,
        "What tokens are verified with: a text of at least 32 characters, a JSON Web Key or a set of them. `@file` reads it from a file. Without it, tokens are refused. The file is read again with the configuration, and while the database cannot be reached.",
        |c, v| {
            c.jwt_secret = v.text().map(String::into_bytes);
            Ok(())
        },
        |c| text(&secret(c)),
    )
    .in_database(),
    key(
        "jwt-secret-is-base64",
        Kind::Boolean,
        "The secret is written in Base64.",
        |c, v| boolean(&mut c.jwt_secret_is_base64, v),
        |c| bare(c.jwt_secret_is_base64),
    )
    .aliases(&["secret-is-base64"])
    .in_database(),
    key(
        "log-level",
        Kind::String,
        "What is logged: `crit`, `error` (answers from 500), `warn` (from 400), `info` (all) or `debug`.",
        |c, v| {
            c.log_level = match v.text().as_deref() {
                Some("crit") => LogLevel::Crit,
                None | Some("error") => LogLevel::Error,
                Some("warn") => LogLevel::Warn,
                Some("info") => LogLevel::Info,
                Some("debug") => LogLevel::Debug,
                Some(_) => return Err("Invalid logging level. Check your configuration.".into()),
            };
            Ok(())
        },
        |c| {
            text(match c.log_level {
                LogLevel::Crit => "crit",
                LogLevel::Error => "error",
                LogLevel::Warn => "warn",
                LogLevel::Info => "info",
                LogLevel::Debug => "debug",
            })
        },
    ),
    key(
        "log-query",
        Kind::Boolean,
        "Logs the SQL of the requests that `log-level` logs.",
        |c, v| boolean(&mut c.log_query, v),
        |c| bare(c.log_query),
    ),
    key(
        "openapi-mode",
        Kind::String,
        "What the document at `/` describes: `follow-privileges` (what the role may use), `ignore-privileges` (all), or `disabled`.",
        |c, v| {
            c.openapi_mode = match v.text().as_deref() {
                None | Some("follow-privileges") => OpenApiMode::FollowPrivileges,
                Some("ignore-privileges") => OpenApiMode::IgnorePrivileges,
                Some("disabled") => OpenApiMode::Disabled,
                Some(_) => return Err("Invalid openapi-mode. Check your configuration.".into()),
            };
            Ok(())
        },
        |c| {
            text(match c.openapi_mode {
                OpenApiMode::FollowPrivileges => "follow-privileges",
                OpenApiMode::IgnorePrivileges => "ignore-privileges",
                OpenApiMode::Disabled => "disabled",
            })
        },
    )
    .in_database(),
    key(
        "openapi-security-active",
        Kind::Boolean,
        "Describes the token in the OpenAPI document.",
        |c, v| boolean(&mut c.openapi_security_active, v),
        |c| bare(c.openapi_security_active),
    )
    .in_database(),
    key(
        "openapi-server-proxy-uri",
        Kind::String,
        "Address of the API in the OpenAPI document, when it is reached through a proxy.",
        |c, v| {
            c.openapi_server_proxy_uri = v.text();
            match &c.openapi_server_proxy_uri {
                Some(uri) if !is_proxy_uri(uri) => {
                    Err("Malformed proxy uri, a correct example: https://example.com:8443/basePath".into())
                }
                _ => Ok(()),
            }
        },
        |c| optional_text(c.openapi_server_proxy_uri.as_deref()),
    )
    .in_database(),
    key(
        "server-cors-allowed-origins",
        Kind::String,
        "Origins that may use the API from a browser, separated by commas. Without it, all.",
        |c, v| {
            c.server_cors_allowed_origins = v.text().map(|it| split(&it)).unwrap_or_default();
            Ok(())
        },
        |c| list(&c.server_cors_allowed_origins),
    )
    .in_database(),
    key(
        "server-host",
        Kind::String,
        "Address to listen on: a name or an address, `*` or `*4` (any, IPv4 first), `!4` (any IPv4), `*6` (any, IPv6 first), `!6` (any IPv6).",
        |c, v| {
            set(&mut c.server_host, v.text());
            Ok(())
        },
        |c| text(&c.server_host),
    )
    .fixed(),
    key(
        "server-port",
        Kind::Int,
        "Port to listen on; 0 takes a free one.",
        |c, v| match v.integer() {
            None => Ok(()),
            Some(port) => {
                c.server_port = u16::try_from(port)
                    .map_err(|_| format!("Invalid server-port: {port} is not between 0 and 65535"))?;
                Ok(())
            }
        },
        |c| bare(c.server_port),
    )
    .fixed(),
    key(
        "server-reuseport",
        Kind::Boolean,
        "Lets several servers listen on the same port (`SO_REUSEPORT`).",
        |c, v| boolean(&mut c.server_reuseport, v),
        |c| bare(c.server_reuseport),
    )
    .fixed(),
    key(
        "server-timing-enabled",
        Kind::Boolean,
        "Tells in `Server-Timing` how long each step of a request took.",
        |c, v| boolean(&mut c.server_timing_enabled, v),
        |c| bare(c.server_timing_enabled),
    )
    .in_database(),
    key(
        "server-trace-header",
        Kind::String,
        "Request header that is repeated in the answer, to trace requests through proxies.",
        |c, v| {
            c.server_trace_header = match v.text() {
                None => None,
                Some(written) => match written.parse() {
                    Ok(name) => Some(TraceHeader { name, written }),
                    Err(_) => return Err(format!("Invalid server-trace-header: '{written}' is not a header name")),
                },
            };
            Ok(())
        },
        |c| optional_text(c.server_trace_header.as_ref().map(|it| it.written.as_str())),
    )
    .in_database(),
    key(
        "server-unix-socket",
        Kind::String,
        "Unix socket to listen on; goes before `server-port`.",
        |c, v| {
            c.server_unix_socket = v.text().map(PathBuf::from);
            Ok(())
        },
        |c| path(c.server_unix_socket.as_ref()),
    )
    .fixed(),
    key(
        "server-unix-socket-mode",
        Kind::String,
        "File mode of that socket, octal, from 600 to 777.",
        |c, v| socket_mode("server-unix-socket-mode", &mut c.server_unix_socket_mode, v),
        |c| text(&format!("{:o}", c.server_unix_socket_mode)),
    )
    .fixed(),
    key(
        "url-use-legacy-target-names",
        Kind::Boolean,
        "Accepts filters, orders and limits that name an aliased embed by its target. Deprecated: they warn, and alone an alias is unambiguous.",
        |c, v| boolean(&mut c.url_use_legacy_target_names, v),
        |c| bare(c.url_use_legacy_target_names),
    )
    .in_database(),
];

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn boolean(field: &mut bool, found: &Found) -> Result<(), String> {
    set(field, found.boolean());
    Ok(())
}

fn unsigned<T: TryFrom<i64>>(name: &str, field: &mut T, found: &Found) -> Result<(), String> {
    match found.integer() {
        None => Ok(()),
        Some(number) => {
            *field =
                T::try_from(number).map_err(|_| format!("Invalid {name}: {number} must be at least 0"))?;
            Ok(())
        }
    }
}

/// An octal mode; what follows the octal digits is ignored, as in PostgREST.
fn socket_mode(name: &str, field: &mut u32, found: &Found) -> Result<(), String> {
    let Some(written) = found.text() else { return Ok(()) };
    let digits: String = written.chars().take_while(|it| it.is_digit(8)).collect();
    if digits.is_empty() {
        return Err(format!("Invalid {name}: not an octal"));
    }
    match u32::from_str_radix(&digits, 8) {
        Ok(mode @ 0o600..=0o777) => {
            *field = mode;
            Ok(())
        }
        _ => Err(format!("Invalid {name}: needs to be between 600 and 777")),
    }
}

fn split(list: &str) -> Vec<String> {
    list.split(',').map(|it| it.trim().to_owned()).collect()
}

fn text(value: &str) -> Shown {
    Shown::Text(value.to_owned())
}

fn optional_text(value: Option<&str>) -> Shown {
    text(value.unwrap_or_default())
}

fn path(value: Option<&PathBuf>) -> Shown {
    Shown::Text(value.map(|it| it.display().to_string()).unwrap_or_default())
}

fn list(values: &[String]) -> Shown {
    Shown::Text(values.join(","))
}

fn qualified(name: Option<&QualifiedIdentifier>) -> Shown {
    Shown::Text(match name {
        None => String::new(),
        Some(it) if it.schema.is_empty() => it.name.clone(),
        Some(it) => format!("{}.{}", it.schema, it.name),
    })
}

fn bare(value: impl ToString + Copy) -> Shown {
    Shown::Bare(value.to_string())
}

fn optional_number(value: Option<i64>) -> Shown {
    match value {
        Some(number) => bare(number),
        None => text(""),
    }
}

/// The secret as it would have to be written.
fn secret(conf: &AppConfig) -> String {
    match &conf.jwt_secret {
        None => String::new(),
        Some(secret) if conf.jwt_secret_is_base64 => STANDARD.encode(secret),
        Some(secret) => String::from_utf8_lossy(secret).into_owned(),
    }
}

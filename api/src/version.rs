//! Version strings: the PostgREST version this server is compatible with, and its own.

/// The PostgREST version whose behaviour is implemented.
pub const POSTGREST: &str = "16.4";
/// Our own version.
pub const OWN: &str = env!("CARGO_PKG_VERSION");

/// `16.4 (pgapp-api 0.1.0)`: what stands behind "PostgREST" in messages and behind `postgrest/` in
/// the `Server` header, where the part in parentheses is an HTTP comment.
pub fn pretty() -> String {
    format!("{POSTGREST} (pgapp-api {OWN})")
}

/// `PostgREST 16.4 (pgapp-api 0.1.0)`: printed by `--version`, at the start, and shown in
/// `pg_stat_activity` as the application's name.
pub fn full() -> String {
    format!("PostgREST {}", pretty())
}

/// `16`: names the edition of the documentation.
pub fn major() -> &'static str {
    POSTGREST.split('.').next().unwrap_or(POSTGREST)
}

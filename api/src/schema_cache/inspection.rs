//! What the root document needs beyond the cache: what the caller's role may use.
//!
//! Statements run on the request path, as the caller's role, and are therefore text and decoder only.

use super::load;
use super::routine::RoutineMap;
use crate::error::DbError;

/// Relations of a schema (`$1`: its name) on which the role has any privilege: rows of (schema, name).
pub const ACCESSIBLE_TABLES: &str = include_str!("sql/accessible_tables.sql");

/// Functions of a schema (`$1`: its name) that the role may execute: one JSON text for
/// [`decode_routines`] per row.
pub const ROUTINES: &str =
    concat!(include_str!("sql/routines.sql"), include_str!("sql/routines_of_caller.sql"));

/// Comment of a schema (`$1`: its name): at most one nullable text.
pub const SCHEMA_COMMENT: &str = include_str!("sql/schema_comment.sql");

/// Decodes the rows of [`ROUTINES`]; `hoisted` is `db-hoisted-tx-settings`.
///
/// # Errors
///
/// When a row is missing or is not what the statement returns.
pub fn decode_routines<'a>(
    rows: impl Iterator<Item = Result<&'a str, DbError>>,
    hoisted: &[String],
) -> Result<RoutineMap, DbError> {
    load::decode_routines(rows, hoisted)
}

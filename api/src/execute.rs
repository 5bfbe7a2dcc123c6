//! Statements → [`DbResult`]. The only room that uses a connection on the request path.

use bytes::Bytes;
use indexmap::IndexMap;

use crate::schema_cache::identifiers::QualifiedIdentifier;
use crate::schema_cache::routine::Routine;
use crate::schema_cache::table::Table;

/// The one row of a main query.
#[derive(Debug, Clone, Default)]
pub struct ResultSet {
    /// Rows of the whole relation, when counted.
    pub table_total: Option<i64>,
    /// Rows of this answer.
    pub query_total: i64,
    /// `Location` parts of an insert: (column, `eq.value`).
    pub location: Vec<(String, String)>,
    /// Aggregated body.
    pub body: Bytes,
    /// `response.headers`.
    pub guc_headers: Option<Bytes>,
    /// `response.status`.
    pub guc_status: Option<String>,
    /// Rows inserted (as opposed to updated) by an upsert.
    pub inserted: Option<i64>,
}

/// What the root document is made of.
#[derive(Debug, Clone, Default)]
pub struct Inspection {
    /// Relations to describe.
    pub tables: IndexMap<QualifiedIdentifier, Table>,
    /// Functions to describe.
    pub routines: IndexMap<QualifiedIdentifier, Vec<Routine>>,
    /// The schema's comment.
    pub schema_comment: Option<String>,
}

/// What the database answered.
#[derive(Debug, Clone)]
pub enum DbResult {
    /// Data.
    Crud(ResultSet),
    /// An EXPLAIN plan.
    Plan(Bytes),
    /// The root document's parts; `None` when `openapi-mode` is `disabled`.
    Inspect(Option<Box<Inspection>>),
    /// Nothing was asked of the database.
    None,
}

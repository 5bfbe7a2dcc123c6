//! Statements and the set of them that one request runs.

use std::sync::Arc;

use bytes::Bytes;

pub use super::rows::{Form, RowsQuery, Wrapped};
pub use super::values::ByValues;

/// How a bind is typed for Postgres. Values always travel in text format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParamType {
    /// Left to the server to infer (`unknown`).
    Unknown,
    /// `text`.
    Text,
    /// `json`.
    Json,
    /// `bytea` (the value holds the raw bytes; `execute` encodes them as `\x…`).
    Bytea,
}

/// A bind value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Value, or SQL NULL.
    pub value: Option<Bytes>,
    /// Declared type.
    pub ty: ParamType,
}

/// Parametrised SQL: `$1 … $n` match `params`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statement {
    /// SQL text; depends on the shape of the request only, never on its values.
    pub text: String,
    /// Binds in order.
    pub params: Vec<Param>,
}

/// What one request runs, in order, inside one transaction.
#[derive(Debug, Clone, Default)]
pub struct MainQuery {
    /// `set_config` of role, claims, request settings, function settings: one statement.
    pub tx_vars: Statement,
    /// `db-pre-request` call.
    pub pre_request: Option<Statement>,
    /// The query; none for the root document and `OPTIONS`, and where `rows` takes its place.
    pub main: Option<Statement>,
    /// The query, where its rows are the body.
    pub rows: Option<RowsQuery>,
    /// The query in another form, for [`MainQuery::prefer_values`].
    pub by_values: Option<Arc<ByValues>>,
    /// `EXPLAIN` for planned and estimated counts.
    pub explain: Option<Statement>,
    /// The root document's queries: accessible tables, accessible functions, schema comment.
    pub openapi: Option<OpenApiQueries>,
}

/// Queries behind the root document.
#[derive(Debug, Clone)]
pub struct OpenApiQueries {
    /// Rows of (schema, name) of the relations the role may use.
    pub tables: Statement,
    /// Rows of functions the role may execute, in the shape `schema_cache::load` decodes.
    pub functions: Statement,
    /// The schema's comment: at most one nullable text.
    pub schema_comment: Statement,
}

impl MainQuery {
    /// All statements there are, in the order they run.
    pub fn statements(&self) -> impl Iterator<Item = &Statement> {
        let openapi = self.openapi.as_ref().map(|it| [&it.tables, &it.functions, &it.schema_comment]);
        std::iter::once(&self.tx_vars)
            .chain(&self.pre_request)
            .chain(&self.main)
            .chain(self.rows.as_ref().map(|it| &it.statement))
            .chain(openapi.into_iter().flatten())
            .chain(&self.explain)
    }

    /// The query in the form that has the body in its one row.
    pub fn aggregated(&self) -> Option<Statement> {
        let of_rows =
            |it: &RowsQuery| Statement { text: it.aggregated(), params: it.statement.params.clone() };
        self.main.clone().or_else(|| self.rows.as_ref().map(of_rows))
    }
}

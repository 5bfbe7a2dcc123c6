//! Statements and the set of them that one request runs.

use std::sync::Arc;

use bytes::Bytes;

pub use super::body::{Form, Layout};
pub use super::by_values::ByValues;
pub use super::rows::{RowsQuery, Wrapped};
pub use super::statement::{Param, ParamType, SqlText, Statement};

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

    /// The texts of the statements there are.
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.statements().map(Statement::text).filter(|it| !it.is_empty()).collect()
    }

    /// The query in the form that has the body in its one row.
    pub fn aggregated(&self) -> Option<Statement> {
        self.main.clone().or_else(|| self.rows.as_ref().map(RowsQuery::as_aggregated))
    }

    /// The query for another body, which is its first bind.
    pub(crate) fn with_body(&self, body: Bytes) -> Option<Statement> {
        let mut statement = self.aggregated()?;
        statement.params.first_mut()?.value = Some(body);
        Some(statement)
    }

    /// Has the values of the body as binds, where that means the same as the body.
    pub fn prefer_values(&mut self) {
        let Some(by_values) = self.by_values.take() else { return };
        let whole = self.main.as_ref().or(self.rows.as_ref().map(|it| &it.statement));
        // The body is the first bind of a write.
        let Some((body, others)) = whole.and_then(|it| it.params.split_first()) else { return };
        let Some(mut params) = body.value.as_ref().and_then(|it| by_values.binds(it)) else { return };
        params.extend_from_slice(others);
        if let (Some(main), Some(by_values)) = (&mut self.main, by_values.main()) {
            *main = by_values.with_params(params);
        } else if let (Some(rows), Some(by_values)) = (&mut self.rows, by_values.rows()) {
            *rows = by_values.clone();
            rows.statement.params = params;
        }
    }
}

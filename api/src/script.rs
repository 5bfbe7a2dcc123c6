//! What a request runs, as data, and what the rows that come back mean. Pure.
//!
//! [`request`] makes a [`Script`] of a planned request, `execute` runs it and gives back [`rows`], and [`result`] reads
//! these. So `execute` knows neither plan nor request nor configuration.

pub mod request;
pub mod result;
pub mod rows;

use std::sync::Arc;

use crate::schema_cache::residue::Residue;
use crate::schema_cache::routine::IsolationLevel;
use crate::sql::types::{MainQuery, Param, RowsQuery, Statement};

/// Modes of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Begin {
    pub(crate) isolation: IsolationLevel,
    pub(crate) read_only: bool,
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Kept.
    Commit,
    /// Undone, after deferred constraints had their say.
    Rollback,
    /// Kept or undone: the rows decide.
    Ask,
}

/// One statement of a script.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step<'a> {
    pub(crate) text: &'a str,
    pub(crate) params: &'a [Param],
    /// Formats of the result columns, 1 for binary; empty for text throughout.
    pub(crate) formats: &'static [i16],
    /// The rows are to be a body; `text` is that of the query, and one of its other forms may run instead.
    pub(crate) rows: Option<&'a RowsQuery>,
}

impl<'a> Step<'a> {
    /// A statement without parameters.
    pub(crate) fn fixed(text: &'static str) -> Self {
        Self { text, params: &[], formats: &[], rows: None }
    }
}

impl<'a> From<&'a Statement> for Step<'a> {
    fn from(statement: &'a Statement) -> Self {
        Self { text: statement.text(), params: &statement.params, formats: &[], rows: None }
    }
}

/// A transaction, as data.
pub struct Script<'a> {
    pub(crate) begin: Begin,
    /// Statements in order.
    pub(crate) steps: Vec<Step<'a>>,
    pub(crate) end: End,
    /// What its functions may leave in the session. Without, nothing is cleared away: no function is called.
    pub(crate) residue: Option<Residue>,
    /// Its statements, where it is a read that is a transaction of its own without `BEGIN` and that may be run twice:
    /// it may be sent behind others on a connection.
    pub(crate) shareable: Option<&'a Arc<MainQuery>>,
}

impl<'a> Script<'a> {
    /// The script of a read that has nothing but settings and rows.
    pub(crate) fn of_read(query: &'a MainQuery, residue: Residue) -> Self {
        let rows = query.rows.as_ref();
        let mut steps = vec![Step::from(&query.tx_vars)];
        steps.extend(rows.map(|it| Step { rows, ..Step::from(&it.statement) }));
        let begin = Begin { isolation: IsolationLevel::ReadCommitted, read_only: true };
        Self { begin, steps, end: End::Commit, residue: Some(residue), shareable: None }
    }

    /// The script of a read whose rows go to the client as they come.
    pub(crate) fn of_stream(query: &'a MainQuery, begin: Begin, residue: Residue) -> Self {
        let mut script = Self { begin, ..Self::of_read(query, residue) };
        if let Some(pre_request) = &query.pre_request {
            script.steps.insert(1, Step::from(pre_request));
        }
        script
    }
}

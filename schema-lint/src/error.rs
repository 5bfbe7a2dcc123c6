//! The errors of this crate.

use tokio_postgres::error::{DbError, ErrorPosition};

/// Why migrations could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection to the database that was made for it.
    #[error("connect to the database in which migrations are tried")]
    Connect(#[source] tokio_postgres::Error),
    /// A query of ours failed.
    #[error("look at the database in which migrations are tried")]
    Look(#[source] tokio_postgres::Error),
    /// A migration does not apply.
    #[error("migration \"{path}\" does not apply: line {}: {source}", source.line)]
    Migration {
        /// Its path.
        path: String,
        /// What the server said.
        source: Failure,
    },
    /// A migration that begins or ends a transaction, which its runner does.
    #[error(
        "migration \"{path}\" begins or ends a transaction on line {line}; each runs in one of its own, or without any \
         when its first line is `-- pgapp: no-transaction`"
    )]
    TransactionControl {
        /// Its path.
        path: String,
        /// The statement's line.
        line: usize,
    },
}

/// What the server said about a statement.
#[derive(Debug, thiserror::Error)]
#[error("{message}{}{}", more("detail", detail.as_deref()), more("hint", hint.as_deref()))]
pub struct Failure {
    /// Line in the file.
    pub line: usize,
    /// The message.
    pub message: String,
    /// Detail, when there is one.
    pub detail: Option<String>,
    /// Hint, when there is one.
    pub hint: Option<String>,
}

fn more(what: &str, text: Option<&str>) -> String {
    text.map_or_else(String::new, |it| format!(" ({what}: {it})"))
}

impl Failure {
    /// Takes over the driver's error for a statement `sql` that begins on `line`.
    pub(crate) fn new(error: &tokio_postgres::Error, line: usize, sql: &str) -> Self {
        let Some(db) = error.as_db_error() else {
            return Self { line, message: error.to_string(), detail: None, hint: None };
        };
        Self {
            line: line + lines_before(db, sql),
            message: db.message().to_owned(),
            detail: db.detail().map(str::to_owned),
            hint: db.hint().map(str::to_owned),
        }
    }
}

fn lines_before(error: &DbError, sql: &str) -> usize {
    match error.position() {
        Some(ErrorPosition::Original(at)) => {
            sql.chars().take((*at as usize).saturating_sub(1)).filter(|it| *it == '\n').count()
        }
        _ => 0,
    }
}

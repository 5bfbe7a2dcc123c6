//! What an import did.

use serde::Serialize;

/// A table that was altered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableChange {
    /// Name of the table.
    pub table: String,
    /// The changes in words.
    pub changes: Vec<String>,
}

/// Something that could not be done, while the rest was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Name of the table.
    pub table: String,
    /// Why.
    pub reason: String,
    /// What to do about it.
    pub next: String,
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Foreign tables that are new.
    pub added: Vec<String>,
    /// Foreign tables that were altered.
    pub changed: Vec<TableChange>,
    /// Foreign tables whose table at the origin is gone.
    pub dropped: Vec<String>,
    /// Types that were made, altered or dropped for the tables, in words.
    pub types: Vec<String>,
    /// Extensions whose operators the origin evaluates from now on.
    pub shipped_extensions: Vec<String>,
    /// Number of comments taken over.
    pub comments: usize,
    /// Number of foreign tables that were right already.
    pub unchanged: usize,
    /// What could not be done or only in part.
    pub skipped: Vec<Skipped>,
    /// Number of keys recorded for the REST server.
    pub keys: usize,
}

impl ImportReport {
    /// Whether the report names anything that was written.
    pub(super) fn wrote(&self) -> bool {
        let lists = [&self.added, &self.dropped, &self.types, &self.shipped_extensions];
        lists.iter().any(|it| !it.is_empty()) || !self.changed.is_empty() || self.comments > 0
    }

    pub(super) fn skip(&mut self, table: &str, reason: impl Into<String>, next: impl Into<String>) {
        self.skipped.push(Skipped { table: table.to_owned(), reason: reason.into(), next: next.into() });
    }
}

//! A migration file → its statements, each with its line, what it does, and which findings are allowed on it. Pure.

mod actions;
mod pieces;

use std::ops::Range;

pub use actions::{Action, Kind, LockMode};

/// A migration as it lies in its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationFile {
    /// Its path, as findings show it.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// A migration file, read.
#[derive(Debug, Clone)]
pub struct Script {
    /// Its path, as findings show it.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Whether it runs in one transaction, which is so unless its first line is `-- pgapp: no-transaction`.
    pub is_transactional: bool,
    /// Its statements, in order.
    pub statements: Vec<Statement>,
}

/// One statement.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Where it stands in the file, in bytes, without its semicolon.
    pub range: Range<usize>,
    /// Line of its first word; 1 is the first.
    pub line: usize,
    /// The codes that comments right above it allow, each with a reason.
    pub allows: Vec<String>,
    /// What it does that may lock or rewrite something.
    pub actions: Vec<Action>,
    /// Whether its effects cannot be told from its text, as of `DO` and of calls.
    pub is_opaque: bool,
    /// Whether it may change the catalog; false for plain reads and writes of rows.
    pub is_ddl: bool,
    /// Whether it begins or ends a transaction.
    pub is_transaction_control: bool,
}

impl Script {
    /// Reads a file. What the parser does not know stays a statement without actions: the server has the last word on
    /// what is SQL.
    pub fn parse(file: MigrationFile) -> Self {
        let MigrationFile { path, text } = file;
        let first_line = text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default();
        let is_transactional = directive(first_line).is_none_or(|it| it.trim() != "no-transaction");
        let statements = pieces::split(&text)
            .into_iter()
            .map(|range| {
                let line = line_of(&text, range.start);
                let parsed = actions::parse(&text[range.clone()], line);
                Statement {
                    allows: allows_above(&text, range.start),
                    range,
                    line,
                    actions: parsed.actions,
                    is_opaque: parsed.is_opaque,
                    is_ddl: parsed.is_ddl,
                    is_transaction_control: parsed.is_transaction_control,
                }
            })
            .collect();
        Self { path, text, is_transactional, statements }
    }

    /// Text of a statement.
    pub fn sql(&self, statement: &Statement) -> &str {
        &self.text[statement.range.clone()]
    }
}

/// The line that a byte is on; 1 is the first.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at].iter().filter(|it| **it == b'\n').count()
}

/// What follows `-- pgapp:` on a line that holds nothing else.
fn directive(line: &str) -> Option<&str> {
    line.trim().strip_prefix("--")?.trim_start().strip_prefix("pgapp:")
}

/// The codes allowed by the comment lines that end right above the statement. One without a reason allows nothing.
fn allows_above(text: &str, start: usize) -> Vec<String> {
    let head = &text[..start];
    // The statement need not begin its line; what stands before it there is no comment line.
    let Some((above, before)) = head.rsplit_once('\n') else { return Vec::new() };
    if !before.trim().is_empty() {
        return Vec::new();
    }
    above
        .split('\n')
        .rev()
        .take_while(|line| line.trim_start().starts_with("--"))
        .filter_map(|line| {
            let mut words = directive(line)?.split_whitespace();
            let is_allow = words.next() == Some("allow");
            let code = words.next()?;
            (is_allow && words.next().is_some()).then(|| code.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests;

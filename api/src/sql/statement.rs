//! SQL text and its binds.
//!
//! Invariant: [`SqlText`] grows by static text, quoted identifiers, quoted literals, numbers, placeholders, text that
//! the catalog printed, and other [`SqlText`]; its contents are private to this file, so that the compiler holds it.

use std::sync::Arc;

use bytes::Bytes;

use crate::plan::verbatim::{CastType, CatalogSql};

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
    /// Depends on the shape of the request only, never on its values. Kept statements share it.
    text: Arc<SqlText>,
    /// Binds in order.
    pub params: Vec<Param>,
}

impl Statement {
    /// Text that a builder made.
    pub(super) fn new(text: SqlText, params: Vec<Param>) -> Self {
        Self { text: Arc::new(text), params }
    }

    /// A statement written elsewhere, with its placeholders `$1 … $n`.
    pub fn fixed(text: &'static str, params: Vec<Param>) -> Self {
        Self::new(SqlText(text.to_owned()), params)
    }

    /// The same text with other binds.
    pub(super) fn with_params(&self, params: Vec<Param>) -> Self {
        Self { text: Arc::clone(&self.text), params }
    }

    /// SQL text; empty where there is nothing to run.
    pub fn text(&self) -> &str {
        self.text.as_str()
    }
}

/// SQL that holds nothing a client wrote, except quoted names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SqlText(String);

impl SqlText {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends text of ours.
    pub(super) fn push(&mut self, text: &'static str) {
        self.0.push_str(text);
    }

    /// Appends other text.
    pub(super) fn append(&mut self, text: &Self) {
        self.0.push_str(&text.0);
    }

    /// Appends a quoted identifier.
    pub(super) fn ident(&mut self, name: &str) {
        push_ident(&mut self.0, name);
    }

    /// Appends a quoted string literal.
    pub(super) fn literal(&mut self, value: &str) {
        let value = until_nul(value);
        // Works whatever `standard_conforming_strings` says.
        self.0.push_str(if value.contains('\\') { "E'" } else { "'" });
        for c in value.chars() {
            if matches!(c, '\'' | '\\') {
                self.0.push(c);
            }
            self.0.push(c);
        }
        self.0.push('\'');
    }

    /// Appends text that the catalog printed.
    pub(super) fn catalog(&mut self, text: &CatalogSql) {
        self.0.push_str(text.as_str());
    }

    /// Appends the target of a cast.
    pub(super) fn cast_type(&mut self, cast: &CastType) {
        self.0.push_str(cast.as_str());
    }

    /// Appends the placeholder of the n-th bind.
    pub(super) fn placeholder(&mut self, n: usize) {
        self.0.push('$');
        self.0.push_str(itoa::Buffer::new().format(n));
    }

    /// Appends an integer.
    pub(super) fn int(&mut self, value: i64) {
        self.0.push_str(itoa::Buffer::new().format(value));
    }
}

/// Appends a quoted identifier.
pub(super) fn push_ident(text: &mut String, name: &str) {
    text.push('"');
    for c in until_nul(name).chars() {
        if c == '"' {
            text.push('"');
        }
        text.push(c);
    }
    text.push('"');
}

/// Postgres takes no NUL in names and values; nothing that follows one can be meant.
pub(super) fn until_nul(text: &str) -> &str {
    text.split('\0').next().unwrap_or_default()
}

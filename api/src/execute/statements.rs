//! What a session knows of the statements that are prepared on it, bounded by what they take in Postgres.

use std::sync::Arc;

use crate::kept::{Kept, Usage};

/// What a prepared statement takes in Postgres at most, in bytes, and what each byte of its text adds: query trees
/// and plans are many times as long as what they were made of. Lists of columns take 30 to 60 bytes per byte,
/// filters and embeds up to 125.
const STATEMENT: usize = 16 * 1024;
const PER_BYTE: usize = 128;

/// What a prepared statement of this text takes in Postgres, about.
pub(super) fn weight(text: &str) -> usize {
    STATEMENT + PER_BYTE * text.len()
}

/// Prepared statements of one connection, by their text; what was not used lately goes first.
///
/// Lookups are by the text itself: its shape never depends on a request's values.
pub(super) struct StatementCache<V>(Kept<str, V>);

impl<V> StatementCache<V> {
    /// A cache of what takes at most so many bytes in Postgres.
    pub(super) fn new(budget: usize, usage: Arc<Usage>) -> Self {
        Self(Kept::of_bytes(budget, usage))
    }

    /// Whether what weighs so much may be kept prepared. What may not is parsed each time, so that nobody has to
    /// make room for it.
    pub(super) fn takes(&self, weight: usize) -> bool {
        self.0.takes(weight)
    }

    /// The statement prepared for this text, marked as used.
    pub(super) fn get(&self, text: &str) -> Option<&V> {
        self.0.get(text)
    }

    /// Remembers a statement; returns those that had to go, which the caller closes.
    pub(super) fn insert(&mut self, text: &str, value: V, weight: usize) -> Vec<V> {
        self.0.insert(text.into(), value, weight)
    }

    /// Forgets one; returns it, for the caller to close.
    pub(super) fn remove(&mut self, text: &str) -> Option<V> {
        self.0.remove(text)
    }

    /// Forgets everything.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = V> + '_ {
        self.0.drain()
    }
}

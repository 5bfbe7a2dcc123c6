//! One statement of a migration, with what a reader has to know about it.

/// A migration's place in the sequence; each is committed before the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Labels of enums, which cannot be used in the transaction that adds them.
    Labels,
    /// All that belongs together, in one transaction.
    Main,
    /// Checks of rows that exist, under a lock that lets reads and writes go on.
    Validate,
    /// Indexes, built while reads and writes go on; no transaction.
    Concurrent,
}

/// What a reader has to know before it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// What is lost.
    Destructive(String),
    /// What waits for how long.
    Locks(String),
    /// Anything else.
    Remark(String),
}

/// One statement without its semicolon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The text.
    pub sql: String,
    /// Written as comments above it.
    pub notes: Vec<Note>,
    /// When it runs.
    pub stage: Stage,
}

impl Statement {
    /// A statement of the main migration.
    pub fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), notes: Vec::new(), stage: Stage::Main }
    }

    /// The same at another stage.
    pub fn at(self, stage: Stage) -> Self {
        Self { stage, ..self }
    }

    /// The same with a note on what it loses.
    pub fn destructive(mut self, what: impl Into<String>) -> Self {
        self.notes.push(Note::Destructive(what.into()));
        self
    }

    /// The same with a note on what it locks.
    pub fn locks(mut self, what: impl Into<String>) -> Self {
        self.notes.push(Note::Locks(what.into()));
        self
    }

    /// The same with a remark.
    pub fn remark(mut self, what: impl Into<String>) -> Self {
        self.notes.push(Note::Remark(what.into()));
        self
    }
}

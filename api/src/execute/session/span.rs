//! Which of the answers to an exchange are those to its script.

/// Where the answers to a script are among those to its exchange.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// Index of that to the script's first statement.
    pub(super) first: usize,
    /// How many there are.
    pub(super) len: usize,
    /// Index of that to the statement that ends it.
    pub(super) ending: Option<usize>,
    /// Index of that to the statement that tells the settings of the response, behind rows that are encoded. It ends
    /// the script as well where nothing else comes.
    pub(super) told: Option<usize>,
    /// The session's settings may not be what they were.
    pub(super) soils: bool,
    /// They may change something.
    pub(super) writes: bool,
}

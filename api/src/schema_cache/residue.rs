//! What functions of the database could leave behind in a session, besides settings and advisory locks.

/// Read with the cache, so that nothing is cleared away request by request that no function can make.
///
/// A yes may be wrong, and costs a little time; a no may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Residue {
    /// Some function can run commands: prepare statements, open cursors that outlive a transaction, listen.
    pub commands: bool,
    /// Some function runs as late as at the commit, by a deferred trigger.
    pub at_commit: bool,
    /// Some sequence hands out its numbers to sessions in advance. These would be lost, were sessions made to
    /// forget what they got from sequences.
    pub cached_sequences: bool,
}

impl Default for Residue {
    /// Nothing is known yet.
    fn default() -> Self {
        Self { commands: true, at_commit: true, cached_sequences: true }
    }
}

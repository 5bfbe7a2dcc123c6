//! What a tunnel tells whoever shows it: counters that can be read at any time, and events.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Connections are accepted.
    Ready {
        /// Version of the agent.
        agent_version: String,
    },
    /// A connection was opened.
    Opened {
        /// Number of the connection, from 1.
        number: u64,
    },
    /// A connection ended.
    Finished {
        /// Number of the connection.
        number: u64,
        /// Bytes towards the remote host.
        sent: u64,
        /// Bytes from the remote host.
        received: u64,
    },
    /// The remote host did not take a connection.
    Refused,
    /// The network was cut; open connections wait.
    Cut {
        /// Why.
        reason: String,
    },
    /// The session goes on where it was.
    Resumed {
        /// How long it was cut.
        after: Duration,
    },
}

/// Takes events.
pub type Events = Arc<dyn Fn(Event) + Send + Sync>;

/// Counters of a tunnel.
#[derive(Debug, Default)]
pub struct Traffic {
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) open: AtomicUsize,
    pub(super) refused: AtomicU64,
    pub(super) retransmitted: AtomicU64,
}

impl Traffic {
    /// Bytes towards the remote host so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Bytes from the remote host so far.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Connections that the remote host did not take.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Frames that were sent more than once.
    pub fn retransmitted(&self) -> u64 {
        self.retransmitted.load(Ordering::Relaxed)
    }
}

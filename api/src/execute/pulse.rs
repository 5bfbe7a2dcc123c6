//! How long a connection has been waiting for the database, and the word that it has waited for long enough.
//!
//! A connection notes when it asks and when it hears something; [`super::watch`] looks at all of them from time to time.
//! So a request pays for two readings of a clock that somebody else moves, and for no timer.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::task::Waker;
use std::time::Instant;

use futures_util::task::AtomicWaker;

use crate::error::DbError;

/// Milliseconds since the first look, as of the last one; from 1 on, so that 0 can mean "nothing".
static HANDS: AtomicU64 = AtomicU64::new(1);
static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Moves the clock. What it shows.
pub(super) fn look_at_the_clock() -> u64 {
    let now = 1 + u64::try_from(BEGUN.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
    // Several watches may move it.
    HANDS.fetch_max(now, Relaxed).max(now)
}

fn now() -> u64 {
    HANDS.load(Relaxed)
}

/// Why a connection is to be waited for no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The database does not answer anybody.
    Silent = 1,
    /// The request takes longer than it may.
    TooLong = 2,
}

/// Of one connection.
#[derive(Default)]
pub(super) struct Pulse {
    /// Since when the first request that is not answered is the first; 0 without one.
    front_since: AtomicU64,
    /// When something was asked where nothing was awaited.
    asked: AtomicU64,
    /// When something was heard.
    heard: AtomicU64,
    verdict: AtomicU8,
    waker: AtomicWaker,
}

impl Pulse {
    /// A request is on its way.
    pub(super) fn asked(&self) {
        let now = now();
        if self.front_since.load(Relaxed) == 0 {
            self.asked.store(now, Relaxed);
            self.front_since.store(now, Relaxed);
        }
    }

    /// Bytes came.
    pub(super) fn heard(&self) {
        self.heard.store(now(), Relaxed);
    }

    /// A request was answered in full; whether another one is awaited.
    pub(super) fn answered(&self, another: bool) {
        self.front_since.store(if another { now() } else { 0 }, Relaxed);
    }

    /// For how long nothing has been heard that is awaited.
    pub(super) fn silence(&self, now: u64) -> u64 {
        match self.front_since.load(Relaxed) {
            0 => 0,
            _ => now.saturating_sub(self.heard.load(Relaxed).max(self.asked.load(Relaxed))),
        }
    }

    /// For how long the request whose turn it is has been running.
    pub(super) fn running(&self, now: u64) -> u64 {
        match self.front_since.load(Relaxed) {
            0 => 0,
            since => now.saturating_sub(since),
        }
    }

    /// Something was heard since then.
    pub(super) fn was_heard_since(&self, then: u64) -> bool {
        self.heard.load(Relaxed) > then
    }

    /// Ends the waiting.
    pub(super) fn give_up(&self, verdict: Verdict) {
        // The first one counts.
        if self.verdict.compare_exchange(0, verdict as u8, Relaxed, Relaxed).is_ok() {
            self.waker.wake();
        }
    }

    /// Is told when the waiting ends.
    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// What has become of the waiting.
    pub(super) fn verdict(&self) -> Result<(), DbError> {
        match self.verdict.load(Relaxed) {
            0 => Ok(()),
            it if it == Verdict::TooLong as u8 => Err(DbError::ResponseTimeout),
            _ => Err(silent(true)),
        }
    }
}

/// The database does not answer.
pub(super) fn silent(was_established: bool) -> DbError {
    DbError::Connection { was_established, message: "the database does not answer\n".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_counts_while_something_is_awaited() {
        let pulse = Pulse::default();
        let now = look_at_the_clock();
        assert_eq!((pulse.silence(now + 500), pulse.running(now + 500)), (0, 0));
        pulse.asked();
        assert!(pulse.silence(now + 500) >= 500 && pulse.running(now + 500) >= 500);
        // To be asked is no sign of life.
        assert!(!pulse.was_heard_since(0));
        pulse.heard();
        assert!(pulse.was_heard_since(0) && !pulse.was_heard_since(look_at_the_clock() + 1));
        pulse.answered(false);
        assert_eq!(pulse.silence(now + 500), 0);
        assert!(pulse.verdict().is_ok());
        pulse.give_up(Verdict::TooLong);
        pulse.give_up(Verdict::Silent);
        assert!(matches!(pulse.verdict(), Err(DbError::ResponseTimeout)));
    }
}

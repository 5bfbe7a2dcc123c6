//! Whether the server of a connection still answers.
//!
//! A connection notes when it sends a request and when bytes arrive. A watcher looks at all connections from time to
//! time, moves the clock and ends the waiting of those that have waited for too long. So a request pays for two
//! readings of an atomic clock, and for no timer.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::task::Waker;
use std::time::Instant;

use futures_util::task::AtomicWaker;

use crate::error::Error;

/// Milliseconds since the first look, as of the last one; from 1 on, so that 0 can mean "nothing".
static HANDS: AtomicU64 = AtomicU64::new(1);
static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Advances the clock; milliseconds since it was first advanced, at least 1.
pub fn advance_clock() -> u64 {
    let now = 1 + u64::try_from(BEGUN.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
    // Several watches may move it.
    HANDS.fetch_max(now, Relaxed).max(now)
}

fn now() -> u64 {
    HANDS.load(Relaxed)
}

/// Why a connection is to be waited for no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The database does not answer anybody.
    Silent = 1,
    /// The request takes longer than it may.
    TooLong = 2,
}

/// Of one connection.
#[derive(Default)]
pub struct Liveness {
    /// Since when the first request that is not answered is the first; 0 without one.
    front_since: AtomicU64,
    /// When something was asked where nothing was awaited.
    asked: AtomicU64,
    /// When something was heard.
    heard: AtomicU64,
    verdict: AtomicU8,
    /// Nothing is read from it at the moment, so that it cannot speak.
    is_paused: AtomicBool,
    waker: AtomicWaker,
}

/// For as long as it exists, nothing is read from a connection. After that its time begins anew.
pub struct Paused<'a>(&'a Liveness);

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        self.0.answered(true);
        self.0.heard();
        self.0.is_paused.store(false, Relaxed);
    }
}

impl Liveness {
    /// A request is on its way.
    pub fn asked(&self) {
        let now = now();
        if self.front_since.load(Relaxed) == 0 {
            self.asked.store(now, Relaxed);
            self.front_since.store(now, Relaxed);
        }
    }

    /// Bytes came.
    pub fn heard(&self) {
        self.heard.store(now(), Relaxed);
    }

    /// A request was answered in full; whether another one is awaited.
    pub fn answered(&self, another: bool) {
        self.front_since.store(if another { now() } else { 0 }, Relaxed);
    }

    /// Stops the clock: whoever waits for the connection's request takes nothing of the answer.
    pub fn pause(&self) -> Paused<'_> {
        self.is_paused.store(true, Relaxed);
        Paused(self)
    }

    /// For how long nothing has been heard that is awaited.
    pub fn silence(&self, now: u64) -> u64 {
        if self.is_paused.load(Relaxed) {
            return 0;
        }
        match self.front_since.load(Relaxed) {
            0 => 0,
            _ => now.saturating_sub(self.heard.load(Relaxed).max(self.asked.load(Relaxed))),
        }
    }

    /// For how long the request whose turn it is has been running.
    pub fn running(&self, now: u64) -> u64 {
        if self.is_paused.load(Relaxed) {
            return 0;
        }
        match self.front_since.load(Relaxed) {
            0 => 0,
            since => now.saturating_sub(since),
        }
    }

    /// Something was heard since then.
    pub fn was_heard_since(&self, then: u64) -> bool {
        self.heard.load(Relaxed) > then
    }

    /// Ends the waiting.
    pub fn give_up(&self, verdict: Verdict) {
        // The first one counts.
        if self.verdict.compare_exchange(0, verdict as u8, Relaxed, Relaxed).is_ok() {
            self.waker.wake();
        }
    }

    /// Is told when the waiting ends.
    pub fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// What has become of the waiting.
    pub fn verdict(&self) -> Result<(), Error> {
        match self.verdict.load(Relaxed) {
            0 => Ok(()),
            it if it == Verdict::TooLong as u8 => Err(Error::ResponseTimeout),
            _ => Err(Error::silent(true)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_counts_while_something_is_awaited() {
        let liveness = Liveness::default();
        let now = advance_clock();
        assert_eq!((liveness.silence(now + 500), liveness.running(now + 500)), (0, 0));
        liveness.asked();
        assert!(liveness.silence(now + 500) >= 500 && liveness.running(now + 500) >= 500);
        // To be asked is no sign of life.
        assert!(!liveness.was_heard_since(0));
        liveness.heard();
        assert!(liveness.was_heard_since(0) && !liveness.was_heard_since(advance_clock() + 1));
        liveness.answered(false);
        assert_eq!(liveness.silence(now + 500), 0);
        liveness.asked();
        let paused = liveness.pause();
        assert_eq!((liveness.silence(now + 500), liveness.running(now + 500)), (0, 0));
        drop(paused);
        assert!(liveness.silence(now + 5000) > 0 && liveness.running(now + 5000) > 0);
        liveness.answered(false);
        assert!(liveness.verdict().is_ok());
        liveness.give_up(Verdict::TooLong);
        liveness.give_up(Verdict::Silent);
        assert!(matches!(liveness.verdict(), Err(Error::ResponseTimeout)));
    }
}

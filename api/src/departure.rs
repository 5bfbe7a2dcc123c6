//! Whether the client of a request is still there.
//!
//! The edge says so, the rooms behind it ask: what nobody waits for any more need not be begun, and a read that
//! runs for nobody may be stopped. A write that has begun runs to its end.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Of one request; clones share it. Without an edge that says otherwise, the client stays.
#[derive(Debug, Clone, Default)]
pub struct Departure(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    has_left: AtomicBool,
    left: Notify,
}

impl Departure {
    /// The client has left.
    pub fn leave(&self) {
        self.0.has_left.store(true, Ordering::Release);
        self.0.left.notify_waiters();
    }

    /// Whether the client has left.
    pub fn has_left(&self) -> bool {
        self.0.has_left.load(Ordering::Acquire)
    }

    /// Resolves when the client leaves.
    pub async fn left(&self) {
        let mut left = pin!(self.0.left.notified());
        // Before looking, so that a client that leaves just now is not missed.
        left.as_mut().enable();
        if !self.has_left() {
            left.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_asks_before_and_after_is_told() {
        let departure = Departure::default();
        let waits = tokio::spawn({
            let departure = departure.clone();
            async move { departure.left().await }
        });
        tokio::task::yield_now().await;
        assert!(!departure.has_left() && !waits.is_finished());
        departure.leave();
        waits.await.unwrap();
        departure.left().await;
        assert!(departure.has_left());
    }
}

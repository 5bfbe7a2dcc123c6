//! What a request's client does while it is served: it may disconnect, or stop sending.
//!
//! The HTTP edge notices, the rooms behind it ask: a request without a client need not be begun, and its read
//! may be stopped. A write that has begun runs to its end.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// The client did not go on sending the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client sent too little of it for too long")]
pub struct Stalled;

/// Whether the client of a request has disconnected; clones share it. The default is a client that stays.
#[derive(Debug, Clone, Default)]
pub struct Disconnect(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    has_happened: AtomicBool,
    happened: Notify,
}

impl Disconnect {
    /// Notes that the client has disconnected.
    pub fn note(&self) {
        self.0.has_happened.store(true, Ordering::Release);
        self.0.happened.notify_waiters();
    }

    /// Whether the client has disconnected.
    pub fn has_happened(&self) -> bool {
        self.0.has_happened.load(Ordering::Acquire)
    }

    /// Resolves when the client disconnects.
    pub async fn happened(&self) {
        let mut happened = pin!(self.0.happened.notified());
        // Before looking, so that a disconnect at this moment is not missed.
        happened.as_mut().enable();
        if !self.has_happened() {
            happened.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_disconnect_is_seen_before_and_after_it_is_noted() {
        let disconnect = Disconnect::default();
        let waits = tokio::spawn({
            let disconnect = disconnect.clone();
            async move { disconnect.happened().await }
        });
        tokio::task::yield_now().await;
        assert!(!disconnect.has_happened() && !waits.is_finished());
        disconnect.note();
        waits.await.unwrap();
        disconnect.happened().await;
        assert!(disconnect.has_happened());
    }
}

//! Tells a request that met an unknown name whether it only was not known yet.
//!
//! What was committed before a request began, that request sees. Postgres sends a notification with the commit, and a
//! connection that listens has it before the answer to whatever it asks after that. So an empty statement on the
//! listener's connection, a *fence*, brings everything that is on its way; then the reloads are waited for that were
//! asked for by then. Where none was, the name is unknown.
//!
//! Requests share fences: one is under way at a time, and the next one serves all who came meanwhile. Fences have a
//! pause between them, so that whoever asks for names that are not there makes no load.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Pause between two fences: a hundred a second at most.
const PAUSE: Duration = Duration::from_millis(10);

/// Which task waits for what. Tickets and wishes are numbered from 1.
pub(super) struct Freshness {
    /// The last ticket that was drawn.
    drawn: AtomicU64,
    fence_wanted: Notify,
    /// The last ticket that a fence has served.
    served: watch::Sender<u64>,
    /// Reloads that were asked for.
    wished: AtomicU64,
    /// As many of them as the schema cache shows.
    granted: watch::Sender<u64>,
}

impl Freshness {
    pub(super) fn new() -> Self {
        Self {
            drawn: AtomicU64::new(0),
            fence_wanted: Notify::new(),
            served: watch::Sender::new(0),
            wished: AtomicU64::new(0),
            granted: watch::Sender::new(0),
        }
    }

    /// Notes that the schema cache is to be read again.
    pub(super) fn wish(&self) {
        self.wished.fetch_add(1, SeqCst);
    }

    /// What a load that begins now will grant.
    pub(super) fn wishes(&self) -> u64 {
        self.wished.load(SeqCst)
    }

    /// Notes that a load has come to its end which began at `wishes`.
    pub(super) fn grant(&self, wishes: u64) {
        self.granted.send_if_modified(|it| {
            let is_more = wishes > *it;
            *it = wishes.max(*it);
            is_more
        });
    }

    /// Resolves when somebody waits for a fence, with the ticket that it will serve; not before `pause` is over.
    pub(super) async fn wanted(&self, pause: Instant) -> u64 {
        tokio::time::sleep_until(pause).await;
        self.fence_wanted.notified().await;
        self.drawn.load(SeqCst)
    }

    /// Lets those go on whose ticket has been served, and says when the next fence may be.
    pub(super) fn serve(&self, ticket: u64) -> Instant {
        self.served.send_replace(ticket);
        Instant::now() + PAUSE
    }

    /// Lets all go on: there is no connection to ask.
    pub(super) fn give_up(&self) {
        self.served.send_replace(self.drawn.load(SeqCst));
    }

    /// Resolves when all is there that Postgres had told before this call.
    pub(super) async fn pass_fence(&self) {
        let ticket = self.drawn.fetch_add(1, SeqCst) + 1;
        let mut served = self.served.subscribe();
        self.fence_wanted.notify_one();
        // The sender lives as long as `self`.
        let _ = served.wait_for(|it| *it >= ticket).await;
    }

    /// Resolves when the schema cache shows what was wished for before this call.
    pub(super) async fn until_granted(&self) {
        let wishes = self.wishes();
        let _ = self.granted.subscribe().wait_for(|it| *it >= wishes).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_fence_serves_all_who_came_before_it() {
        let freshness = Arc::new(Freshness::new());
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let freshness = Arc::clone(&freshness);
                tokio::spawn(async move { freshness.pass_fence().await })
            })
            .collect();
        let mut pause = Instant::now();
        while *freshness.served.borrow() < 3 {
            let ticket = freshness.wanted(pause).await;
            pause = freshness.serve(ticket);
        }
        for it in waiting {
            it.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_load_grants_what_was_wished_before_it_began() {
        let freshness = Freshness::new();
        freshness.until_granted().await;
        freshness.wish();
        let begun = freshness.wishes();
        freshness.wish();
        freshness.grant(begun);
        let is_granted = tokio::time::timeout(Duration::from_millis(20), freshness.until_granted()).await;
        assert!(is_granted.is_err(), "the second wish came after that load had begun");
        freshness.grant(freshness.wishes());
        freshness.until_granted().await;
    }
}

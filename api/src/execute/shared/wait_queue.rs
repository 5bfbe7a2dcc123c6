//! Reads that wait for a connection, and join the next shared connection if that comes first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::PendingRead;

/// Those who wait, first come first.
#[derive(Default)]
pub(super) struct WaitQueue(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    reads: BTreeMap<u64, PendingRead>,
    next: u64,
}

impl WaitQueue {
    /// Waits here as well.
    pub(super) fn enter(self: &Arc<Self>, pending: PendingRead) -> Place {
        let mut waiting = self.lock();
        let number = waiting.next;
        waiting.next += 1;
        waiting.reads.insert(number, pending);
        Place { queue: Arc::clone(self), number }
    }

    /// Who waits for longest.
    pub(super) fn first(&self) -> Option<PendingRead> {
        self.lock().reads.pop_first().map(|(_, pending)| pending)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // The map is whole whatever panicked beside it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place on the wait queue, which is left with this value.
pub(in crate::execute) struct Place {
    queue: Arc<WaitQueue>,
    number: u64,
}

impl Place {
    /// Leaves it. `None` if the pending read joined a shared connection and is answered there.
    pub(in crate::execute) fn leave(&self) -> Option<PendingRead> {
        self.queue.lock().reads.remove(&self.number)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::pending;
    use super::*;

    #[test]
    fn whoever_came_first_gets_on_first_unless_gone() {
        let queue = Arc::new(WaitQueue::default());
        let costs = [10, 20, 30, 40];
        let [first, second, third, fourth] = costs.map(|cost| queue.enter(pending(cost).0));
        drop(second);
        let cost = || queue.first().map(|it| it.encodable.latency.cost());
        let (a, b) = (cost().unwrap(), cost().unwrap());
        assert!(a < 20 && (25..35).contains(&b), "{a} {b}");
        // Who is on a shared connection is not here any more.
        assert!(first.leave().is_none() && third.leave().is_none());
        assert!(fourth.leave().is_some() && fourth.leave().is_none());
        assert!(queue.first().is_none());
    }
}

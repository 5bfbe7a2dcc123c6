//! Reads that wait for a connection, and get on the next lane if that comes first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Rider;

/// Those who wait, first come first.
#[derive(Default)]
pub(super) struct Platform(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    riders: BTreeMap<u64, Rider>,
    next: u64,
}

impl Platform {
    /// Waits here as well.
    pub(super) fn enter(self: &Arc<Self>, rider: Rider) -> Place {
        let mut waiting = self.lock();
        let number = waiting.next;
        waiting.next += 1;
        waiting.riders.insert(number, rider);
        Place { platform: Arc::clone(self), number }
    }

    /// Who waits for longest.
    pub(super) fn first(&self) -> Option<Rider> {
        self.lock().riders.pop_first().map(|(_, rider)| rider)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // The map is whole whatever panicked beside it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place on the platform, which is left with this value.
pub(in crate::execute) struct Place {
    platform: Arc<Platform>,
    number: u64,
}

impl Place {
    /// Leaves it. `None` if the rider got on a lane and is answered there.
    pub(in crate::execute) fn leave(&self) -> Option<Rider> {
        self.platform.lock().riders.remove(&self.number)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::rider;
    use super::*;

    #[test]
    fn whoever_came_first_gets_on_first_unless_gone() {
        let platform = Arc::new(Platform::default());
        let costs = [10, 20, 30, 40];
        let [first, second, third, fourth] = costs.map(|cost| platform.enter(rider(cost).0));
        drop(second);
        let cost = || platform.first().map(|it| it.encodable.pace.cost());
        let (a, b) = (cost().unwrap(), cost().unwrap());
        assert!(a < 20 && (25..35).contains(&b), "{a} {b}");
        // Who is on a lane is not here any more.
        assert!(first.leave().is_none() && third.leave().is_none());
        assert!(fourth.leave().is_some() && fourth.leave().is_none());
        assert!(platform.first().is_none());
    }
}

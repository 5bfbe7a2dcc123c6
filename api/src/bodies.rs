//! The memory that the bodies of requests share.
//!
//! Each is bounded, and so are all together: what a body needs is taken as it comes, so that announcing one takes
//! nothing. Where nothing is left a body is read no further, which its client notices, until others are done; for a
//! bounded time, as two that need more may wait for each other. Small bodies are no matter.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiRequestError;

/// How long a body waits for others.
const PATIENCE: Duration = Duration::from_secs(10);
/// Unit of what is taken, in bytes.
const UNIT: u64 = 1024;
/// At least so many of them are taken at a time.
const STEP: u32 = 256;

/// The memory for all bodies.
pub(crate) struct Bodies {
    units: Arc<Semaphore>,
    /// 0 for no limit.
    limit: u64,
    patience: Duration,
}

impl Bodies {
    /// So many bytes; 0 for no limit.
    pub(crate) fn new(limit: u64) -> Self {
        let units = usize::try_from(limit / UNIT).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { units: Arc::new(Semaphore::new(units)), limit, patience: PATIENCE }
    }

    /// Most bytes of one body, where this is the most that one may have; 0 for no limit.
    pub(crate) fn most_of_one(&self, limit: u64) -> u64 {
        match (limit, self.limit) {
            (0, other) | (other, 0) => other,
            (one, all) => one.min(all),
        }
    }
}

/// What one body has taken. Given back when it is dropped.
#[derive(Default)]
pub(crate) struct Share(Option<OwnedSemaphorePermit>);

impl Share {
    /// Takes as much as a body of so many bytes needs.
    pub(crate) async fn grow(&mut self, bodies: &Bodies, n_bytes: u64) -> Result<(), ApiRequestError> {
        if bodies.limit == 0 {
            return Ok(());
        }
        let all = bodies.limit / UNIT;
        let needed = n_bytes.div_ceil(UNIT).min(all);
        let has = self.0.as_ref().map_or(0, |it| it.num_permits() as u64);
        if needed <= has {
            return Ok(());
        }
        // A permit has 32 bits.
        let missing = (needed - has).max(u64::from(STEP).min(all - has)).min(u64::from(u32::MAX));
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let more = Arc::clone(&bodies.units).acquire_many_owned(missing);
        // The semaphore is never closed.
        let Ok(Ok(more)) = tokio::time::timeout(bodies.patience, more).await else {
            return Err(ApiRequestError::NoRoomForBody);
        };
        match &mut self.0 {
            Some(held) => held.merge(more),
            None => self.0 = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bodies_wait_for_each_other_and_not_for_ever() {
        let bodies = Bodies { patience: Duration::from_millis(1), ..Bodies::new(1024 * 1024) };
        let (mut first, mut second) = (Share::default(), Share::default());
        first.grow(&bodies, 900_000).await.unwrap();
        assert_eq!(second.grow(&bodies, 200_000).await, Err(ApiRequestError::NoRoomForBody));
        drop(first);
        for n_bytes in [200_000, 200_001, 1024 * 1024] {
            second.grow(&bodies, n_bytes).await.unwrap();
        }
        drop(second);
        // All of it is there again, for the waiting tasks as well.
        let bodies = Bodies { patience: PATIENCE, ..bodies };
        let mut third = Share::default();
        third.grow(&bodies, 1024 * 1024).await.unwrap();
        let mut fourth = Share::default();
        let (waited, ()) = tokio::join!(fourth.grow(&bodies, 1), async { drop(third) });
        waited.unwrap();
        drop(fourth);
        Share::default().grow(&bodies, 1024 * 1024).await.unwrap();
    }

    #[tokio::test]
    async fn zero_is_no_limit() {
        let bodies = Bodies::new(0);
        Share::default().grow(&bodies, u64::MAX).await.unwrap();
        assert_eq!((bodies.most_of_one(7), bodies.most_of_one(0)), (7, 0));
        let bodies = Bodies::new(5);
        assert_eq!((bodies.most_of_one(7), bodies.most_of_one(0), bodies.most_of_one(3)), (5, 5, 3));
    }
}

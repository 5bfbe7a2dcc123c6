//! A future that is not cut off by whoever stops waiting for it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Runs where it is awaited, and goes on in a separate task when it is dropped before its end.
///
/// A client that goes away must not cut a transaction in half. A task for each request would do, but costs
/// two more turns of the scheduler, for the sake of clients that nearly always stay.
pub(super) struct Unbroken<F: Future + Send + 'static>(Option<Pin<Box<F>>>);

impl<F: Future + Send + 'static> Unbroken<F> {
    /// Has not begun.
    pub(super) fn new(future: F) -> Self {
        Self(Some(Box::pin(future)))
    }
}

impl<F: Future + Send + 'static> Future for Unbroken<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // Taken out, so that one that panics is gone. Polled again after its end it is never ready.
        let Some(mut future) = self.0.take() else { return Poll::Pending };
        let polled = future.as_mut().poll(cx);
        if polled.is_pending() {
            self.0 = Some(future);
        }
        polled
    }
}

impl<F: Future + Send + 'static> Drop for Unbroken<F> {
    fn drop(&mut self) {
        if let Some(future) = self.0.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async {
                future.await;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn what_is_dropped_goes_on() {
        let (begin, begun) = oneshot::channel::<()>();
        let (end, ended) = oneshot::channel();
        let mut unbroken = Unbroken::new(async move {
            let _ = begun.await;
            let _ = end.send(7);
        });
        assert!(futures_util::poll!(&mut unbroken).is_pending());
        drop(unbroken);
        begin.send(()).unwrap();
        assert_eq!(ended.await, Ok(7));
    }

    #[tokio::test]
    async fn what_ended_or_panicked_is_gone() {
        let (end, ended) = oneshot::channel::<()>();
        let unbroken = Unbroken::new(async move {
            let _end = end;
            5
        });
        assert_eq!(unbroken.await, 5);
        assert!(ended.await.is_err());
        let (end, ended) = oneshot::channel::<()>();
        let broken = Unbroken::new(async move {
            let _end = end;
            panic!("as a fault would");
        });
        let caught = futures_util::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(broken)).await;
        assert!(caught.is_err() && ended.await.is_err());
    }
}

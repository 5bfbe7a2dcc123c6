//! The body of a request, which has to make progress.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use super::limits::BODY_PROGRESS;
use crate::client::Stalled;

/// A body that fails where too little of it comes within the limit.
pub struct Receiving<B> {
    body: B,
    limit: Duration,
    /// What came since the clock was set.
    n_received: u64,
    /// Set when the body has to be waited for, which that of a usual request has not.
    clock: Option<Pin<Box<Sleep>>>,
}

impl<B> Receiving<B> {
    pub(super) fn new(body: B, limit: Duration) -> Self {
        Self { body, limit, n_received: 0, clock: None }
    }
}

impl<B> Body for Receiving<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            if let Some(Ok(frame)) = &frame {
                this.n_received += frame.data_ref().map_or(0, |it| it.len() as u64);
            }
            return Poll::Ready(frame.map(|it| it.map_err(Into::into)));
        }
        let limit = this.limit;
        let clock = this.clock.get_or_insert_with(|| {
            this.n_received = 0;
            Box::pin(tokio::time::sleep(limit))
        });
        while clock.as_mut().poll(cx).is_ready() {
            if this.n_received < BODY_PROGRESS {
                return Poll::Ready(Some(Err(Stalled.into())));
            }
            this.n_received = 0;
            clock.set(tokio::time::sleep(limit));
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::sync::mpsc;

    use super::*;

    /// A body that a test sends piece by piece.
    struct Pieces(mpsc::UnboundedReceiver<usize>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            self.0.poll_recv(cx).map(|it| it.map(|n| Ok(Frame::data(vec![b'x'; n].into()))))
        }
    }

    const LIMIT: Duration = Duration::from_millis(200);

    /// What comes of a body of pieces of this size that come at a distance, for so long.
    async fn receive(size: usize, distance: Duration, n: usize) -> Result<usize, String> {
        let (sender, pieces) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            for _ in 0..n {
                tokio::time::sleep(distance).await;
                let _ = sender.send(size);
            }
        });
        let body = Receiving::new(Pieces(pieces), LIMIT);
        body.collect().await.map(|it| it.to_bytes().len()).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn progress_is_what_counts_and_not_the_whole() {
        let stalled = Err(Stalled.to_string());
        let often = Duration::from_millis(5);
        assert_eq!(receive(1, Duration::ZERO, 5).await, Ok(5));
        assert_eq!(receive(10, 3 * LIMIT, 1).await, stalled);
        // Now and then a byte is none.
        assert_eq!(receive(1, often, 1000).await, stalled);
        assert_eq!(receive(1000, often, 100).await, Ok(100_000));
    }
}

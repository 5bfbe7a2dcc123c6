//! The body of an answer on its way to the client, which has to take it.
//!
//! On HTTP/1 the connection tells whether it does. On HTTP/2 each answer waits for itself: one whose client does not
//! take it is given up, and what it held is free, while the others on the connection go on.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as _, Frame, SizeHint};

use super::Body;
use super::connections::{Running, WatchedAnswer};

/// An answer of more than this is watched.
const SMALL: u64 = 64 * 1024;
/// What is handed over at a time of an answer that is watched: its last piece is beyond our reach.
const PIECE: usize = 16 * 1024;

/// The body, and the request that ends with it.
pub(super) struct Sending(Kind);

enum Kind {
    Plain(Body, #[expect(dead_code, reason = "tells by being dropped that the request has ended")] Running),
    Watched { large: Arc<Large>, piece: Bytes, left: u64 },
}

/// A body that can be taken away from who sends it.
pub(super) struct Large {
    body: Mutex<Option<(Body, Running)>>,
    n_pieces: AtomicU64,
    /// How many there were when somebody last saw more of them than before, and when that was.
    seen: Mutex<(u64, u64)>,
}

impl Sending {
    pub(super) fn new(body: Body, running: Running, is_http2: bool) -> Self {
        let left = body.size_hint().exact().unwrap_or_default();
        if !is_http2 || left <= SMALL {
            return Self(Kind::Plain(body, running));
        }
        let activity = Arc::clone(running.activity());
        let large = Arc::new(Large {
            body: Mutex::new(Some((body, running))),
            n_pieces: AtomicU64::new(0),
            seen: Mutex::default(),
        });
        let watched: Weak<Large> = Arc::downgrade(&large);
        activity.sends(watched);
        Self(Kind::Watched { large, piece: Bytes::new(), left })
    }
}

impl WatchedAnswer for Large {
    fn judge(&self, now: u64, limit: u64) {
        let n_pieces = self.n_pieces.load(Relaxed);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.1 == 0 || seen.0 != n_pieces {
            *seen = (n_pieces, now);
        } else if now.saturating_sub(seen.1) >= limit {
            drop(self.lock().take());
        }
    }
}

impl Large {
    fn lock(&self) -> MutexGuard<'_, Option<(Body, Running)>> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let mut place = self.lock();
        let Some((body, _)) = place.as_mut() else {
            return Poll::Ready(Some(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client does not take the answer",
            ))));
        };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        Poll::Ready(frame.map(|it| it.map(|frame| frame.into_data().unwrap_or_default())))
    }
}

impl hyper::body::Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let (large, piece, left) = match &mut self.0 {
            Kind::Plain(body, _) => return Pin::new(body).poll_frame(cx),
            Kind::Watched { large, piece, left } => (large, piece, left),
        };
        if piece.is_empty() {
            match ready!(large.poll(cx)) {
                Some(Ok(bytes)) => *piece = bytes,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let now = piece.split_to(piece.len().min(PIECE));
        *left = left.saturating_sub(now.len() as u64);
        large.n_pieces.fetch_add(1, Relaxed);
        Poll::Ready(Some(Ok(Frame::data(now))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Plain(body, _) => body.is_end_stream(),
            Kind::Watched { left, .. } => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Plain(body, _) => body.size_hint(),
            Kind::Watched { left, .. } => SizeHint::with_exact(*left),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::super::connections::Activity;
    use super::*;

    fn large(activity: &Arc<Activity>) -> (Sending, Arc<Large>) {
        let sending = Sending::new(Body::from(vec![b'x'; 100_000]), activity.begin(true), true);
        let Kind::Watched { large, .. } = &sending.0 else { panic!("it is large") };
        let large = Arc::clone(large);
        (sending, large)
    }

    #[tokio::test]
    async fn large_answers_arrive_whole() {
        let activity = Activity::unlimited();
        let (sending, large) = large(&activity);
        assert_eq!(sending.size_hint().exact(), Some(100_000));
        assert!(activity.is_running());
        assert_eq!(sending.collect().await.unwrap().to_bytes().len(), 100_000);
        drop(large);
        assert!(!activity.is_running());
    }

    #[tokio::test]
    async fn what_is_not_taken_is_given_up() {
        let activity = Activity::unlimited();
        let (mut sending, large) = large(&activity);
        large.judge(1, 30);
        large.judge(30, 30);
        // It gets on, and has its time again.
        assert_eq!(sending.frame().await.unwrap().unwrap().into_data().unwrap().len(), PIECE);
        large.judge(31, 30);
        large.judge(60, 30);
        assert!(activity.is_running());
        large.judge(61, 30);
        assert!(!activity.is_running());
        let rest = sending.collect().await;
        assert_eq!(rest.err().unwrap().kind(), io::ErrorKind::TimedOut);
    }
}

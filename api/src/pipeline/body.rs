//! The body of a request: read whole, and no further than it may be.

use std::io;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::{TryStreamExt as _, stream};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame};
use tokio::io::AsyncReadExt as _;

use crate::bodies::{Bodies, Share};
use crate::client::Stalled;
use crate::coding::{Coding, decoder};
use crate::error::{ApiRequestError, Error};

/// A body up to this is read before anything else is looked at. Of a larger one the target is looked up first.
pub(super) const SMALL: u64 = 64 * 1024;
/// Room that is made at a time, at least.
const STEP: usize = 16 * 1024;
/// How long the rest of a body that is refused is still read, and dropped.
pub(super) const LINGER: Duration = Duration::from_secs(5);

/// The body of a request that may have to be answered twice.
pub(super) enum Incoming<B> {
    /// It is still to be read.
    Unread(B),
    /// It was read, and nothing was done with it yet.
    Read(Bytes, Share),
    /// It was used, or was refused.
    Gone,
}

/// What is done with a body.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    /// What all bodies may have together.
    pub(super) bodies: &'a Bodies,
    /// Most bytes of it; 0 for no limit.
    pub(super) limit: u64,
    /// It means something; otherwise it is read and dropped.
    pub(super) wanted: bool,
    /// The client waits to be told before it sends it.
    pub(super) awaited: bool,
    /// What it is decoded from; its limit is one of the bytes that come of that.
    pub(super) coding: Option<Coding>,
}

/// Reads a body; with it comes its share of the memory, to be kept as long as the body. `check` is asked once before more than a little of it is held.
///
/// A body that says how long it is, and is too long, is refused before any of it is read. One that does not say is
/// refused as soon as it is too long; its frames may be of any size, so they are put together as they come.
pub(super) async fn read<B, F>(
    incoming: &mut Incoming<B>,
    reading: Reading<'_>,
    check: impl FnOnce() -> F,
) -> Result<(Bytes, Share), Error>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    F: Future<Output = Result<(), Error>>,
{
    let body = match std::mem::replace(incoming, Incoming::Gone) {
        Incoming::Unread(body) => body,
        Incoming::Read(bytes, share) => return Ok((bytes, share)),
        Incoming::Gone => return Ok((Bytes::new(), Share::default())),
    };
    let mut body = Box::pin(body);
    let outcome = held(&mut body, reading, check).await;
    if outcome.is_err() && !reading.awaited && !body.is_end_stream() {
        // Who sends first and listens then would find the connection reset, and no answer.
        tokio::spawn(tokio::time::timeout(
            LINGER,
            async move { while let Some(Ok(_)) = body.frame().await {} },
        ));
    }
    outcome
}

async fn held<B, F>(
    body: &mut std::pin::Pin<Box<B>>,
    reading: Reading<'_>,
    check: impl FnOnce() -> F,
) -> Result<(Bytes, Share), Error>
where
    B: Body + Send,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    F: Future<Output = Result<(), Error>>,
{
    let Reading { bodies, limit, wanted, .. } = reading;
    let limit = bodies.most_of_one(limit);
    let is_too_long = |n_bytes: u64| limit != 0 && n_bytes > limit;
    let announced = body.size_hint().lower();
    let mut check = Some(check);
    if announced > SMALL
        && let Some(check) = check.take()
    {
        check().await?;
    }
    // What a body in a coding announces is its length before it is decoded.
    if is_too_long(announced) {
        return Err(ApiRequestError::BodyTooLarge(limit).into());
    }
    if let Some(coding) = reading.coding {
        return decoded(body, coding, reading, check).await;
    }
    let (mut bytes, mut n_bytes, mut share) = (BytesMut::new(), 0_u64, Share::default());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| unread(&*error.into()))?;
        // Trailers say nothing here.
        let Ok(mut data) = frame.into_data() else { continue };
        n_bytes += data.remaining() as u64;
        if is_too_long(n_bytes) {
            return Err(ApiRequestError::BodyTooLarge(limit).into());
        }
        if n_bytes > SMALL
            && let Some(check) = check.take()
        {
            check().await?;
        }
        if wanted && n_bytes > SMALL {
            share.grow(bodies, n_bytes).await?;
        }
        if wanted && bytes.is_empty() && body.is_end_stream() {
            // All of it in one frame, as nearly always.
            return Ok((data.copy_to_bytes(data.remaining()), share));
        }
        if wanted {
            make_room(&mut bytes, data.remaining(), announced);
            bytes.put(data);
        }
    }
    Ok((bytes.freeze(), share))
}

/// Reads a body in a coding. No more of it is decoded at a time than fits in a step, so that neither what it decodes to
/// nor the time it takes is beyond what the limit allows.
async fn decoded<B, F>(
    body: &mut std::pin::Pin<Box<B>>,
    coding: Coding,
    reading: Reading<'_>,
    mut check: Option<impl FnOnce() -> F>,
) -> Result<(Bytes, Share), Error>
where
    B: Body + Send,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    F: Future<Output = Result<(), Error>>,
{
    let limit = reading.bodies.most_of_one(reading.limit);
    let frames = stream::poll_fn(|cx| {
        let frame = ready!(body.as_mut().poll_frame(cx));
        Poll::Ready(frame.map(|frame| match frame.map(Frame::into_data) {
            Ok(Ok(mut data)) => Ok(data.copy_to_bytes(data.remaining())),
            Ok(Err(_)) => Ok(Bytes::new()),
            Err(error) => Err(io::Error::other(error.into())),
        }))
    });
    // An empty piece would count as the end.
    let frames = frames.try_filter(|it| std::future::ready(!it.is_empty()));
    let mut decoder = decoder(coding, Box::pin(frames));
    let (mut bytes, mut share) = (BytesMut::new(), Share::default());
    loop {
        make_room(&mut bytes, STEP, 0);
        let n_read = decoder.read_buf(&mut bytes).await.map_err(|error| undecoded(Some(coding), error))?;
        if n_read == 0 {
            return Ok((bytes.freeze(), share));
        }
        let n_bytes = bytes.len() as u64;
        if limit != 0 && n_bytes > limit {
            return Err(ApiRequestError::BodyTooLarge(limit).into());
        }
        if n_bytes > SMALL {
            if let Some(check) = check.take() {
                check().await?;
            }
            share.grow(reading.bodies, n_bytes).await?;
        }
        // Nothing of a small body that decodes to a large one is waited for.
        tokio::task::consume_budget().await;
    }
}

/// Why a body could not be decoded; what kept it from being read goes first.
pub(super) fn undecoded(coding: Option<Coding>, error: io::Error) -> ApiRequestError {
    let Some(coding) = coding else {
        return match error.into_inner() {
            Some(inner) => unread(&*inner),
            None => ApiRequestError::InvalidBody("could not read the request body".to_owned()),
        };
    };
    match error.into_inner() {
        Some(inner) if inner.is::<Stalled>() => ApiRequestError::BodyStalled,
        Some(inner) if inner.is::<hyper::Error>() => unread(&*inner),
        Some(inner) => not_in(coding, &inner.to_string()),
        None => not_in(coding, "it is damaged or ends too early"),
    }
}

fn not_in(coding: Coding, reason: &str) -> ApiRequestError {
    ApiRequestError::InvalidBody(format!("could not decode the request body as {}: {reason}", coding.name()))
}

/// Why a body could not be read.
fn unread(error: &(dyn std::error::Error + Send + Sync + 'static)) -> ApiRequestError {
    match error.is::<Stalled>() {
        true => ApiRequestError::BodyStalled,
        false => ApiRequestError::InvalidBody(format!("could not read the request body: {error}")),
    }
}

/// Makes room for so many bytes more. What is announced is a reason to make as much room as that in the end and
/// none to make it now: nothing of it may ever come.
fn make_room(bytes: &mut BytesMut, more: usize, announced: u64) {
    let needed = bytes.len() + more;
    if needed <= bytes.capacity() {
        return;
    }
    let announced = usize::try_from(announced).unwrap_or(usize::MAX);
    let doubled = (bytes.capacity() * 2).max(STEP);
    let capacity = if announced >= needed { doubled.min(announced) } else { doubled };
    // `reserve` would round it up.
    let mut larger = BytesMut::with_capacity(capacity.max(needed));
    larger.extend_from_slice(bytes);
    *bytes = larger;
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::sync::LazyLock;
    use std::task::{Context, Poll};

    use hyper::body::{Frame, SizeHint};

    use super::*;

    async fn read<B>(
        body: B,
        reading: Reading<'_>,
        check: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(Bytes, Share), Error>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        super::read(&mut Incoming::Unread(body), reading, || std::future::ready(check())).await
    }

    /// Frames, with what is announced of them.
    struct Frames {
        left: VecDeque<Bytes>,
        announced: Option<u64>,
    }

    impl Body for Frames {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.left.pop_front().map(|it| Ok(Frame::data(it))))
        }

        fn size_hint(&self) -> SizeHint {
            self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
        }
    }

    fn frames(size: usize, n: usize, announced: Option<u64>) -> Frames {
        Frames { left: vec![Bytes::from(vec![b'x'; size]); n].into(), announced }
    }

    static BODIES: LazyLock<Bodies> = LazyLock::new(|| Bodies::new(0));

    fn reading() -> Reading<'static> {
        Reading { bodies: &BODIES, limit: 100_000, wanted: true, awaited: true, coding: None }
    }

    #[tokio::test]
    async fn bodies_come_whole_whatever_their_frames() {
        for (size, n) in [(0, 0), (1, 100_000), (100_000, 1), (333, 300)] {
            for announced in [None, Some((size * n) as u64)] {
                let (body, _) = read(frames(size, n, announced), reading(), || Ok(())).await.unwrap();
                assert_eq!(body.len(), size * n);
            }
        }
        let dropped = Reading { wanted: false, ..reading() };
        assert!(read(frames(10, 10, None), dropped, || Ok(())).await.unwrap().0.is_empty());
        let unlimited = Reading { limit: 0, ..reading() };
        assert_eq!(read(frames(1000, 1000, None), unlimited, || Ok(())).await.unwrap().0.len(), 1_000_000);
    }

    #[tokio::test]
    async fn too_long_is_refused_before_it_is_read() {
        let refused = |it: Result<(Bytes, Share), Error>| {
            matches!(it, Err(Error::ApiRequest(ApiRequestError::BodyTooLarge(100_000))))
        };
        // Nothing of it comes: it is not waited for.
        assert!(refused(read(frames(0, 0, Some(100_001)), reading(), || Ok(())).await));
        assert!(refused(read(frames(1, 100_001, None), reading(), || Ok(())).await));
        let dropped = Reading { wanted: false, ..reading() };
        assert!(refused(read(frames(100_001, 1, None), dropped, || Ok(())).await));
    }

    #[tokio::test]
    async fn large_bodies_have_their_target_looked_up_first() {
        let refuse = || Err(Error::NoSchemaCache);
        for announced in [None, Some(70_000)] {
            let outcome = read(frames(1000, 70, announced), reading(), refuse).await;
            assert!(matches!(outcome, Err(Error::NoSchemaCache)));
        }
        assert!(read(frames(1000, 10, Some(10_000)), reading(), refuse).await.is_ok());
    }

    #[test]
    fn room_follows_what_came() {
        let mut bytes = BytesMut::new();
        // A client announces 64 MiB and sends a byte.
        make_room(&mut bytes, 1, 64 << 20);
        assert!(bytes.capacity() <= 2 * STEP, "{}", bytes.capacity());
        while bytes.len() < 1_000_000 {
            make_room(&mut bytes, 1000, 1_000_000);
            bytes.put_bytes(b'x', 1000);
            assert!(bytes.capacity() <= 1_000_000.min(2 * bytes.len().max(STEP)), "{}", bytes.capacity());
        }
    }
}

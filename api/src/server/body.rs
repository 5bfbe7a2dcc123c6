//! The body of an answer: bytes that are ready, or a file that is read while it is sent.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use crate::spool::Spooled;

/// Of known length in any case.
#[derive(Default)]
pub struct Body {
    ready: Bytes,
    file: Option<Reading>,
}

struct Reading {
    spooled: Spooled,
    offset: u64,
    next: Option<Pin<Box<dyn Future<Output = io::Result<Bytes>> + Send>>>,
}

impl Body {
    /// A body that is ready as a whole.
    pub fn new(bytes: Bytes) -> Self {
        Self { ready: bytes, file: None }
    }

    /// A body on disk.
    pub fn spooled(spooled: Spooled) -> Self {
        Self { ready: Bytes::new(), file: Some(Reading { spooled, offset: 0, next: None }) }
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::new(text.into())
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes.into())
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::new(bytes)
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Some(reading) = &mut self.file else {
            let bytes = std::mem::take(&mut self.ready);
            return Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))));
        };
        let next = reading.next.get_or_insert_with(|| {
            let (spooled, offset) = (reading.spooled.clone(), reading.offset);
            Box::pin(async move { spooled.read(offset).await })
        });
        let chunk = ready!(next.as_mut().poll(cx));
        reading.next = None;
        Poll::Ready(match chunk {
            Ok(bytes) if bytes.is_empty() => None,
            Ok(bytes) => {
                reading.offset += bytes.len() as u64;
                Some(Ok(Frame::data(bytes)))
            }
            Err(error) => Some(Err(error)),
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.file {
            Some(reading) => reading.offset >= reading.spooled.len(),
            None => self.ready.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match &self.file {
            Some(reading) => reading.spooled.len() - reading.offset,
            None => self.ready.len() as u64,
        })
    }
}

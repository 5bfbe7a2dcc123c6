//! The body of an answer: bytes that are ready, or a file that is read while it is sent; both may be encoded on the way.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use crate::coding::{Coding, Encoder};
use crate::execute::stream::Streamed;
use crate::spool::Spooled;

/// Bytes that are encoded at a time: a large body must not keep others waiting.
const STEP: usize = 64 * 1024;

/// Of known length unless it is encoded.
#[derive(Default)]
pub struct Body {
    source: Source,
    encoder: Option<Box<Encoding>>,
}

enum Source {
    Ready(Bytes),
    File(Reading),
    /// `true` once it has ended.
    Stream(Streamed, bool),
}

impl Default for Source {
    fn default() -> Self {
        Self::Ready(Bytes::new())
    }
}

struct Reading {
    spooled: Spooled,
    offset: u64,
    next: Option<Pin<Box<dyn Future<Output = io::Result<Bytes>> + Send>>>,
}

/// What was read and is still to be encoded; `None` once the coding has ended.
struct Encoding {
    encoder: Option<Encoder>,
    left: Bytes,
    /// Something was encoded since it was last flushed.
    is_unflushed: bool,
}

impl Body {
    /// A body that is ready as a whole.
    pub fn new(bytes: Bytes) -> Self {
        Self { source: Source::Ready(bytes), encoder: None }
    }

    /// A body on disk.
    pub fn spooled(spooled: Spooled) -> Self {
        Self { source: Source::File(Reading { spooled, offset: 0, next: None }), encoder: None }
    }

    /// A body that comes while it is sent.
    pub fn streamed(stream: Streamed) -> Self {
        Self { source: Source::Stream(stream, false), encoder: None }
    }

    /// The same body, in a coding.
    #[must_use]
    pub fn coded(self, coding: Coding) -> Self {
        let encoding =
            Encoding { encoder: Some(Encoder::new(coding)), left: Bytes::new(), is_unflushed: false };
        Self { encoder: Some(Box::new(encoding)), ..self }
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

impl Source {
    /// The next bytes; `None` at the end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let reading = match self {
            Self::Ready(bytes) => {
                let bytes = std::mem::take(bytes);
                return Poll::Ready((!bytes.is_empty()).then_some(Ok(bytes)));
            }
            Self::File(reading) => reading,
            Self::Stream(stream, has_ended) => {
                let next = ready!(stream.poll_next(cx));
                *has_ended = next.is_none();
                return Poll::Ready(next);
            }
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
                Some(Ok(bytes))
            }
            Err(error) => Some(Err(error)),
        })
    }

    /// It comes while it is sent.
    fn is_live(&self) -> bool {
        matches!(self, Self::Stream(..))
    }

    /// How much is left of it, if that is known.
    fn len(&self) -> Option<u64> {
        match self {
            Self::Ready(bytes) => Some(bytes.len() as u64),
            Self::File(reading) => Some(reading.spooled.len() - reading.offset),
            Self::Stream(_, has_ended) => has_ended.then_some(0),
        }
    }
}

impl Encoding {
    /// The next encoded bytes of a source; `None` at the end.
    fn poll_next(&mut self, source: &mut Source, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let Some(encoder) = &mut self.encoder else { return Poll::Ready(None) };
        loop {
            let (encoded, is_end) = match self.left.is_empty() {
                false => (encoder.write(&self.left.split_to(self.left.len().min(STEP))), false),
                true => match source.poll_next(cx) {
                    Poll::Ready(Some(Ok(bytes))) => {
                        self.left = bytes;
                        self.is_unflushed = true;
                        continue;
                    }
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                    Poll::Ready(None) => (encoder.finish(), true),
                    // Nothing more comes for now: the client gets what there is.
                    Poll::Pending if source.is_live() && std::mem::take(&mut self.is_unflushed) => {
                        (encoder.flush(), false)
                    }
                    Poll::Pending => return Poll::Pending,
                },
            };
            if let Err(error) = encoded {
                return Poll::Ready(Some(Err(error)));
            }
            let bytes = encoder.take();
            if is_end {
                self.encoder = None;
                return Poll::Ready(Some(Ok(bytes)));
            }
            if !bytes.is_empty() {
                return Poll::Ready(Some(Ok(bytes)));
            }
            if !self.is_unflushed && self.left.is_empty() {
                // It was flushed, and whoever waits for the source is woken by it.
                return Poll::Pending;
            }
        }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Self { source, encoder } = self.get_mut();
        let next = match encoder {
            Some(encoder) => ready!(encoder.poll_next(source, cx)),
            None => ready!(source.poll_next(cx)),
        };
        Poll::Ready(next.map(|it| it.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.encoder {
            Some(encoding) => encoding.encoder.is_none(),
            None => self.source.len() == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.encoder {
            Some(_) => SizeHint::default(),
            None => self.source.len().map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::BodyExt as _;
    use tokio::io::AsyncReadExt as _;

    use super::*;
    use crate::coding::decoder;

    #[tokio::test]
    async fn a_body_in_a_coding_decodes_to_what_it_was() {
        let text = (0..100_000).map(|it| format!("{{\"id\":{it}}},")).collect::<String>();
        for coding in Coding::ALL {
            let body = Body::from(text.clone()).coded(coding);
            assert_eq!(hyper::body::Body::size_hint(&body).exact(), None);
            let sent = body.collect().await.unwrap().to_bytes();
            assert!(sent.len() * 4 < text.len(), "{coding:?}: {}", sent.len());
            let mut decoded = String::new();
            decoder(coding, stream::iter([Ok(sent)])).read_to_string(&mut decoded).await.unwrap();
            assert_eq!(decoded, text);
        }
    }
}

//! The body of an answer: bytes that are ready, or a file that is read while it is sent; both may be encoded on the way.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use crate::coding::{Coding, Encoder};
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

    /// The same body, in a coding.
    #[must_use]
    pub fn coded(self, coding: Coding) -> Self {
        let encoding = Encoding { encoder: Some(Encoder::new(coding)), left: Bytes::new() };
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

    /// How much is left of it.
    fn len(&self) -> u64 {
        match self {
            Self::Ready(bytes) => bytes.len() as u64,
            Self::File(reading) => reading.spooled.len() - reading.offset,
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
                true => match ready!(source.poll_next(cx)) {
                    Some(Ok(bytes)) => {
                        self.left = bytes;
                        continue;
                    }
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => (encoder.finish(), true),
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
            None => self.source.len() == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.encoder {
            Some(_) => SizeHint::default(),
            None => SizeHint::with_exact(self.source.len()),
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

//! The body of a response, encoded piece by piece.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use async_compression::Level;
use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use bytes::Bytes;
use tokio::io::AsyncWrite;

use super::Coding;

/// Levels by what they cost and gain on answers: `docs/performance.md` has the measurements.
const GZIP_LEVEL: Level = Level::Precise(4);
const BROTLI_LEVEL: Level = Level::Precise(3);
const ZSTD_LEVEL: Level = Level::Precise(2);

/// Encodes into memory, so that nothing is ever waited for.
pub(crate) enum Encoder {
    Gzip(GzipEncoder<Vec<u8>>),
    Brotli(Box<BrotliEncoder<Vec<u8>>>),
    Zstd(ZstdEncoder<Vec<u8>>),
}

impl Encoder {
    /// Nothing is encoded yet.
    pub(crate) fn new(coding: Coding) -> Self {
        match coding {
            Coding::Gzip => Self::Gzip(GzipEncoder::with_quality(Vec::new(), GZIP_LEVEL)),
            Coding::Brotli => Self::Brotli(Box::new(BrotliEncoder::with_quality(Vec::new(), BROTLI_LEVEL))),
            Coding::Zstd => Self::Zstd(ZstdEncoder::with_quality(Vec::new(), ZSTD_LEVEL)),
        }
    }

    /// Takes more of the body; some of it is encoded later.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let n_taken = now(self.writer().poll_write(&mut Context::from_waker(Waker::noop()), bytes))?;
            bytes = &bytes[n_taken..];
        }
        Ok(())
    }

    /// Has all that was taken come out.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        now(self.writer().poll_flush(&mut Context::from_waker(Waker::noop())))
    }

    /// Ends the body.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        now(self.writer().poll_shutdown(&mut Context::from_waker(Waker::noop())))
    }

    /// What was encoded since it was last asked.
    pub(crate) fn take(&mut self) -> Bytes {
        std::mem::take(match self {
            Self::Gzip(it) => it.get_mut(),
            Self::Brotli(it) => it.get_mut(),
            Self::Zstd(it) => it.get_mut(),
        })
        .into()
    }

    fn writer(&mut self) -> Pin<&mut (dyn AsyncWrite + Unpin)> {
        Pin::new(match self {
            Self::Gzip(it) => it,
            Self::Brotli(it) => &mut **it,
            Self::Zstd(it) => it,
        })
    }
}

/// Memory takes whatever is written at once.
fn now<T>(outcome: Poll<io::Result<T>>) -> io::Result<T> {
    match outcome {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// A body as a whole, encoded.
pub(crate) fn encoded(coding: Coding, body: &[u8]) -> io::Result<Bytes> {
    let mut encoder = Encoder::new(coding);
    encoder.write(body)?;
    encoder.finish()?;
    Ok(encoder.take())
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt as _;

    use super::super::decoder;
    use super::*;

    async fn decoded(coding: Coding, pieces: Vec<Bytes>) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        decoder(coding, stream::iter(pieces.into_iter().map(Ok))).read_to_end(&mut body).await?;
        Ok(body)
    }

    #[tokio::test]
    async fn a_body_that_ends_early_or_is_damaged_is_an_error() {
        let body = (0..20_000).map(|it| format!("{it},")).collect::<String>();
        for coding in Coding::ALL {
            let whole = encoded(coding, body.as_bytes()).unwrap();
            assert_eq!(decoded(coding, vec![whole.clone()]).await.unwrap(), body.as_bytes());
            assert!(decoded(coding, vec![whole.slice(..whole.len() * 2 / 3)]).await.is_err(), "{coding:?}");
            if coding != Coding::Gzip {
                // Only gzip always has a checksum.
                continue;
            }
            let garbled = whole
                .iter()
                .enumerate()
                .map(|(at, byte)| if (40..200).contains(&at) { !byte } else { *byte });
            assert!(decoded(coding, vec![garbled.collect()]).await.is_err(), "{coding:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(pieces: Vec<Vec<u8>>, at in 0..3_usize) {
            let coding = Coding::ALL[at];
            let mut encoder = Encoder::new(coding);
            let mut sent = Vec::new();
            for piece in &pieces {
                encoder.write(piece).unwrap();
                sent.push(encoder.take());
            }
            encoder.finish().unwrap();
            sent.push(encoder.take());
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            prop_assert_eq!(runtime.block_on(decoded(coding, sent)).unwrap(), pieces.concat());
        }
    }
}

//! The body of a request, decoded while it is read.

use std::io;

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use bytes::Bytes;
use futures_util::Stream;
use tokio::io::AsyncRead;
use tokio_util::io::StreamReader;

use super::Coding;

/// Exponent of the largest window of Zstandard: 8 MiB, as RFC 8878 recommends. What a body announces is memory.
const MAX_WINDOW: u32 = 23;

/// Decodes a body. A body that ends before its coding does is an error.
pub(crate) fn decoder<'a>(
    coding: Coding,
    body: impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'a,
) -> Box<dyn AsyncRead + Send + Unpin + 'a> {
    let body = StreamReader::new(body);
    match coding {
        Coding::Gzip => {
            let mut decoder = GzipDecoder::new(body);
            // A file that was appended to a file is one body (RFC 1952, section 2.2).
            decoder.multiple_members(true);
            Box::new(decoder)
        }
        Coding::Brotli => Box::new(BrotliDecoder::new(body)),
        Coding::Zstd => {
            let mut decoder = ZstdDecoder::with_params(body, &[DParameter::window_log_max(MAX_WINDOW)]);
            decoder.multiple_members(true);
            Box::new(decoder)
        }
    }
}

//! Bodies that are too large for memory, kept in a temporary file until they are sent.
//!
//! A response's head tells how many rows its body has, and what the database wants of the response is
//! known after the last row only. A large body therefore cannot be sent while it is made; it waits on
//! disk, which also frees the connection to the database before a slow client has read anything. The
//! file has no name, so nothing is left behind.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

/// Up to this a body stays in memory.
pub(crate) const IN_MEMORY: usize = 4 * 1024 * 1024;
/// What goes to the file or comes from it at a time.
const CHUNK: usize = 256 * 1024;

/// A finished body.
#[derive(Debug, Clone)]
pub struct Spooled {
    file: Arc<File>,
    len: u64,
}

impl PartialEq for Spooled {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.file, &other.file)
    }
}

impl Eq for Spooled {}

impl Spooled {
    /// Number of bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes from `offset` on, as many as are sent at a time; none at the end.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub async fn read(&self, offset: u64) -> io::Result<Bytes> {
        let (file, left) = (Arc::clone(&self.file), self.len.saturating_sub(offset));
        let wanted = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        blocking(move || {
            let mut chunk = vec![0; wanted];
            file.read_exact_at(&mut chunk, offset)?;
            Ok(chunk.into())
        })
        .await
    }
}

/// A body under construction.
pub(crate) struct Spool {
    file: Arc<File>,
    len: u64,
}

impl Spool {
    /// An empty file in the system's folder for temporary files.
    pub(crate) async fn create() -> io::Result<Self> {
        let file = blocking(tempfile::tempfile).await?;
        Ok(Self { file: Arc::new(file), len: 0 })
    }

    /// Moves what is in the buffer to the file, once it is worth it.
    pub(crate) async fn take(&mut self, buffer: &mut BytesMut) -> io::Result<()> {
        if buffer.len() >= CHUNK { self.flush(buffer).await } else { Ok(()) }
    }

    async fn flush(&mut self, buffer: &mut BytesMut) -> io::Result<()> {
        let file = Arc::clone(&self.file);
        let mut bytes = std::mem::take(buffer);
        self.len += bytes.len() as u64;
        bytes = blocking(move || {
            (&*file).write_all(&bytes)?;
            bytes.clear();
            Ok(bytes)
        })
        .await?;
        // The buffer that led here is as large as what stays in memory; from now on less will do.
        *buffer = if bytes.capacity() > 4 * CHUNK { BytesMut::with_capacity(2 * CHUNK) } else { bytes };
        Ok(())
    }

    /// The body, with what is still in the buffer.
    pub(crate) async fn finish(mut self, mut rest: BytesMut) -> io::Result<Spooled> {
        self.flush(&mut rest).await?;
        Ok(Spooled { file: self.file, len: self.len })
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_goes_in_comes_out() {
        let mut spool = Spool::create().await.unwrap();
        let mut buffer = BytesMut::new();
        let mut expected = Vec::new();
        for index in 0..200_000_u32 {
            buffer.extend_from_slice(&index.to_be_bytes());
            expected.extend_from_slice(&index.to_be_bytes());
            spool.take(&mut buffer).await.unwrap();
            assert!(buffer.len() < CHUNK);
        }
        let spooled = spool.finish(buffer).await.unwrap();
        assert_eq!(spooled.len(), expected.len() as u64);
        let mut read = Vec::new();
        loop {
            let chunk = spooled.read(read.len() as u64).await.unwrap();
            if chunk.is_empty() {
                break;
            }
            read.extend_from_slice(&chunk);
        }
        assert!(read == expected);
    }
}

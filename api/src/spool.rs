//! Answers that are too large for memory, kept in a temporary file until they are sent.
//!
//! A response's head tells how many rows its body has, and what the database wants of the response is
//! known after the last row only. A large body therefore cannot be sent while it is made; it waits on
//! disk, which also frees the connection to the database before a slow client has read anything. The
//! file has no name, so nothing is left behind.
//!
//! Disk and memory for it are bounded ([`room`]). A piece that the disk does not take is kept in memory, and
//! one that has no room there either waits for others to be sent, or fails.

pub mod room;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use crate::error::NoRoom;
use room::{Claim, Place, Room};

/// Up to this a body stays in memory.
pub(crate) const IN_MEMORY: usize = 4 * 1024 * 1024;
/// Once a body does not, this much of it is put aside at a time.
pub(crate) const PIECE: usize = 1024 * 1024;
/// What is sent at a time.
const CHUNK: usize = 256 * 1024;

/// A finished body.
#[derive(Debug, Clone)]
pub struct Spooled {
    kept: Arc<Kept>,
    len: u64,
}

impl PartialEq for Spooled {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.kept, &other.kept)
    }
}

impl Eq for Spooled {}

impl Spooled {
    /// A body that is there already.
    pub(crate) async fn of(room: &Arc<Room>, mut body: Bytes) -> Result<Self, NoRoom> {
        let mut spool = Spool::new(room);
        while !body.is_empty() {
            let mut piece = BytesMut::from(&*body.split_to(body.len().min(PIECE)));
            spool.take(&mut piece).await?;
        }
        spool.finish(BytesMut::new()).await
    }

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
    /// When the file cannot be read, and when the body had to give way to others because nobody took anything of it.
    pub async fn read(&self, offset: u64) -> io::Result<Bytes> {
        let wanted = CHUNK.min(usize::try_from(self.len.saturating_sub(offset)).unwrap_or(CHUNK));
        match self.kept.find(offset, wanted)? {
            Found::Memory(bytes) => Ok(bytes),
            Found::File(file, at, wanted) => {
                blocking(move || {
                    let mut chunk = vec![0; wanted];
                    file.read_exact_at(&mut chunk, at)?;
                    Ok(chunk.into())
                })
                .await
            }
        }
    }
}

/// What a finished body consists of, until it is sent or has to give way.
#[derive(Debug)]
struct Kept(Mutex<Option<Content>>);

#[derive(Debug)]
struct Content {
    pieces: Pieces,
    /// When it was read from, or made.
    touched: Instant,
}

enum Found {
    Memory(Bytes),
    /// So many bytes at this place of the file.
    File(Arc<File>, u64, usize),
}

impl Kept {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Content>> {
        // Only ever replaced as a whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, offset: u64, wanted: usize) -> io::Result<Found> {
        let mut content = self.lock();
        let content = content.as_mut().ok_or_else(|| {
            io::Error::other("the answer was dropped to make room for others: its client had stopped reading")
        })?;
        content.touched = Instant::now();
        Ok(content.pieces.find(offset, wanted))
    }

    /// How long nobody has taken anything; `None` if it is gone.
    fn idle(&self) -> Option<Duration> {
        self.lock().as_ref().map(|it| it.touched.elapsed())
    }

    /// Lets go of everything. Who reads it gets an error.
    fn give_way(&self) {
        let content = self.lock().take();
        drop(content);
    }
}

/// The pieces of a body, in order, with the room that they take.
struct Pieces {
    /// Made when the first piece goes there.
    file: Option<Arc<File>>,
    /// Bytes in it.
    in_file: u64,
    /// Each with the offset in the body at which it ends.
    pieces: Vec<(u64, Piece)>,
    claim: Claim,
}

enum Piece {
    /// From here on in the file.
    File(u64),
    Memory(Bytes),
}

impl std::fmt::Debug for Pieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pieces").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Pieces {
    fn len(&self) -> u64 {
        self.pieces.last().map_or(0, |(end, _)| *end)
    }

    fn find(&self, offset: u64, wanted: usize) -> Found {
        let index = self.pieces.partition_point(|(end, _)| *end <= offset);
        let begin = index.checked_sub(1).map_or(0, |before| self.pieces[before].0);
        match (self.pieces.get(index), &self.file) {
            (Some((end, Piece::File(at))), Some(file)) => {
                let left = usize::try_from(*end - offset).unwrap_or(wanted);
                Found::File(Arc::clone(file), at + (offset - begin), wanted.min(left))
            }
            (Some((_, Piece::Memory(bytes))), _) => {
                let from = usize::try_from(offset - begin).unwrap_or(usize::MAX).min(bytes.len());
                Found::Memory(bytes.slice(from..bytes.len().min(from.saturating_add(wanted))))
            }
            _ => Found::Memory(Bytes::new()),
        }
    }

    /// Keeps a piece if there is room for it now.
    async fn try_push(&mut self, piece: &Bytes) -> bool {
        let n_bytes = piece.len() as u64;
        if self.claim.take(Place::Disk, n_bytes) {
            let written = self.write(piece.clone()).await;
            self.claim.room().folder(written.as_ref().copied());
            if written.is_ok() {
                let at = self.in_file;
                self.in_file += n_bytes;
                self.append(n_bytes, Piece::File(at));
                return true;
            }
            self.claim.untake(n_bytes);
        }
        if self.claim.take(Place::Memory, n_bytes) {
            // The piece may be a part of a larger buffer.
            self.append(n_bytes, Piece::Memory(Bytes::copy_from_slice(piece)));
            return true;
        }
        false
    }

    fn append(&mut self, n_bytes: u64, piece: Piece) {
        let end = self.len() + n_bytes;
        match (self.pieces.last_mut(), &piece) {
            // One piece that goes on.
            (Some((last_end, Piece::File(_))), Piece::File(_)) => *last_end = end,
            _ => self.pieces.push((end, piece)),
        }
    }

    /// Puts a piece behind those in the file. What a failed attempt has written is written over by the next.
    async fn write(&mut self, piece: Bytes) -> io::Result<()> {
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => {
                let file = Arc::new(blocking(tempfile::tempfile).await?);
                Arc::clone(self.file.insert(file))
            }
        };
        let at = self.in_file;
        blocking(move || file.write_all_at(&piece, at)).await
    }
}

/// A body under construction.
pub(crate) struct Spool(Pieces);

impl Spool {
    /// An empty one, that shares this room with others.
    pub(crate) fn new(room: &Arc<Room>) -> Self {
        let claim = Claim::new(Arc::clone(room));
        Self(Pieces { file: None, in_file: 0, pieces: Vec::new(), claim })
    }

    /// Puts aside all that is in the buffer, if there is room for it now; else it stays there.
    pub(crate) async fn try_take(&mut self, buffer: &mut BytesMut) -> bool {
        let piece = buffer.split().freeze();
        if piece.is_empty() || self.0.try_push(&piece).await {
            // The buffer that led here is as large as what stays in memory; from now on less will do.
            *buffer = BytesMut::with_capacity(2 * PIECE);
            return true;
        }
        *buffer = piece.into();
        false
    }

    /// Puts aside all that is in the buffer; waits for room where there is none.
    pub(crate) async fn take(&mut self, buffer: &mut BytesMut) -> Result<(), NoRoom> {
        if self.try_take(buffer).await {
            return Ok(());
        }
        if self.0.claim.is_hopeless(buffer.len() as u64) {
            return Err(NoRoom::TooLarge);
        }
        let wait = self.0.claim.wait()?;
        loop {
            wait.next().await?;
            if self.try_take(buffer).await {
                return Ok(());
            }
        }
    }

    /// The body, with what is still in the buffer.
    pub(crate) async fn finish(mut self, mut rest: BytesMut) -> Result<Spooled, NoRoom> {
        self.take(&mut rest).await?;
        let (len, room) = (self.0.len(), Arc::clone(self.0.claim.room()));
        let kept = Arc::new(Kept(Mutex::new(Some(Content { pieces: self.0, touched: Instant::now() }))));
        room.finished(&kept);
        Ok(Spooled { kept, len })
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests;

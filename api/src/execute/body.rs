//! Rows on their way to becoming a body: in memory, or beyond a bound in a temporary file.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::json::{self, Encoder};
use super::stream;
use super::stream::Sink;
use crate::error::{DbError, NoRoom};
use crate::script::rows::Encoded;
use crate::spool::room::Room;
use crate::spool::{IN_MEMORY, PIECE, Spool};
use crate::sql::types::Form;

/// Takes rows as they come.
pub(super) struct BodyWriter {
    bytes: BytesMut,
    n_rows: usize,
    place: Place,
    room: Arc<Room>,
}

enum Place {
    /// In memory so far.
    Memory,
    Spool(Spool),
    /// It goes to the client as it comes.
    Stream(Sink),
    /// There is no room for it. Rows are taken, so that the connection comes to their end, and dropped.
    Nowhere(NoRoom),
}

/// What came of making room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::execute) enum Spooling {
    /// There is room again.
    Done,
    /// Others have to be sent first.
    MustWait,
}

impl BodyWriter {
    /// Without rows.
    pub(super) fn new(room: Arc<Room>) -> Self {
        Self { bytes: BytesMut::new(), n_rows: 0, place: Place::Memory, room }
    }

    /// Rows that go to the client as they come.
    pub(super) fn streaming(room: Arc<Room>, sink: Sink) -> Self {
        Self { place: Place::Stream(sink), ..Self::new(room) }
    }

    /// Whether rows go to the client as they come.
    pub(super) fn streams(&self) -> bool {
        matches!(self.place, Place::Stream(_))
    }

    /// Has the client take what there is.
    pub(super) async fn flush(&mut self) -> Result<(), DbError> {
        match &self.place {
            Place::Stream(sink) if !self.bytes.is_empty() => {
                let piece = self.bytes.split().freeze();
                // The rest of the buffer would be kept for as long as its beginning is.
                self.bytes = BytesMut::new();
                sink.send(piece).await
            }
            _ => Ok(()),
        }
    }

    /// Appends a row.
    pub(super) fn push(&mut self, encoder: &Encoder, form: Form, row: &[u8]) -> Result<(), DbError> {
        encoder.row(&mut self.bytes, form, self.n_rows, row)?;
        self.n_rows += 1;
        Ok(())
    }

    /// There is more in memory than should be. Making room ends that, or fails.
    pub(super) fn is_full(&self) -> bool {
        let most = match self.place {
            Place::Memory => IN_MEMORY,
            Place::Stream(_) => stream::PIECE,
            Place::Spool(_) | Place::Nowhere(_) => PIECE,
        };
        self.bytes.len() >= most
    }

    /// Makes room if that is possible without waiting.
    pub(super) async fn try_spool(&mut self) -> Spooling {
        if let Place::Memory = self.place {
            self.place = Place::Spool(Spool::new(&self.room));
        }
        match &mut self.place {
            Place::Spool(spool) => match spool.try_take(&mut self.bytes).await {
                true => Spooling::Done,
                false => Spooling::MustWait,
            },
            Place::Memory | Place::Stream(_) | Place::Nowhere(_) => {
                self.bytes.clear();
                Spooling::Done
            }
        }
    }

    /// Makes room, and waits for it.
    pub(super) async fn spool(&mut self) -> Result<(), NoRoom> {
        if self.try_spool().await == Spooling::Done {
            return Ok(());
        }
        match &mut self.place {
            Place::Spool(spool) => spool.take(&mut self.bytes).await,
            Place::Memory | Place::Stream(_) | Place::Nowhere(_) => Ok(()),
        }
    }

    /// Drops what there is and what comes.
    pub(super) fn give_up(&mut self, reason: NoRoom) {
        self.bytes = BytesMut::new();
        self.place = Place::Nowhere(reason);
    }

    /// The body.
    pub(super) async fn end(mut self, form: Form) -> Result<Encoded, DbError> {
        json::end(&mut self.bytes, form, self.n_rows);
        let n_rows = self.n_rows;
        match self.place {
            Place::Spool(spool) => {
                let spooled = spool.finish(self.bytes).await?;
                Ok(Encoded { body: Bytes::new(), spooled: Some(spooled), n_rows })
            }
            Place::Stream(_) => {
                self.flush().await?;
                Ok(Encoded { body: Bytes::new(), spooled: None, n_rows })
            }
            Place::Memory => Ok(Encoded { body: self.bytes.freeze(), spooled: None, n_rows }),
            Place::Nowhere(reason) => Err(reason.into()),
        }
    }
}

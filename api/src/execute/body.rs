//! Rows on their way to becoming a body: in memory, or beyond a bound in a temporary file.

use bytes::{Bytes, BytesMut};

use super::json::{self, Encoder};
use crate::error::DbError;
use crate::spool::{IN_MEMORY, Spool, Spooled};
use crate::sql::types::Form;

/// Rows as JSON.
#[derive(Clone)]
pub(super) struct Encoded {
    /// The body, unless it was spooled.
    pub(super) body: Bytes,
    pub(super) spooled: Option<Spooled>,
    pub(super) n_rows: usize,
}

/// Takes rows as they come.
#[derive(Default)]
pub(super) struct BodyWriter {
    bytes: BytesMut,
    n_rows: usize,
    file: Place,
}

#[derive(Default)]
enum Place {
    /// In memory so far.
    #[default]
    Memory,
    File(Spool),
    /// In memory whatever its size: there is no place for a file.
    MemoryOnly,
}

impl BodyWriter {
    /// Appends a row.
    pub(super) fn push(&mut self, encoder: &Encoder, form: Form, row: &[u8]) -> Result<(), DbError> {
        encoder.row(&mut self.bytes, form, self.n_rows, row)?;
        self.n_rows += 1;
        Ok(())
    }

    /// There is more in memory than should be.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= IN_MEMORY
    }

    /// Makes room.
    pub(super) async fn spill(&mut self) -> Result<(), DbError> {
        if let Place::Memory = self.file {
            self.file = Spool::create().await.map_or(Place::MemoryOnly, Place::File);
        }
        match &mut self.file {
            Place::File(spool) => spool.take(&mut self.bytes).await.map_err(|error| failed(&error)),
            Place::Memory | Place::MemoryOnly => Ok(()),
        }
    }

    /// The body.
    pub(super) async fn end(mut self, form: Form) -> Result<Encoded, DbError> {
        json::end(&mut self.bytes, form, self.n_rows);
        let n_rows = self.n_rows;
        match self.file {
            Place::File(spool) => {
                let spooled = spool.finish(self.bytes).await.map_err(|error| failed(&error))?;
                Ok(Encoded { body: Bytes::new(), spooled: Some(spooled), n_rows })
            }
            Place::Memory | Place::MemoryOnly => {
                Ok(Encoded { body: self.bytes.freeze(), spooled: None, n_rows })
            }
        }
    }
}

fn failed(error: &std::io::Error) -> DbError {
    DbError::UnexpectedResult(format!(
        "a large answer could not be kept in a temporary file: {error}; make room there or set TMPDIR"
    ))
}

//! Rows that go to the client as they come: from the socket of Postgres, through an encoder, to who sends them.
//!
//! Between the two is room for one piece. Where the client takes nothing, nothing is read from Postgres, which then
//! stops as well; so an answer of any length needs the memory of a few pieces, and a connection for as long as it lasts.
//! [`super::open_stream`] drives the connection.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::error::DbError;
use crate::script::rows::Rows;

/// What is sent at a time, about.
pub(super) const PIECE: usize = 32 * 1024;

/// What of an answer is awaited before it is sent in pieces: a short one is better sent as a whole.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// So many bytes of it.
    pub n_bytes: usize,
    /// From its first row on.
    pub time: Duration,
}

/// Takes pieces of an answer.
#[derive(Clone)]
pub(super) struct Sink {
    pub(super) pieces: mpsc::Sender<Bytes>,
    /// How long the client may take nothing.
    pub(super) stall: Duration,
}

impl Sink {
    /// Waits until the client has taken what was there before.
    pub(super) async fn send(&self, piece: Bytes) -> Result<(), DbError> {
        match tokio::time::timeout(self.stall, self.pieces.send(piece)).await {
            Ok(Ok(())) => Ok(()),
            // Nobody listens any more, or only seems to.
            Ok(Err(_)) | Err(_) => Err(DbError::Abandoned),
        }
    }
}

/// What came of a read whose rows may go to the client as they come.
pub enum Opened {
    /// All of it was there soon.
    Whole(Vec<Rows>),
    /// There is more of it.
    Stream(Streamed),
}

type Outcome = Result<Vec<Rows>, DbError>;

/// The rest of an answer, with what was received of it already.
pub(super) struct RowStream {
    pub(super) begun: Option<Bytes>,
    pub(super) pieces: mpsc::Receiver<Bytes>,
    pub(super) outcome: oneshot::Receiver<Outcome>,
}

/// An answer that is sent as it comes. It can be sent once; clones share it.
#[derive(Clone)]
pub struct Streamed(Arc<Mutex<RowStream>>);

impl std::fmt::Debug for Streamed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streamed").finish_non_exhaustive()
    }
}

impl PartialEq for Streamed {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Streamed {}

impl Streamed {
    /// The next piece; none at the end. What failed on the way is an error, so that no part is taken for the whole.
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(begun) = stream.begun.take() {
            return Poll::Ready(Some(Ok(begun)));
        }
        if let Some(piece) = ready!(stream.pieces.poll_recv(cx)) {
            return Poll::Ready(Some(Ok(piece)));
        }
        let outcome = ready!(std::pin::Pin::new(&mut stream.outcome).poll(cx));
        Poll::Ready(match outcome {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(Err(io::Error::other(error))),
            // It was told already, or whoever would have told it is gone.
            Err(_) => Some(Err(io::ErrorKind::UnexpectedEof.into())),
        })
    }
}

/// Waits for the whole answer, as far as patience goes.
pub(super) async fn first(mut stream: RowStream, patience: Patience) -> Result<Opened, DbError> {
    let mut begun = BytesMut::new();
    let mut until = None;
    loop {
        let next = match until {
            None => stream.pieces.recv().await,
            Some(until) => match tokio::time::timeout_at(until, stream.pieces.recv()).await {
                Ok(next) => next,
                Err(_) => break,
            },
        };
        let Some(piece) = next else {
            let outcome = stream.outcome.await;
            let mut results =
                outcome.unwrap_or_else(|_| Err(DbError::UnexpectedResult("a stream was dropped".into())))?;
            if let Some(encoded) = results.iter_mut().find_map(|it| it.encoded.as_mut()) {
                encoded.body = begun.freeze();
            }
            return Ok(Opened::Whole(results));
        };
        until.get_or_insert_with(|| Instant::now() + patience.time);
        begun.extend_from_slice(&piece);
        if begun.len() > patience.n_bytes {
            break;
        }
    }
    stream.begun = Some(begun.freeze());
    Ok(Opened::Stream(Streamed(Arc::new(Mutex::new(stream)))))
}

//! Postgres' protocol on one connection, for the request path.
//!
//! Owns framing, login and the state of the connection; what a request consists of is `session`'s.
//! Everything of one request goes out in one write, and the answers are read until the server is
//! ready again. A connection belongs to one request at a time, so that nothing of two requests can
//! mix: neither settings nor answers.
//!
//! Invariant: [`Wire::state`] is `Idle` only between a `ReadyForQuery` that said so and the next
//! write. A future dropped in between leaves `Busy`, and such a connection is closed.

mod cancel;
mod login;
mod server_error;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWrite};

use super::connect::dial;
use super::connect::stream::Stream;
use crate::error::DbError;
pub(super) use cancel::CancelKey;
pub(super) use server_error::ServerError;

/// Read at least this much at a time: a typical answer with one system call.
const READ_CHUNK: usize = 8 * 1024;

/// What may be kept of a buffer that once had to be large.
const KEPT_BUFFER: usize = 64 * 1024;

/// What the server last said, and what was sent since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Waits for a request; no transaction is open.
    Idle,
    /// Waits for a request inside a transaction.
    InTransaction,
    /// Waits for the end of a transaction that failed.
    FailedTransaction,
    /// A request was sent and is not answered in full.
    Busy,
    /// The connection is gone.
    Broken,
}

/// A logged-in connection.
pub(super) struct Wire {
    stream: Stream,
    incoming: BytesMut,
    /// The request being put together.
    pub(super) outgoing: BytesMut,
    /// How much of it was sent.
    n_sent: usize,
    state: State,
    cancel_key: CancelKey,
}

impl Wire {
    /// What the server last said.
    pub(super) fn state(&self) -> State {
        self.state
    }

    /// How to stop what runs here.
    pub(super) fn cancel_key(&self) -> &CancelKey {
        &self.cancel_key
    }

    /// Sends what was put together, in one write where the socket takes it.
    ///
    /// Reads along while the socket is full: a server that is busy sending does not read either.
    pub(super) async fn send(&mut self) -> Result<(), DbError> {
        self.state = State::Busy;
        poll_fn(|cx| self.poll_send(cx)).await.map_err(|error| self.broken(&error))?;
        if self.outgoing.capacity() > KEPT_BUFFER {
            self.outgoing = BytesMut::new();
        }
        self.outgoing.clear();
        self.n_sent = 0;
        Ok(())
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.n_sent < self.outgoing.len() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.outgoing[self.n_sent..]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => self.n_sent += n,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => match self.poll_fill(cx, READ_CHUNK) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                    Poll::Ready(Ok(_)) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// The next message; also those that the server sends unasked.
    pub(super) async fn receive(&mut self) -> Result<Message, DbError> {
        loop {
            if let Some(message) = parse(&mut self.incoming)? {
                if let Message::ReadyForQuery(body) = &message {
                    self.state = match body.status() {
                        b'I' => State::Idle,
                        b'T' => State::InTransaction,
                        _ => State::FailedTransaction,
                    };
                }
                return Ok(message);
            }
            let missing = missing(&self.incoming);
            let n = poll_fn(|cx| self.poll_fill(cx, missing)).await.map_err(|error| self.broken(&error))?;
            if n == 0 {
                return Err(self.broken(&io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        self.incoming.reserve(wanted.max(READ_CHUNK));
        // This future keeps nothing between polls, so that a new one may go on where it stopped.
        pin!(self.stream.read_buf(&mut self.incoming)).poll(cx)
    }

    /// The server has neither closed the connection nor said goodbye. Asks the socket, not the server.
    pub(super) fn is_alive(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            match self.poll_fill(&mut cx, READ_CHUNK) {
                Poll::Pending => break,
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => return false,
            }
        }
        loop {
            match parse(&mut self.incoming) {
                Ok(None) => return self.incoming.is_empty(),
                // What a server tells everybody: a setting changed, a notice, a notification.
                Ok(Some(
                    Message::ParameterStatus(_)
                    | Message::NoticeResponse(_)
                    | Message::NotificationResponse(_),
                )) => {}
                Ok(Some(_)) | Err(_) => return false,
            }
        }
    }

    /// Runs a statement without parameters by the simple protocol; the last row's first column.
    pub(super) async fn simple(&mut self, sql: &str) -> Result<Option<Bytes>, DbError> {
        frontend::query(sql, &mut self.outgoing).map_err(|error| unencodable(&error))?;
        self.send().await?;
        let mut value = None;
        let mut failure = None;
        loop {
            match self.receive().await? {
                Message::DataRow(row) => {
                    let range = row.ranges().next().map_err(|error| lost(&error))?.flatten();
                    value = range.map(|it| row.buffer_bytes().slice(it));
                }
                Message::ErrorResponse(body) => {
                    failure.get_or_insert_with(|| ServerError::from(&body));
                }
                Message::ReadyForQuery(_) => break,
                _ => {}
            }
        }
        match failure {
            None => Ok(value),
            Some(error) => Err(error.into()),
        }
    }

    fn broken(&mut self, error: &io::Error) -> DbError {
        self.state = State::Broken;
        lost(error)
    }
}

impl Drop for Wire {
    /// Says goodbye where that is possible at once: the server would log a connection that just ends.
    fn drop(&mut self) {
        if matches!(self.state, State::Idle | State::InTransaction | State::FailedTransaction) {
            self.outgoing.clear();
            frontend::terminate(&mut self.outgoing);
            let _ = self.poll_send(&mut Context::from_waker(Waker::noop()));
        }
    }
}

fn parse(incoming: &mut BytesMut) -> Result<Option<Message>, DbError> {
    Message::parse(incoming).map_err(|error| DbError::Connection {
        was_established: true,
        message: format!("the server sent a malformed message: {error}\n"),
    })
}

/// Bytes still to come of the message at the front, as far as its header tells.
fn missing(incoming: &BytesMut) -> usize {
    match incoming.get(1..5).and_then(|it| <[u8; 4]>::try_from(it).ok()) {
        Some(length) => (u32::from_be_bytes(length) as usize + 1).saturating_sub(incoming.len()),
        None => READ_CHUNK,
    }
}

/// The connection broke while it was in use.
fn lost(error: &io::Error) -> DbError {
    DbError::Connection { was_established: true, message: dial::lost(error) }
}

/// A value does not fit the protocol: text with a NUL, or more than two gigabytes.
pub(super) fn unencodable(error: &dyn std::fmt::Display) -> DbError {
    DbError::Server {
        code: "22021".into(),
        message: format!("a value cannot be sent to the database: {error}"),
        detail: None,
        hint: None,
        authenticated: false,
    }
}

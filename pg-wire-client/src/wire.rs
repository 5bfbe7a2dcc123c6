//! Postgres' protocol on one connection.
//!
//! Owns framing, login and the state of the connection; what a request consists of is the caller's.
//! A request is put together whole and ends in one `Sync`, which the server answers by one
//! `ReadyForQuery`. Requests are answered in the order in which they were put together, so several may be
//! on their way without anything of them mixing: neither settings nor answers.
//!
//! Invariant: [`Wire::state`] is `Idle` only when every request has its `ReadyForQuery` and the last one
//! said so. A future dropped in between leaves `Busy`, and such a connection is closed.

mod cancel;
mod login;
mod outgoing;

use std::future::{Future, poll_fn};
use std::io;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes, BytesMut};
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWrite};

use crate::dial;
use crate::error::Error;
use crate::liveness::Liveness;
pub use crate::server_error::ServerError;
use crate::stream::Stream;
pub use cancel::CancelKey;
pub use outgoing::Outgoing;

/// Read at least this much at a time: a typical answer with one system call.
const READ_CHUNK: usize = 8 * 1024;

/// What the server last said, and what was sent since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waits for a request; no transaction is open.
    Idle,
    /// Waits for a request inside a transaction.
    InTransaction,
    /// Waits for the end of a transaction that failed.
    FailedTransaction,
    /// A request was put together and is not answered in full.
    Busy,
    /// The connection is gone.
    Broken,
}

/// A logged-in connection.
pub struct Wire {
    stream: Stream,
    incoming: BytesMut,
    /// What is still to be sent.
    pub outgoing: Outgoing,
    /// What the server said when it was last ready.
    state: State,
    /// Requests that it has not answered in full.
    n_awaited: usize,
    cancel_key: CancelKey,
    /// The server told of a setting that must not change while the connection is used for many.
    has_changed: bool,
    liveness: Arc<Liveness>,
}

/// Settings that a transaction takes from the session as it begins, and that the server tells of by itself.
const TELLING: [&str; 2] = ["default_transaction_read_only", "session_authorization"];

impl Wire {
    /// Whether the server has told of another user or other modes of transactions since this was asked last.
    pub fn take_change(&mut self) -> bool {
        std::mem::take(&mut self.has_changed)
    }

    /// What the server last said.
    pub fn state(&self) -> State {
        match self.state {
            State::Broken => State::Broken,
            _ if self.n_awaited > 0 => State::Busy,
            state => state,
        }
    }

    /// The last request that was answered left no transaction open.
    pub fn is_between_transactions(&self) -> bool {
        self.state == State::Idle
    }

    /// How to stop what runs here.
    pub fn cancel_key(&self) -> &CancelKey {
        &self.cancel_key
    }

    /// How long it waits for the server.
    pub fn liveness(&self) -> &Arc<Liveness> {
        &self.liveness
    }

    /// Ends the request that is being put together.
    pub fn end_request(&mut self) {
        frontend::sync(&mut self.outgoing);
        self.n_awaited += 1;
        self.liveness.asked();
    }

    /// Sends what was put together, in one write where the socket takes it.
    pub async fn send(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_send(cx)).await
    }

    /// The same, as far as the socket takes it now.
    ///
    /// Reads along while the socket is full: a server that is busy sending does not read either.
    pub fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Poll::Ready(written) = self.poll_write(cx) else { return self.poll_verdict(cx) };
        written.map_err(|error| self.broken(&error))?;
        self.outgoing.clear();
        Poll::Ready(Ok(()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.outgoing.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while let Some(next) = self.outgoing.next() {
            match Pin::new(&mut self.stream).poll_write(cx, next) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => self.outgoing.sent(n),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => match self.poll_read(cx, READ_CHUNK) {
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
    pub async fn receive(&mut self) -> Result<Message, Error> {
        loop {
            if let Some(message) = self.next_received()? {
                return Ok(message);
            }
            poll_fn(|cx| self.poll_receive(cx)).await?;
        }
    }

    /// The next message among what was received.
    pub fn next_received(&mut self) -> Result<Option<Message>, Error> {
        let message = parse(&mut self.incoming)?;
        if let Some(Message::ParameterStatus(body)) = &message {
            self.has_changed |= body.name().is_ok_and(|it| TELLING.contains(&it));
        }
        if let Some(Message::ReadyForQuery(body)) = &message {
            self.n_awaited = self.n_awaited.saturating_sub(1);
            self.liveness.answered(self.n_awaited > 0);
            self.state = match body.status() {
                b'I' => State::Idle,
                b'T' => State::InTransaction,
                _ => State::FailedTransaction,
            };
        }
        Ok(message)
    }

    /// Takes the data rows at the front of what was received, up to one that is to be the last for now.
    ///
    /// A large result is nearly all rows: no message is made of each.
    pub fn take_rows<E>(
        &mut self,
        mut take: impl FnMut(&[u8]) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let mut at = 0;
        let mut outcome = Ok(());
        while let Some([b'D', length @ ..]) = self.incoming.get(at..).and_then(|it| it.first_chunk::<5>()) {
            let end = at + 1 + u32::from_be_bytes(*length) as usize;
            let Some(row) = self.incoming.get(at + 5..end) else { break };
            at = end;
            match take(row) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => break,
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        self.incoming.advance(at);
        outcome
    }

    /// Receives more.
    pub fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let missing = missing(&self.incoming);
        let Poll::Ready(read) = self.poll_read(cx, missing) else { return self.poll_verdict(cx) };
        Poll::Ready(match read {
            Ok(0) => Err(self.broken(&io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(()),
            Err(error) => Err(self.broken(&error)),
        })
    }

    /// Waits, unless the waiting is over.
    fn poll_verdict(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // Before looking, so that no word is missed.
        self.liveness.register(cx.waker());
        match self.liveness.verdict() {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        self.incoming.reserve(wanted.max(READ_CHUNK));
        // This future keeps nothing between polls, so that a new one may go on where it stopped.
        let read = pin!(self.stream.read_buf(&mut self.incoming)).poll(cx);
        if let Poll::Ready(Ok(1..)) = read {
            self.liveness.heard();
        }
        read
    }

    /// The server has neither closed the connection nor said goodbye. Asks the socket, not the server.
    pub fn is_alive(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            match self.poll_read(&mut cx, READ_CHUNK) {
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
    pub async fn simple(&mut self, sql: &str) -> Result<Option<Bytes>, Error> {
        frontend::query(sql, &mut self.outgoing).map_err(|error| unencodable(&error))?;
        self.n_awaited += 1;
        self.liveness.asked();
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

    fn broken(&mut self, error: &io::Error) -> Error {
        self.state = State::Broken;
        lost(error)
    }
}

impl Drop for Wire {
    /// Says goodbye where that is possible at once: the server would log a connection that just ends.
    fn drop(&mut self) {
        if matches!(self.state(), State::Idle | State::InTransaction | State::FailedTransaction) {
            self.outgoing.clear();
            frontend::terminate(&mut self.outgoing);
            let _ = self.poll_write(&mut Context::from_waker(Waker::noop()));
        }
    }
}

fn parse(incoming: &mut BytesMut) -> Result<Option<Message>, Error> {
    Message::parse(incoming).map_err(|error| Error::Connection {
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
fn lost(error: &io::Error) -> Error {
    Error::Connection { was_established: true, message: dial::lost(error) }
}

/// A value does not fit the protocol: text with a NUL, or more than two gigabytes.
pub fn unencodable(error: &dyn std::fmt::Display) -> Error {
    Error::Unencodable(error.to_string())
}

//! The byte stream of a client's connection: notes what it does, and whether the other side is still there.
//!
//! A client that closes its connection and one that only has nothing more to send look the same: both have said that
//! nothing more comes. The one still wants its answer (`printf … | nc -N`), and for the other it is made in vain. What
//! tells them apart is data: a side that is gone refuses it. So where a client of HTTP/1 has sent its request and
//! nothing more comes, it is sent the first byte of its answer, which is that of every answer, `HTTP/1.1 200 OK` or
//! not. If that is refused, the client has left.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Sleep;

use super::connections::Activity;
use super::target::EscapedTargets;

/// How every answer of HTTP/1 begins.
const FIRST: u8 = b'H';
/// How soon it is looked whether the first byte was refused; then later and later.
const SOON: Duration = Duration::from_millis(2);
const LATE: Duration = Duration::from_secs(1);

/// What a connection is made of.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Why nothing can be sent any more, if the system knows. A socket from which all was read does not tell otherwise.
    fn failure(&self) -> Option<io::Error>;
}

impl Socket for TcpStream {
    fn failure(&self) -> Option<io::Error> {
        self.take_error().unwrap_or_else(Some)
    }
}

impl Socket for UnixStream {
    fn failure(&self) -> Option<io::Error> {
        self.take_error().unwrap_or_else(Some)
    }
}

/// A socket, its requests as hyper takes them.
pub(super) struct Line<S> {
    inner: EscapedTargets<S>,
    activity: Arc<Activity>,
    /// Nothing more comes.
    farewell: Option<Farewell>,
    /// The first byte of the next answer was sent.
    has_begun: bool,
}

struct Farewell {
    look: Pin<Box<Sleep>>,
    after: Duration,
}

impl<S: Socket> Line<S> {
    pub(super) fn new(socket: S, activity: Arc<Activity>) -> Self {
        Self { inner: EscapedTargets::new(socket), activity, farewell: None, has_begun: false }
    }

    /// Looks whether the other side refused what it was sent, again and again.
    fn poll_refused(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(farewell) = &mut self.farewell else { return Poll::Pending };
        while farewell.look.as_mut().poll(cx).is_ready() {
            if let Some(refused) = self.inner.get_ref().failure() {
                return Poll::Ready(Err(refused));
            }
            farewell.after = (farewell.after * 2).min(LATE);
            farewell.look.set(tokio::time::sleep(farewell.after));
        }
        Poll::Pending
    }

    /// Sends the first byte of the answer, if there is room for it at once, and nothing left of an earlier one.
    fn send_first(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if !self.has_begun
            && !self.activity.is_blocked()
            && let Poll::Ready(sent) = Pin::new(&mut self.inner).poll_write(cx, &[FIRST])
        {
            self.has_begun = sent? == 1;
        }
        Ok(())
    }

    fn noted(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(n)) => self.activity.wrote(Some(*n)),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.activity.wrote(None),
        }
        written
    }

    /// The beginning of an answer whose first byte was sent already.
    fn poll_write_rest(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        debug_assert_eq!(bytes.first(), Some(&FIRST), "answers begin with their version");
        let n = match bytes.get(1..) {
            Some(rest) if !rest.is_empty() => ready!(Pin::new(&mut self.inner).poll_write(cx, rest))?,
            _ => 0,
        };
        self.has_begun = false;
        Poll::Ready(Ok(n + 1))
    }
}

impl<S: Socket> AsyncRead for Line<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.farewell.is_none() {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.inner).poll_read(cx, buffer))?;
            if buffer.filled().len() > before {
                this.activity.received();
                return Poll::Ready(Ok(()));
            }
            // The end in the middle of a request is hyper's to refuse; that of a connection without one ends it.
            if buffer.remaining() == 0 || !(this.activity.is_running() && this.inner.is_between_messages()) {
                return Poll::Ready(Ok(()));
            }
            this.farewell = Some(Farewell { look: Box::pin(tokio::time::sleep(SOON)), after: SOON });
        }
        if !this.activity.is_running() {
            return Poll::Ready(Ok(()));
        }
        if !this.activity.awaits_answer() {
            // Sending it tells whether there is anybody; whoever sends it looks here again at its end.
            return Poll::Pending;
        }
        this.send_first(cx)?;
        this.poll_refused(cx)
    }
}

impl<S: Socket> AsyncWrite for Line<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = match this.has_begun && !bytes.is_empty() {
            true => this.poll_write_rest(cx, bytes),
            false => Pin::new(&mut this.inner).poll_write(cx, bytes),
        };
        this.noted(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = match pieces.iter().find(|it| !it.is_empty()) {
            Some(first) if this.has_begun => this.poll_write_rest(cx, first),
            _ => Pin::new(&mut this.inner).poll_write_vectored(cx, pieces),
        };
        this.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

//! Request targets as clients really write them.
//!
//! `select=data->>name` and `name=in.("a b")` hold characters that a URL must not, and hyper refuses such
//! targets before anyone is asked. Every browser escapes them, but curl and many HTTP libraries do not, so
//! they are escaped here, on the way in. Nothing else is changed, and where the bytes stop looking like
//! HTTP/1 they pass untouched: refusing is left to hyper.
//!
//! One thing is spoilt so that hyper refuses it: a line that ends in a line feed alone. RFC 9112 lets a server take it
//! for a line end, and a proxy before it may not have: then the two see different requests.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use memchr::memchr;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A request line longer than this is refused by hyper anyway.
const MAX_LINE: usize = 64 * 1024;

/// Where in the stream of requests the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In (or before) a request line.
    RequestLine,
    /// In the headers of a request that announces this body.
    Headers(Announced),
    /// In a body of known length, with this much to come.
    Body(u64),
    /// In a line that gives the size of a chunk.
    ChunkSize,
    /// In a chunk, with this much to come, its line end included.
    Chunk(u64),
    /// In the lines after the last chunk.
    Trailers,
    /// Not HTTP/1, or not to be understood.
    Other,
}

/// The body that headers announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Announced {
    Length(u64),
    Chunked,
}

/// Finds the request lines in what a client sends, and escapes what they must not hold.
#[derive(Debug)]
struct Escaper {
    state: State,
    /// The line being read, as sent.
    line: Vec<u8>,
}

impl Escaper {
    fn new() -> Self {
        Self { state: State::RequestLine, line: Vec::new() }
    }

    /// Takes the next bytes. Returns them anew where something had to be escaped.
    fn feed(&mut self, input: &[u8]) -> Option<Vec<u8>> {
        let mut escaped: Option<Vec<u8>> = None;
        let mut at = 0;
        while at < input.len() {
            let rest = &input[at..];
            let len = match self.state {
                State::Other => rest.len(),
                State::Body(left) | State::Chunk(left) => {
                    usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()))
                }
                _ => memchr(b'\n', rest).map_or(rest.len(), |end| end + 1),
            };
            let piece = &rest[..len];
            let (before, target) = piece.split_at(self.target_start(piece));
            let is_spoilt = self.ends_in_bare_line_feed(piece);
            if is_spoilt || target.iter().any(|&b| must_be_escaped(b)) {
                let out = escaped.get_or_insert_with(|| input[..at].to_vec());
                out.extend_from_slice(before);
                escape_into(target, out);
                if is_spoilt {
                    // Nothing in a head may hold it; and a head that does not end is waited for.
                    out.pop();
                    out.extend_from_slice(b"\0\r\n\r\n");
                }
            } else if let Some(out) = &mut escaped {
                out.extend_from_slice(piece);
            }
            self.advance(piece);
            at += len;
        }
        escaped
    }

    /// Where in a piece the target begins, or goes on: behind the space that ends the method. A method stays as
    /// it is, so that a wrong one is refused and not made another.
    fn target_start(&self, piece: &[u8]) -> usize {
        match self.state {
            State::RequestLine if memchr(b' ', &self.line).is_some() => 0,
            State::RequestLine => memchr(b' ', piece).unwrap_or(piece.len()),
            _ => piece.len(),
        }
    }

    /// Whether a piece ends a line of a head without a carriage return, which may have come before.
    fn ends_in_bare_line_feed(&self, piece: &[u8]) -> bool {
        matches!(self.state, State::RequestLine | State::Headers(_))
            && match piece {
                [.., last, b'\n'] => *last != b'\r',
                [b'\n'] => self.line.last() != Some(&b'\r'),
                _ => false,
            }
    }

    /// Moves on over a piece that ends at the end of a line or of a body, or is part of one.
    fn advance(&mut self, piece: &[u8]) {
        match self.state {
            State::Other => {}
            State::Body(left) => {
                let left = left - piece.len() as u64;
                self.state = if left == 0 { State::RequestLine } else { State::Body(left) };
            }
            State::Chunk(left) => {
                let left = left - piece.len() as u64;
                self.state = if left == 0 { State::ChunkSize } else { State::Chunk(left) };
            }
            _ => {
                self.line.extend_from_slice(piece);
                if self.line.len() > MAX_LINE {
                    self.state = State::Other;
                } else if self.line.ends_with(b"\n") {
                    self.state = end_of_line(self.state, without_end(&self.line)).unwrap_or(State::Other);
                    self.line.clear();
                }
            }
        }
    }
}

/// A line without what ends it. Other white space is left: to hyper, a line of blanks is no empty line, and
/// two readers that disagree on where a message ends are what request smuggling is made of.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A number of digits alone: Rust's parser takes a sign as well, hyper does not.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    text.chars().all(|it| it.is_digit(radix)).then(|| u64::from_str_radix(text, radix).ok())?
}

/// What follows a line; `None` where it makes no sense.
fn end_of_line(state: State, line: &[u8]) -> Option<State> {
    Some(match state {
        // Empty lines before a request are skipped by everyone; after trailers, one ends the message.
        State::RequestLine | State::Trailers if line.is_empty() => State::RequestLine,
        State::RequestLine => {
            let is_http1 = line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0");
            is_http1.then_some(State::Headers(Announced::Length(0)))?
        }
        State::Headers(announced) if line.is_empty() => match announced {
            Announced::Length(0) => State::RequestLine,
            Announced::Length(length) => State::Body(length),
            Announced::Chunked => State::ChunkSize,
        },
        State::Headers(announced) => State::Headers(header(announced, line)?),
        State::ChunkSize => {
            let digits = line.split(|&b| b == b';').next()?.trim_ascii();
            match number(digits, 16)? {
                0 => State::Trailers,
                size => State::Chunk(size.checked_add(2)?),
            }
        }
        State::Trailers => State::Trailers,
        State::Body(_) | State::Chunk(_) | State::Other => return None,
    })
}

/// Reads the headers that say how long a body is.
fn header(announced: Announced, line: &[u8]) -> Option<Announced> {
    let colon = memchr(b':', line)?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    if name.eq_ignore_ascii_case(b"transfer-encoding") {
        return value.to_ascii_lowercase().ends_with(b"chunked").then_some(Announced::Chunked);
    }
    if name.eq_ignore_ascii_case(b"content-length") && announced != Announced::Chunked {
        return number(value, 10).map(Announced::Length);
    }
    Some(announced)
}

fn must_be_escaped(byte: u8) -> bool {
    matches!(byte, b'"' | b'<' | b'>' | b'`')
}

fn escape_into(piece: &[u8], out: &mut Vec<u8>) {
    for &byte in piece {
        if must_be_escaped(byte) {
            out.extend_from_slice(percent_encoding::percent_encode_byte(byte).as_bytes());
        } else {
            out.push(byte);
        }
    }
}

/// A connection whose request lines arrive escaped.
#[derive(Debug)]
pub(super) struct EscapedTargets<S> {
    inner: S,
    escaper: Escaper,
    /// Escaped bytes that did not fit where the reader wanted them, and how many of them are delivered.
    overflow: (Vec<u8>, usize),
}

impl<S> EscapedTargets<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner, escaper: Escaper::new(), overflow: (Vec::new(), 0) }
    }

    /// What is below.
    pub(super) fn get_ref(&self) -> &S {
        &self.inner
    }

    /// What was read is whole messages of HTTP/1.
    pub(super) fn is_between_messages(&self) -> bool {
        self.escaper.state == State::RequestLine && self.escaper.line.is_empty()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for EscapedTargets<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let (bytes, delivered) = &mut this.overflow;
        if bytes.is_empty() {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.inner).poll_read(cx, buffer))?;
            let Some(escaped) = this.escaper.feed(&buffer.filled()[before..]) else {
                return Poll::Ready(Ok(()));
            };
            buffer.set_filled(before);
            (*bytes, *delivered) = (escaped, 0);
        }
        let left = &bytes[*delivered..];
        let now = left.len().min(buffer.remaining());
        buffer.put_slice(&left[..now]);
        *delivered += now;
        if *delivered == bytes.len() {
            this.overflow = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for EscapedTargets<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, pieces)
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt;

    /// What comes out when `input` arrives in pieces of these sizes, over and over.
    fn escape(input: &[u8], sizes: &[usize]) -> Vec<u8> {
        let mut escaper = Escaper::new();
        let mut out = Vec::new();
        let mut rest = input;
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*size).clamp(1, rest.len()));
            out.extend(escaper.feed(piece).unwrap_or_else(|| piece.to_vec()));
            rest = after;
        }
        out
    }

    fn show(input: &str) -> String {
        String::from_utf8(escape(input.as_bytes(), &[usize::MAX])).unwrap()
    }

    #[test]
    fn targets_are_escaped_and_nothing_else_is() {
        let request = "GET /t?select=a->>\"b\"&x=<` HTTP/1.1\r\nX-A: <\">\r\n\r\n";
        let escaped = "GET /t?select=a-%3E%3E%22b%22&x=%3C%60 HTTP/1.1\r\nX-A: <\">\r\n\r\n";
        assert_eq!(show(request), escaped);
        assert_eq!(show(&request.repeat(3)), escaped.repeat(3));
        assert_eq!(show(&format!("\r\n{request}")), format!("\r\n{escaped}"));
    }

    #[test]
    fn methods_are_left_alone() {
        assert_eq!(show("G\">T /\" HTTP/1.1\r\n\r\n"), "G\">T /%22 HTTP/1.1\r\n\r\n");
        assert_eq!(show("\">\r\n"), "\">\r\n");
    }

    #[test]
    fn bare_line_feeds_are_spoilt_in_heads_alone() {
        let head = "GET /> HTTP/1.1\nA: b\r\nContent-Length: 2\n\r\n";
        let spoilt = "GET /%3E HTTP/1.1\0\r\n\r\nA: b\r\nContent-Length: 2\0\r\n\r\n\r\n";
        assert_eq!(show(&format!("{head}\n\n")), format!("{spoilt}\n\n"));
        assert_eq!(show("GET / HTTP/1.1\r\n\n"), "GET / HTTP/1.1\r\n\0\r\n\r\n");
        assert_eq!(show("\nGET / HTTP/1.1\r\n"), "\0\r\n\r\nGET / HTTP/1.1\r\n");
        // A line end that arrives in two pieces is one all the same.
        assert_eq!(escape(b"GET / HTTP/1.1\r\nA: b\r\n\r\n", &[1]), b"GET / HTTP/1.1\r\nA: b\r\n\r\n");
    }

    #[test]
    fn bodies_are_left_alone() {
        let with_length =
            "POST /a> HTTP/1.1\r\ncontent-length: 15\r\n\r\nGET /> HTTP/1.1GET /> HTTP/1.1\r\n\r\n";
        assert_eq!(
            show(with_length),
            "POST /a%3E HTTP/1.1\r\ncontent-length: 15\r\n\r\nGET /> HTTP/1.1GET /%3E HTTP/1.1\r\n\r\n"
        );
        let chunked = "POST /a> HTTP/1.1\r\nContent-Length: 9\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n\
                       6;x=\">\"\r\n<a>\r\n>\r\n0\r\nX-T: >\r\n\r\nGET /> HTTP/1.0\r\n\r\n";
        assert_eq!(show(chunked), chunked.replace("/a>", "/a%3E").replace("GET />", "GET /%3E"));
    }

    #[test]
    fn other_protocols_and_nonsense_pass_untouched() {
        for other in [
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\"<>\n<>",
            "GET / HTTP/3\r\n\r\nGET /> HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\nno colon\r\n\r\nGET /> HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\nGET /> HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nGET /> HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nGET /> HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\nGET /> HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n \r\nGET /> HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\nGET /> HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\naGET /> HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\naGET /> HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\nX: y\r\n \r\nGET /> HTTP/1.1\r\n",
            "GET / HTTP/1.1 \r\n\r\nGET /> HTTP/1.1\r\n",
        ] {
            assert_eq!(show(other), other);
        }
        let endless = format!("GET /{} HTTP/1.1\r\n\r\nGET /> HTTP/1.1\r\n", "a".repeat(MAX_LINE));
        assert_eq!(show(&endless), endless);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_arrive(
            input in "((GET|POST) /[a>\"]{0,4} HTTP/1\\.1\r\n(Content-Length: [0-9]\r\n|Transfer-Encoding: chunked\r\n|X: \"\r\n){0,2}\r\n([0-3]\r\n)?[>\r\n]{0,6}){1,3}",
            sizes in prop::collection::vec(1usize..7, 1..5),
        ) {
            prop_assert_eq!(escape(input.as_bytes(), &sizes), escape(input.as_bytes(), &[usize::MAX]));
        }

        #[test]
        fn only_escapes_are_added(input in prop::collection::vec(any::<u8>(), 0..200)) {
            let out = escape(&input, &[usize::MAX]);
            prop_assert!(out == input || out.len() > input.len());
        }
    }

    #[tokio::test]
    async fn a_small_reader_gets_everything() {
        let input = b"GET /\">\">\">\" HTTP/1.1\r\n\r\nrest";
        let mut stream = EscapedTargets::new(tokio::io::join(&input[..], tokio::io::sink()));
        let mut out = Vec::new();
        let mut small = [0; 3];
        loop {
            let read = stream.read(&mut small).await.unwrap();
            if read == 0 {
                break;
            }
            out.extend_from_slice(&small[..read]);
        }
        assert_eq!(out, b"GET /%22%3E%22%3E%22%3E%22 HTTP/1.1\r\n\r\nrest");
    }
}

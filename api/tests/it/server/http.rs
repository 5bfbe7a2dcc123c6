//! Just enough of an HTTP client to see every byte of an answer.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

/// Where a server listens.
#[derive(Debug, Clone)]
pub(super) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// A request, for a separate connection.
pub(super) struct Request {
    text: String,
    body: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: String,
    /// The body as it was sent.
    pub(super) bytes: Vec<u8>,
}

impl Request {
    pub(super) fn new(method: &str, target: &str) -> Self {
        let text = format!("{method} {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
        Self { text, body: Vec::new() }
    }

    pub(super) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.text.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// A body, whose type is a header of the caller's.
    pub(super) fn body(mut self, bytes: &[u8]) -> Self {
        if !bytes.is_empty() {
            self = self.header("Content-Length", &bytes.len().to_string());
        }
        self.body = bytes.to_vec();
        self
    }

    pub(super) async fn send(self, to: &Address) -> io::Result<Response> {
        let bytes = [self.text.as_bytes(), b"\r\n", &self.body].concat();
        let answer = tokio::time::timeout(Duration::from_secs(30), exchange(to, &bytes))
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no answer"))??;
        Response::parse(&answer).ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "no answer"))
    }
}

/// Sends bytes and returns all that comes until the other side closes.
pub(super) async fn exchange(to: &Address, bytes: &[u8]) -> io::Result<Vec<u8>> {
    async fn over(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> io::Result<Vec<u8>> {
        stream.write_all(bytes).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(answer)
    }
    match to {
        Address::Tcp(address) => over(TcpStream::connect(address).await?, bytes).await,
        Address::Unix(path) => over(UnixStream::connect(path).await?, bytes).await,
    }
}

impl Response {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines
            .filter_map(|it| it.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let at = bytes.windows(4).position(|it| it == b"\r\n\r\n")? + 4;
        Some(Self { status, headers, body: body.to_owned(), bytes: bytes[at..].to_vec() })
    }

    /// The body, without the frames of a body whose length was not told.
    pub(super) fn whole(&self) -> Vec<u8> {
        if self.header("transfer-encoding") != Some("chunked") {
            return self.bytes.clone();
        }
        let (mut rest, mut whole) = (&*self.bytes, Vec::new());
        loop {
            let end = rest.windows(2).position(|it| it == b"\r\n").expect("a chunk has a length");
            let length = std::str::from_utf8(&rest[..end]).unwrap();
            let length = usize::from_str_radix(length, 16).unwrap();
            if length == 0 {
                return whole;
            }
            whole.extend(&rest[end + 2..end + 2 + length]);
            rest = &rest[end + 4 + length..];
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    /// The values of a header that may come several times.
    pub(super) fn every(&self, name: &str) -> String {
        let values = self.headers.iter().filter(|(it, _)| it == name).map(|(_, value)| value.as_str());
        values.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// `code` of an error.
    pub(super) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

//! A client that costs next to nothing: keep-alive HTTP/1.1 over one socket, no headers read but the length.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A response, as far as it matters here.
pub(crate) struct Answer {
    /// Status code.
    pub(crate) status: u16,
    /// Body.
    pub(crate) body: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("connect to the server")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a request and reads the whole response.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer> {
        self.stream.write_all(request).await.context("send the request")?;
        self.buffer.clear();
        let head = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            self.fill().await?;
        };
        let text = std::str::from_utf8(&self.buffer[..head]).context("read the head")?.to_ascii_lowercase();
        let status = text.split(' ').nth(1).and_then(|it| it.parse().ok()).context("read the status")?;
        if let Some(length) = header(&text, "content-length") {
            let length: usize = length.parse().context("read the length")?;
            while self.buffer.len() < head + length {
                self.fill().await?;
            }
            return Ok(Answer { status, body: self.buffer[head..head + length].to_vec() });
        }
        if header(&text, "transfer-encoding").is_some() {
            while !self.buffer.ends_with(b"0\r\n\r\n") {
                self.fill().await?;
            }
            return Ok(Answer { status, body: self.buffer[head..].to_vec() });
        }
        Ok(Answer { status, body: Vec::new() })
    }

    async fn fill(&mut self) -> Result<()> {
        let n_bytes = self.stream.read_buf(&mut self.buffer).await.context("read the response")?;
        if n_bytes == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(haystack, needle)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

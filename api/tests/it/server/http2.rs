//! Just enough of HTTP/2 to misbehave: frames, written and read one by one.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::http::Address;

/// Kinds of frames.
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// A frame as it came.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    /// The status is 200, by the one byte that stands for it.
    pub(super) fn is_200(&self) -> bool {
        self.kind == HEADERS && self.payload.first() == Some(&0x88)
    }
}

/// A connection.
pub(super) struct Connection {
    stream: TcpStream,
    next: u32,
}

impl Connection {
    /// Connects; every stream may be sent so many bytes at first.
    pub(super) async fn open(to: &Address, window: u32) -> Self {
        let Address::Tcp(address) = to else { panic!("it listens on TCP") };
        let mut connection = Self { stream: TcpStream::connect(address).await.unwrap(), next: 1 };
        connection.stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let mut settings = vec![0, 4];
        settings.extend(window.to_be_bytes());
        connection.write(SETTINGS, 0, 0, &settings).await.unwrap();
        connection
    }

    /// Sends a `GET`; the number of its stream.
    pub(super) async fn get(&mut self, path: &str) -> io::Result<u32> {
        let stream = self.next;
        self.next += 2;
        // GET and http by their numbers; path and authority as literals.
        let mut block = vec![0x82, 0x86, 0x04];
        block.push(u8::try_from(path.len()).unwrap());
        block.extend_from_slice(path.as_bytes());
        block.extend_from_slice(b"\x01\x04test");
        self.write(HEADERS, END_STREAM | END_HEADERS, stream, &block).await?;
        Ok(stream)
    }

    /// Gives a request up.
    pub(super) async fn reset(&mut self, stream: u32) -> io::Result<()> {
        self.write(RST_STREAM, 0, stream, &8u32.to_be_bytes()).await
    }

    async fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame).await
    }

    /// The next frame that says something; pings and settings are answered.
    pub(super) async fn next(&mut self) -> io::Result<Frame> {
        loop {
            let mut head = [0; 9];
            let read = tokio::time::timeout(Duration::from_secs(30), self.stream.read_exact(&mut head));
            read.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let mut payload = vec![0; length];
            self.stream.read_exact(&mut payload).await?;
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            let (kind, flags) = (head[3], head[4]);
            match kind {
                SETTINGS | PING if flags & ACK == 0 => {
                    let answer = if kind == PING { payload } else { Vec::new() };
                    self.write(kind, ACK, 0, &answer).await?;
                }
                DATA | HEADERS | RST_STREAM | GOAWAY => return Ok(Frame { kind, stream, payload }),
                _ => {}
            }
        }
    }

    /// The first frame of this kind on a stream.
    pub(super) async fn wait_for(&mut self, kind: u8, stream: u32) -> io::Result<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind && frame.stream == stream {
                return Ok(frame);
            }
        }
    }
}

//! Several connections over one byte stream, as the agent expects them: smux, version 1. Pure.
//!
//! ```text
//! │ version │ command │ length (2, LE) │ stream (4, LE) │ payload
//! ```
//!
//! Version 1 has no flow control per stream: a connection that is not read holds up the others once the session's buffer
//! is full, exactly as with AWS's own plugin.

use bytes::{Buf, BufMut, Bytes, BytesMut};

const VERSION: u8 = 1;
const HEADER: usize = 8;
/// The longest payload that the agent takes.
pub(super) const MAX_PAYLOAD: usize = 32_768;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    /// A stream opens.
    Open,
    /// A stream ends.
    Finish,
    /// Bytes of a stream.
    Push,
    /// Keep-alive.
    Nothing,
}

impl Command {
    const ALL: [Self; 4] = [Self::Open, Self::Finish, Self::Push, Self::Nothing];
}

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// What it is.
    pub(super) command: Command,
    /// Stream; odd numbers are opened by this side.
    pub(super) stream: u32,
    /// Bytes.
    pub(super) payload: Bytes,
}

/// The byte stream is not smux, and nothing in it says where the next frame would begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the agent's stream is not smux 1 (version {version}, command {command}, {length} bytes)")]
pub(super) struct NotSmux {
    version: u8,
    command: u8,
    length: u16,
}

/// A frame as bytes. Invariant of the callers: at most [`MAX_PAYLOAD`] bytes.
pub(super) fn encode(command: Command, stream: u32, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(HEADER + payload.len());
    out.put_u8(VERSION);
    out.put_u8(Command::ALL.iter().position(|it| *it == command).unwrap_or_default() as u8);
    out.put_u16_le(payload.len() as u16);
    out.put_u32_le(stream);
    out.put_slice(payload);
    out.freeze()
}

/// Cuts a byte stream into frames.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    buffer: BytesMut,
}

impl Decoder {
    /// Takes in what arrived.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame.
    ///
    /// # Errors
    /// When the stream is not smux.
    pub(super) fn next_frame(&mut self) -> Result<Option<Frame>, NotSmux> {
        if self.buffer.len() < HEADER {
            return Ok(None);
        }
        let (version, command) = (self.buffer[0], self.buffer[1]);
        let length = u16::from_le_bytes([self.buffer[2], self.buffer[3]]);
        let wrong = NotSmux { version, command, length };
        let known = Command::ALL.get(usize::from(command)).copied();
        let (VERSION, Some(command)) = (version, known) else { return Err(wrong) };
        let end = HEADER + usize::from(length);
        if self.buffer.len() < end {
            return Ok(None);
        }
        let mut frame = self.buffer.split_to(end);
        frame.advance(4);
        let stream = frame.get_u32_le();
        Ok(Some(Frame { command, stream, payload: frame.freeze() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_look_as_the_agent_expects() {
        assert_eq!(encode(Command::Open, 3, b"")[..], [1, 0, 0, 0, 3, 0, 0, 0]);
        assert_eq!(encode(Command::Push, 0x0102_0304, b"hi")[..], [1, 2, 2, 0, 4, 3, 2, 1, b'h', b'i']);
        assert_eq!(encode(Command::Nothing, 0, b"")[..2], [1, 3]);
    }

    #[test]
    fn frames_are_found_wherever_the_stream_was_cut() {
        let wire: Vec<u8> = [
            encode(Command::Open, 1, b""),
            encode(Command::Push, 1, &[7; MAX_PAYLOAD]),
            encode(Command::Push, 1, b"x"),
            encode(Command::Finish, 1, b""),
        ]
        .concat();
        for size in [1, 7, 1024, wire.len()] {
            let mut decoder = Decoder::default();
            let mut found = Vec::new();
            for piece in wire.chunks(size) {
                decoder.feed(piece);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    found.push((frame.command, frame.payload.len()));
                }
            }
            let expected =
                [(Command::Open, 0), (Command::Push, MAX_PAYLOAD), (Command::Push, 1), (Command::Finish, 0)];
            assert_eq!(found, expected, "pieces of {size}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for bytes in [[2, 0, 0, 0, 1, 0, 0, 0], [1, 9, 0, 0, 1, 0, 0, 0]] {
            let mut decoder = Decoder::default();
            decoder.feed(&bytes);
            assert!(decoder.next_frame().is_err());
        }
    }
}

//! The frames of a Session Manager data channel: bytes to values and back. Pure.
//!
//! ```text
//! 0    4              36   40        48     56     64         80        112     116    120
//! │ HL │ message type │ ver│ created │ seq  │flags │ id       │ SHA-256 │ type │ len  │ payload
//! ```
//!
//! Numbers are big-endian. The header length counts everything before the payload's length.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Bytes before the payload's length.
const HEADER_LENGTH: usize = 116;
/// Bytes before the payload.
const PREFIX: usize = HEADER_LENGTH + 4;
const TYPE_AT: usize = 4;
const TYPE_LENGTH: usize = 32;
const SEQUENCE_AT: usize = 48;
const FLAGS_AT: usize = 56;
const ID_AT: usize = 64;
const DIGEST_AT: usize = 80;
const PAYLOAD_TYPE_AT: usize = 112;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// From this side to the agent, numbered and acknowledged.
    InputStream,
    /// From the agent to this side, numbered and acknowledged.
    OutputStream,
    /// Says that a numbered frame has arrived.
    Acknowledge,
    /// The service has ended the session.
    ChannelClosed,
    /// Anything else (`start_publication`, `pause_publication`): of no consequence here.
    Other,
}

const NAMES: [(Kind, &str); 4] = [
    (Kind::InputStream, "input_stream_data"),
    (Kind::OutputStream, "output_stream_data"),
    (Kind::Acknowledge, "acknowledge"),
    (Kind::ChannelClosed, "channel_closed"),
];

/// What a numbered frame's payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PayloadType {
    /// Bytes of the forwarded connections.
    Output,
    /// The agent introduces itself and says what it wants done.
    HandshakeRequest,
    /// What was done.
    HandshakeResponse,
    /// Data may flow.
    HandshakeComplete,
    /// A signal, see [`Flag`].
    Flag,
    /// Of no consequence here.
    Other(u32),
}

impl PayloadType {
    fn from_wire(number: u32) -> Self {
        match number {
            1 => Self::Output,
            5 => Self::HandshakeRequest,
            6 => Self::HandshakeResponse,
            7 => Self::HandshakeComplete,
            10 => Self::Flag,
            other => Self::Other(other),
        }
    }

    fn to_wire(self) -> u32 {
        match self {
            Self::Output => 1,
            Self::HandshakeRequest => 5,
            Self::HandshakeResponse => 6,
            Self::HandshakeComplete => 7,
            Self::Flag => 10,
            Self::Other(number) => number,
        }
    }
}

/// A signal between the two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    /// This side is done with the session.
    TerminateSession,
    /// The agent could not connect to the remote host.
    ConnectToPortError,
}

impl Flag {
    /// As a payload.
    pub(super) fn to_payload(self) -> Bytes {
        let number: u32 = match self {
            Self::TerminateSession => 2,
            Self::ConnectToPortError => 3,
        };
        Bytes::copy_from_slice(&number.to_be_bytes())
    }

    /// From a payload; `None` for a flag without a meaning here.
    pub(super) fn from_payload(payload: &[u8]) -> Option<Self> {
        match u32::from_be_bytes(payload.get(..4)?.try_into().ok()?) {
            2 => Some(Self::TerminateSession),
            3 => Some(Self::ConnectToPortError),
            _ => None,
        }
    }
}

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// What it is.
    pub(super) kind: Kind,
    /// Its number; only the two streams count.
    pub(super) sequence: i64,
    /// Bit 0: first of its stream; bit 1: last. Acknowledgements have both, as AWS's plugin sends them.
    pub(super) flags: u64,
    /// Its identity, repeated by its acknowledgement.
    pub(super) id: Uuid,
    /// What the payload is.
    pub(super) payload_type: PayloadType,
    /// The payload.
    pub(super) payload: Bytes,
}

/// Why bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Shorter than its header.
    #[error("a frame of {0} bytes is shorter than its header")]
    Short(usize),
    /// The header's length is not one that this version knows.
    #[error("a frame's header claims {0} bytes")]
    Header(u32),
    /// The payload is not as long as the header says.
    #[error("a frame's payload has {actual} bytes, its header says {said}")]
    Length {
        /// Said.
        said: usize,
        /// Found.
        actual: usize,
    },
    /// The payload is not what was sent.
    #[error("the digest of frame {sequence} does not match its payload")]
    Digest {
        /// Number of the frame.
        sequence: i64,
    },
}

/// The content of an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Acknowledgement {
    /// Type of the frame that arrived.
    #[serde(rename = "AcknowledgedMessageType")]
    pub(super) message_type: String,
    /// Its identity.
    #[serde(rename = "AcknowledgedMessageId")]
    pub(super) message_id: String,
    /// Its number.
    #[serde(rename = "AcknowledgedMessageSequenceNumber")]
    pub(super) sequence: i64,
    /// Whether it belongs to a numbered stream.
    #[serde(rename = "IsSequentialMessage")]
    pub(super) is_sequential: bool,
}

impl Message {
    /// A numbered frame with a fresh identity.
    pub(super) fn numbered(kind: Kind, sequence: i64, payload_type: PayloadType, payload: Bytes) -> Self {
        // AWS's plugin marks no first frame, and agents ask for none.
        Self { kind, sequence, flags: 0, id: fresh_id(), payload_type, payload }
    }

    /// The acknowledgement of this frame.
    pub(super) fn acknowledgement(&self) -> Self {
        let content = Acknowledgement {
            message_type: name(self.kind).to_owned(),
            message_id: self.id.to_string(),
            sequence: self.sequence,
            is_sequential: true,
        };
        let payload = serde_json::to_vec(&content).unwrap_or_default().into();
        Self {
            kind: Kind::Acknowledge,
            sequence: 0,
            flags: 3,
            id: fresh_id(),
            payload_type: PayloadType::Other(0),
            payload,
        }
    }

    /// As bytes.
    pub(super) fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(PREFIX + self.payload.len());
        out.put_u32(HEADER_LENGTH as u32);
        let mut kind = [b' '; TYPE_LENGTH];
        let name = name(self.kind).as_bytes();
        kind[..name.len()].copy_from_slice(name);
        out.put_slice(&kind);
        out.put_u32(1);
        out.put_u64(now_ms());
        out.put_i64(self.sequence);
        out.put_u64(self.flags);
        // The two halves of an identity travel in reverse order.
        let (high, low) = self.id.as_u64_pair();
        out.put_u64(low);
        out.put_u64(high);
        out.put_slice(&Sha256::digest(&self.payload));
        out.put_u32(self.payload_type.to_wire());
        out.put_u32(u32::try_from(self.payload.len()).unwrap_or(u32::MAX));
        out.put_slice(&self.payload);
        out.freeze()
    }

    /// From bytes.
    ///
    /// # Errors
    /// See [`DecodeError`]. Only frames that have a payload carry a digest that counts.
    pub(super) fn decode(frame: &Bytes) -> Result<Self, DecodeError> {
        if frame.len() < PREFIX {
            return Err(DecodeError::Short(frame.len()));
        }
        let header = u32_at(frame, 0);
        if header as usize != HEADER_LENGTH {
            return Err(DecodeError::Header(header));
        }
        let wanted = std::str::from_utf8(&frame[TYPE_AT..TYPE_AT + TYPE_LENGTH])
            .unwrap_or_default()
            .trim_matches(['\0', ' ']);
        let kind = NAMES.iter().find(|(_, it)| *it == wanted).map_or(Kind::Other, |(kind, _)| *kind);
        let sequence = u64_at(frame, SEQUENCE_AT).cast_signed();
        let said = u32_at(frame, HEADER_LENGTH) as usize;
        let payload = frame.slice(PREFIX..);
        if payload.len() != said {
            return Err(DecodeError::Length { said, actual: payload.len() });
        }
        if kind != Kind::Other
            && !payload.is_empty()
            && Sha256::digest(&payload)[..] != frame[DIGEST_AT..PAYLOAD_TYPE_AT]
        {
            return Err(DecodeError::Digest { sequence });
        }
        Ok(Self {
            kind,
            sequence,
            flags: u64_at(frame, FLAGS_AT),
            id: Uuid::from_u64_pair(u64_at(frame, ID_AT + 8), u64_at(frame, ID_AT)),
            payload_type: PayloadType::from_wire(u32_at(frame, PAYLOAD_TYPE_AT)),
            payload,
        })
    }
}

fn name(kind: Kind) -> &'static str {
    NAMES.iter().find(|(it, _)| *it == kind).map_or("", |(_, name)| name)
}

fn fresh_id() -> Uuid {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid()
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Invariant of the callers: the frame is at least [`PREFIX`] long.
fn u32_at(frame: &[u8], at: usize) -> u32 {
    frame[at..at + 4].iter().fold(0, |sum, it| sum << 8 | u32::from(*it))
}

fn u64_at(frame: &[u8], at: usize) -> u64 {
    frame[at..at + 8].iter().fold(0, |sum, it| sum << 8 | u64::from(*it))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message::numbered(Kind::InputStream, 7, PayloadType::Output, Bytes::from_static(b"select 1"))
    }

    #[test]
    fn frames_survive_the_round_trip() {
        assert_eq!(Message::decode(&message().encode()).unwrap().payload, "select 1");
        for message in [
            message(),
            Message::numbered(
                Kind::OutputStream,
                0,
                PayloadType::Flag,
                Flag::ConnectToPortError.to_payload(),
            ),
            Message::numbered(Kind::OutputStream, i64::MAX, PayloadType::Other(12), Bytes::new()),
            message().acknowledgement(),
        ] {
            assert_eq!(Message::decode(&message.encode()), Ok(message));
        }
    }

    #[test]
    fn fields_are_where_the_agent_looks_for_them() {
        let mut message = message();
        message.id = Uuid::from_u128(0x00112233_4455_6677_8899_aabbccddeeff);
        let frame = message.encode();
        assert_eq!(frame.len(), 120 + 8);
        assert_eq!(frame[..4], [0, 0, 0, 116]);
        assert_eq!(&frame[4..36], b"input_stream_data               ");
        assert_eq!(frame[36..40], [0, 0, 0, 1]);
        assert_eq!(frame[48..56], [0, 0, 0, 0, 0, 0, 0, 7]);
        assert_eq!(frame[64..72], [0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff]);
        assert_eq!(frame[72..80], [0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77]);
        assert_eq!(frame[112..120], [0, 0, 0, 1, 0, 0, 0, 8]);
        assert_eq!(&frame[120..], b"select 1");
    }

    #[test]
    fn acknowledgement_repeats_identity_and_number() {
        let message = message();
        let content: Acknowledgement = serde_json::from_slice(&message.acknowledgement().payload).unwrap();
        assert_eq!(content.message_id, message.id.to_string());
        assert_eq!((content.sequence, content.message_type.as_str()), (7, "input_stream_data"));
    }

    #[test]
    fn what_is_not_a_frame_is_refused() {
        let good = message().encode();
        assert_eq!(Message::decode(&good.slice(..119)), Err(DecodeError::Short(119)));
        assert_eq!(
            Message::decode(&good.slice(..good.len() - 1)),
            Err(DecodeError::Length { said: 8, actual: 7 })
        );
        let mut bad = BytesMut::from(good);
        bad[3] = 90;
        assert_eq!(Message::decode(&bad.clone().freeze()), Err(DecodeError::Header(90)));
        bad[3] = 116;
        bad[125] ^= 1;
        assert_eq!(Message::decode(&bad.freeze()), Err(DecodeError::Digest { sequence: 7 }));
    }

    proptest::proptest! {
        #[test]
        fn no_input_panics(bytes: Vec<u8>) {
            let _ = Message::decode(&Bytes::from(bytes));
        }
    }
}

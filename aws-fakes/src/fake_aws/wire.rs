//! Frames as the agent sees them, at their offsets.

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// What the agent needs of a frame.
pub(super) struct Frame {
    pub(super) kind: String,
    pub(super) sequence: i64,
    pub(super) id: [u8; 16],
    pub(super) payload_type: u32,
    pub(super) payload: Bytes,
}

/// Reads a frame and insists on everything that the real agent insists on.
pub(super) fn read(frame: &Bytes) -> Frame {
    assert_eq!(frame[..4], 116_u32.to_be_bytes(), "header length");
    let payload = frame.slice(120..);
    assert_eq!(frame[116..120], (payload.len() as u32).to_be_bytes(), "payload length");
    assert_eq!(frame[80..112], Sha256::digest(&payload)[..], "digest");
    assert_ne!(frame[40..48], [0; 8], "creation date");
    Frame {
        kind: String::from_utf8_lossy(&frame[4..36]).trim().to_owned(),
        sequence: i64::from_be_bytes(frame[48..56].try_into().expect("8 bytes")),
        id: frame[64..80].try_into().expect("16 bytes"),
        payload_type: u32::from_be_bytes(frame[112..116].try_into().expect("4 bytes")),
        payload,
    }
}

/// Makes a frame.
pub(super) fn write(kind: &str, sequence: i64, payload_type: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 120];
    out[..4].copy_from_slice(&116_u32.to_be_bytes());
    out[4..36].fill(b' ');
    out[4..4 + kind.len()].copy_from_slice(kind.as_bytes());
    out[39] = 1;
    out[40..48].copy_from_slice(&1_700_000_000_000_u64.to_be_bytes());
    out[48..56].copy_from_slice(&sequence.to_be_bytes());
    out[64..80].copy_from_slice(&rand::random::<[u8; 16]>());
    out[80..112].copy_from_slice(&Sha256::digest(payload));
    out[112..116].copy_from_slice(&payload_type.to_be_bytes());
    out[116..120].copy_from_slice(&(payload.len() as u32).to_be_bytes());
    out.extend_from_slice(payload);
    out
}

/// The identity of a frame as it is written in an acknowledgement: its second half travels first.
pub(super) fn id_text(id: &[u8; 16]) -> String {
    let hex: String = id[8..].iter().chain(&id[..8]).map(|it| format!("{it:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// A frame of the multiplexer.
pub(super) fn smux(command: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![1, command];
    out.extend_from_slice(&(payload.len() as u16).to_le_bytes());
    out.extend_from_slice(&stream.to_le_bytes());
    out.extend_from_slice(payload);
    out
}

//! What is still to be sent: messages that were put together in a buffer, and between them large values, which are
//! sent from where they are instead of being copied there.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};

use bytes::{Bytes, BytesMut};

/// What may be kept of a buffer that once had to be large.
const KEPT: usize = 64 * 1024;

/// A buffer of messages, as which it can be used, with values between them.
#[derive(Default)]
pub struct Outgoing {
    messages: BytesMut,
    /// How much of the messages was sent.
    n_sent: usize,
    /// Each with the place in the messages before which it is sent. In order.
    values: VecDeque<(usize, Bytes)>,
}

impl Deref for Outgoing {
    type Target = BytesMut;

    fn deref(&self) -> &BytesMut {
        &self.messages
    }
}

impl DerefMut for Outgoing {
    fn deref_mut(&mut self) -> &mut BytesMut {
        &mut self.messages
    }
}

impl Outgoing {
    /// Has a value sent at this place of the messages, which must not be before that of an earlier one.
    pub fn put_value(&mut self, at: usize, value: Bytes) {
        self.values.push_back((at, value));
    }

    /// Takes back what was put there since the messages had this length.
    pub fn truncate(&mut self, len: usize) {
        self.messages.truncate(len);
        while self.values.back().is_some_and(|(at, _)| *at > len) {
            self.values.pop_back();
        }
    }

    /// What comes next, as far as it is in one piece.
    pub(super) fn next(&self) -> Option<&[u8]> {
        let next = match self.values.front() {
            Some((at, value)) if *at == self.n_sent => value,
            Some((at, _)) => &self.messages[self.n_sent..*at],
            None => &self.messages[self.n_sent..],
        };
        (!next.is_empty()).then_some(next)
    }

    /// So many bytes of that were sent.
    pub(super) fn sent(&mut self, n_bytes: usize) {
        match self.values.front_mut() {
            Some((at, value)) if *at == self.n_sent => {
                // Of what was sent, nothing needs to be kept here.
                let _ = value.split_to(n_bytes);
                if value.is_empty() {
                    self.values.pop_front();
                }
            }
            _ => self.n_sent += n_bytes,
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        if self.messages.capacity() > KEPT {
            self.messages = BytesMut::new();
        }
        self.messages.clear();
        self.n_sent = 0;
        self.values.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What comes out, in pieces of so many bytes at most.
    fn drain(outgoing: &mut Outgoing, most: usize) -> Vec<u8> {
        let mut sent = Vec::new();
        while let Some(next) = outgoing.next() {
            let n_bytes = next.len().min(most);
            sent.extend_from_slice(&next[..n_bytes]);
            outgoing.sent(n_bytes);
        }
        sent
    }

    proptest! {
        #[test]
        fn values_come_where_they_were_put(
            parts in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 1..9)), 0..9),
            kept in 0..9_usize,
            most in 1..9_usize,
        ) {
            let mut outgoing = Outgoing::default();
            let (mut expected, mut cut) = (Vec::new(), None);
            for (index, (is_value, bytes)) in parts.iter().enumerate() {
                if index == kept {
                    // A request begins, and is taken back.
                    cut = Some((outgoing.len(), expected.len()));
                    outgoing.extend_from_slice(b"B");
                    expected.push(b'B');
                }
                match is_value {
                    true => outgoing.put_value(outgoing.len(), bytes.clone().into()),
                    false => outgoing.extend_from_slice(bytes),
                }
                expected.extend_from_slice(bytes);
            }
            if let Some((messages, all)) = cut {
                outgoing.truncate(messages);
                expected.truncate(all);
            }
            prop_assert_eq!(drain(&mut outgoing, most), expected);
            outgoing.clear();
            prop_assert!(outgoing.next().is_none());
        }
    }
}

//! One end of a data channel without its socket: numbers what goes out until it is acknowledged, puts what comes in into
//! order. Pure but for the time, which callers pass in.
//!
//! Invariants: frames of the agent are handed on once and in order, whatever the network did to them; a frame of this side
//! is kept until the agent has said that it arrived, also across a cut.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::message::{Acknowledgement, DecodeError, Kind, Message, PayloadType};

/// Frames that may be under way. The agent puts up to 10,000 frames back into order; past that it would drop them.
const WINDOW: usize = 4_000;
/// Frames of the agent that are kept while an earlier one is missing.
const EARLY: usize = 10_000;
/// Frames that are sent again at once: what was lost is at the front, and more would only add to what made it late.
const BURST: usize = 16;
/// First estimate of how long an acknowledgement takes, and the bounds of the wait for one.
const FIRST_TIMEOUT: Duration = Duration::from_millis(400);
const MIN_TIMEOUT: Duration = Duration::from_millis(200);
const MAX_TIMEOUT: Duration = Duration::from_secs(5);
/// A frame that was not acknowledged for this long never will be.
const PATIENCE: Duration = Duration::from_secs(300);
/// Frames in a row whose digest is wrong. One is an accident, which the agent's retransmission repairs.
const MAX_BAD: u32 = 100;

/// Why the channel cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// The agent does not acknowledge.
    #[error("the agent has not acknowledged frame {sequence} for {} seconds", PATIENCE.as_secs())]
    Unacknowledged {
        /// Number of the frame.
        sequence: i64,
    },
    /// What arrives is not what was sent.
    #[error("{MAX_BAD} frames in a row arrived damaged; something between here and the service changes them")]
    Damaged,
    /// What arrives is not this protocol.
    #[error(transparent)]
    Decode(DecodeError),
}

/// What a frame from the network means for the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Arrived {
    /// A payload, in its turn.
    Payload(PayloadType, Bytes),
    /// The service has closed the channel, with its reason.
    Closed(String),
}

struct Sent {
    sequence: i64,
    frame: Bytes,
    first: Instant,
    last: Instant,
    attempts: u32,
}

/// One end of a data channel.
#[derive(Default)]
pub(super) struct Channel {
    next_sequence: i64,
    unacknowledged: VecDeque<Sent>,
    expected: i64,
    early: BTreeMap<i64, Message>,
    /// Smoothed round trip and its variation (RFC 6298), once one was measured.
    round_trip: Option<(Duration, Duration)>,
    bad_in_a_row: u32,
    /// Frames sent again, for whoever is curious.
    pub(super) retransmitted: u64,
}

impl Channel {
    /// Whether another payload may be sent.
    pub(super) fn has_room(&self) -> bool {
        self.unacknowledged.len() < WINDOW
    }

    /// The frame for a payload; it stays here until it is acknowledged.
    pub(super) fn send(&mut self, now: Instant, payload_type: PayloadType, payload: Bytes) -> Bytes {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let frame = Message::numbered(Kind::InputStream, sequence, payload_type, payload).encode();
        self.unacknowledged.push_back(Sent {
            sequence,
            frame: frame.clone(),
            first: now,
            last: now,
            attempts: 0,
        });
        frame
    }

    /// Takes in a frame: acknowledgements go to `replies`, what is due to the caller to `arrived`.
    ///
    /// # Errors
    /// When what arrives is not this protocol, or always damaged. A damaged frame alone is no error: it is not
    /// acknowledged, so the agent sends it again.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        frame: &Bytes,
        replies: &mut Vec<Bytes>,
        arrived: &mut Vec<Arrived>,
    ) -> Result<(), ChannelError> {
        let message = match Message::decode(frame) {
            Ok(message) => message,
            Err(DecodeError::Digest { .. } | DecodeError::Length { .. }) => {
                self.bad_in_a_row += 1;
                return if self.bad_in_a_row < MAX_BAD { Ok(()) } else { Err(ChannelError::Damaged) };
            }
            Err(err) => return Err(ChannelError::Decode(err)),
        };
        self.bad_in_a_row = 0;
        match message.kind {
            Kind::OutputStream => self.order(message, replies, arrived),
            Kind::Acknowledge => {
                if let Ok(content) = serde_json::from_slice::<Acknowledgement>(&message.payload) {
                    self.acknowledged(now, content.sequence);
                }
            }
            Kind::ChannelClosed => arrived.push(Arrived::Closed(closed_because(&message.payload))),
            Kind::InputStream | Kind::Other => {}
        }
        Ok(())
    }

    fn order(&mut self, message: Message, replies: &mut Vec<Bytes>, arrived: &mut Vec<Arrived>) {
        if message.sequence > self.expected {
            if self.early.len() >= EARLY {
                // Not acknowledged, so it comes again.
                return;
            }
            replies.push(message.acknowledgement().encode());
            self.early.insert(message.sequence, message);
            return;
        }
        // A duplicate is acknowledged too: it came because the first acknowledgement was lost.
        replies.push(message.acknowledgement().encode());
        if message.sequence < self.expected {
            return;
        }
        let mut next = Some(message);
        while let Some(message) = next {
            arrived.push(Arrived::Payload(message.payload_type, message.payload));
            self.expected += 1;
            next = self.early.remove(&self.expected);
        }
    }

    fn acknowledged(&mut self, now: Instant, sequence: i64) {
        let Ok(at) = self.unacknowledged.binary_search_by_key(&sequence, |it| it.sequence) else { return };
        let Some(sent) = self.unacknowledged.remove(at) else { return };
        // Which of two copies was acknowledged cannot be told (Karn).
        if sent.attempts == 0 {
            let sample = now.saturating_duration_since(sent.last);
            self.round_trip = Some(match self.round_trip {
                None => (sample, sample / 2),
                Some((smoothed, variation)) => {
                    ((smoothed * 7 + sample) / 8, (variation * 3 + smoothed.abs_diff(sample)) / 4)
                }
            });
        }
    }

    fn timeout(&self) -> Duration {
        let Some((smoothed, variation)) = self.round_trip else { return FIRST_TIMEOUT };
        (smoothed + variation * 4).clamp(MIN_TIMEOUT, MAX_TIMEOUT)
    }

    fn deadline(&self, sent: &Sent) -> Instant {
        sent.last + (self.timeout() * 2_u32.saturating_pow(sent.attempts.min(8))).min(MAX_TIMEOUT)
    }

    /// The frames to send again.
    ///
    /// # Errors
    /// When the agent has not acknowledged the oldest for minutes.
    pub(super) fn due(&mut self, now: Instant) -> Result<Vec<Bytes>, ChannelError> {
        let late: Vec<usize> = (0..self.unacknowledged.len().min(BURST))
            .filter(|it| self.deadline(&self.unacknowledged[*it]) <= now)
            .collect();
        let mut frames = Vec::with_capacity(late.len());
        for at in late {
            let sent = &mut self.unacknowledged[at];
            if now.saturating_duration_since(sent.first) > PATIENCE {
                return Err(ChannelError::Unacknowledged { sequence: sent.sequence });
            }
            sent.last = now;
            sent.attempts += 1;
            frames.push(sent.frame.clone());
            self.retransmitted += 1;
        }
        Ok(frames)
    }

    /// Everything that may have been lost with the connection, to be sent over the new one.
    pub(super) fn after_a_cut(&mut self, now: Instant) -> Vec<Bytes> {
        for sent in &mut self.unacknowledged {
            // The time without a connection is not the agent's fault.
            (sent.first, sent.last) = (now, now);
            sent.attempts = sent.attempts.max(1);
        }
        self.retransmitted += self.unacknowledged.len() as u64;
        self.unacknowledged.iter().map(|it| it.frame.clone()).collect()
    }
}

fn closed_because(payload: &[u8]) -> String {
    let content: serde_json::Value = serde_json::from_slice(payload).unwrap_or_default();
    content["Output"].as_str().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the agent sends.
    fn output(sequence: i64, text: &'static str) -> Bytes {
        let payload = Bytes::from_static(text.as_bytes());
        Message::numbered(Kind::OutputStream, sequence, PayloadType::Output, payload).encode()
    }

    /// What the agent answers to a frame of ours.
    fn acknowledge(frame: &Bytes) -> Bytes {
        Message::decode(frame).unwrap().acknowledgement().encode()
    }

    #[derive(Default)]
    struct Run {
        channel: Channel,
        text: String,
        n_replies: usize,
    }

    impl Run {
        fn take(&mut self, now: Instant, frame: &Bytes) -> &mut Self {
            let (mut replies, mut arrived) = (Vec::new(), Vec::new());
            self.channel.receive(now, frame, &mut replies, &mut arrived).unwrap();
            self.n_replies += replies.len();
            for it in arrived {
                let Arrived::Payload(_, payload) = it else { panic!("{it:?}") };
                self.text.push_str(std::str::from_utf8(&payload).unwrap());
            }
            self
        }
    }

    #[test]
    fn frames_are_put_into_order_and_duplicates_dropped_but_acknowledged() {
        let (mut run, now) = (Run::default(), Instant::now());
        for (sequence, text) in [(2, "c"), (0, "a"), (0, "a"), (2, "c"), (1, "b"), (1, "b"), (3, "d")] {
            run.take(now, &output(sequence, text));
        }
        assert_eq!((run.text.as_str(), run.n_replies), ("abcd", 7));
    }

    #[test]
    fn a_damaged_frame_is_not_acknowledged_and_repaired_by_its_copy() {
        let (mut run, now) = (Run::default(), Instant::now());
        let good = output(0, "a");
        let mut bad = good.to_vec();
        *bad.last_mut().unwrap() ^= 1;
        run.take(now, &Bytes::from(bad));
        assert_eq!((run.text.as_str(), run.n_replies), ("", 0));
        run.take(now, &good);
        assert_eq!((run.text.as_str(), run.n_replies), ("a", 1));
    }

    #[test]
    fn damage_without_end_is_an_error() {
        let mut channel = Channel::default();
        let mut bad = output(0, "a").to_vec();
        *bad.last_mut().unwrap() ^= 1;
        let bad = Bytes::from(bad);
        let mut take = || channel.receive(Instant::now(), &bad, &mut Vec::new(), &mut Vec::new());
        for _ in 1..MAX_BAD {
            assert_eq!(take(), Ok(()));
        }
        assert_eq!(take(), Err(ChannelError::Damaged));
    }

    #[test]
    fn a_lost_frame_is_sent_again_until_it_is_acknowledged() {
        let (mut run, start) = (Run::default(), Instant::now());
        let first = run.channel.send(start, PayloadType::Output, Bytes::from_static(b"a"));
        let second = run.channel.send(start, PayloadType::Output, Bytes::from_static(b"b"));
        run.take(start, &acknowledge(&second));
        assert!(run.channel.due(start).unwrap().is_empty());
        assert_eq!(run.channel.due(start + MIN_TIMEOUT).unwrap(), std::slice::from_ref(&first));
        // The wait doubles.
        assert!(run.channel.due(start + MIN_TIMEOUT * 2).unwrap().is_empty());
        assert_eq!(run.channel.due(start + MIN_TIMEOUT * 3).unwrap(), std::slice::from_ref(&first));
        run.take(start + MIN_TIMEOUT, &acknowledge(&first));
        assert!(run.channel.due(start + PATIENCE).unwrap().is_empty());
        // An acknowledgement that comes twice, or for nothing, does no harm.
        run.take(start, &acknowledge(&first));
    }

    #[test]
    fn patience_ends() {
        let (mut channel, start) = (Channel::default(), Instant::now());
        channel.send(start, PayloadType::Output, Bytes::from_static(b"a"));
        let late = start + PATIENCE + Duration::from_secs(1);
        assert_eq!(channel.due(late), Err(ChannelError::Unacknowledged { sequence: 0 }));
    }

    #[test]
    fn after_a_cut_everything_unacknowledged_goes_out_again() {
        let (mut run, start) = (Run::default(), Instant::now());
        let frames: Vec<Bytes> =
            (0..3).map(|_| run.channel.send(start, PayloadType::Output, Bytes::from_static(b"x"))).collect();
        run.take(start, &acknowledge(&frames[1]));
        let later = start + PATIENCE * 2;
        assert_eq!(run.channel.after_a_cut(later), [frames[0].clone(), frames[2].clone()]);
        assert!(run.channel.due(later).unwrap().is_empty(), "the time without a connection does not count");
        // Numbers go on where they were, on both sides.
        let next = run.channel.send(later, PayloadType::Output, Bytes::from_static(b"y"));
        assert_eq!(Message::decode(&next).unwrap().sequence, 3);
    }

    #[test]
    fn the_window_closes_and_opens() {
        let (mut run, now) = (Run::default(), Instant::now());
        let mut last = Bytes::new();
        while run.channel.has_room() {
            last = run.channel.send(now, PayloadType::Output, Bytes::from_static(b"x"));
        }
        assert_eq!(run.channel.next_sequence, WINDOW as i64);
        run.take(now, &acknowledge(&last));
        assert!(run.channel.has_room());
    }

    #[test]
    fn the_service_may_close_the_channel() {
        let payload = Bytes::from_static(br#"{"Output":"Session timed out.\n"}"#);
        let closed = Message {
            kind: Kind::ChannelClosed,
            ..Message::numbered(Kind::OutputStream, 0, PayloadType::Other(0), payload)
        };
        let mut arrived = Vec::new();
        Channel::default().receive(Instant::now(), &closed.encode(), &mut Vec::new(), &mut arrived).unwrap();
        assert_eq!(arrived, [Arrived::Closed("Session timed out.".into())]);
    }
}

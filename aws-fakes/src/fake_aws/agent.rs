//! The agent of one session: numbers and acknowledges, puts into order, sends again, and connects streams to the
//! destination.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{Arc, Weak, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes, BytesMut};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::interval,
};

use super::{Session, Shared, wire};

const OUTPUT: u32 = 1;
const HANDSHAKE_REQUEST: u32 = 5;
const HANDSHAKE_RESPONSE: u32 = 6;
const HANDSHAKE_COMPLETE: u32 = 7;
const FLAG: u32 = 10;
const CONNECT_TO_PORT_ERROR: u32 = 3;

/// Frames that may be under way.
const WINDOW: usize = 4_000;
const TIMEOUT: Duration = Duration::from_millis(250);

/// What the agent reacts to.
pub(super) enum Input {
    /// A web socket was opened.
    Attach(mpsc::UnboundedSender<Bytes>),
    /// A frame of the client.
    Frame(Bytes),
    /// The session is ended from outside.
    Close(String),
}

enum FromStream {
    Data(u32, Vec<u8>),
    End(u32),
    Refused(u32),
}

struct Sent {
    frame: Bytes,
    at: Instant,
}

pub(super) struct Agent {
    shared: Arc<Shared>,
    session: Weak<Session>,
    destination: SocketAddr,
    out: Option<mpsc::UnboundedSender<Bytes>>,
    next: i64,
    unacknowledged: BTreeMap<i64, Sent>,
    expected: i64,
    early: BTreeMap<i64, (u32, Bytes)>,
    /// Held back, to be sent after its successor.
    swapped: Option<Bytes>,
    stream: BytesMut,
    writers: HashMap<u32, mpsc::UnboundedSender<Bytes>>,
    from_streams: mpsc::Sender<FromStream>,
    n_output: u64,
    n_input: u64,
    n_acknowledged: u64,
    has_cut: bool,
    started: Instant,
}

fn is_due(every: u64, count: u64) -> bool {
    every > 0 && count.is_multiple_of(every)
}

impl Agent {
    pub(super) async fn run(
        shared: Arc<Shared>,
        session: Weak<Session>,
        destination: SocketAddr,
        mut inputs: mpsc::UnboundedReceiver<Input>,
    ) {
        let (from_streams, mut streams) = mpsc::channel(64);
        let mut agent = Self {
            shared,
            session,
            destination,
            out: None,
            next: 0,
            unacknowledged: BTreeMap::new(),
            expected: 0,
            early: BTreeMap::new(),
            swapped: None,
            stream: BytesMut::new(),
            writers: HashMap::new(),
            from_streams,
            n_output: 0,
            n_input: 0,
            n_acknowledged: 0,
            has_cut: false,
            started: Instant::now(),
        };
        let mut ticks = interval(Duration::from_millis(50));
        loop {
            let has_room = agent.unacknowledged.len() < WINDOW;
            tokio::select! {
                input = inputs.recv() => match input {
                    None => return,
                    Some(Input::Attach(out)) => agent.attach(out),
                    Some(Input::Frame(frame)) => agent.take(&frame),
                    Some(Input::Close(reason)) => {
                        let payload = json!({ "Output": reason, "MessageType": "channel_closed" }).to_string();
                        agent.put(wire::write("channel_closed", 0, 0, payload.as_bytes()).into());
                    }
                },
                it = streams.recv(), if has_room => match it {
                    None => return,
                    Some(FromStream::Data(stream, bytes)) => agent.send_stream(&wire::smux(2, stream, &bytes)),
                    Some(FromStream::End(stream)) => agent.send_stream(&wire::smux(1, stream, b"")),
                    Some(FromStream::Refused(stream)) => {
                        agent.send(FLAG, &CONNECT_TO_PORT_ERROR.to_be_bytes());
                        agent.send_stream(&wire::smux(1, stream, b""));
                    }
                },
                _ = ticks.tick() => agent.again(),
            }
        }
    }

    fn attach(&mut self, out: mpsc::UnboundedSender<Bytes>) {
        let is_first = self.out.is_none();
        self.out = Some(out);
        if is_first && !self.shared.faults.silent {
            // What the service says before the agent does.
            self.put(wire::write("start_publication", 0, 0, b"").into());
            let mut actions = vec![json!({
                "ActionType": "SessionType",
                "ActionParameters": { "SessionType": "Port", "Properties": { "portNumber": "5432", "type": "LocalPortForwarding" } },
            })];
            if self.shared.faults.encrypted {
                actions.push(
                    json!({ "ActionType": "KMSEncryption", "ActionParameters": { "KMSKeyId": "arn" } }),
                );
            }
            let version = self.shared.faults.agent_version.unwrap_or("3.3.3572.0");
            let request = json!({ "AgentVersion": version, "RequestedClientActions": actions });
            self.send(HANDSHAKE_REQUEST, request.to_string().as_bytes());
        }
        for sent in self.unacknowledged.values_mut() {
            sent.at = Instant::now();
        }
        let frames: Vec<Bytes> = self.unacknowledged.values().map(|it| it.frame.clone()).collect();
        frames.into_iter().for_each(|it| self.put(it));
    }

    fn put(&self, frame: Bytes) {
        if let Some(out) = &self.out {
            let _ = out.send(frame);
        }
    }

    /// Sends bytes of the multiplexer, cut as the real agent cuts them.
    fn send_stream(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(1024) {
            self.send(OUTPUT, piece);
        }
    }

    fn send(&mut self, payload_type: u32, payload: &[u8]) {
        let frame = Bytes::from(wire::write("output_stream_data", self.next, payload_type, payload));
        self.unacknowledged.insert(self.next, Sent { frame: frame.clone(), at: Instant::now() });
        self.next += 1;
        self.n_output += 1;
        let faults = &self.shared.faults;
        if is_due(faults.damage_output, self.n_output) {
            let mut damaged = frame.to_vec();
            if let Some(last) = damaged.last_mut() {
                *last ^= 0x55;
            }
            self.put(damaged.into());
        } else if is_due(faults.swap_output, self.n_output) && self.swapped.is_none() {
            self.swapped = Some(frame);
            return;
        } else {
            if is_due(faults.repeat_output, self.n_output) {
                self.put(frame.clone());
            }
            self.put(frame);
        }
        if let Some(held) = self.swapped.take() {
            self.put(held);
        }
    }

    fn again(&mut self) {
        let late: Vec<Bytes> = self
            .unacknowledged
            .values_mut()
            .take(256)
            .filter(|it| it.at.elapsed() > TIMEOUT)
            .map(|it| {
                it.at = Instant::now();
                it.frame.clone()
            })
            .collect();
        self.shared.seen.n_retransmitted.fetch_add(late.len() as u64, Ordering::Relaxed);
        late.into_iter().for_each(|it| self.put(it));
    }

    fn take(&mut self, bytes: &Bytes) {
        let frame = wire::read(bytes);
        match frame.kind.as_str() {
            "acknowledge" => {
                let content: serde_json::Value = serde_json::from_slice(&frame.payload).expect("JSON");
                let sequence = content["AcknowledgedMessageSequenceNumber"].as_i64().expect("a number");
                assert_eq!(content["AcknowledgedMessageType"], "output_stream_data");
                if let Some(sent) = self.unacknowledged.remove(&sequence) {
                    let id = wire::read(&sent.frame).id;
                    assert_eq!(content["AcknowledgedMessageId"], wire::id_text(&id).as_str());
                }
            }
            "input_stream_data" => self.input(frame),
            other => panic!("the client sends \"{other}\""),
        }
    }

    fn input(&mut self, frame: wire::Frame) {
        self.n_input += 1;
        let faults = &self.shared.faults;
        if faults.cut_after > 0 && self.n_input == faults.cut_after && !self.has_cut {
            self.has_cut = true;
            if let Some(session) = self.session.upgrade() {
                session.cut.notify_waiters();
            }
            return;
        }
        if is_due(faults.lose_input, self.n_input) {
            return;
        }
        self.n_acknowledged += 1;
        if !is_due(faults.lose_acknowledgement, self.n_acknowledged) {
            let content = json!({
                "AcknowledgedMessageType": "input_stream_data",
                "AcknowledgedMessageId": wire::id_text(&frame.id),
                "AcknowledgedMessageSequenceNumber": frame.sequence,
                "IsSequentialMessage": true,
            });
            self.put(wire::write("acknowledge", 0, 0, content.to_string().as_bytes()).into());
        }
        if frame.sequence < self.expected || self.early.contains_key(&frame.sequence) {
            self.shared.seen.n_repeated.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.early.insert(frame.sequence, (frame.payload_type, frame.payload));
        while let Some((payload_type, payload)) = self.early.remove(&self.expected) {
            self.expected += 1;
            self.work(payload_type, &payload);
        }
    }

    fn work(&mut self, payload_type: u32, payload: &Bytes) {
        match payload_type {
            HANDSHAKE_RESPONSE => {
                let response: serde_json::Value = serde_json::from_slice(payload).expect("JSON");
                assert_eq!(response["ProcessedClientActions"][0]["ActionStatus"], 1);
                let took = self.started.elapsed().as_nanos() as u64;
                let complete = json!({ "HandshakeTimeToComplete": took, "CustomerMessage": "" });
                self.send(HANDSHAKE_COMPLETE, complete.to_string().as_bytes());
            }
            OUTPUT => {
                self.stream.extend_from_slice(payload);
                self.streams();
            }
            FLAG => {}
            other => panic!("the client sends a payload of type {other}"),
        }
    }

    fn streams(&mut self) {
        while self.stream.len() >= 8 {
            assert_eq!(self.stream[0], 1, "version of the multiplexer");
            let length = usize::from(u16::from_le_bytes([self.stream[2], self.stream[3]]));
            if self.stream.len() < 8 + length {
                return;
            }
            let mut frame = self.stream.split_to(8 + length);
            let command = frame[1];
            frame.advance(4);
            let stream = frame.get_u32_le();
            match command {
                0 => {
                    assert_eq!(stream % 2, 1, "streams of the client are odd");
                    self.shared.seen.n_streams.fetch_add(1, Ordering::Relaxed);
                    let (writer, queue) = mpsc::unbounded_channel();
                    self.writers.insert(stream, writer);
                    tokio::spawn(connect(stream, self.destination, queue, self.from_streams.clone()));
                }
                1 => drop(self.writers.remove(&stream)),
                2 => {
                    if let Some(writer) = self.writers.get(&stream) {
                        let _ = writer.send(frame.freeze());
                    }
                }
                3 => {}
                other => panic!("the client sends the multiplexer's command {other}"),
            }
        }
    }
}

/// A stream and its connection to the destination; as in the real agent, the end of the stream closes the connection.
async fn connect(
    stream: u32,
    destination: SocketAddr,
    mut queue: mpsc::UnboundedReceiver<Bytes>,
    to_agent: mpsc::Sender<FromStream>,
) {
    let Ok(socket) = TcpStream::connect(destination).await else {
        let _ = to_agent.send(FromStream::Refused(stream)).await;
        return;
    };
    let _ = socket.set_nodelay(true);
    let (mut reader, mut writer) = socket.into_split();
    let up = async {
        while let Some(bytes) = queue.recv().await {
            if writer.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    let down = async {
        let mut buffer = vec![0; 32 * 1024];
        while let Ok(n_bytes @ 1..) = reader.read(&mut buffer).await {
            if to_agent.send(FromStream::Data(stream, buffer[..n_bytes].to_vec())).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
    let _ = to_agent.send(FromStream::End(stream)).await;
}

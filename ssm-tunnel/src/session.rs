//! Drives a session: one task that owns the channel, the multiplexer and the web socket, and that goes on over a new web
//! socket when the old one is cut.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, Stream, StreamExt, stream::SplitSink};
use serde_json::json;
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_tungstenite::tungstenite::{Error as WsError, Message as WsMessage};

use super::{
    Event, Events, Route, Service, Traffic, TunnelError,
    channel::{Arrived, Channel},
    handshake,
    message::{Flag, PayloadType},
    service::{Socket, Ticket},
    smux,
};

/// Bytes per frame: what AWS's plugin sends, and so what the service is known to take.
const PAYLOAD: usize = 1024;
/// Bytes that wait for local readers before no more are taken from the network.
const BACKLOG: usize = 16 * 1024 * 1024;
/// Frames that are worked off before other things get their turn.
const TURN: usize = 64;
const TICK: Duration = Duration::from_millis(50);
const PING: Duration = Duration::from_secs(30);
/// Without a sign of life for this long the connection counts as cut.
const DEAF: Duration = Duration::from_secs(90);
/// smux's own keep-alive, for agents that insist.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How long the agent may take to introduce itself.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// How long resuming is tried: a laptop's lid, a train's tunnel.
const RESUME_FOR: Duration = Duration::from_secs(300);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// From a local connection to the session.
pub(super) enum Command {
    Open(u32, mpsc::UnboundedSender<Held>),
    Data(u32, Bytes),
    Finish(u32),
}

/// Bytes on their way to a local connection; they count against the backlog until they are dropped.
pub(super) struct Held {
    pub(super) bytes: Bytes,
    backlog: Arc<Backlog>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.backlog.bytes.fetch_sub(self.bytes.len(), Ordering::AcqRel);
        self.backlog.room.notify_one();
    }
}

#[derive(Default)]
struct Backlog {
    bytes: AtomicUsize,
    room: Notify,
}

impl Backlog {
    fn has_room(&self) -> bool {
        self.bytes.load(Ordering::Acquire) < BACKLOG
    }
}

/// How a web socket's time ended.
enum Turn {
    /// The caller wants the end.
    Stopped,
    /// The network.
    Cut(String),
}

pub(super) struct Session {
    service: Service,
    route: Route,
    id: String,
    channel: Channel,
    decoder: smux::Decoder,
    streams: HashMap<u32, mpsc::UnboundedSender<Held>>,
    commands: mpsc::Receiver<Command>,
    backlog: Arc<Backlog>,
    traffic: Arc<Traffic>,
    events: Events,
    ready: Option<oneshot::Sender<()>>,
    agent: Option<handshake::Agreement>,
    is_complete: bool,
    stop: watch::Receiver<bool>,
}

impl Session {
    /// Starts a session and drives it to its end. `ready` fires when data may flow.
    pub(super) async fn run(
        service: Service,
        route: Route,
        commands: mpsc::Receiver<Command>,
        traffic: Arc<Traffic>,
        events: Events,
        ready: oneshot::Sender<()>,
        stop: watch::Receiver<bool>,
    ) -> Result<(), TunnelError> {
        let ticket = service.start(&route).await?;
        let mut session = Self {
            id: ticket.session_id.clone(),
            channel: Channel::default(),
            decoder: smux::Decoder::default(),
            streams: HashMap::new(),
            backlog: Arc::default(),
            ready: Some(ready),
            agent: None,
            is_complete: false,
            service,
            route,
            commands,
            traffic,
            events,
            stop,
        };
        let result = session.drive(ticket).await;
        // Whatever happened, the session must not stay open on the instance; that it is gone already is fine.
        let ended = session.service.terminate(&session.id).await;
        match result {
            Ok(()) => ended,
            Err(err) => Err(err),
        }
    }

    async fn drive(&mut self, ticket: Ticket) -> Result<(), TunnelError> {
        let mut socket = self.open(&ticket).await?;
        loop {
            match self.turn(socket).await? {
                Turn::Stopped => return Ok(()),
                Turn::Cut(reason) => {
                    (self.events)(Event::Cut { reason });
                    let start = Instant::now();
                    let Some(resumed) = self.resume(start).await? else { return Ok(()) };
                    socket = resumed;
                    (self.events)(Event::Resumed { after: start.elapsed() });
                }
            }
        }
    }

    /// Opens the web socket and shows the token.
    async fn open(&self, ticket: &Ticket) -> Result<Socket, TunnelError> {
        let mut socket = self.service.connect(ticket).await?;
        let opening = json!({
            "MessageSchemaVersion": "1.0",
            "RequestId": uuid::Builder::from_random_bytes(rand::random()).into_uuid().to_string(),
            "TokenValue": ticket.token.expose(),
            "ClientId": self.id,
            "ClientVersion": handshake::CLIENT_VERSION,
        });
        socket
            .send(WsMessage::text(opening.to_string()))
            .await
            .map_err(|it| TunnelError::Socket(format!("open the session's stream: {it}")))?;
        Ok(socket)
    }

    /// A new web socket for this session; `None` when the caller has had enough.
    async fn resume(&mut self, start: Instant) -> Result<Option<Socket>, TunnelError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let attempt = async {
                match self.service.resume(&self.id).await? {
                    Some(ticket) => self.open(&ticket).await,
                    None => Err(TunnelError::Gone),
                }
            };
            let mut stop = self.stop.clone();
            let result = tokio::select! {
                result = attempt => result,
                () = wanted(&mut stop) => return Ok(None),
            };
            match result {
                Ok(socket) => return Ok(Some(socket)),
                // These get no better by waiting.
                Err(err @ (TunnelError::Gone | TunnelError::Denied { .. })) => return Err(err),
                Err(err) if start.elapsed() > RESUME_FOR => return Err(err),
                Err(_) => {}
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = wanted(&mut stop) => return Ok(None),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Works over one web socket until it is cut or the caller wants the end.
    async fn turn(&mut self, socket: Socket) -> Result<Turn, TunnelError> {
        let (sink, mut source) = socket.split();
        let (out, queue) = mpsc::unbounded_channel();
        let mut writer = std::pin::pin!(write(sink, queue));
        for frame in self.channel.after_a_cut(Instant::now()) {
            let _ = out.send(WsMessage::Binary(frame));
        }
        let started = Instant::now();
        let mut heard = started;
        let mut kept_alive = started;
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pings = interval(PING);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let backlog = Arc::clone(&self.backlog);
        let mut stop = self.stop.clone();
        loop {
            let can_read = backlog.has_room();
            let can_send = self.is_complete && self.channel.has_room();
            tokio::select! {
                () = wanted(&mut stop) => {
                    let flag = Flag::TerminateSession.to_payload();
                    let _ = out.send(WsMessage::Binary(self.channel.send(Instant::now(), PayloadType::Flag, flag)));
                    drop(out);
                    // The service is told by TerminateSession as well; this is the quick way to the agent.
                    let _ = timeout(Duration::from_secs(2), &mut writer).await;
                    return Ok(Turn::Stopped);
                }
                result = &mut writer => return Ok(Turn::Cut(result)),
                frame = source.next(), if can_read => {
                    heard = Instant::now();
                    if let Some(cut) = self.take(frame, &mut source, &out)? {
                        return Ok(Turn::Cut(cut));
                    }
                }
                command = self.commands.recv(), if can_send => {
                    let Some(command) = command else { return Ok(Turn::Stopped) };
                    self.obey(command, &out);
                }
                () = backlog.room.notified(), if !can_read => heard = Instant::now(),
                _ = ticks.tick() => {
                    let now = Instant::now();
                    for frame in self.channel.due(now)? {
                        let _ = out.send(WsMessage::Binary(frame));
                    }
                    self.traffic.retransmitted.store(self.channel.retransmitted, Ordering::Relaxed);
                    if !self.is_complete && now - started > HANDSHAKE {
                        return Err(TunnelError::Silent { target: self.route.target.clone(), seconds: HANDSHAKE.as_secs() });
                    }
                    let wants_keep_alive = self.agent.as_ref().is_some_and(|it| it.keep_alive);
                    if can_send && wants_keep_alive && now - kept_alive > KEEP_ALIVE {
                        kept_alive = now;
                        self.send(&smux::encode(smux::Command::Nothing, 0, b""), &out);
                    }
                }
                _ = pings.tick() => {
                    // While no local reader has room, this side does not listen.
                    if can_read && heard.elapsed() > DEAF {
                        return Ok(Turn::Cut(format!("nothing was heard for {} seconds", DEAF.as_secs())));
                    }
                    let _ = out.send(WsMessage::Ping(Bytes::new()));
                }
            }
        }
    }

    /// Takes in a frame and whatever else has arrived by now. Answers with why the web socket ended, if it did.
    fn take(
        &mut self,
        first: Option<Result<WsMessage, WsError>>,
        source: &mut (impl Stream<Item = Result<WsMessage, WsError>> + Unpin),
        out: &mpsc::UnboundedSender<WsMessage>,
    ) -> Result<Option<String>, TunnelError> {
        let mut next = Some(first);
        let (mut replies, mut arrived) = (Vec::new(), Vec::new());
        let mut n_frames = 0;
        let mut cut = None;
        while let Some(frame) = next {
            match frame {
                Some(Ok(WsMessage::Binary(frame))) => {
                    self.channel.receive(Instant::now(), &frame, &mut replies, &mut arrived)?;
                }
                Some(Ok(WsMessage::Close(frame))) => {
                    let reason = frame.map(|it| it.reason.to_string()).filter(|it| !it.is_empty());
                    cut = Some(reason.unwrap_or_else(|| "the service has closed the connection".into()));
                }
                Some(Ok(_)) => {}
                Some(Err(err)) => cut = Some(err.to_string()),
                None => cut = Some("the connection was closed".into()),
            }
            n_frames += 1;
            let go_on = cut.is_none() && n_frames < TURN;
            next = if go_on { source.next().now_or_never() } else { None };
        }
        for frame in replies {
            let _ = out.send(WsMessage::Binary(frame));
        }
        for it in arrived {
            match it {
                Arrived::Payload(kind, payload) => self.payload(kind, &payload, out)?,
                Arrived::Closed(reason) => return Err(TunnelError::Ended(reason)),
            }
        }
        Ok(cut)
    }

    fn payload(
        &mut self,
        kind: PayloadType,
        payload: &Bytes,
        out: &mpsc::UnboundedSender<WsMessage>,
    ) -> Result<(), TunnelError> {
        match kind {
            PayloadType::HandshakeRequest => {
                let agreement = handshake::answer(payload)?;
                let response = agreement.response.clone();
                self.agent = Some(agreement);
                let frame = self.channel.send(Instant::now(), PayloadType::HandshakeResponse, response);
                let _ = out.send(WsMessage::Binary(frame));
            }
            PayloadType::HandshakeComplete => {
                let Some(agreement) = &self.agent else {
                    return Err(TunnelError::Protocol("the agent skipped the handshake".into()));
                };
                self.is_complete = true;
                (self.events)(Event::Ready { agent_version: agreement.agent_version.clone() });
                if let Some(ready) = self.ready.take() {
                    let _ = ready.send(());
                }
            }
            PayloadType::Flag if Flag::from_payload(payload) == Some(Flag::ConnectToPortError) => {
                self.traffic.refused.fetch_add(1, Ordering::Relaxed);
                (self.events)(Event::Refused);
            }
            PayloadType::Output => {
                self.decoder.feed(payload);
                while let Some(frame) =
                    self.decoder.next_frame().map_err(|it| TunnelError::Protocol(it.to_string()))?
                {
                    self.deliver(frame);
                }
            }
            PayloadType::HandshakeResponse | PayloadType::Flag | PayloadType::Other(_) => {}
        }
        Ok(())
    }

    /// Hands bytes to the local connection that they belong to.
    fn deliver(&mut self, frame: smux::Frame) {
        match frame.command {
            smux::Command::Push => {
                self.traffic.received.fetch_add(frame.payload.len() as u64, Ordering::Relaxed);
                let Some(stream) = self.streams.get(&frame.stream) else { return };
                self.backlog.bytes.fetch_add(frame.payload.len(), Ordering::AcqRel);
                let held = Held { bytes: frame.payload, backlog: Arc::clone(&self.backlog) };
                if stream.send(held).is_err() {
                    self.streams.remove(&frame.stream);
                }
            }
            // The local connection sees the end when its sender is gone.
            smux::Command::Finish => drop(self.streams.remove(&frame.stream)),
            smux::Command::Open | smux::Command::Nothing => {}
        }
    }

    fn obey(&mut self, command: Command, out: &mpsc::UnboundedSender<WsMessage>) {
        match command {
            Command::Open(stream, down) => {
                self.streams.insert(stream, down);
                self.send(&smux::encode(smux::Command::Open, stream, b""), out);
            }
            Command::Data(stream, bytes) => {
                self.traffic.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                self.send(&smux::encode(smux::Command::Push, stream, &bytes), out);
            }
            Command::Finish(stream) => self.send(&smux::encode(smux::Command::Finish, stream, b""), out),
        }
    }

    fn send(&mut self, bytes: &Bytes, out: &mpsc::UnboundedSender<WsMessage>) {
        let now = Instant::now();
        for start in (0..bytes.len()).step_by(PAYLOAD) {
            let piece = bytes.slice(start..(start + PAYLOAD).min(bytes.len()));
            let _ = out.send(WsMessage::Binary(self.channel.send(now, PayloadType::Output, piece)));
        }
    }
}

/// Returns when the caller wants the end, or is gone.
async fn wanted(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|it| *it).await;
}

/// Writes what is queued, several frames per write. Ends with why it cannot go on, or when the queue is closed.
async fn write(
    mut sink: SplitSink<Socket, WsMessage>,
    mut queue: mpsc::UnboundedReceiver<WsMessage>,
) -> String {
    while let Some(first) = queue.recv().await {
        let mut next = Some(first);
        while let Some(message) = next {
            if let Err(err) = sink.feed(message).await {
                return err.to_string();
            }
            next = queue.try_recv().ok();
        }
        if let Err(err) = sink.flush().await {
            return err.to_string();
        }
    }
    let _ = sink.close().await;
    String::new()
}

//! The local end: a port on the loopback interface whose connections become streams of the session.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot, watch},
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use super::{
    Event, Events, Route, Service, Traffic, TunnelError,
    session::{Command, Held, Session},
    smux,
};

/// Bytes that are taken from a local connection at once.
const PIECE: usize = smux::MAX_PAYLOAD;
/// Commands that may wait for the session; with them, a connection's bytes.
const QUEUE: usize = 64;
/// How long the far end may take to end a stream that this side has ended.
const FAREWELL: Duration = Duration::from_secs(30);

/// An open tunnel. Dropping it closes the local port and forgets the session; [`Tunnel::close`] ends the session too.
#[derive(Debug)]
pub struct Tunnel {
    local: SocketAddr,
    traffic: Arc<Traffic>,
    stop: watch::Sender<bool>,
    session: JoinHandle<Result<(), TunnelError>>,
    accepting: JoinHandle<()>,
}

impl Tunnel {
    /// Starts a session and returns when connections can be made. Port 0 takes a free one.
    ///
    /// # Errors
    /// See [`TunnelError`]. A session that was started by then is ended.
    pub async fn open(
        service: Service,
        route: Route,
        local_port: u16,
        events: Events,
    ) -> Result<Self, TunnelError> {
        // The port first: without it, there is no need for a session.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, local_port))
            .await
            .map_err(|reason| TunnelError::Bind { port: local_port, reason })?;
        let local = listener.local_addr().map_err(|reason| TunnelError::Bind { port: local_port, reason })?;
        let traffic = Arc::new(Traffic::default());
        let (commands, queue) = mpsc::channel(QUEUE);
        let (ready, is_ready) = oneshot::channel();
        let (stop, stopped) = watch::channel(false);
        let session = tokio::spawn(Session::run(
            service,
            route,
            queue,
            Arc::clone(&traffic),
            Arc::clone(&events),
            ready,
            stopped,
        ));
        if is_ready.await.is_err() {
            return Err(outcome(session.await).err().unwrap_or(TunnelError::Gone));
        }
        let accepting = tokio::spawn(accept(listener, commands, Arc::clone(&traffic), events));
        Ok(Self { local, traffic, stop, session, accepting })
    }

    /// Where to connect to.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Counters.
    pub fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    /// Returns when the tunnel ends by itself, with the reason. May be dropped and called again.
    pub async fn ended(&mut self) -> TunnelError {
        outcome((&mut self.session).await).err().unwrap_or(TunnelError::Gone)
    }

    /// Ends the session and returns when the service knows.
    ///
    /// # Errors
    /// When it could not be told; the session then ends when it has been idle for long.
    pub async fn close(mut self) -> Result<(), TunnelError> {
        let _ = self.stop.send(true);
        outcome((&mut self.session).await)
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        // The session's task ends the session on its own, if the runtime lives long enough.
        let _ = self.stop.send(true);
        self.accepting.abort();
    }
}

fn outcome(joined: Result<Result<(), TunnelError>, tokio::task::JoinError>) -> Result<(), TunnelError> {
    joined.unwrap_or_else(|it| Err(TunnelError::Protocol(format!("the session's task ended: {it}"))))
}

async fn accept(
    listener: TcpListener,
    commands: mpsc::Sender<Command>,
    traffic: Arc<Traffic>,
    events: Events,
) {
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Too many open files, or a client that left already: the next one may fare better.
                let Ok((socket, _)) = accepted else {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                };
                number += 1;
                // Odd numbers belong to the side that opens streams.
                let Ok(stream) = u32::try_from(number * 2 - 1) else { return };
                let (commands, traffic, events) = (commands.clone(), Arc::clone(&traffic), Arc::clone(&events));
                connections.spawn(async move {
                    events(Event::Opened { number });
                    traffic.open.fetch_add(1, Ordering::Relaxed);
                    let (sent, received) = carry(socket, stream, &commands).await;
                    traffic.open.fetch_sub(1, Ordering::Relaxed);
                    events(Event::Finished { number, sent, received });
                });
            }
            Some(_) = connections.join_next() => {}
            () = commands.closed() => return,
        }
    }
}

/// Carries one connection to its end.
async fn carry(socket: TcpStream, stream: u32, commands: &mpsc::Sender<Command>) -> (u64, u64) {
    // Requests of a database are small and wait for their answers.
    let _ = socket.set_nodelay(true);
    let (mut reader, mut writer) = socket.into_split();
    let (down, mut arriving) = mpsc::unbounded_channel::<Held>();
    if commands.send(Command::Open(stream, down)).await.is_err() {
        return (0, 0);
    }
    let sent = AtomicU64::new(0);
    let received = AtomicU64::new(0);
    let up = async {
        let mut buffer = vec![0; PIECE];
        while let Ok(n_bytes @ 1..) = reader.read(&mut buffer).await {
            sent.fetch_add(n_bytes as u64, Ordering::Relaxed);
            let piece = Bytes::copy_from_slice(&buffer[..n_bytes]);
            if commands.send(Command::Data(stream, piece)).await.is_err() {
                break;
            }
        }
    };
    let down = async {
        while let Some(held) = arriving.recv().await {
            if writer.write_all(&held.bytes).await.is_err() {
                return;
            }
            received.fetch_add(held.bytes.len() as u64, Ordering::Relaxed);
        }
        let _ = writer.shutdown().await;
    };
    let mut down = Box::pin(down);
    tokio::select! {
        () = up => {
            // The agent closes its connection at once when a stream is finished, so what was sent must be ahead of this.
            let _ = commands.send(Command::Finish(stream)).await;
            let _ = timeout(FAREWELL, &mut down).await;
        }
        () = &mut down => {
            let _ = commands.send(Command::Finish(stream)).await;
        }
    }
    drop(down);
    (sent.into_inner(), received.into_inner())
}

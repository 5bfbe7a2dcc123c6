//! A TCP proxy that misbehaves on demand: put it between a program and its database.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How the link behaves from now on, for connections old and new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Bytes pass at once.
    Up,
    /// Every chunk, either way, passes this much later.
    Slow(Duration),
    /// Connections stand, nothing passes: a black hole.
    Stalled,
    /// Existing connections are cut; new ones are refused by the system, as when nobody listens.
    Refused,
}

/// The proxy. Dropping it cuts everything.
#[derive(Debug)]
pub struct ChaosProxy {
    address: SocketAddr,
    link: watch::Sender<Link>,
    cut: watch::Sender<u64>,
    listening: watch::Receiver<bool>,
    acceptor: JoinHandle<()>,
}

impl ChaosProxy {
    /// Listens on a free loopback port and forwards to `target`.
    pub async fn start(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (link, link_rx) = watch::channel(Link::Up);
        let (cut, cut_rx) = watch::channel(0);
        let (listening_tx, listening) = watch::channel(true);
        let acceptor = tokio::spawn(accept(listener, target, link_rx, cut_rx, listening_tx));
        Ok(Self { address, link, cut, listening, acceptor })
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the link's behaviour; when this returns, the change is in force for new connections.
    pub async fn set(&self, link: Link) {
        self.link.send_replace(link);
        if link == Link::Refused {
            self.cut();
        }
        let mut listening = self.listening.clone();
        // An error means that the proxy is shutting down: nothing listens then.
        let _ = listening.wait_for(|it| *it == (link != Link::Refused)).await;
    }

    /// Cuts the connections of this moment; new ones are welcome.
    pub fn cut(&self) {
        self.cut.send_modify(|it| *it += 1);
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.acceptor.abort();
        // Dropping the senders ends the forwarding tasks.
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    mut link: watch::Receiver<Link>,
    cut: watch::Receiver<u64>,
    listening: watch::Sender<bool>,
) {
    let Ok(address) = listener.local_addr() else { return };
    let mut listener = Some(listener);
    loop {
        let refused = *link.borrow_and_update() == Link::Refused;
        if refused {
            listener = None;
        } else if listener.is_none() {
            listener = TcpListener::bind(address).await.ok();
        }
        listening.send_replace(listener.is_some());
        tokio::select! {
            changed = link.changed() => if changed.is_err() { return },
            // The port was taken just now: try again.
            () = tokio::time::sleep(Duration::from_millis(20)), if !refused && listener.is_none() => {}
            Ok((client, _)) = accept_one(listener.as_ref()) => {
                tokio::spawn(forward(client, target, link.clone(), cut.clone()));
            }
        }
    }
}

async fn accept_one(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

async fn forward(
    client: TcpStream,
    target: SocketAddr,
    link: watch::Receiver<Link>,
    mut cut: watch::Receiver<u64>,
) {
    cut.mark_unchanged();
    let pass = async {
        let server = TcpStream::connect(target).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (client_read, client_write) = client.into_split();
        let (server_read, server_write) = server.into_split();
        tokio::select! {
            it = pump(client_read, server_write, link.clone()) => it,
            it = pump(server_read, client_write, link.clone()) => it,
        }
    };
    tokio::select! {
        // Either side closed: dropping both halves closes the other.
        _ = pass => {}
        _ = cut.changed() => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut link: watch::Receiver<Link>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let n = from.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        let now = *link.borrow_and_update();
        match now {
            Link::Up | Link::Refused => {}
            Link::Slow(delay) => tokio::time::sleep(delay).await,
            Link::Stalled => {
                link.wait_for(|it| *it != Link::Stalled).await.map_err(io::Error::other)?;
            }
        }
        to.write_all(&buffer[..n]).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    async fn echo_server() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        address
    }

    async fn ping(stream: &mut TcpStream) -> io::Result<()> {
        stream.write_all(b"ping").await?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await?;
        assert_eq!(&answer, b"ping");
        Ok(())
    }

    #[tokio::test]
    async fn cut_ends_old_connections_and_new_ones_work() {
        let proxy = ChaosProxy::start(echo_server().await).await.unwrap();
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        ping(&mut stream).await.unwrap();
        proxy.cut();
        assert!(ping(&mut stream).await.is_err());
        ping(&mut TcpStream::connect(proxy.address()).await.unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn refused_is_what_a_closed_port_gives_and_ends() {
        let proxy = ChaosProxy::start(echo_server().await).await.unwrap();
        let mut old = TcpStream::connect(proxy.address()).await.unwrap();
        ping(&mut old).await.unwrap();
        proxy.set(Link::Refused).await;
        let error = TcpStream::connect(proxy.address()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(ping(&mut old).await.is_err());
        proxy.set(Link::Up).await;
        ping(&mut TcpStream::connect(proxy.address()).await.unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn slow_and_stalled_hold_bytes_back() {
        let proxy = ChaosProxy::start(echo_server().await).await.unwrap();
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        proxy.set(Link::Slow(Duration::from_millis(50))).await;
        let before = Instant::now();
        ping(&mut stream).await.unwrap();
        assert!(before.elapsed() >= Duration::from_millis(100), "one delay each way");
        proxy.set(Link::Stalled).await;
        let answer = tokio::time::timeout(Duration::from_millis(100), ping(&mut stream)).await;
        assert!(answer.is_err(), "nothing may pass a stalled link");
    }
}

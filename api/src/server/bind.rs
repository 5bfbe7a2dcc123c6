//! Listening sockets: TCP with PostgREST's special host names, and Unix sockets with a mode.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// Connections the kernel keeps until they are accepted.
const BACKLOG: i32 = 2048;

/// A listening socket.
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// Unix, with its path.
    Unix(UnixListener, PathBuf),
}

/// An accepted connection.
pub enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// Unix.
    Unix(UnixStream),
}

impl Listener {
    /// Where it listens, as the log tells it: `127.0.0.1:80`, `[::1]:80` or a path.
    pub fn address(&self) -> io::Result<String> {
        match self {
            Self::Tcp(listener) => Ok(listener.local_addr()?.to_string()),
            Self::Unix(_, path) => Ok(path.display().to_string()),
        }
    }

    /// The path of a Unix socket.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Tcp(_) => None,
            Self::Unix(_, path) => Some(path),
        }
    }

    /// A connection over TCP whose client takes nothing for so long is ended by the system, also when it was closed here.
    pub(super) fn give_up_sending_after(&self, limit: std::time::Duration) -> io::Result<()> {
        match self {
            Self::Tcp(listener) if limit.as_millis() <= u128::from(u32::MAX) => {
                // Those that are accepted inherit it.
                SockRef::from(listener).set_tcp_user_timeout(Some(limit))
            }
            _ => Ok(()),
        }
    }

    /// The next connection and the peer's address for the access log.
    pub(super) async fn accept(&self) -> io::Result<(Stream, Arc<str>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Stream::Tcp(stream), peer.ip().to_canonical().to_string().into()))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::Unix(stream), "-".into()))
            }
        }
    }
}

/// Which addresses a host setting stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    /// Either, IPv4 first.
    PreferV4,
    /// Either, IPv6 first.
    PreferV6,
    OnlyV4,
    OnlyV6,
}

/// Whether a host setting names a set of addresses instead of one host.
pub fn is_special_host(host: &str) -> bool {
    special_host(host).is_some()
}

fn special_host(host: &str) -> Option<Family> {
    match host {
        "*" | "*4" => Some(Family::PreferV4),
        "!4" => Some(Family::OnlyV4),
        "*6" => Some(Family::PreferV6),
        "!6" => Some(Family::OnlyV6),
        _ => None,
    }
}

fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let v4 = SocketAddr::from(([0, 0, 0, 0], port));
    let v6 = SocketAddr::from(([0u16; 8], port));
    Ok(match special_host(host) {
        Some(Family::PreferV4) => vec![v4, v6],
        Some(Family::PreferV6) => vec![v6, v4],
        Some(Family::OnlyV4) => vec![v4],
        Some(Family::OnlyV6) => vec![v6],
        None => (host, port).to_socket_addrs()?.collect(),
    })
}

/// Listens on the first address of the host that can be bound.
pub fn tcp(host: &str, port: u16, reuse_port: bool) -> io::Result<Listener> {
    let only_v6 = special_host(host) == Some(Family::OnlyV6);
    let mut failure = io::Error::new(io::ErrorKind::NotFound, format!("host '{host}' has no address"));
    for address in addresses(host, port)? {
        match bind(address, only_v6, reuse_port) {
            Ok(listener) => return Ok(Listener::Tcp(listener)),
            Err(error) => {
                failure = io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"));
            }
        }
    }
    Err(failure)
}

fn bind(address: SocketAddr, only_v6: bool, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if reuse_port {
        socket.set_reuse_port(true)?;
    }
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// Listens on a Unix socket, replacing a socket left behind at its path.
pub fn unix(path: &Path, mode: u32) -> io::Result<Listener> {
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("cannot listen on unix socket '{}': {error}", path.display()))
    };
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path).map_err(named)?,
        // A path that was mistyped must not cost anybody a file.
        Ok(_) => {
            return Err(named(io::Error::new(io::ErrorKind::AlreadyExists, "it exists and is no socket")));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(named(error)),
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(named)?;
    socket.bind(&socket2::SockAddr::unix(path).map_err(named)?).map_err(named)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(named)?;
    socket.listen(BACKLOG).map_err(named)?;
    socket.set_nonblocking(true).map_err(named)?;
    Ok(Listener::Unix(UnixListener::from_std(socket.into()).map_err(named)?, path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_sockets_are_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("api.sock");
        std::fs::write(&path, "precious").unwrap();
        let error = unix(&path, 0o600).err().unwrap().to_string();
        assert!(error.ends_with("api.sock': it exists and is no socket"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        std::fs::remove_file(&path).unwrap();
        drop(unix(&path, 0o600).unwrap());
        unix(&path, 0o600).unwrap();
    }

    #[test]
    fn special_hosts_choose_family_and_order() {
        let families =
            |host| -> Vec<bool> { addresses(host, 1).unwrap().iter().map(SocketAddr::is_ipv6).collect() };
        assert_eq!(families("*"), [false, true]);
        assert_eq!(families("*4"), [false, true]);
        assert_eq!(families("!4"), [false]);
        assert_eq!(families("*6"), [true, false]);
        assert_eq!(families("!6"), [true]);
        assert_eq!(families("127.0.0.1"), [false]);
    }
}

//! Reaching a server: names, addresses, sockets, and the question for TLS.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::conninfo::{ConnInfo, Host, SslNegotiation};
use crate::stream::Stream;
use crate::tls;

/// Where sockets are when nobody says: Debian's place and that of the sources.
const DEFAULT_SOCKET_DIRS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// A place to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Network address.
    Tcp(SocketAddr),
    /// Path of a socket; a leading `@` means Linux' abstract namespace.
    Unix(PathBuf),
}

/// The addresses of a host, or what is wrong with its name.
pub async fn resolve(host: &Host) -> Result<Vec<Endpoint>, String> {
    if let Some(addr) = host.addr {
        return Ok(vec![Endpoint::Tcp((addr, host.port).into())]);
    }
    let file = format!(".s.PGSQL.{}", host.port);
    if let Some(dir) = host.socket_dir() {
        return Ok(vec![Endpoint::Unix(Path::new(dir).join(file))]);
    }
    let Some(name) = &host.name else {
        let existing = DEFAULT_SOCKET_DIRS.iter().find(|it| Path::new(it).join(&file).exists());
        let dir = existing.unwrap_or(&DEFAULT_SOCKET_DIRS[0]);
        return Ok(vec![Endpoint::Unix(Path::new(dir).join(file))]);
    };
    match tokio::net::lookup_host((name.as_str(), host.port)).await {
        Ok(found) => Ok(found.map(Endpoint::Tcp).collect()),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason.rsplit(": ").next().unwrap_or(&reason);
            Err(format!("could not translate host name \"{name}\" to address: {reason}\n"))
        }
    }
}

/// Opens a socket.
pub async fn open(endpoint: &Endpoint, info: &ConnInfo) -> io::Result<Stream> {
    match endpoint {
        Endpoint::Unix(path) => match path.to_str().and_then(|it| it.strip_prefix('@')) {
            Some(name) => {
                use std::os::linux::net::SocketAddrExt;
                let addr = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
                let socket = std::os::unix::net::UnixStream::connect_addr(&addr)?;
                socket.set_nonblocking(true)?;
                UnixStream::from_std(socket).map(Stream::Unix)
            }
            None => UnixStream::connect(path).await.map(Stream::Unix),
        },
        Endpoint::Tcp(addr) => {
            let stream = TcpStream::connect(addr).await?;
            stream.set_nodelay(true)?;
            let socket = SockRef::from(&stream);
            if let Some(keepalive) = &info.keepalive {
                let mut params = TcpKeepalive::new();
                if let Some(idle) = keepalive.idle {
                    params = params.with_time(idle);
                }
                if let Some(interval) = keepalive.interval {
                    params = params.with_interval(interval);
                }
                if let Some(count) = keepalive.count {
                    params = params.with_retries(count);
                }
                socket.set_keepalive(true)?;
                socket.set_tcp_keepalive(&params)?;
            }
            if let Some(timeout) = info.tcp_user_timeout {
                socket.set_tcp_user_timeout(Some(timeout))?;
            }
            Ok(Stream::Tcp(stream))
        }
    }
}

/// The outcome of asking for TLS.
pub enum Negotiated {
    /// Encrypted.
    Tls(Stream),
    /// The server cannot; the connection goes on without.
    Refused(Stream),
}

/// Asks for TLS and performs the handshake.
pub async fn negotiate(
    stream: Stream,
    host: &str,
    negotiation: SslNegotiation,
    config: Arc<rustls::ClientConfig>,
) -> Result<Negotiated, String> {
    let Stream::Tcp(mut tcp) = stream else { return Ok(Negotiated::Refused(stream)) };
    if negotiation == SslNegotiation::Postgres {
        let mut request = bytes::BytesMut::new();
        postgres_protocol::message::frontend::ssl_request(&mut request);
        tcp.write_all(&request).await.map_err(|it| lost(&it))?;
        // Exactly one byte: anything sent in the clear behind it must not count as decrypted.
        match tcp.read_u8().await.map_err(|it| lost(&it))? {
            b'S' => {}
            b'N' => return Ok(Negotiated::Refused(Stream::Tcp(tcp))),
            other => {
                return Err(format!("received invalid response to SSL negotiation: {}\n", char::from(other)));
            }
        }
    }
    match tls::handshake(tcp, host, config).await {
        Ok(stream) => Ok(Negotiated::Tls(Stream::Tls(Box::new(stream)))),
        Err(error) => Err(match error.get_ref().and_then(|it| it.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other))) => {
                format!("{}\n", other.0)
            }
            Some(rustls::Error::InvalidCertificate(reason)) => {
                format!("SSL error: certificate verify failed: {reason}\n")
            }
            _ => format!("SSL error: {error}\n"),
        }),
    }
}

/// An I/O error while the connection was being made.
pub fn lost(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            "server closed the connection unexpectedly\n\tThis probably means the server terminated abnormally\n\tbefore or while processing the request.\n".into()
        }
        _ => format!("{}\n", system_message(error)),
    }
}

/// The operating system's words, without the number that Rust adds.
pub fn system_message(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

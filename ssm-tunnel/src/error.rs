//! The way of a tunnel, and why there is none.

use aws_session::CloudError;

use crate::{channel::ChannelError, handshake::HandshakeError};

/// From where to where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Instance to go through, `i-…` or `mi-…`.
    pub target: String,
    /// Host, as the instance resolves it.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// Why there is no tunnel, or no tunnel any more.
#[derive(Debug, thiserror::Error)]
pub enum TunnelError {
    /// The group has no instance that could be used.
    #[error("{}", none_online(group, offline))]
    NoneOnline {
        /// Auto Scaling group.
        group: String,
        /// Its instances that Systems Manager has lost sight of.
        offline: Vec<String>,
    },
    /// The instance has no agent that listens.
    #[error(
        "instance {target} is not connected to Session Manager: it is stopped, its agent is not running, or it has no \
         way to the endpoints ssm and ssmmessages (NAT or interface endpoints)"
    )]
    Offline {
        /// Instance.
        target: String,
    },
    /// A permission is missing.
    #[error("{what}: not allowed; the profile needs {action}: {reason}")]
    Denied {
        /// What was tried.
        what: &'static str,
        /// IAM action.
        action: &'static str,
        /// What AWS says.
        reason: String,
    },
    /// The service said no, or nothing.
    #[error("{0}")]
    Cloud(&'static str, #[source] CloudError),
    /// The web socket.
    #[error("{0}")]
    Socket(String),
    /// TLS cannot be used on this machine.
    #[error("{0}")]
    Tls(String),
    /// The local port.
    #[error("listen on 127.0.0.1:{port}: {reason}; choose another port with --local-port, or leave it out")]
    Bind {
        /// Port.
        port: u16,
        /// Why.
        reason: std::io::Error,
    },
    /// The agent does not answer.
    #[error("the agent on {target} has not answered for {seconds} seconds")]
    Silent {
        /// Instance.
        target: String,
        /// Seconds.
        seconds: u64,
    },
    /// The agent wants what this side cannot do.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The channel broke.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The agent's byte stream is not what it should be.
    #[error("{0}")]
    Protocol(String),
    /// The service ended the session.
    #[error("Session Manager has ended the session{}", because(.0))]
    Ended(String),
    /// The connection was cut and cannot be resumed.
    #[error(
        "the connection was cut and the session is gone (they end when idle for long); start the tunnel again"
    )]
    Gone,
}

fn none_online(group: &str, offline: &[String]) -> String {
    if offline.is_empty() {
        format!(
            "no instance of the Auto Scaling group \"{group}\" is registered with Systems Manager; an instance that was \
             just started needs a minute or two, otherwise check its role (AmazonSSMManagedInstanceCore) and its way to \
             the endpoints ssm and ssmmessages"
        )
    } else {
        format!(
            "no instance of the Auto Scaling group \"{group}\" is online in Systems Manager; {} lost contact: it may be \
             stopped or without a network",
            offline.join(", ")
        )
    }
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

#![doc = include_str!("../README.md")]

mod channel;
mod error;
mod forward;
mod handshake;
mod message;
mod service;
mod session;
mod smux;
mod traffic;

pub use channel::ChannelError;
pub use error::{Route, TunnelError};
pub use forward::Tunnel;
pub use handshake::HandshakeError;
pub use message::DecodeError;
pub use service::Service;
pub use traffic::{Event, Events, Traffic};

#![doc = include_str!("../README.md")]

pub mod aws;
pub mod connect;
pub mod conninfo;
pub mod credentials;
pub mod dial;
pub mod driver;
pub mod error;
pub mod iam;
pub mod liveness;
pub mod login;
pub mod server_error;
pub mod stream;
mod tls;
pub mod wire;

pub use aws::{InvalidSource, ProcessCredentials};
pub use connect::{Connector, Source};
pub use credentials::{CredentialSource, TokenFuture, TokenSource};
pub use driver::{Driven, Notification, Notifications};
pub use error::Error;
pub use iam::{IamTokens, region_of};
pub use server_error::ServerError;
pub use wire::Wire;

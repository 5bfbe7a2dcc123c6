//! The databases of the deployments, from this machine: where they are, how one gets in, and the way through a tunnel where
//! they are private.
//!
//! ```text
//! outputs (stacks, Terraform) ─▶ place (what the outputs say) ─▶ access (tunnel, secret or token) ─▶ psql, bootstrap
//! ```
//!
//! Invariants: a password or a token leaves this module in an environment or in a driver's configuration, never in an
//! argument or a message; TLS checks the database's real name, also through a tunnel.

pub mod access;
pub mod authorities;
pub mod bootstrap;
pub mod error;
pub mod outputs;
pub mod place;
pub mod secret;
pub mod token;
pub mod trust;

pub use error::{RemoteError, RemoteResult};

/// Where AWS publishes the authorities of RDS.
pub const BUNDLE_URL: &str = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem";

//! The local stack: an origin Postgres, a custom Postgres joined to it, and the REST server, on one machine.

pub mod account;
pub mod cluster;
pub mod pgbin;
pub mod ports;
pub mod process;
pub mod testing;

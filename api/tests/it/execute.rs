//! Running statements: transactions, roles, the pool, and reaching the server.

mod connect;
mod fixture;
mod pool;
mod roles;
mod sessions;
mod shared_connections;
pub(crate) mod tls;
mod transaction;

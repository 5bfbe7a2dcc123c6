//! Running statements: transactions, roles, the pool, and reaching the server.

mod connect;
mod fixture;
mod lanes;
mod pool;
mod roles;
mod sessions;
pub(crate) mod tls;
mod transaction;

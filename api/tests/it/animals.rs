//! The animals app as its callers meet it: one contract through every way in, and the database's bad days.

mod contract;
mod database;
mod door;
pub(crate) mod emulator;
mod failures;
mod lambda;
mod local;
mod tokens;

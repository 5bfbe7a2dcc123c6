//! The local stack against real servers.

#![allow(clippy::unwrap_used, reason = "a test ends where its surroundings fail")]

mod api;
mod failures;
mod lifecycle;
mod settings;
mod support;
mod testing;

//! The local stack against real servers.

#![allow(clippy::unwrap_used, reason = "a test ends where its surroundings fail")]
#![allow(clippy::print_stderr, reason = "a skipped case says so")]

mod animals;
mod api;
mod application;
mod docker;
mod failures;
mod lifecycle;
mod settings;
mod support;
mod testing;

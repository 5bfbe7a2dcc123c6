//! The crate against real databases.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod cases;
mod large;
mod property;
mod random;
mod support;

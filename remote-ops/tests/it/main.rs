//! The commands for a deployment that is there, as they are typed: against an AWS of the tests and real databases.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![allow(clippy::print_stderr, reason = "a skipped or failed test says why")]

mod local;
mod login;
mod ops;
mod terminal;

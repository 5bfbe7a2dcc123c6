//! The crate from outside: the templates as they are, the rules against templates made to break them, the script of the host
//! run for real.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod contract;
mod guide;
mod readme;
mod samples;
mod templates;
mod user_data;

#![doc = include_str!("../README.md")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![allow(clippy::print_stderr, reason = "a skipped or failed test says why")]
#![allow(missing_docs, reason = "the fields are those of the services")]

pub mod emulator;
pub mod fake_aws;
pub mod programs;

pub use emulator::{Emulator, Run};
pub use fake_aws::{FakeAws, Faults};

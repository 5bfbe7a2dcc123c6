//! The tunnel against a Systems Manager and an agent of the tests.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod tunnel;

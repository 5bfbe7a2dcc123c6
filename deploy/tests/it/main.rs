//! The engine against a scripted CloudFormation: what it does, and the words in which a user reads it.
//! The built program against an emulator, where one can be had.
//! The checks of deployments, against good servers and broken ones.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![allow(clippy::print_stderr, reason = "a skipped or failed test says why")]

mod deploying;
mod emulator;
mod end_to_end;
mod failures;
mod fake;
mod looking;
mod statuses;
mod support;
mod terminating;
mod verifying;

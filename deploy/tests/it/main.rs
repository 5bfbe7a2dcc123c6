//! The engine against a scripted CloudFormation, and the tunnel against a Systems Manager of its own: what they do, and the
//! words in which a user reads it. The built program against an emulator, where one can be had. The checks of deployments,
//! against good servers and broken ones.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![allow(clippy::print_stderr, reason = "a skipped or failed test says why")]

mod ahead;
mod applying;
mod causes;
mod consent;
mod deploying;
#[path = "../emulator/mod.rs"]
mod emulator;
mod end_to_end;
mod failures;
mod fake;
#[path = "../fake_aws/mod.rs"]
mod fake_aws;
mod flags;
mod local;
mod login;
mod looking;
mod operations;
mod ops;
mod recovery;
mod settling;
mod statuses;
mod support;
mod terminal;
mod terminating;
mod tunnel;
mod verifying;

//! The engine against a scripted CloudFormation: what it does, and the words in which a user reads it. The built program against an emulator, where one can be had.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![allow(clippy::print_stderr, reason = "a skipped or failed test says why")]

mod ahead;
mod applying;
mod causes;
mod consent;
mod deploying;
mod end_to_end;
mod failures;
mod fake;
mod flags;
mod looking;
mod operations;
mod options;
mod own;
mod recovery;
mod settling;
mod statuses;
mod support;
mod terminating;

//! The engine against a scripted CloudFormation: what it does, and the words in which a user reads it.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod deploying;
mod failures;
mod fake;
mod looking;
mod statuses;
mod support;
mod terminating;

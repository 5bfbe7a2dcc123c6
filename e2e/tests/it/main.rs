//! End-to-end tests: one module per story.

mod docs;
#[path = "../../../deploy/tests/emulator/mod.rs"]
#[allow(
    dead_code,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "the deployment's own tests use the rest"
)]
mod emulator;
#[path = "../../../deploy/tests/fake_aws/mod.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the deployment's own tests use the rest")]
mod fake_aws;
mod joined_databases;
mod pages;
mod python_client;
mod story;

//! The built tool: what it says of a machine, images that it builds and pushes, Terraform that it drives; each where
//! an engine, a registry, or providers that pretend are.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![allow(clippy::print_stderr, reason = "a skipped test says why")]

mod completions;
mod doctor;
mod help;
mod local;
mod publish;
mod tf;

use std::process::{Command, Output};

/// A run of the tool.
fn xtask(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(args).env("NO_COLOR", "1");
    command
}

fn text(output: &Output) -> (String, String) {
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

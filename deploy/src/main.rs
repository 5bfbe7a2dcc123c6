//! `deploy`: the hybrid deployment's commands. `cargo xtask deploy` and its siblings forward to it.

mod cli;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let command = cli::Cli::parse().command;
    tokio::select! {
        result = cli::run(command) => match result {
            Ok(code) => ExitCode::from(code),
            Err(err) => {
                cli::complain(&err);
                ExitCode::FAILURE
            }
        },
        _ = tokio::signal::ctrl_c() => {
            cli::interrupted();
            ExitCode::from(130)
        }
    }
}

//! `deploy`: stacks of CloudFormation, those of this project and anybody's. `cargo xtask deploy` and its siblings forward
//! to it; `cargo install --path deploy` makes it a program of its own.

mod cli;

use std::process::ExitCode;

use aws_session::program;

fn main() -> ExitCode {
    let command = cli::parse().command;
    let code = match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let code = runtime.block_on(run(command));
            // A question may still be open on a thread of its own; nobody waits for the answer.
            runtime.shutdown_background();
            code
        }
        Err(err) => cli::complain(&err.into()),
    };
    ExitCode::from(code)
}

async fn run(command: cli::Command) -> u8 {
    let result = if cli::minds_interruption(&command) {
        cli::run(command).await
    } else {
        tokio::select! {
            result = cli::run(command) => result,
            () = program::interrupted() => return program::INTERRUPTED,
        }
    };
    result.unwrap_or_else(|err| cli::complain(&err))
}

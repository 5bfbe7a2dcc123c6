//! `deploy`: the hybrid deployment's commands. `cargo xtask deploy` and its siblings forward to it.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let command = cli::Cli::parse().command;
    let code = match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let code = runtime.block_on(run(command));
            // A question may still be open on a thread of its own; nobody waits for the answer.
            runtime.shutdown_background();
            code
        }
        Err(err) => {
            cli::complain(&err.into());
            1
        }
    };
    ExitCode::from(code)
}

async fn run(command: cli::Command) -> u8 {
    tokio::select! {
        result = cli::run(command) => result.unwrap_or_else(|err| {
            cli::complain(&err);
            1
        }),
        () = told_to_end() => {
            cli::interrupted();
            cli::INTERRUPTED
        }
    }
}

/// Ends on Ctrl-C, and when a pipeline or a closing terminal ends us.
async fn told_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut term), Ok(mut hang_up)) =
            (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
        {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = term.recv() => {}
                _ = hang_up.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

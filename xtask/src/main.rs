//! `cargo xtask`: the one tool that drives the project.
//!
//! Thin on purpose: parse, then a match with one file per command. Data goes to stdout, progress and
//! messages to stderr. Exit codes: 0 done, 1 failed, 2 usage, 3 refused at a prompt, 130 interrupted.

mod ci;
mod cli;
mod doctor;
mod local;
mod output;
mod python;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let Some(command) = cli.command else {
        output::data(&cli::overview());
        return ExitCode::SUCCESS;
    };
    let result = match command {
        Command::Up(args) => local::up(args),
        Command::Down(args) => local::down(&args),
        Command::Status(args) => local::status(&args),
        Command::Logs(args) => local::logs(&args),
        Command::Psql(args) => local::psql(&args),
        Command::Fdw(args) => local::fdw(args),
        Command::Open(args) => local::open(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Ci(args) => ci::run(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            output::failure(&error);
            ExitCode::FAILURE
        }
    }
}

#![doc = include_str!("../README.md")]

mod bench;
#[path = "../../api/benches/load/options.rs"]
#[allow(dead_code, reason = "shared with the comparison itself, which reads all of it")]
mod bench_options;
mod ci;
mod cli;
mod codegen;
mod completions;
mod db;
mod doctor;
mod forward;
mod lambda;
mod local;
mod new;
mod output;
mod publish;
mod python;
mod test;
mod tf;
mod tidy;
mod token;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::FromArgMatches;
use cli::{Cli, Command};

fn main() -> ExitCode {
    let args = help_as_flag(std::env::args_os().skip(1).collect());
    if let Some(command) = forward::find(&args) {
        return finish(forward::run(command, &args));
    }
    let matches =
        cli::command().get_matches_from(std::iter::once("cargo xtask".into()).chain(args.iter().cloned()));
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let Some(command) = cli.command else {
        output::data(&cli::overview());
        return ExitCode::SUCCESS;
    };
    finish(match command {
        Command::Up(args) => local::up(&args),
        Command::Down(args) => local::down(&args),
        Command::Status(args) => local::status(&args),
        Command::Stacks(args) => local::stacks(&args),
        Command::Logs(args) => local::logs(&args),
        Command::Psql(args) => local::psql(&args),
        Command::Fdw(args) => local::fdw(args),
        Command::Open(args) => local::open(&args),
        Command::New(args) => new::run(&args),
        Command::Db(args) => db::run(&args),
        Command::Token(args) => token::run(&args),
        Command::Codegen(args) => codegen::run(&args),
        Command::Publish(args) => publish::run(&args),
        Command::Lambda(args) => lambda::run(&args),
        Command::Tf(args) => tf::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Bench(bench) => bench::run(&bench, args.get(1..).unwrap_or_default()),
        Command::Completions(args) => completions::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Ci(args) => ci::run(&args),
        // With a command, it has become that command's `--help`.
        Command::Help(_) => {
            output::data(&cli::overview());
            Ok(ExitCode::SUCCESS)
        }
    })
}

/// `help COMMAND` is `COMMAND --help`, whichever program answers the command.
fn help_as_flag(mut args: Vec<OsString>) -> Vec<OsString> {
    if args.len() > 1 && args[0] == "help" {
        args.remove(0);
        args.push("--help".into());
    }
    args
}

/// The exit code of a command; a failure is told first.
fn finish(result: anyhow::Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) => {
            output::failure(&error);
            ExitCode::FAILURE
        }
    }
}

//! `cargo xtask db …`: the databases of an application. One file per command.

mod diff;
mod lint;
mod migrate;
mod new;
mod policies;
mod reset;
mod status;
mod test;
mod types;

use std::process::ExitCode;

use anyhow::Result;
use app_folder::AppFolder;
use bootstrap_sql::Target;
use local_stack::Stack;

use crate::cli::{AppArgs, DbArgs, DbCommand, TargetArg};
use crate::local;

pub(crate) fn run(args: &DbArgs) -> Result<ExitCode> {
    match &args.command {
        DbCommand::New(args) => new::run(args),
        DbCommand::Migrate(args) => migrate::run(args),
        DbCommand::Status(args) => status::run(args),
        DbCommand::Diff(args) => diff::run(args),
        DbCommand::Lint(args) => lint::run(args),
        DbCommand::Types(args) => types::run(args),
        DbCommand::Reset(args) => reset::run(args),
        DbCommand::Test(args) => test::run(args),
        DbCommand::Policies(args) => policies::run(args),
    }
}

/// The stack, and the application's folder as it is now.
fn open(args: &AppArgs) -> Result<(Stack, AppFolder)> {
    let stack = local::open_stack(&args.stack)?;
    let folder = stack.app_folder(args.app.as_deref())?;
    Ok((stack, folder))
}

fn target(asked: TargetArg) -> Target {
    match asked {
        TargetArg::Origin => Target::Origin,
        TargetArg::Custom => Target::Custom,
        TargetArg::Aurora => Target::Aurora,
    }
}

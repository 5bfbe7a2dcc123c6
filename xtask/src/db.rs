//! `cargo xtask db …`: the databases of an application. One file per command.

mod diff;
mod migrate;
mod new;
mod policies;
mod reset;
mod status;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use app_folder::AppFolder;
use bootstrap_sql::Target;
use clap::{Args, Subcommand, ValueEnum};
use local_stack::Stack;

use crate::cli::StackName;
use crate::local;

/// The application's databases.
#[derive(Debug, Args)]
pub(crate) struct DbArgs {
    #[command(subcommand)]
    command: DbCommand,
}

#[derive(Debug, Subcommand)]
enum DbCommand {
    /// Write an empty migration, named by the clock, and print its path
    #[command(
        after_help = "Examples:\n  cargo xtask db new add_price\n  cargo xtask db new orders --target origin"
    )]
    New(new::NewArgs),
    /// Apply what is due: the origin, its tables as foreign tables, then the custom database
    #[command(after_help = "Examples:\n  cargo xtask db migrate --dry-run\n  cargo xtask db migrate")]
    Migrate(migrate::MigrateArgs),
    /// Show what is applied where, and what changed since it was applied
    #[command(after_help = "Example:\n  cargo xtask db status --json")]
    Status(status::StatusArgs),
    /// Print the SQL by which a database built from the migrations becomes the running one
    #[command(
        after_help = "Examples:\n  cargo xtask db diff\n  cargo xtask db diff --write add_price\n  cargo xtask db diff --target origin --write orders"
    )]
    Diff(diff::DiffArgs),
    /// Make the local databases anew from migrations and seed
    #[command(after_help = "Example:\n  cargo xtask db reset --yes")]
    Reset(reset::ResetArgs),
    /// Run tests/*.sql on a database made from migrations and seed
    #[command(after_help = "Examples:\n  cargo xtask db test\n  cargo xtask db test notes")]
    Test(test::TestArgs),
    /// Print which role may do what with which relation, or compare it with tests/policies.txt
    #[command(after_help = "Examples:\n  cargo xtask db policies\n  cargo xtask db policies --check")]
    Policies(policies::PoliciesArgs),
}

/// Which stack, and which application.
#[derive(Debug, Args)]
pub(crate) struct AppArgs {
    #[command(flatten)]
    pub(crate) stack: StackName,
    /// Folder of the application [default: the one that the stack was brought up with]
    #[arg(long, value_name = "DIR")]
    pub(crate) app: Option<PathBuf>,
}

impl AppArgs {
    /// The stack, and the folder as it is now.
    pub(crate) fn open(&self) -> Result<(Stack, AppFolder)> {
        let stack = local::open_stack(&self.stack)?;
        let folder = stack.app_folder(self.app.as_deref())?;
        Ok((stack, folder))
    }
}

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TargetArg {
    /// The system of record
    Origin,
    /// The database that is served
    Custom,
    /// The database of the serverless deployment
    Aurora,
}

impl From<TargetArg> for Target {
    fn from(it: TargetArg) -> Self {
        match it {
            TargetArg::Origin => Self::Origin,
            TargetArg::Custom => Self::Custom,
            TargetArg::Aurora => Self::Aurora,
        }
    }
}

pub(crate) fn run(args: &DbArgs) -> Result<ExitCode> {
    match &args.command {
        DbCommand::New(args) => new::run(args),
        DbCommand::Migrate(args) => migrate::run(args),
        DbCommand::Status(args) => status::run(args),
        DbCommand::Diff(args) => diff::run(args),
        DbCommand::Reset(args) => reset::run(args),
        DbCommand::Test(args) => test::run(args),
        DbCommand::Policies(args) => policies::run(args),
    }
}

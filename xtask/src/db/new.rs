//! `db new`: an empty migration.

use std::process::ExitCode;

use anyhow::Result;
use app_folder::{AppFolder, skeleton};
use clap::Args;

use super::{AppArgs, TargetArg};
use crate::output;

#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// What it does, in words
    #[arg(value_name = "WORDS")]
    words: String,
    /// For which database
    #[arg(long, value_enum, default_value = "custom")]
    target: TargetArg,
    #[command(flatten)]
    app: AppArgs,
}

pub(super) fn run(args: &NewArgs) -> Result<ExitCode> {
    // A folder that is named needs no stack.
    let folder = match &args.app.app {
        Some(path) => AppFolder::open(path).map_err(local_stack::Error::from)?,
        None => args.app.open()?.1,
    };
    let now = jiff::Timestamp::now();
    let path = skeleton::new_migration(&folder, args.target.into(), &args.words, now)?;
    output::data(&path.display().to_string());
    output::note("Write the change into it; `cargo xtask db migrate` applies it.");
    Ok(ExitCode::SUCCESS)
}

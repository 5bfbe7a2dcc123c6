//! `db new`: an empty migration.

use std::process::ExitCode;

use anyhow::Result;
use app_folder::{AppFolder, skeleton};

use crate::cli::DbNewArgs;
use crate::output;

pub(super) fn run(args: &DbNewArgs) -> Result<ExitCode> {
    // A folder that is named needs no stack.
    let folder = match &args.app.app {
        Some(path) => AppFolder::open(path).map_err(local_stack::Error::from)?,
        None => super::open(&args.app)?.1,
    };
    let now = jiff::Timestamp::now();
    let path = skeleton::new_migration(&folder, super::target(args.target), &args.words, now)?;
    output::data(&path.display().to_string());
    output::note("Write the change into it; `cargo xtask db migrate` applies it.");
    Ok(ExitCode::SUCCESS)
}

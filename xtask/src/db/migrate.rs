//! `db migrate`: brings the stack's databases up to the folder.

use std::process::ExitCode;

use anyhow::Result;
use app_folder::Order;
use clap::Args;
use local_stack::AppliedFile;

use super::AppArgs;
use crate::{local, output};

#[derive(Debug, Args)]
pub(super) struct MigrateArgs {
    /// Name the files that would be applied, and apply nothing
    #[arg(long)]
    dry_run: bool,
    /// Apply a file that is older than one that was applied
    #[arg(long)]
    out_of_order: bool,
    #[command(flatten)]
    app: AppArgs,
}

pub(super) fn run(args: &MigrateArgs) -> Result<ExitCode> {
    let (stack, folder) = args.app.open()?;
    let order = if args.out_of_order { Order::OutOfOrder } else { Order::Strict };
    local::run(async {
        let files = if args.dry_run {
            stack.migrations_due(&folder, order).await?
        } else {
            stack.migrate(&folder, order).await?
        };
        match (args.dry_run, files.len()) {
            (_, 0) => output::note("Nothing to apply."),
            (true, n) => output::note(&format!("{n} to apply:")),
            (false, n) => output::note(&format!("{n} applied.")),
        }
        if args.dry_run {
            files.iter().for_each(|AppliedFile { file, .. }| output::data(file));
        }
        Ok(())
    })
}

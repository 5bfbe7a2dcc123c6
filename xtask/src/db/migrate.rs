//! `db migrate`: brings the stack's databases up to the folder.

use std::process::ExitCode;

use anyhow::Result;
use app_folder::Order;
use local_stack::AppliedFile;

use crate::cli::DbMigrateArgs;
use crate::{local, output};

pub(super) fn run(args: &DbMigrateArgs) -> Result<ExitCode> {
    let (stack, folder) = super::open(&args.app)?;
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

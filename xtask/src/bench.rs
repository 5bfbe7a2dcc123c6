//! `cargo xtask bench`: bench targets of the REST server, which own what is measured and how.

use std::process::ExitCode;

use anyhow::{Context, Result};
use xshell::cmd;

use crate::cli::BenchArgs;
use crate::workspace;

/// Builds and runs the comparison, or the one that counts instructions, with arguments passed through.
pub(crate) fn run(args: &BenchArgs) -> Result<ExitCode> {
    let sh = workspace::shell()?;
    let (target, args) = match args.args.split_first() {
        Some((first, rest)) if first == "instructions" => ("instructions", rest),
        _ => ("load", &*args.args),
    };
    let cargo = workspace::cargo();
    cmd!(sh, "{cargo} bench --quiet --package api --bench {target} -- {args...}")
        .quiet()
        .run()
        .context("measure the server")?;
    Ok(ExitCode::SUCCESS)
}

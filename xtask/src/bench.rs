//! `cargo xtask bench`: the load comparison, a bench target of the crate it measures.

use std::process::ExitCode;

use anyhow::{Context, Result};
use xshell::cmd;

use crate::cli::BenchArgs;
use crate::workspace;

/// Builds and runs the comparison with arguments passed through.
pub(crate) fn run(args: &BenchArgs) -> Result<ExitCode> {
    let sh = workspace::shell()?;
    let (cargo, args) = (workspace::cargo(), &args.args);
    cmd!(sh, "{cargo} bench --quiet --package api --bench load -- {args...}")
        .quiet()
        .run()
        .context("compare the servers")?;
    Ok(ExitCode::SUCCESS)
}

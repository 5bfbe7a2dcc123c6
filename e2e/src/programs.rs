//! The project's own programs, as `cargo xtask test` built them.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// A program beside this test's own.
pub fn path(name: &str) -> Result<PathBuf> {
    let test = std::env::current_exe().context("find the running test")?;
    let path = test.ancestors().nth(2).context("find the build folder")?.join(name);
    if !path.is_file() {
        bail!(
            "{} is not there; build it with `cargo build --workspace --bins`, or run `cargo xtask test`",
            path.display()
        );
    }
    Ok(path)
}

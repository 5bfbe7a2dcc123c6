//! The dependency tree: licences, banned crates, sources and advisories (cargo-deny), and what no code uses
//! (cargo-shear); `deny.toml` has the rules with their reasons.
//!
//! Advisories come from a repository on the network. Without it that part is left out, by name.

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use super::Outcome;
use crate::python;

/// Runs both programs; the first that finds something ends the step.
pub(super) fn run(sh: &Shell) -> Result<Outcome> {
    let shear = python::cargo_tool(sh, "cargo-shear")?;
    cmd!(sh, "{shear} --locked").quiet().run().context(
        "find dependencies that no code uses (`cargo-shear --fix` removes them; \
         `[package.metadata.cargo-shear] ignored` keeps one, with a comment why)",
    )?;
    let deny = python::cargo_tool(sh, "cargo-deny")?;
    cmd!(sh, "{deny} --locked check licenses bans sources").quiet().run().context("check deny.toml")?;

    let fetched = cmd!(sh, "{deny} --locked fetch db").quiet().ignore_stdout().ignore_stderr().run();
    if fetched.is_err() {
        return Ok(Outcome::DoneWithout(
            "without advisories: github.com/RustSec/advisory-db cannot be reached from here".to_owned(),
        ));
    }
    cmd!(sh, "{deny} --locked check --disable-fetch advisories")
        .quiet()
        .run()
        .context("look for advisories about the dependencies")?;
    Ok(Outcome::Done)
}

/// Misspelled words in every file that git tracks; `typos.toml` has the exceptions.
pub(super) fn spelling(sh: &Shell) -> Result<Outcome> {
    let typos = python::cargo_tool(sh, "typos")?;
    cmd!(sh, "{typos} --format brief")
        .quiet()
        .run()
        .context("find misspelled words (a name that is spelled so on purpose belongs in typos.toml)")?;
    Ok(Outcome::Done)
}

//! The tests that need a database, once more over another major version of Postgres.
//!
//! All tests run over one server; these again over the one that is farthest from it, so that both ends of what is
//! supported are seen. The versions in between differ from both by less.

use anyhow::{Context, Result};
use xshell::Shell;

use super::Outcome;
use crate::{doctor, output, test};

/// Runs them, where such a server is on this machine.
pub(super) fn run(sh: &Shell) -> Result<Outcome> {
    let first = doctor::postgres_major().context("find the Postgres server that the other tests run over")?;
    let Some(other) = doctor::farthest_postgres() else {
        return Ok(Outcome::Skipped(format!(
            "Postgres {first} is the only major version here; PGAPP_PG_BIN_DIRS names folders of others"
        )));
    };
    output::note(&format!("Postgres {} in {}", other.version, other.dir.display()));
    let _profile = sh.push_env("NEXTEST_PROFILE", "majors");
    test::tests_over_a_database(sh, &other.dir)?;
    Ok(Outcome::Done)
}

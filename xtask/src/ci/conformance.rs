//! PostgREST's own specification cases against the built server, where the suite is at hand.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use super::Outcome;
use crate::{doctor, output, workspace};

/// Cases that must pass; fewer is a regression. The rest are named in `docs/coming-from-postgrest.md`.
const FLOOR: u32 = 920;

/// Runs the suite over each server and compares the count with [`FLOOR`].
pub(super) fn run(sh: &Shell) -> Result<Outcome> {
    let suite = workspace::root().join("..").join("shared").join("conformance");
    if !suite.join("run.py").is_file() {
        return Ok(Outcome::Skipped("the conformance suite is not beside the project".to_owned()));
    }
    let cargo = workspace::cargo();
    cmd!(sh, "{cargo} build --quiet --package api --bin pgapp-api").quiet().run()?;
    let server = workspace::target_dir().join("debug").join("pgapp-api");
    let (runner, cases) = (suite.join("run.py"), suite.join("cases.jsonl"));
    let fixtures = fixtures(sh, &suite)?;
    let python = workspace::find_program(&["python3"]).context("find python3")?;
    for postgres in doctor::postgres_servers() {
        let bin_dir = &postgres.dir;
        output::note(&format!("over Postgres {} in {}", postgres.version, bin_dir.display()));
        let text = cmd!(
            sh,
            "{python} {runner} --server-cmd {server} --cases {cases} --fixtures {fixtures} --pg-bin {bin_dir} --jobs 2 --show-failures 20"
        )
        .quiet()
        .read()
        .context("run the conformance suite")?;
        output::note(&text);
        let passed = passed_cases(&text).context("read the suite's closing line")?;
        if passed < FLOOR {
            bail!("{passed} cases passed over Postgres {}, {FLOOR} are expected to", postgres.version);
        }
    }
    Ok(Outcome::Done)
}

/// A copy of the suite's fixtures. They include a file two folders up that is optional where the suite comes from and
/// missing here; beside the copy it is there, and empty.
fn fixtures(sh: &Shell, suite: &Path) -> Result<PathBuf> {
    let base = workspace::target_dir().join("conformance");
    let copy = base.join("suite").join("fixtures");
    sh.remove_path(&base)?;
    sh.create_dir(&copy)?;
    for file in sh.read_dir(suite.join("fixtures"))? {
        let name = file.file_name().context("name a fixture")?;
        std::fs::copy(&file, copy.join(name)).with_context(|| format!("copy {}", file.display()))?;
    }
    sh.write_file(base.join("orioledb.sql"), "")?;
    Ok(copy)
}

/// Reads `passed P of N (full) + p of n (partial)` and adds both up.
fn passed_cases(text: &str) -> Option<u32> {
    let line = text.lines().rev().find(|line| line.starts_with("passed "))?;
    let numbers: Vec<u32> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match numbers.as_slice() {
        [full, _, partial, _] => Some(full + partial),
        [full, _] => Some(*full),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_line_is_read() {
        assert_eq!(passed_cases("x\npassed 900 of 910 (full) + 20 of 29 (partial)\n"), Some(920));
        assert_eq!(passed_cases("nothing of the kind"), None);
    }
}

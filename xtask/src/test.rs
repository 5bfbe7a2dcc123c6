//! `cargo xtask test`: the tests, by nextest, installed or from the project's tools, else by cargo's own runner.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::cli::TestArgs;
use crate::{output, python, workspace};

/// Runs the tests with arguments passed through.
pub(crate) fn run(args: &TestArgs) -> Result<ExitCode> {
    let sh = workspace::shell()?;
    tests(&sh, &args.args)?;
    Ok(ExitCode::SUCCESS)
}

/// Builds the binaries that tests drive, then runs every test (or those the arguments name).
pub(crate) fn tests(sh: &Shell, args: &[OsString]) -> Result<()> {
    let scope: Vec<OsString> = if args.is_empty() { vec!["--workspace".into()] } else { args.to_vec() };
    run_with(sh, &scope, "--all-targets")
}

/// Packages whose integration tests need a database.
const OVER_A_DATABASE: [&str; 3] = ["api", "bootstrap-sql", "local-stack"];

/// Modules of theirs that need none, or a container with its own server.
const WITHOUT_THE_SERVER: &str =
    "test(/^(plan|plans|requests|responses|encoding|sql|sql_properties|docker|settings)::/)";

/// Runs the tests that need a database over the server whose programs are in `server`.
pub(crate) fn tests_over_a_database(sh: &Shell, server: &Path) -> Result<()> {
    let _server = sh.push_env("PG_BIN_DIR", server);
    let mut scope: Vec<OsString> =
        OVER_A_DATABASE.iter().flat_map(|package| ["-p".into(), (*package).into()]).collect();
    scope.extend(["--test".into(), "it".into()]);
    if nextest(sh).is_some() {
        scope.extend(["-E".into(), format!("not {WITHOUT_THE_SERVER}").into()]);
    }
    run_with(sh, &scope, "--quiet")
}

/// The runner: the one that is installed, else that of the project's tools.
fn nextest(sh: &Shell) -> Option<PathBuf> {
    workspace::find_program(&["cargo-nextest"]).or_else(|| python::cargo_tool(sh, "cargo-nextest").ok())
}

/// Runs the tests in scope; `plain` is for cargo's own runner.
fn run_with(sh: &Shell, scope: &[OsString], plain: &str) -> Result<()> {
    let cargo = workspace::cargo();
    // Tests of other crates start these; cargo builds binaries only for the tests of their own package.
    cmd!(sh, "{cargo} build --quiet --workspace --bins").quiet().run()?;
    let _server = sh.push_env("PGAPP_API_BIN", workspace::target_dir().join("debug").join("pgapp-api"));
    let _python = match python::interpreter(sh) {
        Ok(interpreter) => Some(sh.push_env("PGAPP_PYTHON", interpreter)),
        Err(error) => {
            output::note(&format!(
                "no Python environment: the tests with the Python client fail, those with the AWS emulator are left out: {error:#}"
            ));
            None
        }
    };
    if let Some(nextest) = nextest(sh) {
        cmd!(sh, "{nextest} nextest run --no-fail-fast {scope...}").quiet().run().context("run the tests")?;
    } else {
        cmd!(sh, "{cargo} test --no-fail-fast {plain} {scope...}").quiet().run().context("run the tests")?;
    }
    Ok(())
}

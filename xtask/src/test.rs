//! `cargo xtask test`: the tests, by nextest where it is installed, else by cargo's own runner.

use std::ffi::OsString;
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
    let scope: Vec<OsString> = if args.is_empty() { vec!["--workspace".into()] } else { args.to_vec() };
    if cmd!(sh, "{cargo} nextest --version").quiet().ignore_stdout().ignore_stderr().run().is_ok() {
        cmd!(sh, "{cargo} nextest run --no-fail-fast {scope...}").quiet().run().context("run the tests")?;
    } else {
        cmd!(sh, "{cargo} test --no-fail-fast --all-targets {scope...}")
            .quiet()
            .run()
            .context("run the tests")?;
    }
    Ok(())
}

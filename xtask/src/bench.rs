//! `cargo xtask bench`: bench targets of the REST server, which own what is measured and how.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::cli::{BenchArgs, BenchCommand};
use crate::{output, workspace};

/// Builds and runs the comparison with the options as they were `given`, or the program that counts instructions.
pub(crate) fn run(args: &BenchArgs, given: &[OsString]) -> Result<ExitCode> {
    let sh = workspace::shell()?;
    let cargo = workspace::cargo();
    match &args.command {
        Some(BenchCommand::Instructions(instructions)) => {
            let args = &instructions.args;
            sh.set_var("GUNGRAUN_RUNNER", runner(&sh)?);
            cmd!(sh, "{cargo} bench --quiet --package api --bench instructions -- {args...}")
        }
        None => cmd!(sh, "{cargo} bench --quiet --package api --bench load -- {given...}"),
    }
    .quiet()
    .run()
    .context("measure the server")?;
    Ok(ExitCode::SUCCESS)
}

/// The program that counts, in the version that goes with the library; installed under `target` once.
fn runner(sh: &Shell) -> Result<PathBuf> {
    if workspace::find_program(&["valgrind"]).is_none() {
        bail!(
            "instructions are counted by valgrind: install the package of that name (apt-get install valgrind)"
        );
    }
    let lock = sh.read_file(workspace::root().join("Cargo.lock"))?;
    let version = locked_version(&lock, "gungraun").context("find gungraun in Cargo.lock")?;
    let folder = workspace::target_dir().join(format!("gungraun-runner-{version}"));
    let program = folder.join("bin").join("gungraun-runner");
    if !program.is_file() {
        output::note(&format!("installing gungraun-runner {version} into {}", folder.display()));
        let cargo = workspace::cargo();
        cmd!(sh, "{cargo} install --quiet --locked --version ={version} --root {folder} gungraun-runner")
            .quiet()
            .run()
            .context("install gungraun-runner")?;
    }
    Ok(program)
}

/// The version of a package in a lock file.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let mut lines = lock.lines();
    lines.find(|line| line.strip_prefix("name = ").is_some_and(|name| name.trim_matches('"') == package))?;
    lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_that_of_the_whole_name() {
        let lock = "[[package]]\nname = \"a-b\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"a\"\nversion = \"2.3.4\"\n";
        assert_eq!(locked_version(lock, "a"), Some("2.3.4"));
        assert_eq!(locked_version(lock, "b"), None);
    }
}

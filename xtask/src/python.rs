//! Python tools in virtual environments of the project's own, made once per list of tools.
//!
//! Several lists, because what they pin does not go together in one environment, or is not needed together.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use xshell::{Shell, cmd};

use crate::{output, workspace};

/// A list of pinned tools, and the environment made from it.
struct Environment {
    /// File name of the list, beside the manifest.
    file: &'static str,
    /// The list.
    tools: &'static str,
}

/// What checks sources: linters and scanners.
const CHECKS: Environment =
    Environment { file: "python-tools.txt", tools: include_str!("../python-tools.txt") };

/// What tests talk to: client libraries and the AWS emulator.
const TESTS: Environment =
    Environment { file: "python-test-tools.txt", tools: include_str!("../python-test-tools.txt") };

/// What looks for secrets in images.
const PUBLISH: Environment =
    Environment { file: "python-publish-tools.txt", tools: include_str!("../python-publish-tools.txt") };

/// What links the Lambda artifact: a compiler for C, 400 MB unpacked.
const LAMBDA: Environment =
    Environment { file: "lambda-tools.txt", tools: include_str!("../lambda-tools.txt") };

/// Programs beside cargo.
const CARGO: Environment = Environment { file: "cargo-tools.txt", tools: include_str!("../cargo-tools.txt") };

/// Path of the interpreter that the tests start, made when it is not there yet.
pub(crate) fn interpreter(sh: &Shell) -> Result<PathBuf> {
    Ok(TESTS.folder(sh)?.join("bin").join("python"))
}

/// Path of a checker, made when it is not there yet.
pub(crate) fn tool(sh: &Shell, name: &str) -> Result<PathBuf> {
    CHECKS.program(sh, name)
}

/// Path of a program beside cargo, made when it is not there yet.
pub(crate) fn cargo_tool(sh: &Shell, name: &str) -> Result<PathBuf> {
    CARGO.program(sh, name)
}

/// Path of the interpreter that the checkers run in, made when it is not there yet.
pub(crate) fn checking_interpreter(sh: &Shell) -> Result<PathBuf> {
    Ok(CHECKS.folder(sh)?.join("bin").join("python"))
}

/// Path of the program that looks for secrets, made when it is not there yet.
pub(crate) fn secret_scanner(sh: &Shell) -> Result<PathBuf> {
    Ok(PUBLISH.folder(sh)?.join("bin").join("detect-secrets"))
}

/// The folder of the programs that link the Lambda artifact, made when it is not there yet.
pub(crate) fn lambda_programs(sh: &Shell) -> Result<PathBuf> {
    Ok(LAMBDA.folder(sh)?.join("bin"))
}

/// Makes the environments of the gate.
pub(crate) fn prepare(sh: &Shell) -> Result<()> {
    TESTS.folder(sh)?;
    CARGO.folder(sh)?;
    CHECKS.folder(sh).map(drop)
}

impl Environment {
    fn program(&self, sh: &Shell, name: &str) -> Result<PathBuf> {
        let path = self.folder(sh)?.join("bin").join(name);
        if !path.is_file() {
            bail!("'{name}' is not among the tools of xtask/{}", self.file);
        }
        Ok(path)
    }

    fn folder(&self, sh: &Shell) -> Result<PathBuf> {
        let digest = Sha256::digest(self.tools);
        let version: String = digest.iter().take(8).map(|it| format!("{it:02x}")).collect();
        let cache = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
            .unwrap_or_else(|| workspace::target_dir().join("tools"));
        let folder = cache.join("postgres-as-app").join(format!("python-{version}"));
        // The marker is written last: an environment whose making was interrupted is made again.
        let marker = folder.join("complete");
        if marker.is_file() {
            return Ok(folder);
        }
        let python = workspace::find_program(&["python3"]).context(
            "find python3 (Debian/Ubuntu: apt-get install python3 python3-venv; Fedora: dnf install python3)",
        )?;
        output::note(&format!("making the Python environment of xtask/{} (once) ...", self.file));
        if folder.exists() {
            sh.remove_path(&folder)?;
        }
        sh.create_dir(&folder)?;
        cmd!(sh, "{python} -m venv {folder}")
            .quiet()
            .run()
            .context("make a virtual environment (Debian/Ubuntu: apt-get install python3-venv)")?;
        let list = workspace::root().join("xtask").join(self.file);
        let pip = folder.join("bin").join("pip");
        cmd!(sh, "{pip} install --quiet --disable-pip-version-check --requirement {list}")
            .quiet()
            .run()
            .with_context(|| format!("install the tools of xtask/{}", self.file))?;
        sh.write_file(&marker, "")?;
        Ok(folder)
    }
}

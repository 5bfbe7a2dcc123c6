//! The terraform program: found, started, and left to speak for itself.

use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};

use anstream::{AutoStream, ColorChoice};
use anyhow::{Context, Result, bail};
use tokio::process::Command;

use super::INTERRUPTED;
use crate::workspace;

/// How a run ended. When it failed, Terraform has said why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Done.
    Well,
    /// Failed.
    Badly,
    /// The user pressed Ctrl-C; Terraform has put its affairs in order.
    Interrupted,
}

impl Ended {
    fn of(status: ExitStatus, interrupted: bool) -> Self {
        match (status.success(), interrupted) {
            (true, _) => Self::Well,
            (false, true) => Self::Interrupted,
            (false, false) => Self::Badly,
        }
    }

    pub(super) fn code(self) -> ExitCode {
        match self {
            Self::Well => ExitCode::SUCCESS,
            Self::Badly => ExitCode::FAILURE,
            Self::Interrupted => ExitCode::from(INTERRUPTED),
        }
    }
}

/// Terraform in one folder.
#[derive(Debug, Clone)]
pub(super) struct Terraform {
    program: PathBuf,
    folder: PathBuf,
    env: Vec<(OsString, OsString)>,
    /// Terraform colours whatever is not told otherwise, files and pipes included.
    plain: bool,
}

impl Terraform {
    /// The program of this machine.
    pub(super) fn find(folder: &Path) -> Result<Self> {
        let Some(program) = workspace::find_program(&["terraform"]) else {
            bail!(
                "terraform was not found\ninstall 1.11 or later: https://developer.hashicorp.com/terraform/install"
            );
        };
        let plain = AutoStream::choice(&std::io::stderr()) == ColorChoice::Never;
        Ok(Self { plain, ..Self::at(program, folder) })
    }

    /// A program of the caller's choice.
    pub(super) fn at(program: PathBuf, folder: &Path) -> Self {
        Self { program, folder: folder.to_owned(), env: Vec::new(), plain: false }
    }

    /// The same in another folder.
    pub(super) fn within(&self, folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..self.clone() }
    }

    #[must_use]
    pub(super) fn with_env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Runs a command whose output is for people: all of it goes to standard error.
    pub(super) fn run<I: IntoIterator<Item: AsRef<OsStr>>>(&self, args: I) -> Result<Ended> {
        let stderr = std::io::stderr().as_fd().try_clone_to_owned().context("share standard error")?;
        self.wait(self.command(args).stdout(stderr))
    }

    /// Runs a command whose output is data.
    pub(super) fn run_for_data<I: IntoIterator<Item: AsRef<OsStr>>>(&self, args: I) -> Result<Ended> {
        self.wait(&mut self.command(args))
    }

    /// Runs a command and returns what it prints; what it says on standard error is shown.
    pub(super) fn read<I: IntoIterator<Item: AsRef<OsStr>>>(&self, args: I) -> Result<String> {
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::inherit());
        let output = runtime()?.block_on(async { command.output().await }).context("run terraform")?;
        if !output.status.success() {
            bail!("terraform failed, see above");
        }
        String::from_utf8(output.stdout).context("read what terraform printed")
    }

    /// Runs a command and keeps what it says, to be shown where it failed.
    pub(super) fn keep<I: IntoIterator<Item: AsRef<OsStr>>>(&self, args: I) -> Result<(Ended, String)> {
        let mut command = self.command(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        runtime()?.block_on(async {
            let child = command.spawn().with_context(|| format!("start {}", self.program.display()))?;
            let mut interrupted = false;
            let output = child.wait_with_output();
            tokio::pin!(output);
            let output = loop {
                tokio::select! {
                    output = &mut output => break output.context("wait for terraform")?,
                    _ = tokio::signal::ctrl_c() => interrupted = true,
                }
            };
            let text = [output.stdout, output.stderr].concat();
            Ok((Ended::of(output.status, interrupted), String::from_utf8_lossy(&text).into_owned()))
        })
    }

    fn command<I: IntoIterator<Item: AsRef<OsStr>>>(&self, args: I) -> Command {
        let mut command = Command::new(&self.program);
        let mut args = args.into_iter();
        // The name of the command comes first, its options follow.
        command.args(args.next()).args(self.plain.then_some("-no-color")).args(args);
        command.current_dir(&self.folder).envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Ctrl-C reaches Terraform by itself, which then ends in good order; leaving it alone would lose that.
    fn wait(&self, command: &mut Command) -> Result<Ended> {
        runtime()?.block_on(async {
            let mut child = command.spawn().with_context(|| format!("start {}", self.program.display()))?;
            let mut interrupted = false;
            let status = loop {
                tokio::select! {
                    status = child.wait() => break status.context("wait for terraform")?,
                    _ = tokio::signal::ctrl_c() => interrupted = true,
                }
            };
            Ok(Ended::of(status, interrupted))
        })
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")
}

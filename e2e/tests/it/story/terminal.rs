//! What a user types, and what comes back. No command may show a secret, so each is looked through for all of them.

use std::process::{Output, Stdio};
use std::time::Duration;

use e2e::programs;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Longer than any command takes on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(300);

/// The shell of a user with a separate home folder and nothing else of this machine's configuration.
pub(super) struct Terminal {
    home: TempDir,
    variables: Vec<(String, String)>,
    secrets: Vec<String>,
}

impl Terminal {
    pub(super) fn new(variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let home = tempfile::tempdir().expect("a home folder");
        Self { home, variables: variables.collect(), secrets: Vec::new() }
    }

    /// From now on no output may hold this.
    pub(super) fn hide(&mut self, secret: &str) {
        assert!(secret.len() >= 8, "a secret that could stand anywhere");
        self.secrets.push(secret.to_owned());
    }

    /// A command that has to do what it says; `program` is the one that answers `cargo xtask WORD …`.
    pub(super) async fn done(&self, program: &str, args: &[&str]) -> Ran {
        self.ends(0, program, args).await
    }

    /// A command that has to end with this code.
    pub(super) async fn ends(&self, code: i32, program: &str, args: &[&str]) -> Ran {
        let mut command = self.command(program, args);
        let output = tokio::time::timeout(PATIENCE, command.output()).await;
        let ran = Ran(output.expect("the command ends").expect("the command starts"));
        let (out, err) = (ran.out(), ran.err());
        for secret in &self.secrets {
            assert!(!out.contains(secret) && !err.contains(secret), "{program} {args:?} shows a secret");
        }
        assert_eq!(ran.0.status.code(), Some(code), "{program} {args:?}\n{out}\n{err}");
        ran
    }

    /// A command that goes on until it is interrupted, and the first line that it prints.
    pub(super) async fn started(&self, program: &str, args: &[&str]) -> (Going, String) {
        let mut command = self.command(program, args);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let line =
            tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("the command prints a line");
        let line = line.expect("its output").expect("a line");
        (Going(child), line)
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(programs::path(program).expect("the program"));
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("NO_COLOR", "1")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }
}

/// A command that is still at it.
pub(super) struct Going(Child);

impl Going {
    /// Ctrl-C, and how it ended: as interrupted.
    pub(super) async fn interrupted(self) -> Ran {
        let pid = self.0.id().expect("a process").cast_signed();
        kill(Pid::from_raw(pid), Signal::SIGINT).expect("a signal");
        let output = tokio::time::timeout(PATIENCE, self.0.wait_with_output()).await;
        let ran = Ran(output.expect("the command ends").expect("its output"));
        assert_eq!(ran.0.status.code(), Some(130), "{}", ran.err());
        ran
    }
}

/// What came back.
pub(super) struct Ran(Output);

impl Ran {
    pub(super) fn out(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).trim().to_owned()
    }

    pub(super) fn err(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).trim().to_owned()
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out()).expect("JSON")
    }

    /// Standard error has to hold each of the parts.
    #[track_caller]
    pub(super) fn says(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.err().contains(part), "\"{part}\" is missing in:\n{}", self.err());
        }
    }

    /// Names of the checks of a `verify --json` that were left out; none may have failed.
    #[track_caller]
    pub(super) fn left_out(&self) -> Vec<String> {
        let report = self.json();
        let named = |outcome: &str| -> Vec<String> {
            let checks = report["checks"].as_array().expect("checks").iter();
            let some = checks.filter(|it| it["outcome"] == outcome);
            some.map(|it| it["name"].as_str().expect("a name").to_owned()).collect()
        };
        assert_eq!(named("failed"), Vec::<String>::new(), "{report:#}");
        assert!(named("passed").len() > 20, "{report:#}");
        named("skipped")
    }
}

//! An AWS of a test's own: MiniStack as a process, on a free port, ended with the value that stands for it.
//!
//! Where `PGAPP_PYTHON` names no interpreter with MiniStack the test is left out and says so; `cargo xtask test` names one.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long anything may take on a machine that does other things too.
const DEADLINE: Duration = Duration::from_secs(120);

/// A running emulator, the parameter files for it, and the built program.
pub(crate) struct Emulator {
    process: Child,
    url: String,
    dir: TempDir,
}

/// How a command of the program ended.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Emulator {
    /// Starts one where every operation on a resource takes `delay` seconds, with parameter files for every stack.
    /// Nothing where this machine has no MiniStack.
    pub(crate) fn start(delay: f32) -> Option<Self> {
        Self::start_with(delay, &[])
    }

    /// The same with variables for the emulator; its head lists them.
    pub(crate) fn start_with(delay: f32, variables: &[(&str, &str)]) -> Option<Self> {
        let Some(python) = std::env::var_os("PGAPP_PYTHON") else {
            eprintln!("skipped: PGAPP_PYTHON names no Python with MiniStack; `cargo xtask test` makes one");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("faults.json"), "[]").unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/tests/emulator/emulator.py");
        // Somebody else may take the port between our look and the emulator's: try another one then.
        let (process, url) =
            (0..5).find_map(|_| start_process(&python, &script, dir.path(), delay, variables)).unwrap();
        let emulator = Self { process, url, dir };
        let init = emulator.run(&["params", "init", "--all"]);
        assert_eq!(init.code, Some(0), "{}", init.stderr);
        emulator.name_images();
        Some(emulator)
    }

    /// As the guide says: images of one's own registry.
    pub(crate) fn name_images(&self) {
        let path = self.params_dir().join("compute.json");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text.replace("REGISTRY/", "registry.example.com/")).unwrap();
    }

    /// Where rules stand that refuse what AWS refuses, beside the project; for `start_with`.
    #[allow(dead_code, reason = "not every user of this module is strict")]
    pub(crate) fn strict() -> Option<PathBuf> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/aws-emulator");
        path.join("strict/__init__.py").is_file().then_some(path)
    }

    /// A command of the built program against this emulator and nothing else of this machine.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.program(deploy_program());
        command.args(args).arg("--params-dir").arg(self.params_dir());
        if ["deploy", "create", "apply", "recreate", "terminate", "diff", "wait"].contains(&args[0]) {
            command.args(["--poll", "0.1"]);
        }
        command
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Any program, with this emulator for an AWS.
    pub(crate) fn program(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        let output = self.command(args).output().unwrap();
        Run::of(&output)
    }

    /// Runs a command that has to do what it says.
    #[track_caller]
    pub(crate) fn done(&self, args: &[&str]) -> Run {
        let run = self.run(args);
        assert_eq!(run.code, Some(0), "{args:?}\n{}\n{}", run.stdout, run.stderr);
        run
    }

    /// Runs a command that has to fail.
    #[track_caller]
    pub(crate) fn failed(&self, args: &[&str]) -> Run {
        let run = self.run(args);
        assert_eq!(run.code, Some(1), "{args:?}\n{}\n{}", run.stdout, run.stderr);
        run
    }

    /// From now on an operation (`create`, `update` or `delete`) on resources of a type fails.
    pub(crate) fn break_down(&self, kind: &str, operation: &str, reason: &str) {
        self.set_faults(&json!([{ "type": kind, "operation": operation, "reason": reason }]));
    }

    /// Everything works again.
    pub(crate) fn heal(&self) {
        self.set_faults(&json!([]));
    }

    /// Whole or not at all: the emulator reads at any time.
    fn set_faults(&self, faults: &Value) {
        let draft = self.dir.path().join("faults.new");
        fs::write(&draft, faults.to_string()).unwrap();
        fs::rename(draft, self.dir.path().join("faults.json")).unwrap();
    }

    /// Stacks with their statuses, as the program lists them.
    pub(crate) fn stacks(&self) -> Vec<(String, String)> {
        let list: Value = serde_json::from_str(&self.done(&["stacks", "--json"]).stdout).unwrap();
        let text = |it: &Value, key: &str| it[key].as_str().unwrap().to_owned();
        list.as_array().unwrap().iter().map(|it| (text(it, "name"), text(it, "status"))).collect()
    }

    /// Waits until a stack has a status.
    #[track_caller]
    pub(crate) fn wait_for(&self, stack: &str, status: &str) {
        let begin = Instant::now();
        loop {
            let stacks = self.stacks();
            if stacks.iter().any(|(name, it)| name == stack && it == status) {
                return;
            }
            assert!(begin.elapsed() < DEADLINE, "{stack} did not get to {status}: {stacks:?}");
            pause();
        }
    }

    pub(crate) fn params_dir(&self) -> PathBuf {
        self.dir.path().join("params")
    }

    /// Every secret in the parameter files.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.params_dir()).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            let values: Value = serde_json::from_str(&text).unwrap();
            for pair in values.as_array().unwrap() {
                if pair["ParameterKey"].as_str().unwrap().contains("Password") {
                    found.push(pair["ParameterValue"].as_str().unwrap().to_owned());
                }
            }
        }
        found
    }

    /// What the emulator wrote, for a failing assertion.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("the emulator's last lines:");
            tail.iter().rev().for_each(|it| eprintln!("  {it}"));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Run {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The engine: as cargo built it for this crate's tests, else beside them, where `cargo xtask test` builds every program.
fn deploy_program() -> PathBuf {
    option_env!("CARGO_BIN_EXE_deploy").map_or_else(
        || std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("deploy"),
        PathBuf::from,
    )
}

/// Starts the process; nothing when it ended before it answered.
fn start_process(
    python: &std::ffi::OsStr,
    script: &Path,
    dir: &Path,
    delay: f32,
    variables: &[(&str, &str)],
) -> Option<(Child, String)> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let log = fs::File::create(dir.join("log")).unwrap();
    let mut process = Command::new(python)
        .arg(script)
        .arg(port.to_string())
        .arg(dir.join("faults.json"))
        .arg(delay.to_string())
        .env("AWS_EMULATOR_JOURNAL", dir.join("journal.jsonl"))
        .envs(variables.iter().copied())
        // Its end ends the emulator, however this process ends.
        .stdin(Stdio::piped())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let begin = Instant::now();
    loop {
        if is_healthy(port) {
            return Some((process, format!("http://127.0.0.1:{port}")));
        }
        if process.try_wait().unwrap().is_some() {
            let log = fs::read_to_string(dir.join("log")).unwrap_or_default();
            assert!(log.contains("in use"), "the emulator did not start:\n{log}");
            return None;
        }
        assert!(begin.elapsed() < DEADLINE, "the emulator does not answer on port {port}");
        pause();
    }
}

/// Between two looks at a condition; every loop that calls it has a deadline.
#[expect(clippy::disallowed_methods, reason = "the emulator is asked over HTTP and tells nothing by itself")]
fn pause() {
    thread::sleep(Duration::from_millis(50));
}

fn is_healthy(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream
            .write_all(b"GET /_ministack/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|it| it.starts_with("HTTP/1.1 200"))
}

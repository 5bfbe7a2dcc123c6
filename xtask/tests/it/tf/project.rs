//! A project of a test's own: a copy of `infra-tf`, providers that pretend, and an S3 for the state.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{text, xtask};

/// How long the emulator may take to answer on a machine that does other things too.
const DEADLINE: Duration = Duration::from_secs(120);

/// The copy, and what its commands find around them.
pub(crate) struct Project {
    dir: TempDir,
    /// Configuration by which terraform finds the providers that pretend.
    config: String,
    s3: Option<S3>,
}

/// How a command ended.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Project {
    /// Nothing where there is no terraform, or where there are no providers that pretend: real ones make real things.
    pub(crate) fn new() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let install = root.join("../shared/terraform-offline/install.sh");
        if !install.is_file() {
            eprintln!("skipped: ../shared/terraform-offline is not there");
            return None;
        }
        if Command::new("terraform").arg("version").output().is_err() {
            eprintln!("skipped: terraform is not installed");
            return None;
        }
        let output = Command::new(install).output().unwrap();
        let (line, error) = text(&output);
        assert!(output.status.success(), "{error}");
        let config = line.split_once("TF_CLI_CONFIG_FILE=").unwrap().1.trim().trim_matches('"').to_owned();
        let dir = tempfile::tempdir().unwrap();
        for folder in ["infra-tf", "api/src", "pg-wire-client/src"] {
            copy(&root.join(folder), &dir.path().join(folder));
        }
        for file in ["Cargo.lock", "Cargo.toml", "api/Cargo.toml", "pg-wire-client/Cargo.toml"] {
            std::fs::copy(root.join(file), dir.path().join(file)).unwrap();
        }
        let project = Self { dir, config, s3: S3::start() };
        project.account("", "");
        Some(project)
    }

    /// A file of the copy.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Runs `cargo xtask tf …` there, with nobody to ask.
    pub(crate) fn tf(&self, args: &[&str]) -> Run {
        let output = self.command(args).output().unwrap();
        let (stdout, stderr) = text(&output);
        Run { code: output.status.code(), stdout, stderr }
    }

    /// Runs a command that has to end with a code.
    #[track_caller]
    pub(crate) fn ends(&self, code: i32, args: &[&str]) -> Run {
        let run = self.tf(args);
        assert_eq!(run.code, Some(code), "{args:?}\n{}\n{}", run.stdout, run.stderr);
        run
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = xtask(&["tf"]);
        command.args(args).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") || name.to_string_lossy().starts_with("TF_") {
                command.env_remove(name);
            }
        }
        command
            // The tool's notion of where the project is, as `cargo run` would set it.
            .env("CARGO_MANIFEST_DIR", self.path("xtask"))
            .env("CARGO_TARGET_DIR", self.path("target"))
            .env("TF_CLI_CONFIG_FILE", &self.config)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        // The discard port refuses at once, where there is nobody to ask.
        let port = self.s3.as_ref().map_or(9, |it| it.port);
        command.env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(self.path("bin")).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(path).unwrap());
        command
    }

    /// An AWS command line of an account that has what a deployment needs, but for one command that is refused so.
    pub(crate) fn account(&self, refused: &str, why: &str) {
        let program = format!(
            "#!/bin/sh\ncase \"$1 $2\" in\n'{refused}') echo '{why}' >&2; exit 254 ;;\n\
             'sts get-caller-identity') echo '{{\"Account\":\"123456789012\",\"Arn\":\"arn:aws:iam::123456789012:user/me\"}}' ;;\n\
             *) echo '{{}}' ;;\nesac\n"
        );
        self.write("bin/aws", &program);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(self.path("bin/aws"), mode).unwrap();
    }

    /// Makes the bucket that `backend.hcl` names, which providers that pretend have not.
    ///
    /// Without an emulator the state becomes a file, and the arguments for `init` say so.
    pub(crate) fn provide_bucket(&self) -> Vec<String> {
        let Some(s3) = &self.s3 else {
            let local = "terraform {\n  backend \"local\" {}\n}\n";
            self.write("infra-tf/local_override.tf", local);
            return vec!["--".to_owned(), "-backend-config=path=dev.tfstate".to_owned()];
        };
        let file = std::fs::read_to_string(self.path("infra-tf/backend.hcl")).unwrap();
        let bucket = file.split('"').nth(1).unwrap();
        let answer = s3.ask("PUT", &format!("/{bucket}")).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        Vec::new()
    }

    /// The objects of the state's bucket; nothing without an emulator.
    pub(crate) fn objects(&self) -> Option<String> {
        let file = std::fs::read_to_string(self.path("infra-tf/backend.hcl")).unwrap();
        let bucket = file.split('"').nth(1).unwrap();
        Some(self.s3.as_ref()?.ask("GET", &format!("/{bucket}?list-type=2")).unwrap())
    }
}

/// The emulator as a process, for its S3.
struct S3 {
    process: Child,
    port: u16,
    _dir: TempDir,
}

impl S3 {
    /// Nothing where `PGAPP_PYTHON` names no interpreter with the emulator.
    fn start() -> Option<Self> {
        let Some(python) = std::env::var_os("PGAPP_PYTHON") else {
            eprintln!(
                "without S3: PGAPP_PYTHON names no Python with MiniStack; `cargo xtask test` makes one"
            );
            return None;
        };
        // Somebody else may take the port between our look and the emulator's: try another one then.
        Some((0..5).find_map(|_| Self::start_once(&python)).unwrap())
    }

    fn start_once(python: &std::ffi::OsStr) -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../aws-fakes/emulator.py");
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let dir = tempfile::tempdir().unwrap();
        let faults = dir.path().join("faults.json");
        std::fs::write(&faults, "[]").unwrap();
        let log = dir.path().join("log");
        let process = Command::new(python)
            .arg(script)
            .arg(port.to_string())
            .arg(faults)
            .arg("0")
            // Its end ends the emulator, however this process ends.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut s3 = Self { process, port, _dir: dir };
        let begin = Instant::now();
        loop {
            if s3.ask("GET", "/_ministack/health").is_ok_and(|it| it.starts_with("HTTP/1.1 200")) {
                return Some(s3);
            }
            if s3.process.try_wait().unwrap().is_some() {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                assert!(log.contains("in use"), "the emulator did not start:\n{log}");
                return None;
            }
            assert!(begin.elapsed() < DEADLINE, "the emulator does not answer on port {port}");
            std::thread::yield_now();
        }
    }

    /// Asks by plain HTTP; the emulator looks at no signature, only at the name of the service in it.
    fn ask(&self, method: &str, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let credential = "Credential=test/20250101/us-east-1/s3/aws4_request";
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\
             Authorization: AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=none\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Copies a folder, without what terraform leaves behind.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let left_behind = [".terraform", ".terraform.lock.hcl", "backend.hcl", "environments"];
        let is_state = name.to_string_lossy().contains(".tfstate");
        if is_state || left_behind.iter().any(|it| name == *it) {
            continue;
        }
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(&name));
        } else {
            std::fs::copy(entry.path(), to.join(&name)).unwrap();
        }
    }
}

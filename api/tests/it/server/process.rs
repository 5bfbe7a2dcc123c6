//! The server binary as a child process.

use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::http::{Address, Request, Response};

/// Nothing here takes this long unless it never ends.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

pub(super) const SECRET: &str = "reallyreallyreallyreallyverysafe";

/// The binary without any setting but those given.
pub(super) fn command(variables: &[(&str, &str)], args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgapp-api"));
    command.env_clear().envs(variables.iter().copied()).args(args);
    command
}

/// A setting's value, as a variable holds it.
pub(super) struct Setting(String);

impl From<&str> for Setting {
    fn from(it: &str) -> Self {
        Self(it.to_owned())
    }
}

impl From<&String> for Setting {
    fn from(it: &String) -> Self {
        Self(it.clone())
    }
}

impl From<&Path> for Setting {
    fn from(it: &Path) -> Self {
        Self(it.display().to_string())
    }
}

impl From<u16> for Setting {
    fn from(it: u16) -> Self {
        Self(it.to_string())
    }
}

impl From<bool> for Setting {
    fn from(it: bool) -> Self {
        Self(it.to_string())
    }
}

/// A server to be started.
pub(super) struct Builder {
    variables: Vec<(String, String)>,
    args: Vec<String>,
    descriptors: Option<u32>,
}

impl Builder {
    pub(super) fn set(mut self, name: &str, value: impl Into<Setting>) -> Self {
        self.variables.push((format!("PGRST_{name}"), value.into().0));
        self
    }

    /// A variable that is no setting of PostgREST's.
    pub(super) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// How many files and sockets it may have open.
    pub(super) fn descriptors(mut self, n: u32) -> Self {
        self.descriptors = Some(n);
        self
    }

    pub(super) fn file(mut self, path: &Path) -> Self {
        self.args.push(path.display().to_string());
        self
    }

    /// Starts it and waits until it serves.
    pub(super) async fn start(self) -> Server {
        let mut server = self.spawn();
        let line = server.wait_for_line("API server listening on ").await;
        server.api = Some(address(&line));
        server
    }

    /// Starts it.
    pub(super) fn spawn(self) -> Server {
        let mut command = command(&[], &[]);
        if let Some(n) = self.descriptors {
            let binary = command.get_program().to_owned();
            command = Command::new("/bin/sh");
            command.env_clear().args(["-c", &format!("ulimit -n {n}; exec \"$0\" \"$@\"")]).arg(binary);
        }
        let mut child = command
            .envs(self.variables)
            .args(self.args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let readers = vec![
            collect(child.stdout.take().unwrap(), Arc::clone(&lines)),
            collect(child.stderr.take().unwrap(), Arc::clone(&lines)),
        ];
        Server { child, lines, readers, api: None }
    }
}

fn collect(from: impl Read + Send + 'static, into: Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { return };
            into.lock().unwrap().push(line);
        }
    })
}

/// The address at the end of a line of log.
fn address(line: &str) -> Address {
    let text = line.rsplit(' ').next().unwrap();
    match text.strip_prefix('/') {
        Some(_) => Address::Unix(text.into()),
        None => {
            // A server on all addresses is reached on this machine's own.
            let text = text.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]");
            Address::Tcp(text.parse().unwrap())
        }
    }
}

/// A running server; it is killed when this is dropped.
pub(super) struct Server {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
    api: Option<Address>,
}

impl Server {
    /// A server over a database, on free ports.
    pub(super) fn over(uri: &str) -> Builder {
        Builder { variables: Vec::new(), args: Vec::new(), descriptors: None }
            .set("DB_URI", uri)
            .set("DB_ANON_ROLE", "web_anon")
            .set("DB_SCHEMAS", "api,api_v2")
            .set("DB_EXTRA_SEARCH_PATH", "extra")
            .set("SERVER_HOST", "127.0.0.1")
            .set("SERVER_PORT", 0)
    }

    pub(super) fn api(&self) -> &Address {
        self.api.as_ref().expect("the server has started")
    }

    /// Takes note of where the server listens, once it does.
    pub(super) async fn wait_until_serving(&mut self) {
        let line = self.wait_for_line("API server listening on ").await;
        self.api = Some(address(&line));
    }

    /// Where the admin server listens.
    pub(super) async fn admin(&self) -> Address {
        address(&self.wait_for_line("Admin server listening on ").await)
    }

    pub(super) async fn get(&self, target: &str) -> Response {
        Request::get(target).send(self.api()).await.unwrap()
    }

    pub(super) async fn send(&self, request: Request) -> Response {
        request.send(self.api()).await.unwrap()
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Most memory that it had at once, in bytes.
    pub(super) fn peak_memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|it| it.starts_with("VmHWM:")).unwrap();
        let kib: usize = line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1024
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// How many of its descriptors lead to something with this text in its name.
    pub(super) fn n_descriptors(&self, text: &str) -> usize {
        let folder = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        let links = folder.filter_map(|it| std::fs::read_link(it.ok()?.path()).ok());
        links.filter(|it| it.to_string_lossy().contains(text)).count()
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Everything that was logged, to the last line: the server is killed and its pipes are read to their ends. What is
    /// logged before an answer is in a pipe by the time the answer is here.
    pub(super) fn last_lines(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        for reader in std::mem::take(&mut self.readers) {
            reader.join().unwrap();
        }
        self.lines()
    }

    /// Forgets what was logged so far.
    pub(super) fn clear_lines(&self) {
        self.lines.lock().unwrap().clear();
    }

    /// The first line that holds this text.
    pub(super) async fn wait_for_line(&self, text: &str) -> String {
        self.wait_for_lines(text, 1).await.remove(0)
    }

    /// The first so many lines that hold this text.
    pub(super) async fn wait_for_lines(&self, text: &str, count: usize) -> Vec<String> {
        let mut found = Vec::new();
        let started = Instant::now();
        while started.elapsed() < DEADLINE {
            found = self.lines().into_iter().filter(|it| it.contains(text)).collect();
            if found.len() >= count {
                found.truncate(count);
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} of {count} lines with {text:?} in\n{}", found.len(), self.lines().join("\n"));
    }

    pub(super) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(super) async fn wait_for_exit(&mut self) -> ExitStatus {
        let started = Instant::now();
        while started.elapsed() < DEADLINE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the server still runs\n{}", self.lines().join("\n"));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Polls until a condition holds.
pub(super) async fn eventually<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < DEADLINE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

//! A stack in a temporary project, gone at the end of its test.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use local_stack::{
    ApiLauncher, Backend, Database, Error, Event, ServiceName, ServiceState, Stack, StackConfig, Status,
    Volumes,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_postgres::Client;

/// The REST server's program, built once per test process if the test run did not do so.
pub(crate) fn api_program() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let args = ["build", "--quiet", "--package", "api", "--bin", "pgapp-api", "--manifest-path"];
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("Cargo.toml");
        assert!(std::process::Command::new(cargo).args(args).arg(manifest).status().unwrap().success());
        // This test is target/<profile>/deps/it-…; programs are one folder up.
        let profile_dir = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
        profile_dir.join("pgapp-api")
    };
    PROGRAM.get_or_init(build).clone()
}

/// A stack with its own project folder and free ports.
pub(crate) struct TestStack {
    root: Arc<tempfile::TempDir>,
    pub(crate) stack: Stack,
    pub(crate) config: StackConfig,
    pub(crate) api: ApiLauncher,
    pub(crate) events: Arc<Mutex<Vec<Event>>>,
}

impl TestStack {
    /// Databases only, natively.
    pub(crate) fn databases() -> Self {
        // In memory where there is room: two clusters per test are mostly copying and syncing of files.
        let memory = Path::new("/dev/shm");
        let has_room = nix::sys::statvfs::statvfs(memory)
            .is_ok_and(|it| it.blocks_available().saturating_mul(it.fragment_size()) >= 2 << 30);
        let parent = if has_room { memory.to_owned() } else { std::env::temp_dir() };
        let root = tempfile::tempdir_in(parent).unwrap();
        // As root, the databases' user has to get in.
        std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        Self::in_project(Arc::new(root), "default")
    }

    /// With the REST server, natively.
    pub(crate) fn whole() -> Self {
        let mut it = Self::databases();
        it.api = ApiLauncher::Program(api_program());
        it
    }

    /// Another stack of the same project.
    pub(crate) fn beside(&self, name: &str) -> Self {
        Self::in_project(Arc::clone(&self.root), name)
    }

    fn in_project(root: Arc<tempfile::TempDir>, name: &str) -> Self {
        let config = StackConfig {
            name: name.parse().unwrap(),
            backend: Backend::Native,
            api_port: local_stack::ports::free().unwrap(),
            origin_port: local_stack::ports::free().unwrap(),
            custom_port: local_stack::ports::free().unwrap(),
            ..StackConfig::default()
        };
        let events: Arc<Mutex<Vec<Event>>> = Arc::default();
        let sink = Arc::clone(&events);
        let on_event = Arc::new(move |event| sink.lock().unwrap().push(event));
        let stack = Stack::new(root.path(), config.name.clone(), on_event);
        Self { root, stack, config, api: ApiLauncher::None, events }
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) async fn up(&self) -> Result<Status, Error> {
        self.stack.up(&self.config, &self.api).await
    }

    pub(crate) async fn down(&self, volumes: Volumes) {
        self.stack.down(volumes).await.unwrap();
    }

    pub(crate) async fn connect(&self, database: Database) -> Client {
        self.stack.connection(database).unwrap().connect().await.unwrap()
    }

    pub(crate) fn data(&self, database: Database) -> PathBuf {
        self.stack.home().dir().join("data").join(database.service().as_str())
    }

    /// Status and body of a GET to the REST server.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        http(self.config.api_port, "GET", path, "").await
    }

    /// The lines of `todos`, asked of the custom database.
    pub(crate) async fn todos(&self) -> Vec<String> {
        let client = self.connect(Database::Custom).await;
        let rows = client.query("SELECT col1 || '/' || col2 FROM todos", &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// What a service has logged.
    pub(crate) async fn log(&self, service: ServiceName) -> String {
        let mut text = String::new();
        let mut keep = |line: local_stack::LogLine| {
            text.push_str(&line.text);
            text.push('\n');
        };
        let window = local_stack::LogWindow::default();
        self.stack.logs(&[service], window, false, &mut keep).await.unwrap();
        text
    }

    pub(crate) async fn state_of(&self, service: ServiceName) -> ServiceState {
        let status = self.stack.status().await.unwrap();
        status.services.iter().find(|it| it.name == service).unwrap().state
    }
}

impl Drop for TestStack {
    fn drop(&mut self) {
        let stack = self.stack.clone();
        let down = async move { stack.down(Volumes::Remove).await };
        let thread = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(down)
        });
        let removed = thread.join();
        if !std::thread::panicking() {
            removed.unwrap().unwrap();
        }
    }
}

/// Status and body of an answer.
pub(crate) async fn http(port: u16, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    let request = format!("{head}Content-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The animals app's contract, as far as a life needs it: listed, saved, replaced, refused, deleted. Leaves one row.
pub(crate) async fn live_with_animals(port: u16) {
    let call = async |method: &str, path: &str, body: &str| http(port, method, path, body).await;
    assert_eq!(call("GET", "/animals", "").await, (200, r#"{"items":[]}"#.to_owned()));
    for weight in ["300", "300.25"] {
        let body = format!(r#"{{"name":"Zebra","weight":{weight},"height":1.5}}"#);
        assert_eq!(call("POST", "/animals", &body).await.0, 201);
    }
    assert_eq!(call("POST", "/animals", r#"{"name":"Ant","weight":0.01,"height":0.01}"#).await.0, 201);
    assert_eq!(call("POST", "/animals", r#"{"name":"Void"}"#).await.0, 400);
    assert_eq!(call("DELETE", "/animals/Ant", "").await, (204, String::new()));
    let (status, text) = call("DELETE", "/animals/Ant", "").await;
    assert_eq!((status, &*text), (404, r#"{"message":"Animal 'Ant' not found."}"#));
    assert_eq!(call("PUT", "/animals", "{}").await.0, 405);
    assert_eq!(call("GET", "/animals", "").await, (200, ZEBRA.to_owned()));
}

/// What [`live_with_animals`] leaves.
pub(crate) const ZEBRA: &str = r#"{"items":[{"name":"Zebra","weight":300.25,"height":1.50}]}"#;

pub(crate) fn pid(status: &Status, service: ServiceName) -> u32 {
    status.services.iter().find(|it| it.name == service).unwrap().pid.unwrap()
}

/// Polls until `done`, for at most half a minute.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut done: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done().await {
        assert!(Instant::now() < deadline, "timed out: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

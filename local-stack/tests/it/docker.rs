//! The same stack in containers, where an engine answers.
//!
//! Databases only but for one case: the image of the REST server takes minutes to build where it was never built.

use std::path::Path;
use std::sync::Arc;

use local_stack::{
    ApiLauncher, Backend, Database, Engine, Error, Event, LogWindow, ServiceName, ServiceState, Stack,
    StackConfig, Volumes,
};

use crate::support::{ZEBRA, http, live_with_animals};

const POSTGRES_IMAGE: &str = "postgres:15-bookworm";
const RUST_IMAGE: &str = "rust:1.95-bookworm";

/// The engine, or a line that says why these cases run natively only.
async fn engine() -> Option<Engine> {
    engine_with(&[POSTGRES_IMAGE]).await
}

async fn engine_with(images: &[&str]) -> Option<Engine> {
    let found = async {
        let engine = Engine::find().await?;
        for image in images {
            engine.ensure_image(image, &|_| {}).await?;
        }
        Ok::<Engine, Error>(engine)
    };
    match found.await {
        Ok(engine) => Some(engine),
        Err(reason) => {
            eprintln!("skipped: {reason}; the native cases cover the same ground");
            None
        }
    }
}

struct DockerStack {
    stack: Stack,
    config: StackConfig,
}

impl DockerStack {
    /// In the real project: the compose file and the Dockerfiles are part of what is tested.
    fn new(name: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let config = StackConfig {
            name: format!("test-{name}-{}", std::process::id()).parse().unwrap(),
            backend: Backend::Docker,
            api_port: local_stack::ports::free().unwrap(),
            origin_port: local_stack::ports::free().unwrap(),
            custom_port: local_stack::ports::free().unwrap(),
            ..StackConfig::default()
        };
        let stack = Stack::new(root, config.name.clone(), Arc::new(|_: Event| {}));
        Self { stack, config }
    }

    async fn up(&self) -> Result<local_stack::Status, Error> {
        self.stack.up(&self.config, &ApiLauncher::None).await
    }

    async fn todos(&self) -> Vec<String> {
        let client = self.stack.connection(Database::Custom).unwrap().connect().await.unwrap();
        let rows = client.query("SELECT col1 || '/' || col2 FROM todos", &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

impl Drop for DockerStack {
    fn drop(&mut self) {
        let stack = self.stack.clone();
        let removed = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(stack.down(Volumes::Remove))
        })
        .join();
        if !std::thread::panicking() {
            removed.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn containers_behave_as_processes_do() {
    if engine().await.is_none() {
        return;
    }
    let it = DockerStack::new("whole");
    let status = it.up().await.unwrap();
    assert!(
        status.services.iter().take(2).all(|it| it.state == ServiceState::Running && it.container.is_some())
    );
    assert_eq!(it.todos().await, ["cat/dog"]);

    // pg_cron is preloaded for the served database, jobs need no password, and nothing runs as root.
    let custom = it.stack.connection(Database::Custom).unwrap().connect().await.unwrap();
    custom.batch_execute("CREATE EXTENSION IF NOT EXISTS pg_cron").await.unwrap();
    let row = custom.query_one("SHOW cron.use_background_workers", &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "on");
    let container = status.services[1].container.clone().unwrap();
    let id = std::process::Command::new("docker").args(["exec", &container, "id", "-u"]).output().unwrap();
    assert_ne!(String::from_utf8_lossy(&id.stdout).trim(), "0");

    // A killed origin is reported, asked for in vain, and repaired.
    let origin = status.services[0].container.clone().unwrap();
    assert!(std::process::Command::new("docker").args(["kill", &origin]).output().unwrap().status.success());
    let status = it.stack.status().await.unwrap();
    assert_eq!(status.services[0].state, ServiceState::Failed);
    assert_eq!(status.services[1].state, ServiceState::Running);
    let error = custom.batch_execute("SELECT * FROM todos").await.unwrap_err();
    assert!(error.code().unwrap().code().starts_with("08"), "{error}");
    it.up().await.unwrap();
    assert_eq!(it.todos().await, ["cat/dog"]);

    // Down keeps the data and the logs, and removes the containers.
    custom.batch_execute("INSERT INTO todos VALUES ('a', 'b')").await.unwrap();
    it.stack.down(Volumes::Keep).await.unwrap();
    for service in it.stack.status().await.unwrap().services {
        assert_eq!((service.state, service.container), (ServiceState::Stopped, None));
    }
    let mut lines = Vec::new();
    it.stack
        .logs(&[ServiceName::OriginDb], LogWindow::default(), false, &mut |line| lines.push(line.text))
        .await
        .unwrap();
    assert!(lines.iter().any(|it| it.contains("ready to accept connections")), "{lines:?}");
    it.up().await.unwrap();
    assert_eq!(it.todos().await, ["cat/dog", "a/b"]);

    it.stack.down(Volumes::Remove).await.unwrap();
    let filter = format!("name={}", it.config.name);
    let left = std::process::Command::new("docker")
        .args(["volume", "ls", "-q", "--filter", &filter])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&left.stdout), "");
}

/// An application whose list has a Debian package, a library to preload and a build step.
fn application_with_packages(dir: &Path) {
    let files = [
        ("packages.txt", "postgresql-18-pgaudit\npreload auto_explain\nbuild words\n"),
        (
            "words/build.sh",
            "#!/bin/sh\nset -e\nto=\"$DESTDIR/usr/share/postgresql/$PG_MAJOR/extension\"\nmkdir -p \"$to\"\n\
             cp words.control words--1.0.sql \"$to\"\n",
        ),
        ("words/words.control", "default_version = '1.0'\nrelocatable = true\n"),
        (
            "words/words--1.0.sql",
            "create function words(t text) returns int language sql return array_length(string_to_array(t, ' '), 1);\n",
        ),
        ("migrations/20260101000000_start.sql", "create extension pgaudit;\ncreate extension words;\n"),
    ];
    for (name, text) in files {
        let path = dir.join("custom").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

#[tokio::test]
async fn an_applications_packages_are_in_its_image_and_preloaded() {
    if engine().await.is_none() {
        return;
    }
    let app = tempfile::tempdir().unwrap();
    application_with_packages(app.path());
    let mut it = DockerStack::new("packages");
    it.config.app = Some(app.path().to_owned());
    let status = it.up().await.unwrap();
    let container = status.services[1].container.clone().unwrap();
    let custom = it.stack.connection(Database::Custom).unwrap().connect().await.unwrap();
    let sql = "SELECT current_setting('shared_preload_libraries'), words('one two')";
    let row = custom.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1)), ("pgaudit,auto_explain,pg_cron", 2));
    let ask = |args: &[&str]| {
        let output = std::process::Command::new("docker").args(args).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_ne!(ask(&["exec", &container, "id", "-u"]), "0");
    assert_eq!(ask(&["exec", &container, "ls", "/var/lib/apt/lists"]), "", "nothing of apt's is left");

    // Another list, another image: the database starts anew by itself and has its rows.
    custom.batch_execute("CREATE TABLE kept AS SELECT 1 AS n").await.unwrap();
    std::fs::write(app.path().join("custom/packages.txt"), "postgresql-18-pgaudit\nbuild words\n").unwrap();
    it.up().await.unwrap();
    let custom = it.stack.connection(Database::Custom).unwrap().connect().await.unwrap();
    let sql = "SELECT current_setting('shared_preload_libraries'), n FROM kept";
    let row = custom.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1)), ("pgaudit,pg_cron", 1));
}

#[tokio::test]
async fn the_animals_app_runs_in_a_container_of_its_own() {
    if engine_with(&[POSTGRES_IMAGE, RUST_IMAGE]).await.is_none() {
        return;
    }
    let mut it = DockerStack::new("animals");
    let api = ApiLauncher::Program(std::path::PathBuf::new());
    let (first, second) = (local_stack::ports::free().unwrap(), local_stack::ports::free().unwrap());
    it.config.animals_port = Some(first);
    let status = it.stack.up(&it.config, &api).await.unwrap();
    assert!(status.is_up(), "{status:?}");
    let app = status.services.iter().find(|it| it.name == ServiceName::Animals).unwrap();
    let container = app.container.clone().unwrap();
    live_with_animals(first).await;
    let inspect = ["inspect", "--format", "{{.Config.User}} {{.Args}}", &container];
    let shown = std::process::Command::new("docker").args(inspect).output().unwrap();
    let arguments = "65532:65532 [--animals --animals-host 0.0.0.0 --animals-port 3100]";
    assert_eq!(String::from_utf8_lossy(&shown.stdout).trim(), arguments);

    // It moves beside what runs, and comes back with its rows.
    let others = |status: &local_stack::Status| -> Vec<_> {
        status.services.iter().take(3).map(|it| it.container.clone()).collect()
    };
    it.config.animals_port = Some(second);
    let moved = it.stack.up(&it.config, &api).await.unwrap();
    assert_eq!(others(&moved), others(&status));
    assert_eq!(http(second, "GET", "/animals", "").await, (200, ZEBRA.to_owned()));
    assert!(local_stack::ports::is_free(first));
    it.stack.down(Volumes::Keep).await.unwrap();
    let mut lines = Vec::new();
    it.stack
        .logs(&[ServiceName::Animals], LogWindow::default(), false, &mut |line| lines.push(line.text))
        .await
        .unwrap();
    assert!(lines.iter().any(|it| it.contains("answered")), "{lines:?}");
    it.stack.up(&it.config, &api).await.unwrap();
    assert_eq!(http(second, "GET", "/animals", "").await, (200, ZEBRA.to_owned()));

    it.config.animals_port = None;
    let without = it.stack.up(&it.config, &api).await.unwrap();
    assert!(without.is_up() && without.services.len() == 3, "{without:?}");
    assert!(local_stack::ports::is_free(second));
}

#[tokio::test]
async fn a_data_folder_is_refused_for_containers() {
    if engine().await.is_none() {
        return;
    }
    let mut it = DockerStack::new("folder");
    it.config.data_dir = Some("/tmp/anywhere".into());
    assert!(it.up().await.unwrap_err().to_string().starts_with("--data-dir is for the native backend"));
}

#[tokio::test]
async fn a_missing_base_image_is_named() {
    let Some(engine) = engine().await else { return };
    // A registry that cannot be: the name is reserved.
    let image = "registry.invalid/postgres:0";
    let error = engine.ensure_image(image, &|_| {}).await.unwrap_err();
    assert!(matches!(&error, Error::BaseImage { image: named, .. } if named == image), "{error}");
    assert!(error.hint().unwrap().contains("docker load"));
}

//! A real stack on this machine: `bootstrap --target local` as it is typed (again, interrupted, drifted, planned, without a
//! stack), and a backup that is restored.

use std::{os::unix::fs::PermissionsExt, process::Stdio, sync::Arc, time::Duration};

use local_stack::{
    ApiLauncher, Backend, Database, Stack, StackConfig, Volumes,
    pgbin::{SearchPath, ServerBinaries},
    ports,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::timeout,
};
use tokio_postgres::Client;
use verify::{
    Subject,
    http::{Http, Request},
};

use crate::ops::{Ran, interrupt};

const PATIENCE: Duration = Duration::from_secs(120);

/// The key of the lock that a run holds on a database.
const LOCK: &str = "SELECT pg_advisory_lock(x'0070676170700001'::bigint)";

/// A stack that is up, in a separate folder.
struct World {
    stack: Stack,
    root: TempDir,
}

impl World {
    async fn up() -> Self {
        let root = tempfile::tempdir().unwrap();
        // As root, the databases' user has to get in.
        std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let config = StackConfig {
            backend: Backend::Native,
            api_port: ports::free().unwrap(),
            origin_port: ports::free().unwrap(),
            custom_port: ports::free().unwrap(),
            ..StackConfig::default()
        };
        let stack = Stack::new(root.path(), config.name.clone(), Arc::new(|_| {}));
        stack.up(&config, &ApiLauncher::Program(aws_fakes::programs::api())).await.unwrap();
        Self { stack, root }
    }

    /// A program of the server's own version, with the local login, to success.
    async fn program(&self, name: &str, database: Database, args: &[&str]) {
        let found = ServerBinaries::find(&SearchPath::from_env(), None).unwrap().unwrap();
        let mut command = Command::new(found.program(name));
        let port = self.stack.connection(database).unwrap().port.to_string();
        command.args(args).current_dir(self.root.path()).env("PGHOST", "127.0.0.1").env("PGPORT", port);
        command.env("PGUSER", database.user()).env("PGPASSWORD", database.password());
        let output = timeout(PATIENCE, command.output()).await.expect("the program ends").unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// What the API answers to a `GET`.
    async fn get(&self, path: &str) -> String {
        let url = format!("http://127.0.0.1:{}", self.stack.config().unwrap().api_port);
        let subject = Subject { url: url.clone(), ..Subject::default() };
        Http::new(&subject).unwrap().send(&Request::get(format!("{url}{path}"))).await.unwrap().text()
    }

    async fn connect(&self, database: Database) -> Client {
        self.stack.connection(database).unwrap().connect().await.unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ops"));
        command
            .args(["bootstrap", "--target", "local"])
            .args(args)
            .current_dir(self.root.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    async fn run(&self, args: &[&str]) -> Ran {
        Ran(timeout(PATIENCE, self.command(args).output()).await.expect("the program ends").unwrap())
    }
}

#[tokio::test]
async fn a_local_stack_is_set_up_again_and_continued_as_typed() {
    let world = World::up().await;
    let ran = world.run(&[]).await.is(0);
    assert!(ran.out().is_empty() && ran.err().contains("imported the origin's tables"), "{}", ran.err());

    // What somebody took away comes back; the report is data.
    let custom = world.connect(Database::Custom).await;
    custom.batch_execute("DROP FOREIGN TABLE todos").await.unwrap();
    let ran = world.run(&["--json"]).await.is(0);
    let report: serde_json::Value = serde_json::from_str(&ran.out()).unwrap();
    assert_eq!(report["added"], serde_json::json!(["todos"]), "{report}");
    let again: serde_json::Value = serde_json::from_str(&world.run(&["--json"]).await.is(0).out()).unwrap();
    assert_eq!((&again["added"], &again["unchanged"]), (&serde_json::json!([]), &1.into()));

    // Planned: nothing is due, and nothing is done.
    custom.batch_execute("DROP FOREIGN TABLE todos").await.unwrap();
    let plan = world.run(&["--dry-run"]).await.is(0);
    assert!(plan.out().contains("-- origin/0001_todos: in place"), "{}", plan.out());
    assert!(
        plan.out().contains("CREATE USER MAPPING FOR PUBLIC") && plan.out().contains("password '********'")
    );
    let there = "SELECT to_regclass('public.todos') IS NOT NULL";
    assert!(!custom.query_one(there, &[]).await.unwrap().get::<_, bool>(0));

    // Interrupted while somebody else's run holds the lock, then continued.
    custom.query_one(LOCK, &[]).await.unwrap();
    let mut child = world.command(&[]).spawn().unwrap();
    wait_for_waiter(&custom).await;
    interrupt(&child);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let status = timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(130));
    let mut said = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        said += &line;
    }
    assert!(said.contains("the same command goes on from there"), "{said}");
    drop(custom);
    world.run(&[]).await.is(0);
    let custom = world.connect(Database::Custom).await;
    assert!(custom.query_one(there, &[]).await.unwrap().get::<_, bool>(0));

    // A step that is not the one that was applied is refused by name.
    let drift = "UPDATE pgapp.schema_step SET checksum = 'x' WHERE name = '0002_roles'";
    custom.batch_execute(drift).await.unwrap();
    let drifted = world.run(&[]).await.is(1);
    let expected = "step \"custom/0002_roles\" was changed after it had been applied";
    assert!(drifted.err().contains(expected), "{}", drifted.err());
    let planned = world.run(&["--dry-run"]).await.is(1);
    assert!(planned.err().contains(expected), "{}", planned.err());

    // Not up, and not there.
    world.stack.down(Volumes::Keep).await.unwrap();
    let down = world.run(&[]).await.is(1);
    assert!(down.err().contains("hint: Start it with `cargo xtask up --name default`."), "{}", down.err());
    world.stack.down(Volumes::Remove).await.unwrap();
    let unknown = world.run(&["--name", "another"]).await.is(1);
    assert!(unknown.err().contains("cargo xtask up"), "{}", unknown.err());
}

/// Until a session waits for the lock.
async fn wait_for_waiter(client: &Client) {
    let waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)";
    let deadline = std::time::Instant::now() + PATIENCE;
    while !client.query_one(waiting, &[]).await.unwrap().get::<_, bool>(0) {
        assert!(std::time::Instant::now() < deadline, "nobody waits for the lock");
        tokio::task::yield_now().await;
    }
}

/// `docs/operations.md`, "Backup and restore": what it says was tried is tried here again.
#[tokio::test]
async fn a_dump_brings_back_what_was_lost() {
    let world = World::up().await;
    let (origin, custom) = (world.connect(Database::Origin).await, world.connect(Database::Custom).await);
    origin
        .batch_execute(
            "CREATE TABLE cities AS SELECT id, 'city ' || id AS name FROM generate_series(1, 1000) AS id",
        )
        .await
        .unwrap();
    custom.batch_execute("CREATE TABLE notes AS SELECT 1 AS id, 'kept' AS t").await.unwrap();
    world.run(&[]).await.is(0);
    for (database, file) in [(Database::Origin, "origin.dump"), (Database::Custom, "custom.dump")] {
        let file = format!("--file={file}");
        world.program("pg_dump", database, &["--format=custom", &file, "--dbname", database.dbname()]).await;
    }
    origin.batch_execute("DROP TABLE cities; DELETE FROM todos").await.unwrap();
    custom.batch_execute("DROP TABLE notes").await.unwrap();
    assert_eq!(world.get("/todos").await, "[]");
    assert!(is_answered(&world, "/notes", "PGRST205").await);

    let restore =
        ["--clean", "--if-exists", "--single-transaction", "--exit-on-error", "--no-owner", "--dbname"];
    for (database, file) in [(Database::Origin, "origin.dump"), (Database::Custom, "custom.dump")] {
        world.program("pg_restore", database, &[&restore[..], &[database.dbname(), file]].concat()).await;
    }
    custom.batch_execute("NOTIFY pgrst, 'reload schema'").await.unwrap();
    assert!(is_answered(&world, "/notes", r#"[{"id":1,"t":"kept"}]"#).await);
    assert_eq!(world.get("/todos").await, r#"[{"col1":"cat","col2":"dog"}]"#);
    assert_eq!(world.get("/cities?select=id&order=id.desc&limit=1").await, r#"[{"id":1000}]"#);
    // The event trigger is back, too: a new table is served without a word to the API.
    custom.batch_execute("CREATE TABLE later AS SELECT 2 AS id").await.unwrap();
    assert!(is_answered(&world, "/later", r#"[{"id":2}]"#).await);
    world.stack.down(Volumes::Remove).await.unwrap();
}

/// Whether the API comes to answer so: it reads the catalog anew on its own time.
async fn is_answered(world: &World, path: &str, part: &str) -> bool {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !world.get(path).await.contains(part) {
        if std::time::Instant::now() > deadline {
            return false;
        }
        tokio::task::yield_now().await;
    }
    true
}

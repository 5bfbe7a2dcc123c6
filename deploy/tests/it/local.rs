//! `bootstrap --target local` as it is typed, on a real stack: again, interrupted, drifted, planned, and without a stack.

use std::{os::unix::fs::PermissionsExt, process::Stdio, sync::Arc, time::Duration};

use local_stack::{ApiLauncher, Backend, Database, Stack, StackConfig, Volumes, ports};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::timeout,
};
use tokio_postgres::Client;

use crate::{
    ops::{Ran, interrupt},
    verifying::api_program,
};

const PATIENCE: Duration = Duration::from_secs(120);

/// The key of the lock that a run holds on a database.
const LOCK: &str = "SELECT pg_advisory_lock(x'0070676170700001'::bigint)";

/// A stack that is up, in a folder of its own.
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
        stack.up(&config, &ApiLauncher::Program(api_program())).await.unwrap();
        Self { stack, root }
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

//! Commands on a local stack of databases only, in a project of the test's own.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::Arc;

use local_stack::{ApiLauncher, Backend, Database, Stack, StackConfig, Volumes};
use tokio::time::{Duration, Instant};

use crate::text;

struct Project {
    root: tempfile::TempDir,
    stack: Stack,
    config: StackConfig,
}

impl Project {
    async fn up() -> Self {
        let root = tempfile::tempdir().unwrap();
        // As root, the databases' user has to get in.
        std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let port = || local_stack::ports::free().unwrap();
        let config = StackConfig {
            backend: Backend::Native,
            api_port: port(),
            origin_port: port(),
            custom_port: port(),
            ..StackConfig::default()
        };
        let stack = Stack::new(root.path(), config.name.clone(), Arc::new(|_| {}));
        stack.up(&config, &ApiLauncher::None).await.unwrap();
        Self { root, stack, config }
    }

    fn xtask(&self, args: &[&str]) -> Command {
        let mut command = crate::xtask(args);
        // The tool takes the folder above its package for the project.
        command.env("CARGO_MANIFEST_DIR", self.root.path().join("xtask"));
        command
    }

    /// Exit code, stdout and stderr.
    fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let output = self.xtask(args).output().unwrap();
        let (out, err) = text(&output);
        (output.status.code(), out, err)
    }

    async fn connect(&self, database: Database) -> tokio_postgres::Client {
        let url = self.stack.connection(database).unwrap().url();
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    async fn down(self) {
        self.stack.down(Volumes::Remove).await.unwrap();
    }
}

#[tokio::test]
async fn interrupt_is_handled_by_psql_itself() {
    let it = Project::up().await;
    let mut psql = it
        .xtask(&["psql", "custom", "--", "-XAtq"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = psql.stdin.take().unwrap();
    stdin.write_all(b"select pg_sleep(600);\n").unwrap();
    drop(stdin);
    let client = it.connect(Database::Custom).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    let running = "select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep(600)%' \
                   and pid <> pg_backend_pid()";
    while client.query_one(running, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(Instant::now() < deadline, "the query does not run");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The program that was started became psql: the signal reaches psql itself.
    let interrupted = Command::new("kill").args(["-INT", &psql.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let output = psql.wait_with_output().unwrap();
    let (_, err) = text(&output);
    assert!(err.contains("canceling statement due to user request"), "{err}");
    // What psql says of an interrupted script; at a prompt it would go on.
    assert_eq!(output.status.code(), Some(3), "{err}");
    let running = client.query_one(running, &[]).await.unwrap().get::<_, i64>(0);
    assert_eq!(running, 0, "the query runs on");
    it.down().await;
}

#[tokio::test]
async fn exit_codes_of_psql_are_passed_on() {
    let it = Project::up().await;
    assert_eq!(
        it.run(&["psql", "origin", "--", "-XAtc", "select 41 + 1"]),
        (Some(0), "42\n".into(), String::new())
    );
    let (code, _, _) =
        it.run(&["psql", "origin", "--", "-X", "-v", "ON_ERROR_STOP=1", "-f", "/nonexistent.sql"]);
    assert_ne!(code, Some(0));
    it.stack.down(Volumes::Keep).await.unwrap();
    let (code, _, err) = it.run(&["down"]);
    assert_eq!(code, Some(0));
    assert!(err.contains("is stopped already; its data is kept"), "{err}");
    let (code, _, err) = it.run(&["psql", "origin"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("origindb of stack \"default\" is not running"), "{err}");
    assert!(err.contains("cargo xtask up"), "{err}");
    it.down().await;
}

#[tokio::test]
async fn status_fails_when_a_service_has_failed() {
    let it = Project::up().await;
    let (_, out, _) = it.run(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&out).unwrap();
    let custom = status["services"].as_array().unwrap().iter().find(|it| it["name"] == "customdb").unwrap();
    let killed = Command::new("kill").args(["-KILL", &custom["pid"].to_string()]).status().unwrap();
    assert!(killed.success());
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let (code, out, _) = it.run(&["status"]);
        assert!(out.contains("requests without a token may read and write everything in public"), "{out}");
        if code == Some(1) {
            assert!(out.contains("customdb  failed"), "{out}");
            break;
        }
        assert!(Instant::now() < deadline, "{out}");
    }
    it.down().await;
}

#[tokio::test]
async fn local_stacks_are_listed() {
    let it = Project::up().await;
    let (code, out, _) = it.run(&["stacks", "--local"]);
    assert_eq!(code, Some(0));
    let address = format!("http://127.0.0.1:{}", it.config.api_port);
    assert!(out.starts_with("default ") && out.contains("running") && out.contains(&address), "{out}");
    it.stack.down(Volumes::Keep).await.unwrap();
    assert!(it.run(&["stacks", "--local"]).1.contains("stopped"));
    it.stack.down(Volumes::Remove).await.unwrap();
    let (code, out, err) = it.run(&["stacks", "--local"]);
    assert_eq!((code, out.as_str()), (Some(0), ""));
    assert!(err.contains("cargo xtask up"), "{err}");
}

#[tokio::test]
async fn logs_show_the_last_lines_and_recent_ones() {
    let it = Project::up().await;
    let client = it.connect(Database::Origin).await;
    for name in ["first", "second", "third"] {
        assert!(client.batch_execute(&format!("select no_such_{name}")).await.is_err());
    }
    let (_, all, _) = it.run(&["logs", "origindb"]);
    let (_, tail, _) = it.run(&["logs", "origindb", "--tail", "2"]);
    let expected: Vec<&str> = all.lines().rev().take(2).collect();
    assert_eq!(tail.lines().rev().collect::<Vec<_>>(), expected);
    assert!(tail.contains("no_such_third"), "{tail}");
    assert_eq!(it.run(&["logs", "origindb", "--since", "1h"]).1, all);
    assert_eq!(it.run(&["logs", "origindb", "--since", "2999-01-01T00:00:00Z"]).1, "");
    let (code, _, err) = it.run(&["logs", "--since", "yesterday"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("30s, 5m, 2h, 1d"), "{err}");
    it.down().await;
}

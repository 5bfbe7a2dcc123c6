//! Up, down, up again.

use local_stack::{Database, Event, LogWindow, ServiceName, ServiceState, Volumes};

use crate::support::{TestStack, pid};

#[tokio::test]
async fn up_joins_the_databases_and_again_is_a_no_op() {
    let it = TestStack::databases();
    let first = it.up().await.unwrap();
    assert_eq!(it.todos().await, ["cat/dog"]);
    it.events.lock().unwrap().clear();

    let second = it.up().await.unwrap();
    for service in ServiceName::DATABASES {
        assert_eq!(pid(&first, service), pid(&second, service), "{service} was started anew");
    }
    let started = |event: &Event| matches!(event, Event::Service { state: ServiceState::Starting, .. });
    assert!(!it.events.lock().unwrap().iter().any(started));
}

#[tokio::test]
async fn down_keeps_the_data_and_volumes_removes_it() {
    let it = TestStack::databases();
    it.up().await.unwrap();
    let custom = it.connect(Database::Custom).await;
    custom.batch_execute("CREATE TABLE kept (x int); INSERT INTO todos VALUES ('a', 'b')").await.unwrap();

    it.down(Volumes::Keep).await;
    assert!(custom.batch_execute("SELECT 1").await.is_err());
    for service in ServiceName::DATABASES {
        assert_eq!(it.state_of(service).await, ServiceState::Stopped);
    }
    it.up().await.unwrap();
    assert_eq!(it.todos().await, ["cat/dog", "a/b"]);
    it.connect(Database::Custom).await.batch_execute("SELECT * FROM kept").await.unwrap();

    it.down(Volumes::Remove).await;
    let left = std::fs::read_dir(it.root().join(".stack")).unwrap().count();
    assert_eq!(left, 0, "nothing of the stack is left");
    it.up().await.unwrap();
    assert_eq!(it.todos().await, ["cat/dog"]);
}

#[tokio::test]
async fn down_of_an_unknown_stack_is_done_already() {
    let it = TestStack::databases();
    it.down(Volumes::Keep).await;
    assert!(it.stack.status().await.unwrap_err().to_string().contains("there is no stack \"default\""));
}

#[tokio::test]
async fn two_stacks_run_side_by_side() {
    let a = TestStack::databases();
    let b = a.beside("other");
    let (up_a, up_b) = tokio::join!(a.up(), b.up());
    up_a.unwrap();
    up_b.unwrap();
    a.connect(Database::Origin).await.batch_execute("UPDATE todos SET col1 = 'changed'").await.unwrap();
    assert_eq!(a.todos().await, ["changed/dog"]);
    assert_eq!(b.todos().await, ["cat/dog"]);
    a.down(Volumes::Remove).await;
    assert_eq!(b.todos().await, ["cat/dog"]);
}

#[tokio::test]
async fn status_serialises_as_documented() {
    let it = TestStack::databases();
    it.up().await.unwrap();
    let status = serde_json::to_value(it.stack.status().await.unwrap()).unwrap();
    assert_eq!(status["name"], "default");
    assert_eq!(status["backend"], "native");
    let origin = &status["services"][0];
    assert_eq!((&origin["name"], &origin["state"]), (&"origindb".into(), &"running".into()));
    let url = format!("postgres://someuser:somepassword@127.0.0.1:{}/somedb", it.config.origin_port);
    assert_eq!(origin["url"], url);
    assert!(origin["pid"].is_u64());
    let api = &status["services"][2];
    assert_eq!((&api["name"], &api["state"]), (&"api".into(), &"stopped".into()));
}

#[tokio::test]
async fn an_origins_new_table_arrives_with_an_import() {
    let it = TestStack::databases();
    it.up().await.unwrap();
    let create = "CREATE TABLE cities (id int PRIMARY KEY, name text); INSERT INTO cities VALUES (1, 'Lima')";
    it.connect(Database::Origin).await.batch_execute(create).await.unwrap();
    let report = it.stack.fdw_import().await.unwrap();
    assert_eq!(report.added, ["cities"]);
    let custom = it.connect(Database::Custom).await;
    let name: String = custom.query_one("SELECT name FROM cities WHERE id = 1", &[]).await.unwrap().get(0);
    assert_eq!(name, "Lima");
}

#[tokio::test]
async fn a_bootstrap_puts_back_what_is_missing_and_leaves_the_rest() {
    let it = TestStack::databases();
    it.up().await.unwrap();
    let again = it.stack.bootstrap().await.unwrap().unwrap();
    assert_eq!((again.added.len(), again.unchanged), (0, 1));
    let custom = it.connect(Database::Custom).await;
    custom.batch_execute("DROP SERVER origin CASCADE").await.unwrap();
    let back = it.stack.bootstrap().await.unwrap().unwrap();
    assert_eq!(back.added, ["todos"]);
    assert_eq!(it.todos().await, ["cat/dog"]);
    it.down(Volumes::Keep).await;
    let error = it.stack.bootstrap().await.unwrap_err();
    assert!(matches!(error, local_stack::Error::NotRunning { .. }), "{error}");
}

#[tokio::test]
async fn a_bare_stack_has_no_foreign_objects_and_can_be_wired_later() {
    let mut it = TestStack::databases();
    it.config.bare = true;
    it.up().await.unwrap();
    let custom = it.connect(Database::Custom).await;
    let count = "SELECT count(*) FROM pg_foreign_server";
    assert_eq!(custom.query_one(count, &[]).await.unwrap().get::<_, i64>(0), 0);
    assert!(it.stack.fdw_import().await.unwrap_err().to_string().contains("is bare"));
    assert!(it.stack.bootstrap().await.unwrap().is_none(), "there is nothing to import from");

    it.down(Volumes::Keep).await;
    it.config.bare = false;
    it.up().await.unwrap();
    assert_eq!(it.todos().await, ["cat/dog"]);
}

#[tokio::test]
async fn scheduled_jobs_run_where_pg_cron_is_installed() {
    let it = TestStack::databases();
    it.up().await.unwrap();
    let custom = it.connect(Database::Custom).await;
    let available = "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_cron'";
    if custom.query_one(available, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        // Nothing to preload on this machine; `doctor` says how to install it.
        return;
    }
    custom.batch_execute("CREATE EXTENSION IF NOT EXISTS pg_cron; CREATE TABLE ticks (x int)").await.unwrap();
    let schedule = "SELECT cron.schedule('tick', '* * * * *', 'INSERT INTO ticks VALUES (1)')";
    custom.batch_execute(schedule).await.unwrap();
    let workers = custom.query_one("SHOW cron.use_background_workers", &[]).await.unwrap();
    assert_eq!(workers.get::<_, String>(0), "on", "a job must not need a password");
}

#[tokio::test]
async fn log_lines_are_kept_and_followed() {
    let it = TestStack::databases();
    it.up().await.unwrap();
    let mut lines = Vec::new();
    it.stack
        .logs(&[ServiceName::OriginDb], LogWindow::default(), false, &mut |line| lines.push(line))
        .await
        .unwrap();
    assert!(lines.iter().any(|it| it.text.contains("ready to accept connections")), "{lines:?}");

    let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let stack = it.stack.clone();
    let follow = tokio::spawn(async move {
        stack
            .logs(&ServiceName::DATABASES, LogWindow::default(), true, &mut |line| {
                sender.send(line.text).unwrap();
            })
            .await
    });
    let origin = it.connect(Database::Origin).await;
    assert!(origin.batch_execute("SELECT no_such_column_here").await.is_err());
    let wait = async { while !seen.recv().await.unwrap().contains("no_such_column_here") {} };
    tokio::time::timeout(std::time::Duration::from_secs(30), wait).await.unwrap();
    follow.abort();
}

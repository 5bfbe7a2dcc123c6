//! Reloads of configuration and schema cache by signal and by `NOTIFY`, also under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use super::http::Request;
use super::process::{Server, eventually};
use super::{authenticator, database, database_of_its_own, execute, server_over};

#[tokio::test]
async fn a_signal_rebuilds_the_schema_cache() {
    let db = database().await;
    let server = server_over(&db).await;
    let client = db.connect().await.unwrap();
    execute(&client, "create table api.fresh (id int); grant select on api.fresh to web_anon").await;
    assert_eq!(server.get("/fresh").await.code(), "PGRST205");
    server.signal(Signal::SIGUSR1);
    eventually("the table is known", async || server.get("/fresh").await.status == 200).await;
}

#[tokio::test]
async fn notifications_ask_for_reloads() {
    let (cluster, uri) = database_of_its_own().await;
    let server = Server::over(&uri).start().await;
    let client = cluster.connect("postgres").await.unwrap();
    server.wait_for_line("listening for database notifications on the \"pgrst\" channel").await;

    execute(
        &client,
        "create table api.fresh (id int); grant select on api.fresh to web_anon; notify pgrst, 'reload schema'",
    )
    .await;
    server.wait_for_line("Received a schema cache reload message on the \"pgrst\" channel").await;
    eventually("the table is known", async || server.get("/fresh").await.status == 200).await;

    execute(
        &client,
        "create table api.fresher (id int); grant select on api.fresher to web_anon; notify pgrst",
    )
    .await;
    eventually("the table is known", async || server.get("/fresher").await.status == 200).await;

    execute(&client, "alter role authenticator set pgrst.db_max_rows = '1'; notify pgrst, 'reload config'")
        .await;
    server.wait_for_line("Received a config reload message on the \"pgrst\" channel").await;
    eventually("fewer rows", async || {
        Request::new("HEAD", "/films").send(server.api()).await.unwrap().header("content-range")
            == Some("0-0/*")
    })
    .await;

    // Anything else is somebody else's notification.
    server.clear_lines();
    execute(&client, "notify pgrst, 'hello'; notify other; notify pgrst, 'reload config'").await;
    // Notifications come in order: once the last one is told, the others would have been.
    server.wait_for_line("Received a config reload message on the \"pgrst\" channel").await;
    let received = server.lines().into_iter().filter(|it| it.contains("Received")).count();
    assert_eq!(received, 1, "{:?}", server.lines());
}

#[tokio::test]
async fn a_path_in_the_old_syntax_is_told_when_it_comes() {
    let db = database().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("test.conf");
    let reload = async |server: &Server, path: &str| {
        server.clear_lines();
        std::fs::write(&file, format!("jwt-role-claim-key = \"{path}\"\n")).unwrap();
        server.signal(Signal::SIGUSR2);
        server.wait_for_line("Config reloaded").await;
        server.lines().iter().filter(|it| it.contains("WARNING: The config `jwt-role-claim-key=.")).count()
    };
    std::fs::write(&file, "").unwrap();
    let server = Server::over(&authenticator(db.config())).file(&file).start().await;
    server.wait_for_line("Config reloaded").await;
    for (path, warnings) in [(".a.role", 1), (".a.role", 0), (".b.role", 1), ("$$.b.role", 0)] {
        assert_eq!(reload(&server, path).await, warnings, "{path}");
    }
}

#[tokio::test]
async fn a_file_is_read_again_and_an_invalid_one_is_dropped() {
    let db = database().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("test.conf");
    std::fs::write(&file, "app.settings.name = \"John\"\ndb-channel-enabled = false\n").unwrap();
    let server = Server::over(&authenticator(db.config())).file(&file).start().await;
    let name = async || server.get("/rpc/setting?name=app.settings.name").await.json();
    assert_eq!(name().await, json!("John"));

    std::fs::write(&file, "app.settings.name = \"Jane\"\nlog-level = \"never\"\n").unwrap();
    server.signal(Signal::SIGUSR2);
    server.wait_for_line("Failed reloading config: Error in config Invalid logging level.").await;
    assert_eq!(name().await, json!("John"));

    std::fs::write(&file, "app.settings.name = \"Jane\"\nlog-level = \"info\"\n").unwrap();
    server.signal(Signal::SIGUSR2);
    eventually("the new name", async || name().await == json!("Jane")).await;
    // The level follows, and so does the channel, which is on by default.
    server.wait_for_line("\"GET /rpc/setting?name=app.settings.name HTTP/1.1\" 200").await;
    server.wait_for_line("listening for database notifications").await;
}

#[tokio::test]
async fn a_lost_database_does_not_lose_its_settings() {
    let (cluster, uri) = database_of_its_own().await;
    let client = cluster.connect("postgres").await.unwrap();
    execute(&client, "alter role authenticator set pgrst.jwt_aud = 'from the database'").await;
    let server =
        Server::over(&uri).set("ADMIN_SERVER_PORT", 0).set("ADMIN_SERVER_HOST", "127.0.0.1").start().await;
    let admin = server.admin().await;
    let aud = async || {
        let text = Request::get("/config").send(&admin).await.unwrap().body;
        text.contains("jwt-aud = \"from the database\"\n")
    };
    assert!(aud().await);
    cluster.server().kill().await.unwrap();
    server.clear_lines();
    server.signal(Signal::SIGUSR2);
    server.wait_for_line("Failed to query database settings for the config parameters.").await;
    server.wait_for_line("Config reloaded").await;
    assert!(aud().await);
}

#[tokio::test]
async fn reloads_drop_no_request() {
    let db = database().await;
    let server = Arc::new(server_over(&db).await);
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (server, stop, answered) = (Arc::clone(&server), Arc::clone(&stop), Arc::clone(&answered));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let answer = server.get("/films?select=id,directors(name)&limit=1").await;
                    assert_eq!(answer.status, 200, "{}", answer.body);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    server.clear_lines();
    for round in 1..=5 {
        for _ in 0..3 {
            server.signal(Signal::SIGUSR1);
            server.signal(Signal::SIGUSR2);
        }
        server.wait_for_lines("Schema cache loaded in", round).await;
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert!(answered.load(Ordering::Relaxed) > 5);
}

#[tokio::test]
async fn a_reload_that_fails_keeps_the_cache() {
    let db = database().await;
    let server = Server::over(&authenticator(db.config()))
        .set("ADMIN_SERVER_PORT", 0)
        .set("ADMIN_SERVER_HOST", "127.0.0.1")
        .start()
        .await;
    let admin = server.admin().await;
    let client = db.connect().await.unwrap();
    execute(&client, "alter schema api_v2 rename to hidden").await;
    server.signal(Signal::SIGUSR1);
    server.wait_for_line("Failed to load the schema cache using db-schemas=api,api_v2").await;
    server.wait_for_line("Attempting to reconnect to the database in 1 seconds...").await;
    assert_eq!(Request::get("/ready").send(&admin).await.unwrap().status, 503);
    assert_eq!(server.get("/films?limit=1").await.status, 200);
    server.wait_for_line("Attempting to reconnect to the database in 4 seconds...").await;
    execute(&client, "alter schema hidden rename to api_v2").await;
    let mended = Instant::now();
    server.signal(Signal::SIGUSR1);
    eventually("ready again", async || Request::get("/ready").send(&admin).await.unwrap().status == 200)
        .await;
    // Whoever asks for a reload is not kept waiting by earlier failures.
    assert!(mended.elapsed() < Duration::from_secs(3));
    let metrics = Request::get("/metrics").send(&admin).await.unwrap().body;
    assert!(metrics.contains("pgrst_schema_cache_loads_total{status=\"FAIL\"}"), "{metrics}");
}

#[tokio::test]
async fn settings_of_roles_follow_a_reload() {
    let (cluster, uri) = database_of_its_own().await;
    let server = Server::over(&uri).start().await;
    let timeout = async || server.get("/rpc/setting?name=statement_timeout").await.json();
    assert_eq!(timeout().await, json!("0"));
    execute(&cluster.connect("postgres").await.unwrap(), "alter role web_anon set statement_timeout = '7s'")
        .await;
    server.signal(Signal::SIGUSR2);
    eventually("the new timeout", async || timeout().await == json!("7s")).await;
}

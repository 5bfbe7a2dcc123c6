//! The database goes away and comes back; the pool runs dry.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::http::{Address, Request};
use super::process::{Server, eventually};
use super::{authenticator, database, database_of_its_own};

#[tokio::test]
async fn the_database_goes_and_comes_back() {
    let (cluster, uri) = database_of_its_own().await;
    let server =
        Server::over(&uri).set("ADMIN_SERVER_PORT", 0).set("ADMIN_SERVER_HOST", "127.0.0.1").start().await;
    let admin = server.admin().await;
    let ready = async || Request::get("/ready").send(&admin).await.unwrap().status;
    eventually("ready", async || ready().await == 200).await;

    cluster.server().kill().await.unwrap();
    eventually("refused", async || server.get("/films").await.status == 503).await;
    let answer = server.get("/films").await;
    assert!(["PGRST000", "PGRST001"].contains(&answer.code().as_str()), "{}", answer.body);
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=32).contains(&wait), "{wait}");
    assert_eq!(ready().await, 503);
    assert_eq!(Request::get("/live").send(&admin).await.unwrap().status, 200);
    server.wait_for_line("Attempting to reconnect to the database in 1 seconds...").await;
    server.wait_for_line("Attempting to reconnect to the database in 2 seconds...").await;
    server.wait_for_line("Retrying listening for database notifications in 1 seconds...").await;

    cluster.server().start().await.unwrap();
    eventually("ready again", async || ready().await == 200).await;
    assert_eq!(server.get("/films").await.status, 200);
}

#[tokio::test]
async fn a_server_that_is_there_first_waits_for_the_database() {
    let (cluster, uri) = database_of_its_own().await;
    cluster.server().kill().await.unwrap();
    let mut server =
        Server::over(&uri).set("ADMIN_SERVER_PORT", 0).set("ADMIN_SERVER_HOST", "127.0.0.1").spawn();
    let admin = server.admin().await;
    server.wait_for_line("Failed to query the PostgreSQL version. {\"code\":\"PGRST000\"").await;
    // Nobody is let in who could only be refused.
    assert_eq!(Request::get("/live").send(&admin).await.unwrap().status, 500);
    assert_eq!(Request::get("/ready").send(&admin).await.unwrap().status, 503);
    assert!(!server.lines().iter().any(|it| it.contains("API server listening")));
    cluster.server().start().await.unwrap();
    server.wait_until_serving().await;
    assert_eq!(server.get("/films").await.status, 200);
    assert_eq!(Request::get("/live").send(&admin).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_wrong_password_ends_the_process() {
    let db = database().await;
    let uri = authenticator(db.config()).replace(":authenticator@", ":wrong@");
    let mut server = Server::over(&uri).spawn();
    assert_eq!(server.wait_for_exit().await.code(), Some(1));
    server.wait_for_line("Failed to establish a connection. {\"code\":\"PGRST000\"").await;
    assert!(!server.lines().iter().any(|it| it.contains("wrong")), "{:?}", server.lines());
}

#[tokio::test]
async fn without_recovery_the_process_ends() {
    let (cluster, uri) = database_of_its_own().await;
    let mut server = Server::over(&uri).set("DB_POOL_AUTOMATIC_RECOVERY", false).start().await;
    server.wait_for_line("listening for database notifications").await;
    cluster.server().kill().await.unwrap();
    assert_eq!(server.wait_for_exit().await.code(), Some(1));

    let mut server = Server::over(&uri).set("DB_POOL_AUTOMATIC_RECOVERY", false).spawn();
    assert_eq!(server.wait_for_exit().await.code(), Some(1));
}

#[tokio::test]
async fn an_exhausted_pool_times_out() {
    let db = database().await;
    let server = Server::over(&authenticator(db.config()))
        .set("DB_POOL", 1)
        .set("DB_POOL_ACQUISITION_TIMEOUT", 1)
        .set("ADMIN_SERVER_PORT", 0)
        .set("ADMIN_SERVER_HOST", "127.0.0.1")
        .start()
        .await;
    let admin = server.admin().await;
    let server = Arc::new(server);
    let slow = {
        let server = Arc::clone(&server);
        tokio::spawn(async move { server.get("/rpc/sleep?seconds=4").await.status })
    };
    let client = db.connect().await.unwrap();
    eventually("the slow request runs", async || {
        let rows = client.query(
            "select from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()",
            &[],
        );
        !rows.await.unwrap().is_empty()
    })
    .await;
    // What needs no connection is answered all the same.
    assert_eq!(server.get("/nowhere").await.status, 404);
    assert_eq!(Request::new("OPTIONS", "/films").send(server.api()).await.unwrap().status, 200);
    let answer = server.get("/films").await;
    assert_eq!((answer.status, answer.code()), (504, "PGRST003".to_owned()));
    assert_eq!(answer.json()["message"], "Timed out acquiring connection from connection pool.");
    server.wait_for_line("Timed out acquiring connection from connection pool.").await;
    let metrics = Request::get("/metrics").send(&admin).await.unwrap().body;
    assert!(metrics.contains("pgrst_db_pool_timeouts_total 1.0\n"), "{metrics}");
    assert_eq!(slow.await.unwrap(), 204);
    assert_eq!(server.get("/films").await.status, 200);
}

#[tokio::test]
async fn a_terminated_connection_is_replaced() {
    let db = database().await;
    let server = Server::over(&authenticator(db.config())).set("DB_POOL", 1).start().await;
    let client = db.connect().await.unwrap();
    for _ in 0..3 {
        assert_eq!(server.get("/films?limit=1").await.status, 200);
        let terminate = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'authenticator' and query not like 'LISTEN%'";
        client.execute(terminate, &[]).await.unwrap();
        // At most the request that finds out is refused.
        eventually("answered again", async || server.get("/films?limit=1").await.status == 200).await;
    }
}

#[tokio::test]
async fn a_connection_lost_in_a_request_is_told_as_libpq_does() {
    let db = database().await;
    super::execute(
        &db.connect().await.unwrap(),
        "create function api.farewell() returns bool language sql security definer as 'select pg_terminate_backend(pg_backend_pid())';
         grant execute on function api.farewell() to web_anon",
    )
    .await;
    let server = Server::over(&authenticator(db.config())).start().await;
    let answer = server.get("/rpc/farewell").await;
    let expected = r#"{"code":"PGRST001","details":"no connection to the server\n","hint":null,"message":"Database client error. Retrying the connection."}"#;
    assert_eq!((answer.status, answer.body.as_str()), (503, expected));
    server.wait_for_line(expected).await;
}

#[tokio::test]
async fn the_first_load_is_not_in_anybodys_way() {
    let db = database().await;
    let mut server = Server::over(&authenticator(db.config()))
        .set("INTERNAL_SCHEMA_CACHE_QUERY_SLEEP", 1000)
        .set("ADMIN_SERVER_PORT", 0)
        .set("ADMIN_SERVER_HOST", "127.0.0.1")
        .spawn();
    let admin = server.admin().await;
    let started = Instant::now();
    assert_eq!(Request::get("/ready").send(&admin).await.unwrap().status, 503);
    server.wait_until_serving().await;
    assert!(started.elapsed() > Duration::from_millis(500));
    let line = server.wait_for_line("Schema cache queried in ").await;
    let millis: f64 = line.split(' ').rev().nth(1).unwrap().parse().unwrap();
    assert!((1000.0..5000.0).contains(&millis), "{line}");
    // A reload takes as long, and nobody notices.
    server.clear_lines();
    server.signal(Signal::SIGUSR1);
    let started = Instant::now();
    assert_eq!(server.get("/films?limit=1").await.status, 200);
    assert!(started.elapsed() < Duration::from_millis(900));
    server.wait_for_line("Schema cache loaded in").await;
}

#[tokio::test]
async fn a_host_that_is_none_is_told_by_the_listener() {
    let server = Server::over("postgresql://authenticator@no-such-host.invalid/db").spawn();
    server
        .wait_for_line("Failed listening for database notifications on the \"pgrst\" channel. could not translate host name \"no-such-host.invalid\" to address: ")
        .await;
    assert!(Request::get("/").send(&Address::Tcp("127.0.0.1:9".parse().unwrap())).await.is_err());
}

//! Clients that leave before they are answered: nothing is begun for them, reads are stopped, writes run to their end.

use std::time::Duration;

use local_stack::testing::TestDb;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::auth::token;
use super::http::{Address, Request, Response};
use super::http2::Connection;
use super::process::{Builder, SECRET, Server, eventually};
use super::{authenticator, database, execute};

/// Functions that leave traces, and those that take time.
const FUNCTIONS: &str = "
    create table api.calls (at timestamptz default clock_timestamp());
    create function api.called() returns void language sql as 'insert into api.calls default values';
    create function api.called_slowly() returns void language sql as 'insert into api.calls default values; select pg_sleep(1.5)';
    create function api.dawdle(seconds float) returns int language sql stable as 'select 1 from pg_sleep(seconds)';
    grant select, insert on api.calls to web_anon;
    grant execute on all functions in schema api to web_anon;
";

async fn prepared() -> (TestDb, Builder) {
    let db = database().await;
    execute(&db.connect().await.unwrap(), FUNCTIONS).await;
    let builder =
        Server::over(&authenticator(db.config())).set("DB_POOL", 1).set("DB_POOL_ACQUISITION_TIMEOUT", 25);
    (db, builder)
}

async fn count(db: &TestDb, sql: &str) -> i64 {
    db.connect().await.unwrap().query_one(sql, &[]).await.unwrap().get(0)
}

const ASLEEP: &str =
    "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()";

/// A connection on which a request was sent.
async fn ask(to: &Address, method: &str, target: &str) -> TcpStream {
    let Address::Tcp(address) = to else { panic!("it listens on TCP") };
    let mut stream = TcpStream::connect(address).await.unwrap();
    let text = format!("{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn what_waits_for_a_connection_is_not_begun() {
    let (db, builder) = prepared().await;
    let server = builder.set("LOG_LEVEL", "info").start().await;
    assert_eq!(
        server.send(Request::new("POST", "/rpc/called").header("Content-Length", "0")).await.status,
        204
    );
    let slow = ask(server.api(), "GET", "/rpc/sleep?seconds=3").await;
    eventually("the only connection is in use", async || count(&db, ASLEEP).await == 1).await;
    for _ in 0..40 {
        drop(ask(server.api(), "POST", "/rpc/called").await);
        drop(ask(server.api(), "GET", "/rpc/dawdle?seconds=1").await);
    }
    server.wait_for_lines("HTTP/1.1\" 499", 80).await;
    // The victim waits for the one before it alone.
    assert_eq!(server.get("/films?limit=1").await.status, 200);
    assert_eq!(count(&db, "select count(*) from api.calls").await, 1);
    drop(slow);
}

#[tokio::test]
async fn a_read_that_runs_is_stopped() {
    let (db, builder) = prepared().await;
    let server = builder.start().await;
    // Functions that are not volatile may share a connection once they were quick; others never do.
    for _ in 0..5 {
        assert_eq!(server.get("/rpc/dawdle?seconds=0").await.status, 200);
    }
    for target in ["/rpc/sleep?seconds=29", "/rpc/dawdle?seconds=29"] {
        let slow = ask(server.api(), "GET", target).await;
        eventually("it runs", async || count(&db, ASLEEP).await == 1).await;
        drop(slow);
        eventually("it does not run any more", async || count(&db, ASLEEP).await == 0).await;
        assert_eq!(server.get("/films?limit=1").await.status, 200);
    }
}

#[tokio::test]
async fn a_write_that_runs_is_finished() {
    let (db, builder) = prepared().await;
    let server = builder.start().await;
    let slow = ask(server.api(), "POST", "/rpc/called_slowly").await;
    eventually("it runs", async || count(&db, ASLEEP).await == 1).await;
    drop(slow);
    eventually("it is done", async || count(&db, "select count(*) from api.calls").await == 1).await;
}

#[tokio::test]
async fn a_write_that_runs_is_finished_before_the_process_ends() {
    let (db, builder) = prepared().await;
    let mut server = builder.start().await;
    let slow = ask(server.api(), "POST", "/rpc/called_slowly").await;
    eventually("it runs", async || count(&db, ASLEEP).await == 1).await;
    drop(slow);
    server.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(server.wait_for_exit().await.success());
    assert_eq!(count(&db, "select count(*) from api.calls").await, 1);
}

#[tokio::test]
async fn who_has_nothing_more_to_say_still_wants_the_answer() {
    let (db, builder) = prepared().await;
    let server = builder.start().await;
    for target in ["/rpc/sleep?seconds=1", "/rpc/dawdle?seconds=1", "/films?limit=1"] {
        let mut stream = ask(server.api(), "GET", target).await;
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let text = String::from_utf8_lossy(&answer);
        assert!(text.starts_with("HTTP/1.1 20"), "{text}");
        assert!(Response::parse(&answer).unwrap().status < 300);
    }
    drop(db);
}

#[tokio::test]
async fn requests_that_are_reset_do_not_pile_up() {
    let (db, builder) = prepared().await;
    let server = builder.start().await;
    let mut connection = Connection::open(server.api(), 65_535).await;
    let mut n_reset = 0;
    for _ in 0..2000 {
        let asked = connection.get("/rpc/dawdle?seconds=29").await;
        let Ok(stream) = asked else { break };
        if connection.reset(stream).await.is_err() {
            break;
        }
        n_reset += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!((50..2000).contains(&n_reset), "{n_reset}");
    eventually("nothing runs any more", async || count(&db, ASLEEP).await == 0).await;
    assert_eq!(server.get("/films?limit=1").await.status, 200);
}

#[tokio::test]
async fn a_token_that_expires_while_the_body_comes_is_refused() {
    let db = database().await;
    let server = Server::over(&authenticator(db.config())).set("JWT_SECRET", SECRET).start().await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    // It is good for two seconds, by the tolerance for clocks.
    let token = token(&json!({"role": "app_user", "exp": now - 28}), SECRET);
    let Address::Tcp(address) = server.api() else { panic!("it listens on TCP") };
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /rpc/whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(3500)).await;
    stream.write_all(b"}").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let response = Response::parse(&answer).unwrap();
    assert_eq!((response.status, response.code().as_str()), (401, "PGRST303"), "{}", response.body);
}

//! Where it listens: TCP hosts, unix sockets and their mode, shared ports.

use std::os::unix::fs::PermissionsExt as _;

use super::http::{Address, Request, Response, exchange};
use super::process::Server;
use super::{authenticator, database, server_over};

#[tokio::test]
async fn unix_socket_with_a_mode() {
    let db = database().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("api.sock");
    // Left behind by a server that was killed.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let server = Server::over(&authenticator(db.config()))
        .set("SERVER_UNIX_SOCKET", path.as_path())
        .set("SERVER_UNIX_SOCKET_MODE", "700")
        .set("LOG_LEVEL", "info")
        .start()
        .await;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(server.get("/films?limit=1").await.status, 200);
    let line = server.wait_for_line("\"GET /films?limit=1 HTTP/1.1\" 200").await;
    assert!(line.starts_with("- - web_anon ["), "{line}");
}

#[tokio::test]
async fn special_hosts() {
    let db = database().await;
    let v6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    for (host, expected) in
        [("!4", "0.0.0.0:"), ("*4", "0.0.0.0:"), ("*", "0.0.0.0:"), ("*6", "[::]:"), ("!6", "[::]:")]
    {
        if host.contains('6') && !v6 {
            continue;
        }
        let server = Server::over(&authenticator(db.config())).set("SERVER_HOST", host).start().await;
        let line = server.wait_for_line("API server listening on ").await;
        assert!(line.contains(&format!("API server listening on {expected}")), "{host}: {line}");
        assert_eq!(server.get("/films?limit=1").await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn a_taken_port_is_an_error_and_a_shared_one_is_not() {
    let db = database().await;
    let uri = authenticator(db.config());
    let first = Server::over(&uri).set("SERVER_REUSEPORT", true).start().await;
    let Address::Tcp(address) = first.api() else { panic!("listens on TCP") };
    let port = address.port();
    let second = Server::over(&uri).set("SERVER_REUSEPORT", true).set("SERVER_PORT", port).start().await;
    assert_eq!(second.get("/films?limit=1").await.status, 200);
    let mut third = Server::over(&uri).set("SERVER_PORT", port).spawn();
    assert_eq!(third.wait_for_exit().await.code(), Some(1));
    third.wait_for_line(&format!("cannot listen on 127.0.0.1:{port}: ")).await;
}

#[tokio::test]
async fn requests_can_follow_each_other_on_a_connection() {
    let db = database().await;
    let server = server_over(&db).await;
    let pipelined = "GET /films?limit=1 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /films HTTP/1.1\r\nHost: a\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answers = exchange(server.api(), pipelined.as_bytes()).await.unwrap();
    let answers = String::from_utf8(answers).unwrap();
    let statuses: Vec<&str> =
        answers.matches("HTTP/1.1 200 OK").chain(answers.matches("HTTP/1.1 404")).collect();
    assert_eq!(statuses, ["HTTP/1.1 200 OK", "HTTP/1.1 200 OK", "HTTP/1.1 404"], "{answers}");
}

#[tokio::test]
async fn a_client_that_has_said_all_still_gets_its_answer() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let db = database().await;
    let server = server_over(&db).await;
    let Address::Tcp(address) = server.api() else { panic!("listens on TCP") };
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /rpc/sleep?seconds=0.2 HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(Response::parse(&answer).unwrap().status, 204);
}

#[tokio::test]
async fn a_client_that_leaves_does_not_cut_its_transaction() {
    use tokio::io::AsyncWriteExt as _;
    let db = database().await;
    let client = db.connect().await.unwrap();
    super::execute(
        &client,
        "create table api.notes (id int);
         grant insert on api.notes to web_anon;
         create function api.slow_note() returns void language sql as 'select pg_sleep(0.5); insert into api.notes values (1)';
         grant execute on function api.slow_note() to web_anon",
    )
    .await;
    let server = server_over(&db).await;
    let Address::Tcp(address) = server.api() else { panic!("listens on TCP") };
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(b"POST /rpc/slow_note HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    super::process::eventually("the request runs", async || {
        let rows = client.query("select from pg_stat_activity where wait_event = 'PgSleep'", &[]);
        !rows.await.unwrap().is_empty()
    })
    .await;
    drop(stream);
    super::process::eventually("the note is there", async || {
        !client.query("select from api.notes", &[]).await.unwrap().is_empty()
    })
    .await;
}

#[tokio::test]
async fn every_answer_carries_what_it_must() {
    let db = database().await;
    let server = Server::over(&authenticator(db.config()))
        .set("SERVER_TRACE_HEADER", "X-Request-Id")
        .set("SERVER_TIMING_ENABLED", true)
        .start()
        .await;
    let answer = server.send(Request::get("/films?limit=1").header("x-request-id", "17")).await;
    assert_eq!(answer.header("x-request-id"), Some("17"));
    assert_eq!(answer.header("vary"), Some("Accept, Prefer, Range"));
    assert!(answer.header("server").unwrap().starts_with("postgrest/16.4 (pgapp-api "));
    assert!(answer.header("date").is_some());
    let steps: Vec<_> =
        answer.header("server-timing").unwrap().split(", ").map(|it| it.split(';').next().unwrap()).collect();
    assert_eq!(steps, ["jwt", "parse", "plan", "transaction", "response"]);
    let answer = server.send(Request::get("/nowhere").header("Origin", "http://a")).await;
    assert_eq!((answer.status, answer.header("x-request-id")), (404, Some("")));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("proxy-status"), Some("PostgREST; error=PGRST205"));
    let head = server.send(Request::new("HEAD", "/films")).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

//! Clients that are slow, silent or many: each limit is gone over, with a victim beside it that must not notice.

use std::time::{Duration, Instant};

use local_stack::testing::TestDb;
use nix::sys::signal::Signal;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use super::http::{Address, Request, Response};
use super::http2::{self, Connection};
use super::process::{Builder, Server, eventually};
use super::{authenticator, database, execute};

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

async fn connect(to: &Address) -> Box<dyn Stream> {
    match to {
        Address::Tcp(address) => Box::new(TcpStream::connect(address).await.unwrap()),
        Address::Unix(path) => Box::new(UnixStream::connect(path).await.unwrap()),
    }
}

/// What comes until the other side closes, which it has to.
async fn until_closed(stream: &mut Box<dyn Stream>) -> Vec<u8> {
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    // A reset closes as well as an end.
    let _ = closed.expect("the server closes the connection");
    answer
}

/// The answer to a request on a connection that stays.
async fn answer(stream: &mut Box<dyn Stream>) -> Response {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let n = stream.read(&mut piece).await.unwrap();
        assert!(n > 0, "closed after {:?}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&piece[..n]);
        if let Some(response) = Response::parse(&bytes) {
            let length = response.header("content-length").map_or(0, |it| it.parse::<usize>().unwrap());
            if response.body.len() == length {
                return response;
            }
        }
    }
}

fn server(db: &TestDb) -> Builder {
    Server::over(&authenticator(db.config()))
        .set("ADMIN_SERVER_PORT", 0)
        .set("ADMIN_SERVER_HOST", "127.0.0.1")
}

async fn with_large_view(db: &TestDb) {
    let client = db.connect().await.unwrap();
    let sql =
        "create view api.large as select i as id, repeat('x', 200) as t from generate_series(1, 60000) i;
               grant select on api.large to web_anon";
    execute(&client, sql).await;
}

/// Beginnings that do not go on.
const BEGINNINGS: [&[u8]; 6] = [
    b"",
    b"G",
    b"PRI * HTTP/2.0\r\n\r\nS",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    b"GET / HTTP/1.1\r\nHost: x\r\n",
    b"\r\n",
];

async fn beginnings_are_waited_for_in_vain(at: &Address) {
    let started = Instant::now();
    for beginning in BEGINNINGS {
        let mut stream = connect(at).await;
        stream.write_all(beginning).await.unwrap();
        let answer = until_closed(&mut stream).await;
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{beginning:?}: {answer:?}");
    }
    // One after the other.
    assert!(
        started.elapsed() < Duration::from_secs(2 * BEGINNINGS.len() as u64 + 5),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_request_has_to_begin_and_to_go_on() {
    let db = database().await;
    let server = server(&db).variable("PGAPP_SERVER_HEADER_TIMEOUT", "1").start().await;
    let admin = server.admin().await;
    beginnings_are_waited_for_in_vain(server.api()).await;
    beginnings_are_waited_for_in_vain(&admin).await;

    // Neither does a byte now and then keep it, nor an earlier request.
    let mut stream = connect(server.api()).await;
    stream.write_all(b"GET /films?limit=1 HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_eq!(answer(&mut stream).await.status, 200);
    let started = Instant::now();
    for byte in
        b"GET /films?limit=1 HTTP/1.1\r\nHost: x\r\nX-Y: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".iter().cycle()
    {
        if stream.write_all(&[*byte]).await.is_err() {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "a slow header is waited for");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Whoever comes meanwhile is served, by the old connection as well.
    let mut kept = connect(server.api()).await;
    for _ in 0..5 {
        kept.write_all(b"GET /films?limit=1 HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert_eq!(answer(&mut kept).await.status, 200);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test]
async fn unix_sockets_have_the_same_limits() {
    let db = database().await;
    let dir = tempfile::tempdir().unwrap();
    let (api, admin) = (dir.path().join("api.sock"), dir.path().join("admin.sock"));
    let server = Server::over(&authenticator(db.config()))
        .set("SERVER_UNIX_SOCKET", api.as_path())
        .set("ADMIN_SERVER_UNIX_SOCKET", admin.as_path())
        .variable("PGAPP_SERVER_HEADER_TIMEOUT", "1")
        .start()
        .await;
    beginnings_are_waited_for_in_vain(server.api()).await;
    beginnings_are_waited_for_in_vain(&server.admin().await).await;
    assert_eq!(server.get("/films?limit=1").await.status, 200);
}

#[tokio::test]
async fn a_body_has_to_go_on() {
    let db = database().await;
    let server = server(&db).variable("PGAPP_SERVER_BODY_TIMEOUT", "1").start().await;
    for half in [
        &b"POST /rpc/whoami HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"[..],
        b"POST /rpc/whoami HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    ] {
        let mut stream = connect(server.api()).await;
        stream.write_all(half).await.unwrap();
        let response = Response::parse(&until_closed(&mut stream).await).unwrap();
        assert_eq!((response.status, response.code().as_str()), (408, "PGAPP110"));
        assert_eq!(server.get("/films?limit=1").await.status, 200);
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let db = database().await;
    let server = server(&db).variable("PGAPP_SERVER_IDLE_TIMEOUT", "1").start().await;
    let mut stream = connect(server.api()).await;
    stream.write_all(b"GET /films?limit=1 HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_eq!(answer(&mut stream).await.status, 200);
    assert!(until_closed(&mut stream).await.is_empty());
    let mut connection = Connection::open(server.api(), 65_535).await;
    let stream = connection.get("/films?limit=1").await.unwrap();
    assert!(connection.wait_for(http2::HEADERS, stream).await.unwrap().is_200());
    connection.wait_for(http2::GOAWAY, 0).await.unwrap();
    // A request that takes longer than that is not idle.
    assert_eq!(server.get("/rpc/sleep?seconds=3").await.status, 204);
}

#[tokio::test]
async fn beyond_the_limit_whoever_does_nothing_makes_room() {
    let db = database().await;
    let server = server(&db).variable("PGAPP_SERVER_MAX_CONNECTIONS", "4").start().await;
    let admin = server.admin().await;
    let mut idle = connect(server.api()).await;
    idle.write_all(b"GET /films?limit=1 HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_eq!(answer(&mut idle).await.status, 200);
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(connect(server.api()).await);
        let mut half = connect(server.api()).await;
        half.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        silent.push(half);
    }
    for _ in 0..3 {
        assert_eq!(server.get("/films?limit=1").await.status, 200);
        assert_eq!(Request::get("/live").send(&admin).await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn beyond_the_limit_whoever_comes_waits_for_those_at_work() {
    let db = database().await;
    let server = server(&db).variable("PGAPP_SERVER_MAX_CONNECTIONS", "2").start().await;
    let admin = server.admin().await;
    let client = db.connect().await.unwrap();
    let busy: Vec<_> = (0..2)
        .map(|_| {
            let api = server.api().clone();
            tokio::spawn(async move { Request::get("/rpc/sleep?seconds=2").send(&api).await.unwrap().status })
        })
        .collect();
    eventually("both run", async || {
        let rows = client.query(
            "select from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()",
            &[],
        );
        rows.await.unwrap().len() == 2
    })
    .await;
    let started = Instant::now();
    assert_eq!(Request::get("/live").send(&admin).await.unwrap().status, 200);
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(server.get("/films?limit=1").await.status, 200);
    for busy in busy {
        assert_eq!(busy.await.unwrap(), 204);
    }
}

#[tokio::test]
async fn descriptors_suffice_for_everything() {
    let db = database().await;
    let server = server(&db).descriptors(120).start().await;
    let admin = server.admin().await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(connect(server.api()).await);
    }
    for _ in 0..3 {
        assert_eq!(server.get("/films?limit=1").await.status, 200);
        assert_eq!(Request::get("/live").send(&admin).await.unwrap().status, 200);
    }
    assert!(server.n_descriptors("") < 120);
}

#[tokio::test]
async fn whoever_takes_nothing_of_an_answer_holds_nothing() {
    let db = database().await;
    with_large_view(&db).await;
    let server = server(&db).variable("PGAPP_SERVER_WRITE_TIMEOUT", "1").start().await;
    let mut readers = Vec::new();
    for _ in 0..3 {
        let mut reader = connect(server.api()).await;
        reader.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        readers.push(reader);
    }
    let files = || server.n_descriptors("(deleted)");
    eventually("the answers wait in files", async || files() > 0).await;
    eventually("the files are gone", async || files() == 0).await;
    for reader in &mut readers {
        let got = until_closed(reader).await;
        assert!(got.len() < 12_000_000, "{}", got.len());
    }
    // Whoever takes it, if slowly, gets all of it.
    let mut reader = connect(server.api()).await;
    reader.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut n = 0;
    let mut piece = vec![0; 512 * 1024];
    loop {
        let now = reader.read(&mut piece).await.unwrap();
        if now == 0 {
            break;
        }
        n += now;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(n > 12_000_000, "{n}");
}

#[tokio::test]
async fn a_stream_without_a_window_holds_nothing_and_stops_no_other() {
    let db = database().await;
    with_large_view(&db).await;
    let server = server(&db).variable("PGAPP_SERVER_WRITE_TIMEOUT", "1").start().await;
    let mut connection = Connection::open(server.api(), 0).await;
    for _ in 0..3 {
        connection.get("/large").await.unwrap();
    }
    let files = || server.n_descriptors("(deleted)");
    eventually("the answers wait in files", async || files() > 0).await;
    eventually("the files are gone", async || files() == 0).await;
    // The connection is that of others as well, whose answers need no window.
    let stream = connection.get("/films?id=eq.-1&select=title").await.unwrap();
    let head = connection.wait_for(http2::HEADERS, stream).await.unwrap();
    assert!(head.is_200(), "{head:?}");
    assert_eq!(server.get("/films?limit=1").await.status, 200);
}

#[tokio::test]
async fn slow_readers_do_not_hold_up_the_end() {
    let db = database().await;
    with_large_view(&db).await;
    let mut server = server(&db).start().await;
    let mut reader = connect(server.api()).await;
    reader.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut connection = Connection::open(server.api(), 0).await;
    connection.get("/large").await.unwrap();
    eventually("both answers wait in files", async || server.n_descriptors("(deleted)") == 2).await;
    server.signal(Signal::SIGTERM);
    let started = Instant::now();
    assert!(server.wait_for_exit().await.success());
    assert!(started.elapsed() < Duration::from_secs(14), "{:?}", started.elapsed());
}

#[tokio::test]
async fn the_end_is_not_waited_for_without_end() {
    let db = database().await;
    let mut server = server(&db).variable("PGAPP_SERVER_SHUTDOWN_TIMEOUT", "1").start().await;
    let api = server.api().clone();
    let cut = tokio::spawn(async move { Request::get("/rpc/sleep?seconds=25").send(&api).await.is_err() });
    let client = db.connect().await.unwrap();
    eventually("the slow request runs", async || {
        let rows = client.query(
            "select from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()",
            &[],
        );
        !rows.await.unwrap().is_empty()
    })
    .await;
    server.signal(Signal::SIGTERM);
    let started = Instant::now();
    assert!(server.wait_for_exit().await.success());
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    assert!(cut.await.unwrap());
}

#[tokio::test]
async fn streams_at_once_are_bounded() {
    let db = database().await;
    let server = server(&db).variable("PGAPP_SERVER_MAX_STREAMS", "2").start().await;
    let mut connection = Connection::open(server.api(), 65_535).await;
    let mut numbers = Vec::new();
    for _ in 0..3 {
        numbers.push(connection.get("/rpc/sleep?seconds=1").await.unwrap());
    }
    // The one too many is refused, and may be sent again.
    let reset = connection.wait_for(http2::RST_STREAM, numbers[2]).await.unwrap();
    assert_eq!(reset.payload, 7u32.to_be_bytes());
    assert_eq!(server.get("/films?limit=1").await.status, 200);
}

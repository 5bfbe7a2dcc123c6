//! What one client may take: bodies, headers, cookies, room for large answers. Each case goes over a bound, with
//! somebody beside it whose answers must not suffer.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use local_stack::testing::TestDb;
use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::http::{Address, Request, Response, exchange};
use super::process::{Builder, Server, eventually};
use super::{authenticator, database, execute};

/// Some 18 MB of rows as JSON, and the length of that.
const LARGE: &str = "
    create view api.large as
        select i as id, repeat(md5(i::text), 2) as a, 'x' as b from generate_series(1, 200000) i;
    create table api.pages (id int primary key, text text);
    grant select on api.large to web_anon;
    grant select, insert on api.pages to web_anon;
";
const LARGE_ROWS: usize = 200_000;

async fn large_database() -> TestDb {
    let db = database().await;
    execute(&db.connect().await.unwrap(), LARGE).await;
    db
}

fn server(db: &TestDb) -> Builder {
    Server::over(&authenticator(db.config()))
}

fn tcp(server: &Server) -> SocketAddr {
    let Address::Tcp(address) = server.api() else { panic!("listens on TCP") };
    *address
}

/// A large answer that is whole.
#[track_caller]
fn assert_large(answer: &Response) {
    assert_eq!(answer.status, 200, "{}", &answer.body[..answer.body.len().min(500)]);
    let length: usize = answer.header("content-length").unwrap().parse().unwrap();
    assert_eq!(answer.body.len(), length);
    assert_eq!(answer.body.lines().count(), LARGE_ROWS);
    assert!(answer.body.ends_with("]"), "it has its end");
}

/// The victim.
async fn assert_serves(server: &Server) {
    assert_eq!(server.get("/films?limit=1").await.status, 200);
}

/// Ends as it is told to.
async fn assert_stops(mut server: Server) {
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_for_exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_leaves_large_answers_in_memory() {
    let db = large_database().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    // There is none; nothing can be made there; it is not a folder.
    for folder in ["/nonexistent", "/proc", file.path().to_str().unwrap()] {
        let server = server(&db).variable("TMPDIR", folder).start().await;
        for _ in 0..3 {
            assert_large(&server.get("/large").await);
            assert_serves(&server).await;
        }
        // Sent as it comes, without a file.
        let csv = server.send(Request::get("/large").header("Accept", "text/csv")).await;
        let n_lines = String::from_utf8(csv.whole()).unwrap().lines().count();
        assert_eq!((csv.status, n_lines), (200, LARGE_ROWS + 1));
        let told = server.lines().iter().filter(|it| it.contains("which TMPDIR names")).count();
        assert_eq!(told, 1, "once, whatever the number of answers: {:?}", server.lines());
        assert_stops(server).await;
    }
}

/// A file system of a few megabytes, for as long as it is not dropped.
struct Small(tempfile::TempDir);

impl Small {
    /// `None` where nothing may be mounted.
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"])
            .arg(dir.path())
            .output()
            .is_ok_and(|it| it.status.success());
        mounted.then_some(Self(dir))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_folder_is_made_up_for_by_memory_and_then_told_of() {
    let db = large_database().await;
    let Some(small) = Small::mount() else {
        eprintln!("left out: mounting a small file system is not allowed here");
        return;
    };
    let folder = small.0.path().display().to_string();
    let with_memory = server(&db).variable("TMPDIR", &folder).start().await;
    for _ in 0..3 {
        assert_large(&with_memory.get("/large").await);
    }
    assert_stops(with_memory).await;
    let without =
        server(&db).variable("TMPDIR", &folder).variable("PGAPP_TEMP_MEMORY_MAX", "0").start().await;
    for _ in 0..3 {
        let answer = without.get("/large").await;
        assert_eq!((answer.status, answer.code().as_str()), (507, "PGAPP002"), "{}", answer.body);
        assert!(!answer.body.contains(&folder), "the path must not be shown to clients");
        assert_serves(&without).await;
    }
    assert_stops(without).await;
}

/// A connection that is kept.
struct Connection(TcpStream);

impl Connection {
    async fn to(server: &Server) -> Self {
        Self(TcpStream::connect(tcp(server)).await.unwrap())
    }

    /// Sends a request and reads its answer to the end.
    async fn ask(&mut self, request: &str) -> Response {
        self.0.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::with_capacity(1 << 20);
        loop {
            assert_ne!(self.0.read_buf(&mut answer).await.unwrap(), 0, "closed before its end");
            let Some(head) = memchr::memmem::find(&answer, b"\r\n\r\n") else { continue };
            let length: usize = Response::parse(&answer[..head + 4])
                .and_then(|it| it.header("content-length")?.parse().ok())
                .unwrap();
            if answer.len() < head + 4 + length {
                let mut rest = vec![0; head + 4 + length - answer.len()];
                self.0.read_exact(&mut rest).await.unwrap();
                answer.extend_from_slice(&rest);
            }
            return Response::parse(&answer).unwrap();
        }
    }
}

#[tokio::test]
async fn without_descriptors_large_answers_stay_in_memory() {
    let db = large_database().await;
    let server = server(&db).start().await;
    let mut kept = Connection::to(&server).await;
    // A connection to the database is there from now on.
    assert_eq!(kept.ask("GET /films?limit=1 HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200);
    let limited = Command::new("prlimit")
        .args([format!("--pid={}", server.pid()), "--nofile=4:".to_owned()])
        .status()
        .unwrap();
    assert!(limited.success());
    for _ in 0..3 {
        assert_large(&kept.ask("GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await);
    }
    assert_stops(server).await;
}

/// Asks for something large, reads the head of the answer and then nothing any more.
async fn stalled_reader(server: &Server) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    // So that little of it is on its way.
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let mut stream = socket.connect(tcp(server)).await.unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut head = [0; 15];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    stream
}

#[tokio::test]
async fn readers_that_stall_do_not_keep_others_from_large_answers() {
    let db = large_database().await;
    // Room for one of them and a little.
    let server = server(&db)
        .variable("PGAPP_TEMP_SPACE_MAX", "25000000")
        .variable("PGAPP_TEMP_MEMORY_MAX", "0")
        .variable("PGAPP_TEMP_SPACE_TIMEOUT", "4")
        .start()
        .await;
    let mut stalled = stalled_reader(&server).await;
    for _ in 0..2 {
        assert_large(&server.get("/large").await);
        assert_serves(&server).await;
    }
    // Nobody takes half of it for the whole: the connection ends before the length that was told.
    let mut rest = Vec::new();
    let _ = stalled.read_to_end(&mut rest).await;
    assert!(rest.len() < 15_000_000, "{}", rest.len());
    assert_stops(server).await;
}

#[tokio::test]
async fn without_time_to_wait_in_the_answer_says_when_to_come_again() {
    let db = large_database().await;
    let server = server(&db)
        .variable("PGAPP_TEMP_SPACE_MAX", "25000000")
        .variable("PGAPP_TEMP_MEMORY_MAX", "0")
        .variable("PGAPP_TEMP_SPACE_TIMEOUT", "0")
        .start()
        .await;
    let stalled = stalled_reader(&server).await;
    let answer = server.get("/large").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "PGAPP001"), "{}", answer.body);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_serves(&server).await;
    drop(stalled);
    eventually("its room is free again", async || server.get("/large").await.status == 200).await;
    assert_stops(server).await;
}

#[tokio::test]
async fn a_write_whose_answer_has_no_room_is_made_once_and_says_so() {
    let db = large_database().await;
    let server = server(&db)
        .variable("PGAPP_TEMP_SPACE_MAX", "5000000")
        .variable("PGAPP_TEMP_MEMORY_MAX", "0")
        .start()
        .await;
    let rows: Vec<_> =
        (0..6).map(|id| format!("{{\"id\":{id},\"text\":\"{}\"}}", "x".repeat(2_000_000))).collect();
    let body = format!("[{}]", rows.join(","));
    let write = |prefer: &str| {
        Request::new("POST", "/pages")
            .header("Content-Type", "application/json")
            .header("Prefer", prefer)
            .body(body.as_bytes())
    };
    // Undone in any case.
    let singular = write("return=representation").header("Accept", "application/vnd.pgrst.object+json");
    assert!(server.send(singular).await.status >= 400);
    let answer = server.send(write("return=representation")).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (507, "PGAPP003"),
        "{}",
        &answer.body[..500.min(answer.body.len())]
    );
    let count = server.send(Request::new("HEAD", "/pages").header("Prefer", "count=exact")).await;
    assert_eq!(count.header("content-range"), Some("0-5/6"));
    assert_eq!(server.send(write("return=minimal")).await.status, 409, "it is there");
    assert_stops(server).await;
}

#[tokio::test]
async fn bodies_beyond_the_limit_are_refused() {
    let db = large_database().await;
    let server = server(&db).variable("PGAPP_MAX_BODY", "100000").start().await;
    let head = |content_type: &str| {
        format!("POST /pages HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: {content_type}\r\n")
    };
    let refused = |answer: &[u8]| {
        let answer = Response::parse(answer).unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (413, "PGAPP100"), "{}", answer.body);
        assert_eq!(answer.header("proxy-status"), Some("PostgREST; error=PGAPP100"));
    };
    // Told before any of it is sent. A client that waits to be told sends nothing; one that does not may send it all.
    let json = head("application/json");
    let waiting = format!("{json}Expect: 100-continue\r\nContent-Length: 100001\r\n\r\n");
    refused(&exchange(server.api(), waiting.as_bytes()).await.unwrap());
    // Of what is read line by line, a line is bounded.
    for content_type in ["application/json", "text/csv", "application/x-ndjson"] {
        let head = head(content_type);
        let sending = format!("{head}Content-Length: 3000000\r\n\r\n{}", "x".repeat(3_000_000));
        refused(&exchange(server.api(), sending.as_bytes()).await.unwrap());
        let mut chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
        for _ in 0..110 {
            chunked.push_str(&format!("3e8\r\n{}\r\n", "x".repeat(1000)));
        }
        chunked.push_str("0\r\n\r\n");
        refused(&exchange(server.api(), chunked.as_bytes()).await.unwrap());
    }
    // A body that means nothing is bounded, too.
    let get = format!(
        "GET /films HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 100001\r\n\r\n{}",
        "x".repeat(100_001)
    );
    refused(&exchange(server.api(), get.as_bytes()).await.unwrap());
    // What just fits passes.
    let csv = format!("id,text\n1,{}\n", "x".repeat(100_000 - 11));
    let fitting = format!("{}Content-Length: {}\r\n\r\n{csv}", head("text/csv"), csv.len());
    assert_eq!(csv.len(), 100_000);
    assert_eq!(
        Response::parse(&exchange(server.api(), fitting.as_bytes()).await.unwrap()).unwrap().status,
        201
    );
    assert_serves(&server).await;
}

#[tokio::test]
async fn large_bodies_for_what_is_not_there_are_not_read() {
    let db = large_database().await;
    let server = server(&db).start().await;
    // Nothing of the body comes; the answer does.
    let head = "POST /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 50000000\r\n\r\n";
    let answer = Response::parse(&exchange(server.api(), head.as_bytes()).await.unwrap()).unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (404, "PGRST205"));
}

#[tokio::test]
async fn headers_and_cookies_beyond_the_limits_are_refused() {
    let db = database().await;
    let server = server(&db).start().await;
    let cookies = |n: usize| (0..n).map(|it| format!("c{it}={it}")).collect::<Vec<_>>().join("; ");
    let refused = async |request: Request, setting: &str| {
        let answer = server.send(request).await;
        assert_eq!(answer.status, 431, "{setting}");
        if !answer.body.is_empty() {
            assert_eq!(answer.code(), "PGAPP101");
            assert!(answer.json()["hint"].as_str().unwrap().contains(setting), "{}", answer.body);
        }
    };
    refused(Request::get("/films").header("Cookie", &cookies(501)), "pgapp-max-cookies").await;
    refused(Request::get("/films").header("Cookie", &cookies(20_000)), "pgapp-max-header-bytes").await;
    refused(Request::get("/films").header("X-A", &"x".repeat(70_000)), "pgapp-max-header-bytes").await;
    let many = (0..101).fold(Request::get("/films"), |request, it| request.header(&format!("X-{it}"), ""));
    refused(many, "pgapp-max-headers").await;
    // As many as a browser may keep.
    let setting = Request::new("POST", "/rpc/setting").header("Content-Type", "application/json");
    let answer =
        server.send(setting.header("Cookie", &cookies(500)).body(br#"{"name":"request.cookies"}"#)).await;
    let seen: serde_json::Value = serde_json::from_str(answer.json().as_str().unwrap()).unwrap();
    assert_eq!(seen.as_object().unwrap().len(), 500);
    assert_eq!(seen["c499"], "499");
    assert_serves(&server).await;
}

#[tokio::test]
async fn csv_is_read_as_it_should_be() {
    let db = large_database().await;
    let server = server(&db).start().await;
    let post =
        |csv: &str| Request::new("POST", "/pages").header("Content-Type", "text/csv").body(csv.as_bytes());
    let header_alone = server.send(post("id,text")).await;
    assert_eq!((header_alone.status, header_alone.code().as_str()), (400, "PGRST102"));
    assert_eq!(header_alone.json()["message"], "parse error (not enough input) at \"\"");
    assert_eq!(server.send(post("id,text\n")).await.status, 201);
    assert_eq!(server.send(post("\u{feff}id,text\r\n1,NULL\r\n2,\r\n")).await.status, 201);
    let rows = server.get("/pages?order=id").await;
    assert_eq!(rows.json(), serde_json::json!([{"id": 1, "text": null}, {"id": 2, "text": ""}]));
}

/// What is made of a body, whatever its type, is a small multiple of it.
#[tokio::test]
async fn memory_for_a_body_is_a_small_multiple_of_it() {
    const LENGTH: usize = 12 << 20;
    const MIB: usize = 1 << 20;
    let db = large_database().await;
    let bodies: [(&str, &str, Vec<u8>); 6] = [
        ("/pages", "text/csv", [b"q\n".to_vec(), b"1\n".repeat(LENGTH / 2)].concat()),
        ("/pages", "text/csv", b",".repeat(LENGTH)),
        ("/pages", "application/x-www-form-urlencoded", b"&".repeat(LENGTH)),
        ("/rpc/setting", "application/x-www-form-urlencoded", b"&".repeat(LENGTH)),
        (
            "/pages",
            "application/json",
            [b"[".to_vec(), b"{\"q\":1},".repeat(LENGTH / 8), b"{\"q\":1}]".to_vec()].concat(),
        ),
        (
            "/rpc/setting",
            "application/json",
            format!(
                "{{{}\"a\":1}}",
                (0..LENGTH / 12).map(|it| format!("\"a{it:06}\":1,")).collect::<String>()
            )
            .into_bytes(),
        ),
    ];
    for (target, content_type, body) in bodies {
        let server = server(&db).start().await;
        assert_serves(&server).await;
        let before = server.peak_memory();
        let length = body.len();
        let answer =
            server.send(Request::new("POST", target).header("Content-Type", content_type).body(&body)).await;
        assert!(answer.status >= 400, "none of them is right: {content_type}");
        let grown = server.peak_memory().saturating_sub(before);
        assert!(grown <= 14 * length + 32 * MIB, "{content_type}: {} times", grown / length);
        assert_serves(&server).await;
    }
}

#[tokio::test]
async fn bodies_share_what_there_is_for_them() {
    let db = large_database().await;
    let server = server(&db).variable("PGAPP_MAX_BODIES", "1000000").start().await;
    let csv = |id: usize, n_bytes: usize| format!("id,text\n{id},{}\n", "x".repeat(n_bytes));
    let post =
        |csv: &str| Request::new("POST", "/pages").header("Content-Type", "text/csv").body(csv.as_bytes());
    // None may be larger than all.
    assert_eq!(server.send(post(&csv(0, 1_100_000))).await.status, 413);
    // Most of what there is, by somebody who does not come to an end.
    let body = csv(1, 900_000);
    let head = format!(
        "POST /pages HTTP/1.1\r\nHost: a\r\nContent-Type: text/csv\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut first = Connection::to(&server).await;
    let (begin, end) = body.split_at(890_000);
    first.0.write_all(format!("{head}{begin}").as_bytes()).await.unwrap();
    // Until that is read, there is room for others.
    let next = AtomicUsize::new(100);
    eventually("a body is refused", async || {
        let answer = server.send(post(&csv(next.fetch_add(1, Relaxed), 500_000))).await;
        let is_refused = answer.status == 503;
        if is_refused {
            assert_eq!((answer.code().as_str(), answer.header("retry-after")), ("PGAPP102", Some("1")));
        }
        is_refused
    })
    .await;
    // Small ones are no matter.
    assert_eq!(server.send(post(&csv(3, 50_000))).await.status, 201);
    assert_serves(&server).await;
    assert_eq!(first.ask(end).await.status, 201);
    assert_eq!(server.send(post(&csv(2, 500_000))).await.status, 201);
}

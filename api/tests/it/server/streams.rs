//! Answers that are sent as they come, and bodies that are written as they come.

use local_stack::testing::TestDb;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::http::{Address, Request, Response};
use super::process::{Builder, Server, eventually};
use super::{authenticator, database, execute};

const OBJECTS: &str = "
    create view api.many as select g as id, rpad('row ', 100, 'x') as label, date '2026-01-01' + g % 100 as day
      from generate_series(1, 200000) g;
    create view api.faulty as select g as id, 1 / (g - 150000) as share from generate_series(1, 200000) g;
    create view api.trickle as select g as id, rpad('line', 3000, '.') || pg_sleep(0.05)::text as text from generate_series(1, 60) g;
    create table api.goods(id int primary key, label text not null, amount numeric default 7);
    create table api.owned(id int primary key, label text not null);
    alter table api.owned enable row level security;
    create policy short on api.owned using (true) with check (length(label) < 10);
    grant select on api.many, api.faulty, api.trickle to web_anon;
    grant select, insert on api.goods, api.owned to web_anon;
";
const NDJSON: &str = "application/x-ndjson";
const MIB: usize = 1024 * 1024;

async fn prepared() -> (TestDb, Builder) {
    let db = database().await;
    execute(&db.connect().await.unwrap(), OBJECTS).await;
    let builder = Server::over(&authenticator(db.config()));
    (db, builder)
}

async fn count(db: &TestDb, sql: &str) -> i64 {
    db.connect().await.unwrap().query_one(sql, &[]).await.unwrap().get(0)
}

const BUSY: &str = "select count(*) from pg_stat_activity where datname = current_database() and state <> 'idle' and query like '%many%' and pid <> pg_backend_pid()";

async fn read_as(server: &Server, target: &str, accept: &str) -> Response {
    server.send(Request::get(target).header("Accept", accept)).await
}

/// A connection on which an answer has begun and is not read.
async fn begun(server: &Server, target: &str) -> TcpStream {
    let Address::Tcp(address) = server.api() else { panic!("it listens on TCP") };
    let mut stream = TcpStream::connect(address).await.unwrap();
    let text = format!("GET {target} HTTP/1.1\r\nHost: x\r\nAccept: {NDJSON}\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    stream
}

#[tokio::test]
async fn rows_are_those_of_the_json_array_in_bounded_memory() {
    let (_db, builder) = prepared().await;
    let server = builder.start().await;
    let json = server.get("/many?id=lte.50&order=id").await.json();
    let lines = read_as(&server, "/many?id=lte.50&order=id", NDJSON).await;
    let rows: Vec<serde_json::Value> =
        lines.body.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(serde_json::Value::from(rows), json);
    assert_eq!(lines.header("content-range"), Some("0-49/*"));
    let before = server.peak_memory();
    for (accept, n_lines) in [(NDJSON, 200_000), ("application/jsonl", 200_000), ("text/csv", 200_001)] {
        let answer = read_as(&server, "/many", accept).await;
        assert_eq!((answer.status, answer.header("content-range")), (200, None));
        assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
        assert_eq!(String::from_utf8(answer.whole()).unwrap().lines().count(), n_lines, "{accept}");
    }
    let grown = server.peak_memory() - before;
    assert!(grown < 32 * MIB, "{grown}");
}

#[tokio::test]
async fn csv_is_that_of_postgres() {
    let (_db, builder) = prepared().await;
    let server = builder.start().await;
    let csv = read_as(&server, "/many?id=lte.2&order=id&select=id,day,note:label", "text/csv").await;
    let label = format!("row {}", "x".repeat(96));
    assert_eq!(csv.body, format!("id,day,note\n1,2026-01-02,\"{label}\"\n2,2026-01-03,\"{label}\""));
    assert_eq!(read_as(&server, "/many?id=eq.0", "text/csv").await.body, "\n");
}

#[tokio::test]
async fn an_error_on_the_way_leaves_the_body_without_its_end() {
    let (_db, builder) = prepared().await;
    let server = builder.start().await;
    for accept in [NDJSON, "text/csv"] {
        let answer = read_as(&server, "/faulty", accept).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.bytes.ends_with(b"0\r\n\r\n"));
        assert!(answer.bytes.len() > MIB);
    }
    let answer = read_as(&server, "/faulty?id=eq.150000", NDJSON).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "22012"));
}

#[tokio::test]
async fn the_first_row_is_sent_before_the_last_is_there() {
    let (_db, builder) = prepared().await;
    let server = builder.start().await;
    let asked = std::time::Instant::now();
    let mut stream = begun(&server, "/trickle").await;
    let first = asked.elapsed();
    let mut rest = Vec::new();
    while !rest.ends_with(b"0\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut rest).await.unwrap(), 0);
    }
    assert!(first * 2 < asked.elapsed(), "{first:?} of {:?}", asked.elapsed());
}

#[tokio::test]
async fn places_are_bounded_and_free_again_when_a_client_leaves() {
    let (db, builder) = prepared().await;
    let server =
        builder.variable("PGAPP_STREAM_MAX", "1").set("DB_POOL_ACQUISITION_TIMEOUT", 1).start().await;
    let held = begun(&server, "/many").await;
    let refused = read_as(&server, "/many", NDJSON).await;
    assert_eq!((refused.status, refused.code().as_str()), (504, "PGRST003"));
    // Others are not concerned, and CSV is put aside instead.
    assert_eq!(server.get("/films?limit=1").await.status, 200);
    let csv = read_as(&server, "/many", "text/csv").await;
    assert_eq!((csv.status, csv.header("content-range")), (200, Some("0-199999/*")));
    drop(held);
    eventually("the statement is over", async || count(&db, BUSY).await == 0).await;
    assert_eq!(read_as(&server, "/many", NDJSON).await.status, 200);
}

#[tokio::test]
async fn a_client_that_takes_nothing_loses_its_answer() {
    let (db, builder) = prepared().await;
    let server = builder.variable("PGAPP_STREAM_STALL_TIMEOUT", "1").start().await;
    let mut held = begun(&server, "/many").await;
    eventually("the statement is over", async || count(&db, BUSY).await == 0).await;
    let mut rest = Vec::new();
    let _ = held.read_to_end(&mut rest).await;
    assert!(!rest.ends_with(b"0\r\n\r\n"));
}

fn lines(n: usize) -> String {
    (1..=n).map(|it| format!("{{\"id\":{it},\"label\":\"row {it}\"}}\n")).collect()
}

fn csv(n: usize) -> String {
    let rows = (1..=n).map(|it| format!("{it},row {it}\n"));
    std::iter::once("id,label\n".to_owned()).chain(rows).collect()
}

async fn import(server: &Server, table: &str, content_type: &str, body: &str) -> Response {
    let request = Request::new("POST", table).header("Content-Type", content_type);
    server.send(request.body(body.as_bytes())).await
}

#[tokio::test]
async fn bodies_are_written_whatever_their_length() {
    let (db, builder) = prepared().await;
    let server = builder.variable("PGAPP_MAX_BODY", "1048576").start().await;
    for table in ["goods", "owned"] {
        for (content_type, n, body) in [
            (NDJSON, 3, lines(3)),
            (NDJSON, 60_000, lines(60_000)),
            ("text/csv", 3, csv(3)),
            ("text/csv", 120_000, csv(120_000)),
        ] {
            execute(&db.connect().await.unwrap(), &format!("truncate api.{table}")).await;
            let answer = import(&server, &format!("/{table}"), content_type, &body).await;
            let told = (answer.status, answer.header("content-range"), answer.body.as_str());
            if n < 100_000 || table == "goods" {
                assert_eq!(told, (201, Some("*/*"), ""), "{table} {content_type} {n}");
                assert_eq!(count(&db, &format!("select count(*) from api.{table}")).await, n);
            } else {
                // The policy refuses the first row of six digits.
                assert_eq!((answer.status, answer.code().as_str()), (401, "42501"));
                assert!(answer.body.to_lowercase().contains("line 100001 of the body"), "{}", answer.body);
                assert_eq!(count(&db, &format!("select count(*) from api.{table}")).await, 0);
            }
        }
    }
}

#[tokio::test]
async fn errors_name_the_line_and_leave_nothing() {
    let (db, builder) = prepared().await;
    let server = builder.start().await;
    for (content_type, body, bad, line, code) in [
        (NDJSON, lines(30_000), "{\"id\":\"x\",\"label\":\"row\"}", 20_000, "22P02"),
        (NDJSON, lines(30_000), "{\"id\":20000,\"label\":", 20_000, "PGRST102"),
        (NDJSON, lines(30_000), "{\"id\":20000,\"name\":\"row\"}", 20_000, "PGRST102"),
        (NDJSON, lines(30_000), "{\"id\":7,\"label\":\"twice\"}", 20_000, "23505"),
        (NDJSON, lines(9), "{\"id\":1,\"label\":null}", 8, "23502"),
        ("text/csv", csv(60_000), "x,row", 50_000, "22P02"),
        ("text/csv", csv(60_000), "50000", 50_000, "PGRST102"),
        ("text/csv", csv(9), "x,row", 8, "22P02"),
    ] {
        let mut all: Vec<&str> = body.lines().collect();
        all[line - 1] = bad;
        let answer = import(&server, "/goods", content_type, &all.join("\n")).await;
        assert!((400..500).contains(&answer.status), "{}", answer.body);
        assert_eq!(answer.code(), code, "{}", answer.body);
        assert!(answer.body.to_lowercase().contains(&format!("line {line} of the body")), "{}", answer.body);
        assert_eq!(count(&db, "select count(*) from api.goods").await, 0);
    }
}

#[tokio::test]
async fn a_body_that_is_cut_off_leaves_nothing_and_a_bad_line_is_answered_at_once() {
    let (db, builder) = prepared().await;
    let server = builder.start().await;
    let Address::Tcp(address) = server.api() else { panic!("it listens on TCP") };
    let head = format!(
        "POST /goods HTTP/1.1\r\nHost: x\r\nContent-Type: {NDJSON}\r\nContent-Length: 100000000\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{head}{}", lines(60_000)).as_bytes()).await.unwrap();
    const OPEN: &str = "select count(*) from pg_stat_activity where datname = current_database() and xact_start is not null and query ilike '%insert%' and pid <> pg_backend_pid()";
    eventually("it is written as it comes", async || count(&db, OPEN).await == 1).await;
    drop(stream);
    eventually("it is undone", async || count(&db, OPEN).await == 0).await;
    assert_eq!(count(&db, "select count(*) from api.goods").await, 0);

    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = lines(60_000).replacen("\"row 5\"", "null", 1);
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 400");
}

#[tokio::test]
async fn lines_are_bounded() {
    let (_db, builder) = prepared().await;
    let server = builder.variable("PGAPP_MAX_BODY", "1048576").start().await;
    let long = format!("{{\"id\":1,\"label\":\"{}\"}}\n", "x".repeat(2 * MIB));
    assert_eq!(import(&server, "/goods", NDJSON, &long).await.status, 413);
}

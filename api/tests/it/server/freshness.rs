//! What was committed before a request began, that request sees.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::http::Request;
use super::process::Server;
use super::{authenticator, database, execute, server_over};

/// What an event trigger would send, in the transaction of the change.
const NOTIFY: &str = "notify pgrst, 'reload schema'";

#[tokio::test]
async fn names_are_known_at_once() {
    let db = database().await;
    let server = server_over(&db).await;
    server.wait_for_line("listening for database notifications").await;
    let client = db.connect().await.unwrap();
    let post = async |target: &str, body: &str| {
        let request = Request::new("POST", target).header("Content-Type", "application/json");
        server.send(request.body(body.as_bytes())).await
    };
    for round in 0..6 {
        let sql = format!("create view api.view{round} as select id from api.films where id < 3; {NOTIFY}");
        execute(&client, &sql).await;
        let answer = server.get(&format!("/view{round}?select=id&order=id&limit=1")).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, r#"[{"id":1}]"#), "view {round}");

        let sql = format!(
            "create function api.f{round}(a int) returns int language sql as 'select a + 1';
             grant execute on all functions in schema api to web_anon; {NOTIFY}"
        );
        execute(&client, &sql).await;
        let answer = post(&format!("/rpc/f{round}"), r#"{"a":41}"#).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "42"), "function {round}");

        let sql = format!("alter table api.directors add column c{round} text; {NOTIFY}");
        execute(&client, &sql).await;
        let row = format!(r#"{{"name":"n{round}","c{round}":"x"}}"#);
        let answer = post(&format!("/directors?columns=name,c{round}"), &row).await;
        assert_eq!(answer.status, 201, "column {round}: {}", answer.body);

        let sql = format!(
            "create table api.note{round} (id int primary key, film int references api.films, text text); {NOTIFY}"
        );
        execute(&client, &sql).await;
        let answer = server.get(&format!("/films?select=id,note{round}(id)&id=eq.1")).await;
        assert_eq!(answer.body, format!(r#"[{{"id":1,"note{round}":[]}}]"#), "relationship {round}");
        // The target of a large body is looked up before it is read.
        execute(&client, &format!("create table api.large{round} (text text); {NOTIFY}")).await;
        let row = format!(r#"{{"text":"{}"}}"#, "x".repeat(100_000));
        assert_eq!(post(&format!("/large{round}"), &row).await.status, 201, "large body {round}");
    }
}

#[tokio::test]
async fn names_that_are_not_there_make_no_load() {
    let db = database().await;
    let server = Arc::new(server_over(&db).await);
    server.wait_for_line("listening for database notifications").await;
    server.clear_lines();
    let started = Instant::now();
    let clients: Vec<_> = (0..8)
        .map(|n| {
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                for round in 0..25 {
                    let answer = server.get(&format!("/unknown_{n}_{round}")).await;
                    assert_eq!(answer.code(), "PGRST205");
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    let reloads = server.lines().iter().filter(|it| it.contains("Schema cache")).count();
    assert_eq!(reloads, 0, "{:?}", server.lines());
}

#[tokio::test]
async fn waiting_is_bounded_by_the_setting() {
    let db = database().await;
    let start = async |wait: &str| {
        let server = Server::over(&authenticator(db.config()))
            .set("INTERNAL_SCHEMA_CACHE_QUERY_SLEEP", 4000)
            .variable("PGAPP_SCHEMA_WAIT", wait)
            .start()
            .await;
        server.wait_for_line("Schema cache loaded").await;
        server
    };
    let client = db.connect().await.unwrap();
    let never = start("0").await;
    execute(&client, &format!("create table api.slow0 (id int); {NOTIFY}")).await;
    let begun = Instant::now();
    assert_eq!(never.get("/slow0").await.code(), "PGRST205");
    assert!(begun.elapsed() < Duration::from_millis(900), "{:?}", begun.elapsed());
    drop(never);

    let a_second = start("1").await;
    execute(&client, &format!("create table api.slow1 (id int); {NOTIFY}")).await;
    let begun = Instant::now();
    assert_eq!(a_second.get("/slow1").await.code(), "PGRST205");
    assert!((900..3900).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    // The reload goes on, and the next one who asks has only the rest of it to wait for.
    super::process::eventually("the table is known", async || a_second.get("/slow1").await.status == 200)
        .await;
}

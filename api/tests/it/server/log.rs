//! Log lines by level, access log included.

use serde_json::json;

use super::auth::token;
use super::http::Request;
use super::process::{SECRET, Server};
use super::{authenticator, database};

/// The lines of three requests (500, 404, 200) at a level, once all of them are there.
async fn lines_at(level: &str) -> Vec<String> {
    let db = database().await;
    let server = Server::over(&authenticator(db.config()))
        .set("LOG_LEVEL", level)
        .set("DB_CHANNEL_ENABLED", false)
        .start()
        .await;
    server.wait_for_line("Schema cache loaded in").await;
    server.clear_lines();
    let refused = Request::get("/films")
        .header("Authorization", &format!("Bearer {}", token(&json!({}), SECRET)))
        .header("User-Agent", "tester/1.0")
        .header("Referer", "http://somewhere/");
    assert_eq!(server.send(refused).await.status, 500);
    assert_eq!(server.get("/nowhere?a=eq.b").await.status, 404);
    assert_eq!(server.get("/films?limit=1").await.status, 200);
    server.last_lines()
}

#[tokio::test]
async fn levels_choose_by_status() {
    let statuses = |lines: &[String]| -> Vec<String> {
        lines
            .iter()
            .filter_map(|it| it.split("HTTP/1.1\" ").nth(1))
            .map(|it| it.split(' ').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(statuses(&lines_at("crit").await), [""; 0]);
    assert_eq!(statuses(&lines_at("error").await), ["500"]);
    assert_eq!(statuses(&lines_at("warn").await), ["500", "404"]);
    let info = lines_at("info").await;
    assert_eq!(statuses(&info), ["500", "404", "200"]);
    assert_eq!(info.len(), 3, "{info:?}");
    let is_stamp = |it: &str| {
        let digits = it.replace(|it: char| it.is_ascii_digit(), "0");
        digits == "00/Nov/0000:00:00:00 +0000" || (it.len() == 26 && digits.ends_with(":00:00:00 +0000"))
    };
    let (peer, rest) = info[0].split_once(" - - [").unwrap();
    let (stamp, rest) = rest.split_once("] ").unwrap();
    assert_eq!(peer, "127.0.0.1");
    assert!(is_stamp(stamp), "{stamp}");
    let (request, rest) = rest.split_once(" 500 ").unwrap();
    assert_eq!(request, "\"GET /films HTTP/1.1\"");
    let (length, rest) = rest.split_once(' ').unwrap();
    assert!(length.parse::<u64>().is_ok(), "{length}");
    assert_eq!(rest, "\"http://somewhere/\" \"tester/1.0\"");
    assert!(info[1].contains(" - web_anon [") && info[1].contains("\"GET /nowhere?a=eq.b HTTP/1.1\" 404 "));
    assert!(info[2].ends_with(" \"\" \"\""), "{}", info[2]);
}

#[tokio::test]
async fn debug_tells_of_the_pool_in_order() {
    let lines = lines_at("debug").await;
    let pool: Vec<&str> = lines
        .iter()
        .filter_map(|it| it.split_once(" +0000: ").map(|(_, message)| message))
        .map(|it| {
            it.trim_start_matches(|it: char| !it.is_ascii_digit() || it == ' ')
                .trim_start_matches(|it: char| it.is_ascii_digit())
        })
        .collect();
    let told: Vec<&str> =
        lines.iter().filter_map(|it| it.split_once(" +0000: ").map(|(_, message)| message)).collect();
    assert_eq!(told.first(), Some(&"Trying to borrow a connection from pool"), "{told:?}");
    assert_eq!(told.last(), Some(&"Borrowed a connection from the pool"), "{told:?}");
    for expected in [
        " is being established",
        " is available due to connection establishment",
        " is used",
        " is available due to session success",
    ] {
        assert_eq!(pool.iter().filter(|it| **it == expected).count(), 1, "{expected} in {told:?}");
    }
}

#[tokio::test]
async fn statements_are_logged_with_the_requests_they_belong_to() {
    let db = database().await;
    let uri = authenticator(db.config());
    for (level, logged) in [("error", false), ("info", true)] {
        let server = Server::over(&uri).set("LOG_LEVEL", level).set("LOG_QUERY", true).start().await;
        server.wait_for_line("Schema cache loaded in").await;
        server.clear_lines();
        assert_eq!(server.get("/films?limit=1").await.status, 200);
        assert_eq!(server.get("/films?id=x").await.status, 400);
        if logged {
            let query = server.wait_for_line(": WITH pgrst_source AS (").await;
            assert!(query.contains("FROM \"api\".\"films\""), "{query}");
            assert!(query.contains(" AS body, "), "{query}");
            server.wait_for_line(": select set_config('search_path', ").await;
            // What the root document takes is logged as well, without comments that would swallow the line.
            assert_eq!(server.get("/").await.status, 200);
            for start in [
                ": SELECT   n.nspname AS table_schema, ",
                ": WITH RECURSIVE domain_chain AS (",
                ": SELECT pg_catalog.obj_description(quote_ident($1)::regnamespace, 'pg_namespace')",
            ] {
                let line = server.wait_for_line(start).await;
                assert!(!line.contains("--"), "{line}");
            }
        } else {
            assert_eq!(server.last_lines(), [""; 0]);
        }
    }
}

#[tokio::test]
async fn errors_of_the_database_are_logged_and_secrets_are_not() {
    let db = database().await;
    let server = Server::over(&authenticator(db.config()))
        .set("JWT_SECRET", SECRET)
        .set("LOG_LEVEL", "debug")
        .start()
        .await;
    super::execute(
        &db.connect().await.unwrap(),
        "create function api.slow() returns void language sql set statement_timeout = '100ms' as 'select pg_sleep(5)';
         notify pgrst",
    )
    .await;
    server.wait_for_lines("Schema cache loaded in", 2).await;
    let secret = token(&json!({"role": "app_user"}), SECRET);
    let answer =
        server.send(Request::get("/rpc/slow").header("Authorization", &format!("Bearer {secret}"))).await;
    assert_eq!((answer.status, answer.code()), (500, "57014".to_owned()));
    server.wait_for_line(r#": {"code":"57014","details":null,"hint":null,"message":"canceling statement due to statement timeout"}"#).await;
    let log = server.lines().join("\n");
    assert!(!log.contains(&secret) && !log.contains(SECRET) && !log.contains("authenticator:"), "{log}");
}

/// One event, one line: whatever a client or a database says.
#[tokio::test]
async fn nobody_can_forge_a_line_of_the_log() {
    let db = database().await;
    let forged = "x\n127.0.0.1 - admin [1] \"GET / HTTP/1.1\" 200 1";
    super::execute(
        &db.connect().await.unwrap(),
        &format!(
            "create role \"{0}\"; grant \"{0}\" to authenticator; grant usage on schema api to \"{0}\";
             grant select on api.films to \"{0}\";
             create function api.fails() returns void language plpgsql as
               $$ begin raise exception using errcode = 'XX000', message = E'{1}', detail = E'\\u0085{1}\\u2028'; end $$;
             notify pgrst",
            forged.replace('"', "\"\""),
            forged.replace('\n', "\\n")
        ),
    )
    .await;
    let server = Server::over(&authenticator(db.config()))
        .set("JWT_SECRET", SECRET)
        .set("LOG_LEVEL", "info")
        .set("LOG_QUERY", true)
        .start()
        .await;
    server.wait_for_line("Schema cache loaded in").await;
    server.clear_lines();
    let role = token(&json!({"role": forged}), SECRET);
    let as_forged = |it: Request| it.header("Authorization", &format!("Bearer {role}"));
    assert_eq!(server.send(as_forged(Request::get("/films?limit=1"))).await.status, 200);
    assert_eq!(
        server.send(Request::get("/films?limit=1&select=%22a%0A%0D%E2%80%A8b%22:title")).await.status,
        200
    );
    let agent = Request::get("/films?limit=1")
        .header("User-Agent", "a\" 200 1 \"\" \"\tb")
        .header("Referer", "http://x/\u{85}\u{2028}");
    assert_eq!(server.send(agent).await.status, 200);
    assert_eq!(server.get("/rpc/fails").await.status, 500);
    let lines = server.last_lines();
    // An access line each, a line per statement, and one for the error.
    let access: Vec<_> = lines.iter().filter(|it| it.starts_with("127.0.0.1 - ")).collect();
    assert_eq!(access.len(), 4, "{lines:#?}");
    assert!(access[0].contains("x\\u000a127.0.0.1"), "{}", access[0]);
    assert!(!lines.iter().any(|it| it.starts_with("127.0.0.1 - admin ")), "{lines:#?}");
    assert!(access[2].ends_with(r#""http://x/\u0085\u2028" "a\" 200 1 \"\" \"\u0009b""#), "{}", access[2]);
    let rest: Vec<_> = lines.iter().filter(|it| !it.starts_with("127.0.0.1 - ")).collect();
    let stamped = |it: &&&String| it.get(20..28).is_some_and(|it| it == " +0000: ");
    assert_eq!(rest.iter().filter(stamped).count(), rest.len(), "{rest:#?}");
    let of_control = |it: &&String| it.chars().any(|c| c.is_control() || c == '\u{2028}');
    assert_eq!(lines.iter().find(of_control), None);
}

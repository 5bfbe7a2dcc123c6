//! A client that sends ever new requests fills neither the server nor its sessions, and pushes out nothing that
//! others use.

use api::config::AppConfig;
use local_stack::testing::TestCluster;

use super::{App, thorough};

const MIB: usize = 1024 * 1024;

const SCHEMA: &str = "
    CREATE ROLE flood_anon;
    CREATE SCHEMA api;
    CREATE TABLE api.item (id int PRIMARY KEY, note text, made timestamptz DEFAULT now());
    INSERT INTO api.item SELECT i, 'note ' || i FROM generate_series(1, 10) i;
    -- What a session has prepared of the one who asks; it is the session that answers.
    CREATE VIEW api.victim AS SELECT name, prepare_time::text AS since FROM pg_prepared_statements
        WHERE statement LIKE '%victim%' ORDER BY prepare_time LIMIT 1;
    CREATE VIEW api.session AS SELECT pg_backend_pid() AS pid,
        (SELECT count(*) FROM pg_prepared_statements) AS statements,
        (SELECT sum(total_bytes) FROM pg_backend_memory_contexts WHERE name LIKE 'CachedPlan%') AS plans;
    GRANT USAGE ON SCHEMA api TO flood_anon;
    GRANT ALL ON ALL TABLES IN SCHEMA api TO flood_anon;
    GRANT pg_read_all_stats TO flood_anon;
    GRANT EXECUTE ON FUNCTION pg_get_backend_memory_contexts() TO flood_anon;
    GRANT SELECT ON pg_backend_memory_contexts TO flood_anon;
";

/// A request like no other: aliases, filters and their order vary. About `length` bytes.
fn another(n: usize, length: usize) -> String {
    let mut select = String::from("id");
    let mut k = 0;
    while select.len() < length {
        select.push_str(&format!(",x{n}_{k}:note"));
        k += 1;
    }
    match n % 4 {
        0 => format!("GET /item?select={select}"),
        1 => format!("GET /item?select={select},made&id=in.({n})"),
        2 => format!("GET /item?select={select}&note=like.{n}*&order=id"),
        _ => format!(
            "PATCH /item?select={select}&id=in.({n})\nPrefer: return=representation\n\n{{\"note\":\"x\"}}"
        ),
    }
}

/// Memory of this process that no file stands behind.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|it| it.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[tokio::test]
async fn a_flood_of_new_requests_stays_within_the_budgets() {
    let cluster = TestCluster::start().await.unwrap();
    let db = cluster.create_db(None).await.unwrap();
    db.connect().await.unwrap().batch_execute(SCHEMA).await.unwrap();
    let (plans, statements) = (4 * MIB, 4 * MIB);
    let app = App::start(AppConfig {
        db_schemas: vec!["api".into()],
        db_anon_role: Some("flood_anon".into()),
        db_uri: db.url().to_owned(),
        db_config: false,
        db_pool: 1,
        pgapp_plan_cache_bytes: plans,
        pgapp_statement_cache_bytes: statements,
        ..AppConfig::default()
    })
    .await;
    let victim = "GET /victim?name=neq.x";
    for _ in 0..5 {
        app.ask(victim).await;
    }
    let before = (app.ask(victim).await, app.ask("GET /session").await);
    assert!(before.0.body.contains("since"), "{:?}", before.0);
    let at_first = resident();
    let n_requests = if thorough() { 3000 } else { 600 };
    for n in 0..n_requests {
        // Some are too long to be kept, and all come often enough to be kept otherwise.
        let request = another(n, if n % 50 == 0 { 20_000 } else { 200 + n * 37 % 1700 });
        for _ in 0..3 {
            let answer = app.ask(&request).await;
            assert!(answer.status < 300, "{request}: {answer:?}");
        }
        if n % 4 == 0 {
            assert_eq!(app.ask(victim).await, before.0, "after {n} requests");
        }
    }
    let grown = resident().saturating_sub(at_first);
    let session = app.ask("GET /session").await;
    let row: serde_json::Value = serde_json::from_str(&session.body).unwrap();
    let in_postgres = usize::try_from(row[0]["plans"].as_u64().unwrap()).unwrap();
    eprintln!(
        "{n_requests} requests: the server has grown by {grown}, Postgres keeps {in_postgres} in {row}"
    );
    assert!(grown < 2 * plans + 16 * MIB, "the server has grown by {grown}");
    assert!(in_postgres < 2 * statements, "a session keeps {in_postgres}");
}

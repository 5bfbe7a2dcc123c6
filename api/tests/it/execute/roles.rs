//! No request ever runs under another's role or claims.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use api::api_request::types::Mutation;
use api::error::Error;
use api::execute::Pool;
use api::media_type::MediaType;
use local_stack::testing::TestCluster;
use rand::Rng;

use super::fixture::{Request, eventually};
use crate::support;

const N_CALLERS: usize = 64;
const N_CONNECTIONS: usize = 4;
/// Answers to look at, at least.
const N_ANSWERED: u64 = 500;

/// How long the callers go on; a minute when the environment asks for a thorough run.
fn duration() -> Duration {
    let thorough = std::env::var_os("PGAPP_TEST_THOROUGH").is_some();
    Duration::from_secs(if thorough { 60 } else { 4 })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_of_different_roles_never_see_each_other() {
    let cluster = TestCluster::start().await.unwrap();
    let db = cluster.create_db(None).await.unwrap();
    let client = db.connect().await.unwrap();
    client
        .batch_execute(
            "CREATE TABLE log (role text DEFAULT current_user, mark text);
             GRANT INSERT, SELECT ON log TO public;
             CREATE ROLE connects LOGIN PASSWORD 'pw' NOINHERIT",
        )
        .await
        .unwrap();
    for i in 0..N_CALLERS {
        client.batch_execute(&format!("CREATE ROLE caller_{i}; GRANT caller_{i} TO connects")).await.unwrap();
    }
    let mut conf = support::config(&db.url().replace("postgres:postgres@", "connects:pw@"));
    conf.db_pool = N_CONNECTIONS;
    conf.db_pool_acquisition_timeout = 60;
    let pool = Pool::new(&conf).unwrap();
    let conf = Arc::new(conf);
    let end = Instant::now() + duration();
    let answered = Arc::new(AtomicU64::new(0));

    let mut callers = tokio::task::JoinSet::new();
    for i in 0..N_CALLERS {
        let (pool, conf, answered) = (pool.clone(), Arc::clone(&conf), Arc::clone(&answered));
        callers.spawn(async move {
            let role = format!("caller_{i}");
            let mut n = 0_u64;
            // On a busy machine a little longer, so that something was tested.
            while Instant::now() < end || answered.load(Ordering::Relaxed) <= N_ANSWERED {
                n += 1;
                let mark = format!("{i}-{n}");
                let who = "current_user || ' ' || current_setting('request.jwt.claims')";
                let kind = rand::rng().random_range(0..8);
                let request = match kind {
                    0 => Request::read("(1 / (random() * 0)::int)::text"),
                    1 => Request::call(&format!("{who} || pg_sleep(0.005)"), "1::int8"),
                    // Ends in a second round trip, half of the time with a rollback.
                    2 => Request::call(who, if n.is_multiple_of(2) { "1::int8" } else { "2::int8" })
                        .media(MediaType::VndSingularJson(false)),
                    3 => Request::write(
                        Mutation::Create,
                        "INSERT INTO log (mark) VALUES (current_setting('request.jwt.claims')) RETURNING role, mark",
                    ),
                    _ => Request::read(who),
                };
                let run = request.role(&role, &mark).result(&pool, &conf);
                let patience = match rand::rng().random_range(0..6) {
                    0 => Duration::from_micros(rand::rng().random_range(0..3000)),
                    _ => Duration::from_secs(60),
                };
                // A caller that goes away drops its future wherever it stands.
                let Ok(outcome) = tokio::time::timeout(patience, run).await else { continue };
                match (kind, outcome) {
                    (0, Err(Error::Db(_))) | (2, Err(Error::ApiRequest(_))) => {}
                    (3, Ok(set)) => {
                        let expected = format!("[{{\"role\":\"{role}\",\"mark\":\"{mark}\"}}]");
                        assert_eq!(&set.body[..], expected.as_bytes());
                    }
                    (_, Ok(set)) => {
                        assert_eq!(&set.body[..], format!("{role} {mark}").as_bytes());
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    (kind, Err(error)) => panic!("request of kind {kind} failed: {error:?}"),
                }
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
    let mixed: i64 = client
        .query_one("SELECT count(*) FROM log WHERE role <> 'caller_' || split_part(mark, '-', 1)", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(mixed, 0);
    // What was abandoned is gone from the server as well.
    eventually("the server has no more sessions than the pool", async || {
        let n: i64 = client
            .query_one("SELECT count(*) FROM pg_stat_activity WHERE usename = 'connects'", &[])
            .await
            .unwrap()
            .get(0);
        n <= i64::try_from(N_CONNECTIONS).unwrap()
    })
    .await;
    assert_eq!(Request::read("current_user::text").role("caller_0", "").body(&pool, &conf).await, "caller_0");
}

#[tokio::test]
async fn dropped_request_is_cancelled_on_the_server() {
    let cluster = TestCluster::shared().await.unwrap();
    let db = cluster.create_db(None).await.unwrap();
    let client = db.connect().await.unwrap();
    let mut conf = support::config(db.url());
    conf.db_pool = 1;
    let pool = Pool::new(&conf).unwrap();
    let slow = Request::call("pg_sleep(600)::text", "1::int8");
    assert!(tokio::time::timeout(Duration::from_millis(300), slow.run(&pool, &conf)).await.is_err());
    eventually("nothing sleeps any more", async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()";
        client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 0
    })
    .await;
    // The only place of the pool is free again.
    assert_eq!(Request::read("'next'").body(&pool, &conf).await, "next");
}

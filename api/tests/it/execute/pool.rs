//! The pool: bounds, age, idleness, and a server that goes away.

use std::time::Duration;

use api::config::AppConfig;
use api::error::{DbError, Error};
use api::execute::{Pool, PoolMetrics};
use api::script::result::DbResult;
use local_stack::cluster::StopMode;
use local_stack::testing::{TestCluster, TestDb};

use super::fixture::{Request, db_error, eventually};
use crate::support;

async fn pool(set: impl FnOnce(&mut AppConfig)) -> (Pool, AppConfig, TestDb) {
    let db = TestCluster::shared().await.unwrap().create_db(None).await.unwrap();
    let mut conf = support::config(db.url());
    conf.db_pool = 1;
    set(&mut conf);
    (Pool::new(&conf).unwrap(), conf, db)
}

async fn backend(pool: &Pool, conf: &AppConfig) -> String {
    Request::read("pg_backend_pid()::text").body(pool, conf).await
}

/// Occupies the only connection for a while; returns when it is occupied.
async fn occupy(
    pool: &Pool,
    conf: &AppConfig,
    db: &TestDb,
    seconds: u32,
) -> tokio::task::JoinHandle<Result<DbResult, Error>> {
    let (pool, conf) = (pool.clone(), conf.clone());
    let sleep = format!("pg_sleep({seconds})::text");
    let task = tokio::spawn(async move { Request::call(&sleep, "1::int8").run(&pool, &conf).await });
    let client = db.connect().await.unwrap();
    eventually("it sleeps", async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
        client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 1
    })
    .await;
    task
}

#[tokio::test]
async fn exhausted_pool_times_out_and_counts() {
    let (pool, conf, db) = pool(|it| it.db_pool_acquisition_timeout = 1).await;
    assert_eq!(
        pool.metrics(),
        PoolMetrics { available: 0, waiting: 0, max: 1, timeouts: 0, shared_reads: 0, streams: 0 }
    );
    let sleeper = occupy(&pool, &conf, &db, 4).await;
    let waiter = tokio::spawn({
        let (pool, conf) = (pool.clone(), conf.clone());
        async move { Request::read("'x'").run(&pool, &conf).await }
    });
    eventually("someone waits", async || pool.metrics().waiting == 1).await;
    assert!(matches!(db_error(waiter.await.unwrap()), DbError::AcquisitionTimeout));
    assert_eq!(
        pool.metrics(),
        PoolMetrics { available: 0, waiting: 0, max: 1, timeouts: 1, shared_reads: 0, streams: 0 }
    );
    sleeper.await.unwrap().unwrap();
    assert_eq!(backend(&pool, &conf).await, backend(&pool, &conf).await);
    assert_eq!(
        pool.metrics(),
        PoolMetrics { available: 1, waiting: 0, max: 1, timeouts: 1, shared_reads: 0, streams: 0 }
    );
}

#[tokio::test]
async fn waiting_requests_are_served_when_the_connection_comes_back() {
    let (pool, conf, db) = pool(|_| ()).await;
    let sleeper = occupy(&pool, &conf, &db, 1).await;
    let waiters: Vec<_> = (0..5)
        .map(|_| {
            let (pool, conf) = (pool.clone(), conf.clone());
            tokio::spawn(async move { backend(&pool, &conf).await })
        })
        .collect();
    sleeper.await.unwrap().unwrap();
    let mut served = Vec::new();
    for waiter in waiters {
        served.push(waiter.await.unwrap());
    }
    served.dedup();
    assert_eq!(served.len(), 1, "one connection served all: {served:?}");
    assert_eq!(pool.metrics().timeouts, 0);
}

#[tokio::test]
async fn connections_end_with_age_and_idleness() {
    let (aged, conf, _db) = pool(|it| it.db_pool_max_lifetime = 1).await;
    let first = backend(&aged, &conf).await;
    eventually("another connection serves", async || backend(&aged, &conf).await != first).await;

    let (idle, conf, db) = pool(|it| it.db_pool_max_idletime = 1).await;
    backend(&idle, &conf).await;
    assert_eq!(idle.metrics().available, 1);
    eventually("the idle connection is closed unasked", async || idle.metrics().available == 0).await;
    let client = db.connect().await.unwrap();
    eventually("the server knows", async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 0
    })
    .await;
}

#[tokio::test]
async fn flush_replaces_connections_without_disturbing_requests() {
    let (pool, conf, _db) = pool(|_| ()).await;
    let first = backend(&pool, &conf).await;
    let running = {
        let (pool, conf) = (pool.clone(), conf.clone());
        tokio::spawn(async move {
            Request::call("pg_backend_pid()::text || pg_sleep(0.5)", "1::int8").body(&pool, &conf).await
        })
    };
    eventually("it runs", async || pool.metrics().available == 0).await;
    pool.flush();
    assert_eq!(running.await.unwrap(), first);
    assert_ne!(backend(&pool, &conf).await, first);
    pool.close();
    let error = db_error(Request::read("'x'").run(&pool, &conf).await);
    assert!(matches!(error, DbError::Connection { was_established: false, .. }), "{error:?}");
}

#[tokio::test]
async fn killed_session_is_replaced_before_anyone_notices() {
    let (pool, conf, db) = pool(|_| ()).await;
    let first = backend(&pool, &conf).await;
    let client = db.connect().await.unwrap();
    client.execute(&format!("SELECT pg_terminate_backend({first}, 5000)"), &[]).await.unwrap();
    assert_ne!(backend(&pool, &conf).await, first);
}

#[tokio::test]
async fn session_killed_while_it_runs_is_a_lost_connection() {
    let (pool, conf, db) = pool(|_| ()).await;
    let running = {
        let (pool, conf) = (pool.clone(), conf.clone());
        tokio::spawn(async move { Request::call("pg_sleep(60)::text", "1::int8").run(&pool, &conf).await })
    };
    let client = db.connect().await.unwrap();
    eventually("it was terminated", async || {
        let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()";
        client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 1
    })
    .await;
    // PostgREST rolls back after an error, and that is what it finds then.
    match db_error(running.await.unwrap()) {
        DbError::Connection { was_established: true, message } => {
            assert_eq!(message, "no connection to the server\n");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(Request::read("'next'").body(&pool, &conf).await, "next");
}

#[tokio::test]
async fn server_that_comes_back_is_used_again() {
    let cluster = TestCluster::start().await.unwrap();
    let mut conf = support::config(&cluster.url("postgres"));
    conf.db_pool = 3;
    let pool = Pool::new(&conf).unwrap();
    for kill in [false, true] {
        assert_eq!(Request::read("'before'").body(&pool, &conf).await, "before");
        if kill {
            cluster.server().kill().await.unwrap();
        } else {
            cluster.server().stop(StopMode::Fast).await.unwrap();
        }
        let mut error = db_error(Request::read("'x'").run(&pool, &conf).await);
        // Sessions outlive a postmaster that was killed until they notice; the pool has at most three of them.
        for _ in 0..conf.db_pool {
            if kill && matches!(error, DbError::Connection { was_established: true, .. }) {
                error = db_error(Request::read("'x'").run(&pool, &conf).await);
            }
        }
        match error {
            DbError::Connection { was_established: false, message } => {
                let port = cluster.server().port();
                let expected = format!(
                    "connection to server at \"127.0.0.1\", port {port} failed: Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?\n"
                );
                assert_eq!(message, expected);
            }
            other => panic!("unexpected {other:?}"),
        }
        cluster.server().start().await.unwrap();
        assert_eq!(Request::read("'after'").body(&pool, &conf).await, "after");
    }
    tokio::time::timeout(Duration::from_secs(5), async { drop(pool) }).await.unwrap();
}

//! Reads that share connections: never each other's role, never behind a slow query, never instead of a write.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use api::auth::AuthResult;
use api::config::AppConfig;
use api::error::Error;
use api::execute::{Pool, Sharing};
use api::pipeline::database;
use api::plan::action_plan;
use api::schema_cache::SchemaCache;
use api::schema_cache::load::load;
use api::script::result::DbResult;
use api::sql::main_query;
use local_stack::testing::{TestCluster, TestDb};
use rand::Rng;
use tokio::task::JoinSet;

use super::fixture::eventually;
use crate::fixture::request;
use crate::support;

/// Runs before a query counts as known, and some.
const N_KNOWN: usize = 12;

/// On a machine as busy as it likes, everything counts as quick: what is tested is what follows from that.
const SHARED: Sharing = Sharing {
    quick: Duration::MAX,
    worth: Duration::MAX,
    budget: Duration::MAX,
    hesitation: Duration::MAX,
    patience: Duration::from_millis(20),
    turn: Duration::from_millis(10),
};

struct App {
    conf: AppConfig,
    cache: SchemaCache,
    pool: Pool,
    client: tokio_postgres::Client,
    _db: TestDb,
}

impl App {
    async fn start(cluster: &TestCluster, sql: &str, login: Option<&str>, n_connections: usize) -> Arc<Self> {
        let db = cluster.create_db(None).await.unwrap();
        let client = db.connect().await.unwrap();
        client.batch_execute(sql).await.unwrap();
        let uri = match login {
            Some(login) => db.url().replace("postgres:postgres@", login),
            None => db.url().to_owned(),
        };
        let conf = AppConfig {
            db_anon_role: None,
            db_schemas: vec!["public".into()],
            db_extra_search_path: Vec::new(),
            db_pool: n_connections,
            db_pool_acquisition_timeout: 60,
            ..support::config(&uri)
        };
        let cache = load(&client, &conf).await.unwrap();
        let pool = Pool::sharing(&conf, SHARED).unwrap();
        Arc::new(Self { conf, cache, pool, client, _db: db })
    }

    async fn answer_as(&self, role: &str, mark: &str, text: &str) -> Result<String, Error> {
        let request = request(&self.conf, text)?;
        let plan = action_plan(&self.conf, &request, &self.cache)?;
        let mut claims = serde_json::Map::new();
        claims.insert("mark".into(), mark.into());
        let auth = AuthResult { role: role.to_owned(), claims };
        let query = Arc::new(main_query(&plan, &self.conf, &request, &auth));
        let result =
            database::run(&self.pool, &query, &plan, &request, &auth, &self.conf, &self.cache).await?;
        let DbResult::Crud(set) = result else { panic!("{text} is answered otherwise") };
        Ok(String::from_utf8(set.body.to_vec()).unwrap())
    }

    async fn answer(&self, text: &str) -> String {
        self.answer_as("postgres", "", text).await.unwrap()
    }

    /// Asks until the query counts as a quick one.
    async fn make_known(&self, text: &str) {
        for _ in 0..N_KNOWN {
            self.answer(text).await;
        }
    }

    /// Sends many at once, so that most of them share a connection.
    fn all_at_once(self: &Arc<Self>, texts: impl IntoIterator<Item = String>) -> JoinSet<(String, String)> {
        let mut asked = JoinSet::new();
        for text in texts {
            let app = Arc::clone(self);
            asked.spawn(async move {
                let answer = app.answer(&text).await;
                (text, answer)
            });
        }
        asked
    }
}

const ITEMS: &str = "
    CREATE TABLE item (id int PRIMARY KEY, name text);
    INSERT INTO item SELECT i, 'item ' || i FROM generate_series(1, 100) i;
    CREATE FUNCTION wait_for(key int) RETURNS int STABLE LANGUAGE plpgsql
        AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(key); RETURN key; END';
";

fn item(id: usize) -> String {
    format!("GET /item?id=eq.{id}")
}

fn item_answer(id: usize) -> String {
    format!("[{{\"id\":{id},\"name\":\"item {id}\"}}]")
}

/// One thread, so that nothing gets between those that are sent at once.
#[tokio::test]
async fn reads_that_come_at_once_share_a_connection() {
    let app = App::start(TestCluster::shared().await.unwrap(), ITEMS, None, 5).await;
    app.make_known(&item(1)).await;
    assert_eq!(app.pool.metrics().shared_reads, 0);
    let mut asked = app.all_at_once((1..=40).map(item));
    let mut n_answered = 0;
    while let Some(answered) = asked.join_next().await {
        let (text, answer) = answered.unwrap();
        let id = text.strip_prefix("GET /item?id=eq.").unwrap().parse().unwrap();
        assert_eq!(answer, item_answer(id));
        n_answered += 1;
    }
    assert_eq!(n_answered, 40);
    let n_shared = app.pool.metrics().shared_reads;
    assert!(n_shared > 0, "nothing was shared");
    // Nobody drives any more, and the connections are free.
    eventually("connections are free again", async || {
        let metrics = app.pool.metrics();
        metrics.available > 0 && metrics.waiting == 0
    })
    .await;
    assert_eq!(app.answer(&item(7)).await, item_answer(7));
}

#[tokio::test]
async fn slow_query_keeps_nobody_waiting() {
    let app = App::start(TestCluster::shared().await.unwrap(), ITEMS, None, 2).await;
    app.make_known("GET /rpc/wait_for?key=1").await;
    app.make_known(&item(1)).await;
    let before = app.pool.metrics().shared_reads;
    // Quick so far, the function now waits for as long as we like.
    app.client.batch_execute("SELECT pg_advisory_lock(1)").await.unwrap();
    let slow = app.all_at_once(["GET /rpc/wait_for?key=1".to_owned()]);
    let mut quick = app.all_at_once((1..=30).map(item));
    let all_quick = async {
        while let Some(answered) = quick.join_next().await {
            assert!(answered.unwrap().1.contains("\"name\":\"item "));
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all_quick)
        .await
        .expect("the slow query keeps them waiting");
    assert!(app.pool.metrics().shared_reads > before, "no read shared the connection");
    // All of that while it waited.
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    let n_waiting: i64 = app.client.query_one(waiting, &[]).await.unwrap().get(0);
    assert_eq!((n_waiting, slow.len()), (1, 1));
    app.client.batch_execute("SELECT pg_advisory_unlock(1)").await.unwrap();
    assert_eq!(slow.join_all().await, [("GET /rpc/wait_for?key=1".to_owned(), "1".to_owned())]);
}

#[tokio::test]
async fn lost_connection_fails_only_the_query_that_ran() {
    let app = App::start(TestCluster::shared().await.unwrap(), ITEMS, None, 2).await;
    app.make_known("GET /rpc/wait_for?key=2").await;
    app.make_known(&item(1)).await;
    app.client.batch_execute("SELECT pg_advisory_lock(2)").await.unwrap();
    let slow = {
        let app = Arc::clone(&app);
        tokio::spawn(async move { app.answer_as("postgres", "", "GET /rpc/wait_for?key=2").await })
    };
    let mut quick = app.all_at_once((1..=30).map(item));
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks
               WHERE locktype = 'advisory' AND NOT granted
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    eventually("the waiting query is ended", async || {
        app.client.query_one(end, &[]).await.unwrap().get::<_, i64>(0) > 0
    })
    .await;
    while let Some(answered) = quick.join_next().await {
        assert!(answered.unwrap().1.contains("\"name\":\"item "));
    }
    assert!(matches!(slow.await.unwrap(), Err(Error::Db(_))));
    assert_eq!(app.answer(&item(3)).await, item_answer(3));
}

#[tokio::test]
async fn error_of_one_is_nobody_elses() {
    let sql = format!(
        "{ITEMS}
         CREATE FUNCTION inverse(of int) RETURNS float STABLE LANGUAGE sql AS 'SELECT 1 / of::float'"
    );
    let app = App::start(TestCluster::shared().await.unwrap(), &sql, None, 2).await;
    app.make_known("GET /rpc/inverse?of=2").await;
    let mut asked = JoinSet::new();
    for of in 0..60 {
        let app = Arc::clone(&app);
        asked.spawn(async move {
            (of % 3, app.answer_as("postgres", "", &format!("GET /rpc/inverse?of={}", of % 3)).await)
        });
    }
    let mut n_failed = 0;
    while let Some(answered) = asked.join_next().await {
        match answered.unwrap() {
            (0, Err(Error::Db(_))) => n_failed += 1,
            (1, Ok(answer)) => assert_eq!(answer, "1"),
            (2, Ok(answer)) => assert_eq!(answer, "0.5"),
            (of, other) => panic!("{of}: {other:?}"),
        }
    }
    assert_eq!(n_failed, 20);
    assert!(app.pool.metrics().shared_reads > 0);
}

#[tokio::test]
async fn columns_that_change_are_noticed() {
    let app = App::start(TestCluster::shared().await.unwrap(), ITEMS, None, 3).await;
    app.make_known(&item(1)).await;
    // Connections that have the statement prepared, and one that has not.
    app.all_at_once((1..=20).map(item)).join_all().await;
    app.client.batch_execute("ALTER TABLE item ALTER name TYPE int USING id").await.unwrap();
    for (text, answer) in app.all_at_once((1..=60).map(item)).join_all().await {
        let id = text.strip_prefix("GET /item?id=eq.").unwrap();
        assert_eq!(answer, format!("[{{\"id\":{id},\"name\":{id}}}]"));
    }
}

#[tokio::test]
async fn reads_that_wait_for_a_connection_join_the_next_shared_one() {
    let app = App::start(TestCluster::shared().await.unwrap(), ITEMS, None, 1).await;
    app.make_known(&item(1)).await;
    app.client.batch_execute("SELECT pg_advisory_lock(3)").await.unwrap();
    // Not known, so it has the only connection for itself.
    let slow = app.all_at_once(["GET /rpc/wait_for?key=3".to_owned()]);
    let quick = app.all_at_once((1..=10).map(item));
    eventually("somebody waits", async || app.pool.metrics().waiting == 10).await;
    app.client.batch_execute("SELECT pg_advisory_unlock(3)").await.unwrap();
    assert_eq!(quick.join_all().await.len(), 10);
    assert_eq!(slow.join_all().await[0].1, "3");
    assert_eq!(app.pool.metrics().shared_reads, 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_get_their_turn() {
    let app = App::start(TestCluster::shared().await.unwrap(), ITEMS, None, 1).await;
    app.make_known(&item(1)).await;
    let mut readers = JoinSet::new();
    let is_written = Arc::new(AtomicU64::new(0));
    for id in 1..=24 {
        let (app, is_written) = (Arc::clone(&app), Arc::clone(&is_written));
        readers.spawn(async move {
            // As long as anything is to be written, and some more.
            let mut n_after = 0;
            while n_after < 10 {
                n_after += is_written.load(Ordering::Relaxed);
                assert_eq!(app.answer(&item(id)).await, item_answer(id));
            }
        });
    }
    for id in 101..111 {
        app.answer(&format!("POST /item\n\n{{\"id\":{id},\"name\":\"new\"}}")).await;
    }
    is_written.store(1, Ordering::Relaxed);
    readers.join_all().await;
    assert!(app.pool.metrics().shared_reads > 0);
    let n: i64 = app.client.query_one("SELECT count(*) FROM item", &[]).await.unwrap().get(0);
    assert_eq!(n, 110);
}

const N_CALLERS: usize = 64;
const N_CONNECTIONS: usize = 3;

/// How long the callers go on; a minute when the environment asks for a thorough run.
fn duration() -> Duration {
    let thorough = std::env::var_os("PGAPP_TEST_THOROUGH").is_some();
    Duration::from_secs(if thorough { 60 } else { 4 })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_who_share_connections_never_see_each_other() {
    let cluster = TestCluster::start().await.unwrap();
    let mut roles = String::from("CREATE ROLE connects LOGIN PASSWORD 'pw' NOINHERIT;");
    for i in 0..N_CALLERS {
        roles.push_str(&format!("CREATE ROLE caller_{i}; GRANT caller_{i} TO connects;"));
    }
    cluster.connect("postgres").await.unwrap().batch_execute(&roles).await.unwrap();
    let sql = "
        CREATE TABLE secret (role text, text text);
        ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON secret USING (role = current_user);
        INSERT INTO secret SELECT 'caller_' || i, 'secret of ' || i FROM generate_series(0, 63) i;
        CREATE VIEW who AS SELECT 1 AS one, current_user::text AS role,
            current_setting('request.jwt.claims')::json->>'mark' AS mark,
            current_setting('request.path') AS path, 0 AS zero;
        CREATE FUNCTION nap(ms int) RETURNS text STABLE LANGUAGE plpgsql
            AS 'BEGIN PERFORM pg_sleep(ms / 1000.0); RETURN current_user || '' '' || current_setting(''role''); END';
        CREATE TABLE log (role text DEFAULT current_user,
            mark text DEFAULT current_setting('request.jwt.claims')::json->>'mark', given text);
        GRANT ALL ON ALL TABLES IN SCHEMA public TO public;";
    let app = App::start(&cluster, sql, Some("connects:pw@"), N_CONNECTIONS).await;
    let end = Instant::now() + duration();
    let answered = Arc::new(AtomicU64::new(0));
    let mut callers = JoinSet::new();
    for i in 0..N_CALLERS {
        let (app, answered) = (Arc::clone(&app), Arc::clone(&answered));
        callers.spawn(async move {
            let role = format!("caller_{i}");
            let mut n = 0_u64;
            // On a busy machine a little longer, so that something was tested.
            while Instant::now() < end || answered.load(Ordering::Relaxed) < 1000 {
                n += 1;
                let mark = format!("{i}-{n}");
                let kind = rand::rng().random_range(0..10);
                let text = match kind {
                    0 => format!("POST /log\n\n{{\"given\":\"{mark}\"}}"),
                    // Mostly quick, so that others join behind the long ones.
                    1 => format!("GET /rpc/nap?ms={}", if n.is_multiple_of(20) { 40 } else { 0 }),
                    2 => "GET /who?select=one,path&zero=lt.x".to_owned(),
                    3..6 => "GET /secret?select=role,text".to_owned(),
                    _ => "GET /who?select=role,mark,path".to_owned(),
                };
                let patience = match rand::rng().random_range(0..40) {
                    // A caller that goes away drops its future wherever it stands.
                    0 => Duration::from_micros(rand::rng().random_range(0..3000)),
                    _ => Duration::from_secs(60),
                };
                let Ok(outcome) = tokio::time::timeout(patience, app.answer_as(&role, &mark, &text)).await
                else {
                    continue;
                };
                let expected = match kind {
                    0 => String::new(),
                    1 => format!("\"{role} {role}\""),
                    2 => {
                        assert!(matches!(outcome, Err(Error::Db(_))), "{outcome:?}");
                        continue;
                    }
                    3..6 => format!("[{{\"role\":\"{role}\",\"text\":\"secret of {i}\"}}]"),
                    _ => format!("[{{\"role\":\"{role}\",\"mark\":\"{mark}\",\"path\":\"/who\"}}]"),
                };
                assert_eq!(outcome.unwrap(), expected, "{text}");
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
    let shared = app.pool.metrics().shared_reads;
    assert!(shared > 0, "no connection was shared");
    let mixed =
        "SELECT count(*) FROM log WHERE given <> mark OR role <> 'caller_' || split_part(mark, '-', 1)";
    assert_eq!(app.client.query_one(mixed, &[]).await.unwrap().get::<_, i64>(0), 0);
    eprintln!("{} answers, {shared} of them on shared connections", answered.load(Ordering::Relaxed));
}

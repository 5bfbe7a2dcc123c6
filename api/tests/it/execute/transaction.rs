//! One request, one transaction: modes, ends, prepared statements, results.

use api::api_request::types::{Mutation, PreferCount, PreferHandling, PreferTransaction};
use api::config::AppConfig;
use api::error::{ApiRequestError, Error};
use api::execute::Pool;
use api::media_type::{MediaType, PlanFormat};
use api::plan::CrudKind;
use api::schema_cache::routine::IsolationLevel;
use api::script::result::DbResult;
use api::sql::types::{Param, ParamType};
use local_stack::testing::{TestCluster, TestDb};

use super::fixture::{Request, rewrite, sqlstate, statement, text};
use crate::support::{self, whole};

async fn database(sql: &str) -> (TestDb, tokio_postgres::Client) {
    let db = TestCluster::shared().await.unwrap().create_db(None).await.unwrap();
    let client = db.connect().await.unwrap();
    client.batch_execute(sql).await.unwrap();
    (db, client)
}

fn pool(db: &TestDb, set: impl FnOnce(&mut AppConfig)) -> (Pool, AppConfig) {
    let mut conf = support::config(db.url());
    conf.db_pool = 1;
    set(&mut conf);
    (Pool::new(&conf).unwrap(), conf)
}

async fn count(client: &tokio_postgres::Client) -> i64 {
    client.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get(0)
}

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, name text)";

#[tokio::test]
async fn read_cannot_write_and_leaves_no_mode_behind() {
    let (db, client) = database(TABLE).await;
    for prepared in [true, false] {
        let (pool, conf) = pool(&db, |it| it.db_prepared_statements = prepared);
        for _ in 0..3 {
            let body = Request::read("current_setting('transaction_read_only')").body(&pool, &conf).await;
            assert_eq!(body, "on");
            let mut write = Request::write(Mutation::Create, "INSERT INTO t VALUES (1) RETURNING id");
            write.plan.tx_mode = api::plan::TxMode::Read;
            assert_eq!(sqlstate(write.run(&pool, &conf).await), "25006");
            let body = Request::call("current_setting('transaction_read_only')", "1::int8");
            assert_eq!(body.body(&pool, &conf).await, "off");
        }
    }
    assert_eq!(count(&client).await, 0);
}

#[tokio::test]
async fn write_commits_and_reports_location_and_count() {
    let (db, client) = database(TABLE).await;
    let (pool, conf) = pool(&db, |_| ());
    let mut request = Request::write(Mutation::Create, "INSERT INTO t VALUES (1, $1), (2, $2) RETURNING *");
    let main = request.query.main.as_mut().unwrap();
    main.params = vec![text("a"), Param { value: None, ty: ParamType::Text }];
    rewrite(main, |it| it.replace("array[]::text[]", "array['id=eq.1', 'name=eq.a,\"b']::text[]"));
    let set = request.result(&pool, &conf).await.unwrap();
    assert_eq!(set.query_total, 2);
    assert_eq!(set.location, [("id".into(), "eq.1".into()), ("name".into(), "eq.a,\"b".into())]);
    assert_eq!(&set.body[..], b"[{\"id\":1,\"name\":\"a\"}, \n {\"id\":2,\"name\":null}]");
    assert_eq!(count(&client).await, 2);
}

#[tokio::test]
async fn failed_statement_keeps_nothing_and_connection_goes_on() {
    let (db, client) = database(TABLE).await;
    let (pool, conf) = pool(&db, |_| ());
    let pid = Request::read("pg_backend_pid()::text").body(&pool, &conf).await;
    for _ in 0..3 {
        let mut request = Request::write(Mutation::Create, "INSERT INTO t VALUES (1) RETURNING id");
        request.query.explain = Some(statement("SELECT 1 / 0", Vec::new()));
        assert_eq!(sqlstate(request.run(&pool, &conf).await), "22012");
        let mut request = Request::write(Mutation::Create, "INSERT INTO t VALUES (1) RETURNING id");
        request.query.pre_request = Some(statement("SELECT nonsense()", Vec::new()));
        assert_eq!(sqlstate(request.run(&pool, &conf).await), "42883");
    }
    assert_eq!(count(&client).await, 0);
    assert_eq!(Request::read("pg_backend_pid()::text").body(&pool, &conf).await, pid);
}

#[tokio::test]
async fn deferred_constraint_fails_the_request_at_its_end() {
    let (db, client) = database(
        "CREATE TABLE p (id int PRIMARY KEY);
         CREATE TABLE t (id int REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
    )
    .await;
    let (pool, conf) = pool(&db, |it| it.db_tx_allow_override = true);
    let insert = || Request::write(Mutation::Create, "INSERT INTO t VALUES (1) RETURNING id");
    assert_eq!(sqlstate(insert().run(&pool, &conf).await), "23503");
    // Also when nothing would be kept anyway.
    let rollback = insert().prefer(|it| it.transaction = Some(PreferTransaction::Rollback));
    assert_eq!(sqlstate(rollback.run(&pool, &conf).await), "23503");
    // Also when it commits in a second step.
    let singular = insert().media(MediaType::VndSingularJson(false));
    assert_eq!(sqlstate(singular.run(&pool, &conf).await), "23503");
    assert_eq!(count(&client).await, 0);
}

#[tokio::test]
async fn tx_end_rolls_back_unless_overridden() {
    let (db, client) = database(TABLE).await;
    let insert = |id| Request::write(Mutation::Create, &format!("INSERT INTO t VALUES ({id}) RETURNING id"));
    let (pool_one, conf) = pool(&db, |it| it.db_tx_rollback_all = true);
    let set = insert(1).result(&pool_one, &conf).await.unwrap();
    assert_eq!(set.query_total, 1);
    assert_eq!(count(&client).await, 0);
    let commit = insert(2).prefer(|it| it.transaction = Some(PreferTransaction::Commit));
    commit.run(&pool_one, &conf).await.unwrap();
    assert_eq!(count(&client).await, 1);
    let (pool_two, conf) = pool(&db, |_| ());
    let rollback = insert(3).prefer(|it| it.transaction = Some(PreferTransaction::Rollback));
    rollback.run(&pool_two, &conf).await.unwrap();
    assert_eq!(count(&client).await, 1);
}

#[tokio::test]
async fn rows_that_do_not_fit_undo_the_write() {
    let (db, client) = database(&format!("{TABLE}; INSERT INTO t SELECT generate_series(1, 3)")).await;
    let (pool, conf) = pool(&db, |_| ());
    let pid = Request::read("pg_backend_pid()::text").body(&pool, &conf).await;
    let error = |result: Result<DbResult, Error>| match result {
        Err(Error::ApiRequest(error)) => error,
        other => panic!("expected a refusal, got {other:?}"),
    };
    let delete = || Request::write(Mutation::Delete, "DELETE FROM t RETURNING id");
    let singular = delete().media(MediaType::VndSingularJson(true));
    assert_eq!(error(singular.run(&pool, &conf).await), ApiRequestError::Singularity(3));
    let limited = || {
        delete().prefer(|it| {
            it.handling = Some(PreferHandling::Strict);
            it.max_affected = Some(2);
        })
    };
    assert_eq!(error(limited().run(&pool, &conf).await), ApiRequestError::MaxAffectedViolation(3));
    let put = Request::write(Mutation::SingleUpsert, "DELETE FROM t WHERE id = 9 RETURNING id");
    assert_eq!(error(put.run(&pool, &conf).await), ApiRequestError::PutMatchingPk);
    let call = Request::call("(SELECT set_config('a.b', 'c', false))", "2::int8")
        .media(MediaType::VndSingularJson(false));
    assert_eq!(error(call.run(&pool, &conf).await), ApiRequestError::Singularity(2));
    assert_eq!(count(&client).await, 3);
    // Lenient handling keeps the write, and the connection never went out of use.
    let lenient = limited().prefer(|it| it.handling = Some(PreferHandling::Lenient));
    lenient.run(&pool, &conf).await.unwrap();
    assert_eq!(count(&client).await, 0);
    assert_eq!(Request::read("pg_backend_pid()::text").body(&pool, &conf).await, pid);
}

#[tokio::test]
async fn isolation_is_the_functions_else_the_roles() {
    let (db, _client) = database("").await;
    let (pool, conf) = pool(&db, |it| {
        it.role_isolation.insert("postgres".into(), IsolationLevel::RepeatableRead);
    });
    let level = "current_setting('transaction_isolation')";
    assert_eq!(Request::read(level).body(&pool, &conf).await, "repeatable read");
    let mut call = Request::call(level, "1::int8");
    if let CrudKind::Call { routine, .. } = &mut call.plan.kind {
        routine.isolation = Some(IsolationLevel::Serializable);
    }
    assert_eq!(call.body(&pool, &conf).await, "serializable");
    let plain = support::config(db.url());
    assert_eq!(Request::read(level).body(&pool, &plain).await, "read committed");
}

#[tokio::test]
async fn defaults_of_the_login_role_do_not_leak_into_requests() {
    let (db, client) = database(TABLE).await;
    let sql = format!(
        "ALTER DATABASE {0} SET default_transaction_isolation = 'serializable';
         ALTER DATABASE {0} SET default_transaction_read_only = on",
        db.name()
    );
    client.batch_execute(&sql).await.unwrap();
    let (pool, conf) = pool(&db, |_| ());
    let level = Request::read("current_setting('transaction_isolation')");
    assert_eq!(level.body(&pool, &conf).await, "read committed");
    let insert = Request::write(Mutation::Create, "INSERT INTO t VALUES (1) RETURNING id");
    insert.run(&pool, &conf).await.unwrap();
    assert_eq!(count(&client).await, 1);
}

#[tokio::test]
async fn statement_whose_result_changed_is_prepared_anew() {
    let (db, client) = database("CREATE TABLE t (id int); INSERT INTO t VALUES (7)").await;
    let (pool, conf) = pool(&db, |_| ());
    let read = || {
        Request::read_statement(statement(
            "SELECT null::int8, 1::int8, null::text, t.id, null::text, null::int8 FROM t",
            Vec::new(),
        ))
    };
    let headers = async |it: Request| it.result(&pool, &conf).await.unwrap().guc_headers.unwrap();
    let pid = Request::read("pg_backend_pid()::text").body(&pool, &conf).await;
    assert_eq!(headers(read()).await, "7");
    assert_eq!(headers(read()).await, "7");
    client.batch_execute("ALTER TABLE t ALTER id TYPE text USING 'seven'").await.unwrap();
    assert_eq!(headers(read()).await, "seven");
    // A session function that forgets everything prepared, as some poolers call it.
    Request::call("(SELECT 'x')", "1::int8").run(&pool, &conf).await.unwrap();
    client.batch_execute("CREATE FUNCTION forget() RETURNS text LANGUAGE plpgsql AS $$ BEGIN DEALLOCATE ALL; RETURN 'x'; END $$").await.unwrap();
    Request::call("forget()", "1::int8").run(&pool, &conf).await.unwrap();
    assert_eq!(headers(read()).await, "seven");
    assert_eq!(Request::read("pg_backend_pid()::text").body(&pool, &conf).await, pid);
}

#[tokio::test]
async fn statements_are_prepared_once_or_never() {
    let (db, _client) = database("").await;
    let prepared = "(SELECT count(*) FROM pg_prepared_statements)::text";
    let (pool_on, conf_on) = pool(&db, |_| ());
    for _ in 0..5 {
        Request::read("'same'").run(&pool_on, &conf_on).await.unwrap();
    }
    // Settings, the statement above, this one; and five that clear up.
    assert_eq!(Request::read(prepared).body(&pool_on, &conf_on).await, "8");
    let (pool_off, conf_off) = pool(&db, |it| it.db_prepared_statements = false);
    for _ in 0..2 {
        assert_eq!(Request::read(prepared).body(&pool_off, &conf_off).await, "0");
    }
}

#[tokio::test]
async fn statement_cache_is_bounded_on_the_server_too() {
    let (db, _client) = database("").await;
    let (pool, conf) = pool(&db, |it| it.pgapp_statement_cache_bytes = 2_000_000);
    for i in 0..100 {
        Request::read(&format!("'{i}'")).run(&pool, &conf).await.unwrap();
        // What is used all the time stays.
        Request::read("'again'").run(&pool, &conf).await.unwrap();
    }
    let prepared = "(SELECT count(*) FROM pg_prepared_statements)::text";
    let n: i64 = Request::read(prepared).body(&pool, &conf).await.parse().unwrap();
    // Of 16 KiB each at least.
    assert!((10..=122).contains(&n), "{n} statements are prepared");
    let is_kept = "(SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%''again''%' \
                   AND statement NOT LIKE '%pg_prepared%')::text";
    assert_eq!(Request::read(is_kept).body(&pool, &conf).await, "1");
    // What is long is parsed each time.
    let long = format!("'{}'", "x".repeat(20_000));
    for _ in 0..3 {
        Request::read(&long).run(&pool, &conf).await.unwrap();
    }
    let n_long = "(SELECT count(*) FROM pg_prepared_statements WHERE length(statement) > 10000)::text";
    assert_eq!(Request::read(n_long).body(&pool, &conf).await, "0");
}

#[tokio::test]
async fn bodies_of_every_kind_arrive_byte_by_byte() {
    let (db, client) = database("CREATE DOMAIN \"image/png\" AS bytea").await;
    for (prepared, output) in [(true, "hex"), (false, "hex"), (true, "escape"), (false, "escape")] {
        let sql = format!("ALTER DATABASE {} SET bytea_output = '{output}'", db.name());
        client.batch_execute(&sql).await.unwrap();
        let (pool, conf) = pool(&db, |it| it.db_prepared_statements = prepared);
        // Twice each, parsed and prepared: what is known of a statement the second time must not change its result.
        for _ in 0..2 {
            let set = Request::read("'\\x00ff5c27'::\"image/png\"").result(&pool, &conf).await.unwrap();
            assert_eq!(&set.body[..], b"\x00\xff\\'");
            let set = Request::read("'\\\\x00'::text").result(&pool, &conf).await.unwrap();
            assert_eq!(&set.body[..], b"\\\\x00");
            // Handlers of custom media types get their type's binary form, whatever it is.
            let set = Request::read("'{}'::jsonb").result(&pool, &conf).await.unwrap();
            assert_eq!(&set.body[..], b"\x01{}");
            let set = Request::read("NULL::text").result(&pool, &conf).await.unwrap();
            assert_eq!(&set.body[..], b"");
            let mut request = Request::read("'x'");
            let main = request.query.main.as_mut().unwrap();
            rewrite(main, |it| it.replace("('x')", "$1 || $2::bytea"));
            main.params = vec![
                Param { value: Some(vec![0, 255, b'\\'].into()), ty: ParamType::Bytea },
                Param { value: Some("\\x01".into()), ty: ParamType::Unknown },
            ];
            let set = request.result(&pool, &conf).await.unwrap();
            assert_eq!(&set.body[..], b"\x00\xff\\\x01");
        }
    }
}

#[tokio::test]
async fn large_values_travel_both_ways() {
    let (db, _client) = database("").await;
    let (pool, conf) = pool(&db, |_| ());
    let sent = "äbc\n".repeat(2_000_000);
    let mut request = Request::read("'x'");
    let main = request.query.main.as_mut().unwrap();
    rewrite(main, |it| it.replace("('x')", "$1 || $1"));
    main.params = vec![text(&*sent)];
    // More behind the large answer, so that both directions are full at once.
    request.query.explain = Some(statement(
        "SELECT '[{\"Plan\":{\"Plan Rows\":7}}]'::json, $1::text",
        vec![text("x".repeat(4_000_000))],
    ));
    let request = request.prefer(|it| it.count = Some(PreferCount::Planned));
    let set = request.result(&pool, &conf).await.unwrap();
    // So large a body waits outside of memory.
    let body = whole(&set.spooled.unwrap()).await;
    assert!(set.body.is_empty());
    assert!(body == sent.repeat(2).as_bytes(), "{} bytes came back", body.len());
    assert_eq!(set.table_total, Some(7));
}

#[tokio::test]
async fn value_that_cannot_be_sent_is_refused_before_anything_is_sent() {
    let (db, _client) = database("").await;
    let (pool, conf) = pool(&db, |_| ());
    let request = Request::read_statement(statement("SELECT 'a\0b'", Vec::new()));
    assert_eq!(sqlstate(request.run(&pool, &conf).await), "22021");
    let request = Request::read("'x'").role("postgres", "nul \0 inside");
    assert_eq!(sqlstate(request.run(&pool, &conf).await), "22021");
    assert_eq!(Request::read("'fine'").body(&pool, &conf).await, "fine");
}

#[tokio::test]
async fn explain_rows_become_lines() {
    let (db, _client) = database("").await;
    let (pool, conf) = pool(&db, |_| ());
    let media = MediaType::VndPlan(Box::new(MediaType::ApplicationJson), PlanFormat::Text, Vec::new());
    let explain =
        statement("EXPLAIN (COSTS OFF) SELECT * FROM generate_series(1, 2) WHERE true LIMIT 1", Vec::new());
    match Request::read_statement(explain).media(media).run(&pool, &conf).await.unwrap() {
        DbResult::Plan(text) => {
            assert_eq!(&text[..], b"Limit\n  ->  Function Scan on generate_series\n");
        }
        other => panic!("not a plan: {other:?}"),
    }
}

#[tokio::test]
async fn no_row_means_no_rows() {
    let (db, _client) = database(TABLE).await;
    let (pool, conf) = pool(&db, |_| ());
    let mut write = Request::write(Mutation::Update, "UPDATE t SET id = 1 RETURNING id");
    rewrite(write.query.main.as_mut().unwrap(), |it| format!("{it} HAVING false"));
    let set = write.result(&pool, &conf).await.unwrap();
    assert_eq!((set.query_total, set.table_total, &set.body[..]), (0, None, &b""[..]));
    let mut call = Request::call("'x'", "1::int8");
    rewrite(call.query.main.as_mut().unwrap(), |it| format!("{it} WHERE false"));
    let set = call.result(&pool, &conf).await.unwrap();
    assert_eq!((set.query_total, set.table_total, &set.body[..]), (0, Some(0), &b""[..]));
}

#[tokio::test]
async fn error_says_on_whose_behalf_it_came() {
    let (db, client) = database(TABLE).await;
    client
        .batch_execute("DO $$ BEGIN CREATE ROLE nobody_at_all; EXCEPTION WHEN duplicate_object THEN END $$")
        .await
        .unwrap();
    let (pool, mut conf) = pool(&db, |_| ());
    for (anonymous, expected) in [("nobody_at_all", false), ("someone", true)] {
        conf.db_anon_role = Some(anonymous.into());
        let request = Request::read("(SELECT id FROM t)::text").role("nobody_at_all", "");
        match super::fixture::db_error(request.run(&pool, &conf).await) {
            api::error::DbError::Server { code, authenticated, .. } => {
                assert_eq!((&*code, authenticated), ("42501", expected));
            }
            other => panic!("unexpected {other:?}"),
        }
    }
}

//! A reload holds for every request that begins after it, whatever was under way.

use std::sync::Arc;

use api::server;
use bytes::Bytes;
use http::Request;
use http::response::Parts;
use http_body_util::StreamBody;
use hyper::body::Frame;
use local_stack::testing::TestCluster;
use tokio::sync::oneshot;

use super::App;

const SCHEMA: &str = "
    CREATE ROLE reload_anon;
    CREATE SCHEMA api;
    CREATE TABLE api.item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
    CREATE FUNCTION api.refuse() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE SQLSTATE 'PT418'; END $$;
    GRANT USAGE ON SCHEMA api TO reload_anon;
    GRANT ALL ON api.item TO reload_anon;
";

const ORIGIN: &str = "https://app.example";

/// A write whose body has not come, and what lets it come.
async fn begun(app: &App) -> (tokio::task::JoinHandle<Parts>, oneshot::Sender<()>) {
    let (started, has_started) = oneshot::channel();
    let (let_come, may_come) = oneshot::channel::<()>();
    let body = futures_util::stream::once(async move {
        started.send(()).unwrap();
        may_come.await.unwrap();
        Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(b"{\"name\":\"late\"}")))
    });
    let request =
        Request::post("/item").header("Origin", ORIGIN).body(StreamBody::new(Box::pin(body))).unwrap();
    let state = Arc::clone(&app.0);
    let answer = tokio::spawn(async move { server::api(state, request, "test".into()).await.into_parts().0 });
    has_started.await.unwrap();
    (answer, let_come)
}

#[tokio::test]
async fn a_request_under_way_leaves_nothing_to_those_after_the_reload() {
    let cluster = TestCluster::start().await.unwrap();
    let db = cluster.create_db(None).await.unwrap();
    let client = db.connect().await.unwrap();
    client.batch_execute(SCHEMA).await.unwrap();
    let app = App::start_with(&[
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "reload_anon"),
        ("PGRST_DB_URI", db.url()),
        ("PGRST_DB_POOL", "2"),
    ])
    .await;
    let set = |what: &str| {
        format!(
            "ALTER ROLE {} IN DATABASE {} {what} pgrst.db_pre_request",
            cluster.server().superuser(),
            db.name()
        )
    };
    let write = "POST /item\n\n{\"name\":\"x\"}";
    for n_before in 0..3 {
        for _ in 0..n_before {
            assert_eq!(app.ask(write).await.status, 201);
        }
        let (late, let_come) = begun(&app).await;
        client.batch_execute(&format!("{} = 'api.refuse'", set("SET"))).await.unwrap();
        app.reload().await;
        assert_eq!(app.ask("GET /item").await.status, 418);
        let_come.send(()).unwrap();
        // It began before.
        assert_eq!(late.await.unwrap().status, 201);
        for _ in 0..4 {
            assert_eq!(app.ask(write).await.status, 418);
        }
        client.batch_execute(&set("RESET")).await.unwrap();
        app.reload().await;
        assert_eq!(app.ask(write).await.status, 201);
    }
}

/// What is switched on and off by a reload is on and off for the requests after it.
#[tokio::test]
async fn prepared_statements_follow_a_reload() {
    let cluster = TestCluster::start().await.unwrap();
    let db = cluster.create_db(None).await.unwrap();
    let client = db.connect().await.unwrap();
    client
        .batch_execute(
            "CREATE ROLE reload_anon; CREATE SCHEMA api; GRANT USAGE ON SCHEMA api TO reload_anon;
             CREATE VIEW api.kept AS SELECT count(*) > 1 AS some FROM pg_prepared_statements;
             GRANT SELECT ON api.kept TO reload_anon;",
        )
        .await
        .unwrap();
    let app = App::start_with(&[
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "reload_anon"),
        ("PGRST_DB_URI", db.url()),
        ("PGRST_DB_POOL", "1"),
    ])
    .await;
    let set = |what: &str| {
        format!("ALTER ROLE {} SET pgrst.db_prepared_statements = '{what}'", cluster.server().superuser())
    };
    for (what, expected) in
        [("true", "[{\"some\":true}]"), ("false", "[{\"some\":false}]"), ("true", "[{\"some\":true}]")]
    {
        client.batch_execute(&set(what)).await.unwrap();
        app.reload().await;
        for _ in 0..2 {
            app.ask("GET /kept").await;
        }
        assert_eq!(app.ask("GET /kept").await.body, expected, "{what}");
    }
}

/// A reload while a request is answered does not change what is added to its answer in the end.
#[tokio::test]
async fn a_request_is_answered_by_the_configuration_it_began_with() {
    let cluster = TestCluster::start().await.unwrap();
    let db = cluster.create_db(None).await.unwrap();
    let client = db.connect().await.unwrap();
    client.batch_execute(SCHEMA).await.unwrap();
    let app = App::start_with(&[
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "reload_anon"),
        ("PGRST_DB_URI", db.url()),
        ("PGRST_DB_POOL", "2"),
    ])
    .await;
    let superuser = cluster.server().superuser();
    let set =
        format!("ALTER ROLE {superuser} SET pgrst.server_cors_allowed_origins = 'https://other.example'");
    let allowed = |parts: &Parts| parts.headers.get("access-control-allow-origin").cloned();

    let (late, let_come) = begun(&app).await;
    client.batch_execute(&set).await.unwrap();
    app.reload().await;
    let_come.send(()).unwrap();
    assert_eq!(allowed(&late.await.unwrap()).unwrap(), "*");

    let (after, let_come) = begun(&app).await;
    let_come.send(()).unwrap();
    assert_eq!(allowed(&after.await.unwrap()), None);
}

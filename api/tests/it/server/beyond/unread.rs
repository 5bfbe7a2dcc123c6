//! Parts of a request that have no effect, by the settings that refuse them.

use super::{answer, ask, serve};

const TABLES: &str = "
    create table orders (id int primary key, data jsonb);
    create table lines (id int primary key, order_id int references orders);
    insert into orders select n, jsonb_build_object('age', n) from generate_series(1, 12) n;
";

#[tokio::test]
async fn a_limited_write_is_refused_before_it_writes() {
    let (server, _db) = serve(TABLES, &[("PGAPP_LIMITED_WRITES", "refuse")]).await;
    // Each one twice and more: the plan of a request that came before must not let it through.
    for _ in 0..3 {
        for request in [
            "DELETE /orders?limit=1",
            "DELETE /orders?order=id&limit=1",
            "DELETE /orders?id=gt.0&offset=2",
            "DELETE /orders?order=id",
            "PATCH /orders?id=gt.0&limit=1\nContent-Type: application/json\n\n{\"data\":{}}",
            "PATCH /orders?lines.limit=1&select=id,lines(id)\nContent-Type: application/json\n\n{\"data\":{}}",
            "DELETE /orders\nRange: 0-4",
            "PUT /orders?id=eq.99\nRange: 0-4\nContent-Type: application/json\n\n{\"id\":99}",
            "POST /orders?limit=1\nContent-Type: application/json\n\n[{\"id\":98},{\"id\":99}]",
        ] {
            let response = ask(&server, request).await;
            assert_eq!((response.status, response.code().as_str()), (400, "PGAPP120"), "{request}");
        }
    }
    let response = ask(&server, "DELETE /orders?limit=1").await;
    insta::assert_snapshot!(response.body, @r#"{"code":"PGAPP120","details":"Every row that the filters match would have been written","hint":"Choose the rows by filters, and leave 'limit' out.","message":"'limit' does not limit a DELETE"}"#);
    assert_eq!(server.get("/orders?select=id.count()").await.code(), "PGRST123");
    assert_eq!(
        ask(&server, "HEAD /orders\nPrefer: count=exact").await.header("content-range"),
        Some("0-11/12")
    );
    // What is no limit, and limits where they are read, stay.
    assert_eq!(
        answer(&server, "DELETE /orders?id=gt.10&order=id.desc&select=id\nPrefer: return=representation")
            .await,
        "200 [{\"id\":12}, \n {\"id\":11}]"
    );
    assert_eq!(answer(&server, "GET /orders?select=id&order=id&limit=1&offset=1").await, r#"200 [{"id":2}]"#);
    assert_eq!(
        ask(&server, "PUT /orders?id=eq.99&limit=1\nContent-Type: application/json\n\n{\"id\":99}")
            .await
            .code(),
        "PGRST114"
    );
}

#[tokio::test]
async fn without_the_setting_limits_of_writes_are_passed_over() {
    let (server, _db) = serve(TABLES, &[]).await;
    assert_eq!(ask(&server, "DELETE /orders?limit=1").await.status, 204);
    assert_eq!(answer(&server, "GET /orders").await, "200 []");
    assert_eq!(ask(&server, "GET /orders?data->>age::int=gt.5").await.status, 200);
    assert_eq!(ask(&server, "GET /orders?columns=nonsense").await.status, 200);
}

#[tokio::test]
async fn the_setting_can_be_made_in_the_database() {
    let db = super::database().await;
    let client = db.connect().await.unwrap();
    client
        .batch_execute(&format!(
            "alter role authenticator in database \"{}\" set pgapp.limited_writes = 'refuse'",
            db.config().get_dbname().unwrap()
        ))
        .await
        .unwrap();
    let server = super::Server::over(&super::authenticator(db.config())).start().await;
    assert_eq!(ask(&server, "DELETE /films?limit=1").await.code(), "PGAPP120");
}

#[tokio::test]
async fn text_and_parameters_that_nobody_reads_are_refused() {
    let (server, _db) = serve(TABLES, &[("PGAPP_UNREAD_PARAMETERS", "refuse")]).await;
    for _ in 0..3 {
        for (request, code) in [
            ("GET /orders?data->>age::int=gt.5", "PGAPP121"),
            ("GET /orders?id=is.nullx", "PGRST100"),
            ("GET /orders?id=in.(1,2)3", "PGRST100"),
            ("GET /orders?id", "PGAPP121"),
            ("GET /orders?columns=id", "PGAPP121"),
            ("GET /?select=id", "PGAPP121"),
            ("DELETE /orders?on_conflict=id", "PGAPP121"),
            ("POST /orders?id=eq.1\nContent-Type: application/json\n\n{\"id\":77}", "PGAPP121"),
        ] {
            let response = ask(&server, request).await;
            assert_eq!((response.status, response.code().as_str()), (400, code), "{request}");
        }
    }
    insta::assert_snapshot!(answer(&server, "GET /orders?data->>age::int=gt.5").await, @r#"400 {"code":"PGAPP121","details":"a filter has no cast, so '::int' has no effect","hint":null,"message":"'data->>age::int' has no effect in this request"}"#);
    assert_eq!(answer(&server, "GET /orders?data->age=gt.11&select=id").await, r#"200 [{"id":12}]"#);
    assert_eq!(ask(&server, "GET /orders?id=eq.77").await.body, "[]");
}

#[tokio::test]
async fn a_mistyped_setting_is_told_of_with_the_one_that_is_meant() {
    let db = super::database().await;
    let server = super::Server::over(&super::authenticator(db.config())).set("DB_MAX_ROW", "5").start().await;
    let line = server.wait_for_line("PGRST_DB_MAX_ROW").await;
    assert!(
        line.ends_with("WARNING: \"PGRST_DB_MAX_ROW\" in the environment is no setting and has no effect. Did you mean `PGRST_DB_MAX_ROWS`?"),
        "{line}"
    );
    let others = server.lines().iter().filter(|it| it.contains("is no setting")).count();
    assert_eq!(others, 1, "what is a setting is not told of");
}

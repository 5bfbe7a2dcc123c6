//! Paths below `/rest/v1`, as the client libraries of Supabase send them.

use super::http::{Request, Response};
use super::process::Server;
use super::{authenticator, database, server_over};

async fn ask(server: &Server, method: &str, target: &str, body: &str) -> Response {
    // What supabase-js adds to each request; keys that are not tokens are read by nothing here.
    let request = Request::new(method, target)
        .header("apikey", "public-anon-key")
        .header("X-Client-Info", "supabase-js-web/2.45.0")
        .header("Accept-Profile", "api")
        .header("Content-Profile", "api")
        .header("Content-Type", "application/json")
        .header("Prefer", "return=representation,count=exact");
    server.send(request.body(body.as_bytes())).await
}

#[tokio::test]
async fn reads_and_calls_are_answered_as_at_the_root() {
    let db = database().await;
    let server = server_over(&db).await;
    for (method, path) in [
        ("GET", "/films?select=id,title,directors(name)&id=eq.1"),
        ("GET", "/films?select=*&order=id.asc&offset=0&limit=2"),
        ("HEAD", "/films?select=*"),
        ("POST", "/rpc/whoami"),
        ("GET", "/rpc/setting?name=request.path"),
        ("GET", "/"),
        ("OPTIONS", "/films"),
        ("GET", "/no_such_films?select=*"),
        ("POST", "/rpc/no_such_function"),
        ("GET", "/films/1"),
    ] {
        let at_root = ask(&server, method, path, if method == "POST" { "{}" } else { "" }).await;
        let below = format!("/rest/v1{path}");
        let below = ask(&server, method, &below, if method == "POST" { "{}" } else { "" }).await;
        assert_eq!((below.status, &below.body), (at_root.status, &at_root.body), "{method} {path}");
        for name in ["content-type", "content-range", "allow", "proxy-status", "content-profile"] {
            assert_eq!(below.header(name), at_root.header(name), "{method} {path}: {name}");
        }
        let place = at_root.header("content-location").map(|it| format!("/rest/v1{it}"));
        assert_eq!(below.header("content-location").map(str::to_owned), place, "{method} {path}");
    }
    assert_eq!(server.get("/rest/v1").await.body, server.get("/").await.body);
}

#[tokio::test]
async fn writes_lead_back_to_where_they_came_from() {
    let db = database().await;
    let server = server_over(&db).await;
    let row = r#"{"id":4711,"name":"Agnes"}"#;
    let made = ask(&server, "POST", "/rest/v1/directors?select=id,name", row).await;
    assert_eq!((made.status, made.body.as_str()), (201, r#"[{"id":4711,"name":"Agnes"}]"#));
    let request = Request::new("POST", "/rest/v1/directors").header("Content-Type", "application/json");
    let request = request.header("Prefer", "return=headers-only").body(br#"{"id":4712,"name":"Jane"}"#);
    let made = server.send(request).await;
    let place = made.header("location").expect("where the row is");
    assert_eq!(place, "/rest/v1/directors?id=eq.4712");
    assert!(server.get(place).await.body.contains("Jane"));
    let changed =
        ask(&server, "PATCH", "/rest/v1/directors?id=eq.4711&select=name", r#"{"name":"Varda"}"#).await;
    assert_eq!((changed.status, changed.body.as_str()), (200, r#"[{"name":"Varda"}]"#));
    let gone = ask(&server, "DELETE", "/rest/v1/directors?id=eq.4711&select=id", "").await;
    assert_eq!((gone.status, gone.body.as_str()), (200, r#"[{"id":4711}]"#));
}

#[tokio::test]
async fn base_path_can_be_another_or_none_and_takes_no_relation_away() {
    let db = database().await;
    let client = db.connect().await.unwrap();
    super::execute(&client, "create table api.rest (id int); insert into api.rest values (7)").await;
    let start = async |base: &str| {
        Server::over(&authenticator(db.config())).variable("PGAPP_BASE_PATH", base).start().await
    };
    let none = start("").await;
    assert_eq!(none.get("/rest/v1/films").await.code(), "PGRST125");
    assert_eq!(none.get("/rest").await.body, r#"[{"id":7}]"#);
    let one = start("/rest/").await;
    assert_eq!(one.get("/rest").await.body, r#"[{"id":7}]"#);
    assert_eq!(one.get("/rest/rest").await.body, r#"[{"id":7}]"#);
    assert_eq!(one.get("/rest/v1/films").await.code(), "PGRST125");
    for wrong in ["rest", "/rpc/v1", "/a//b", "/a?b", "/%41"] {
        let output = super::process::command(
            &[("PGAPP_BASE_PATH", wrong), ("PGRST_DB_CONFIG", "false")],
            &["--dump-config"],
        )
        .output()
        .unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(err.contains("such as /rest/v1"), "{wrong}: {err}");
    }
}

//! What the database's answer becomes: status, headers and body by kind of request.

use api::config::AppConfig;
use api::error::Error;
use api::plan::action_plan;
use api::response::cors::{self, Cors};
use api::response::error_response;
use api::response::{PgrstResponse, action_response};
use api::script::result::{DbResult, ResultSet};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::fixture::{cache, conf, request};

fn answer_with(conf: &AppConfig, text: &str, rows: ResultSet) -> String {
    let answer = || -> Result<PgrstResponse, Error> {
        let request = request(conf, text)?;
        let plan = action_plan(conf, &request, &cache())?;
        action_response(&plan, DbResult::Crud(rows), &request, conf, &cache())
    };
    let response = answer().unwrap_or_else(|error| error_response(&error, conf.client_error_verbosity));
    let mut out = format!("{}\n", response.status.as_u16());
    for (name, value) in &response.headers {
        out.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    }
    out + &String::from_utf8_lossy(&response.body)
}

fn answer(text: &str, rows: ResultSet) -> String {
    answer_with(&conf(), text, rows)
}

/// Two rows of a body.
fn two() -> ResultSet {
    ResultSet { query_total: 2, body: Bytes::from_static(b"[1,2]"), ..ResultSet::default() }
}

#[test]
fn reads() {
    insta::assert_snapshot!(answer("GET /clients?id=gt.1&select=id", two()), @r"
    200
    content-range: 0-1/*
    content-location: /clients?id=gt.1&select=id
    content-length: 5
    content-type: application/json; charset=utf-8
    [1,2]
    ");
    insta::assert_snapshot!(answer("HEAD /clients", two()), @r"
    200
    content-range: 0-1/*
    content-location: /clients
    content-type: application/json; charset=utf-8
    ");
    let counted = || ResultSet { table_total: Some(9), ..two() };
    insta::assert_snapshot!(answer("GET /clients?limit=2&offset=3\nPrefer: count=exact, return=minimal\nAccept: text/csv", counted()), @r"
    206
    content-range: 3-4/9
    content-location: /clients?limit=2&offset=3
    content-length: 5
    content-type: text/csv; charset=utf-8
    preference-applied: count=exact
    [1,2]
    ");
    insta::assert_snapshot!(answer("GET /clients?offset=10\nPrefer: count=exact", ResultSet { query_total: 0, ..counted() }), @r#"
    416
    content-range: */9
    content-location: /clients?offset=10
    content-length: 145
    content-type: application/json; charset=utf-8
    preference-applied: count=exact
    {"code":"PGRST103","details":"An offset of 10 was requested, but there are only 9 rows.","hint":null,"message":"Requested range not satisfiable"}
    "#);
}

#[test]
fn inserts() {
    let stored = |inserted| ResultSet { inserted, ..two() };
    insta::assert_snapshot!(answer("POST /clients\n\n{}", stored(None)), @r"
    201
    content-length: 0
    content-range: */*
    ");
    insta::assert_snapshot!(answer("POST /clients\nPrefer: return=representation, count=exact, resolution=merge-duplicates\n\n{}", stored(Some(1))), @r"
    201
    content-length: 5
    content-range: */2
    preference-applied: resolution=merge-duplicates, return=representation, count=exact
    content-type: application/json; charset=utf-8
    [1,2]
    ");
    insta::assert_snapshot!(answer("POST /clients\nPrefer: resolution=merge-duplicates\n\n{}", stored(Some(0))), @r"
    200
    content-length: 0
    content-range: */*
    preference-applied: resolution=merge-duplicates
    ");
    insta::assert_snapshot!(answer("POST /no_key\nPrefer: resolution=merge-duplicates, missing=default\n\n{}", stored(Some(1))), @r"
    201
    content-length: 0
    content-range: */*
    preference-applied: missing=default
    ");
    let located = ResultSet {
        location: vec![("id".into(), "eq.1".into()), ("na me".into(), "eq.a&b".into())],
        ..two()
    };
    insta::assert_snapshot!(answer("POST /clients\nPrefer: return=headers-only\n\n{}", located), @r"
    201
    content-length: 0
    location: /clients?id=eq.1&na%20me=eq.a%26b
    content-range: */*
    preference-applied: return=headers-only
    ");
}

#[test]
fn changes() {
    insta::assert_snapshot!(answer("PATCH /clients\n\n{\"name\":\"x\"}", two()), @r"
    204
    content-range: 0-1/*
    ");
    insta::assert_snapshot!(answer("PATCH /clients\nPrefer: return=representation, count=exact, max-affected=5, handling=strict\n\n{\"name\":\"x\"}", two()), @r"
    200
    content-range: 0-1/2
    preference-applied: return=representation, count=exact, handling=strict, max-affected=5
    content-length: 5
    content-type: application/json; charset=utf-8
    [1,2]
    ");
    insta::assert_snapshot!(answer("DELETE /clients\nPrefer: return=minimal", two()), @r"
    204
    content-range: */*
    preference-applied: return=minimal
    ");
    insta::assert_snapshot!(answer("DELETE /clients\nPrefer: return=representation", two()), @r"
    200
    content-range: */*
    preference-applied: return=representation
    content-length: 5
    content-type: application/json; charset=utf-8
    [1,2]
    ");
    let put = "PUT /clients?id=eq.1\nPrefer: return=representation\n\n{\"id\":1}";
    insta::assert_snapshot!(answer(put, ResultSet { inserted: Some(1), ..two() }), @r"
    201
    preference-applied: return=representation
    content-length: 5
    content-type: application/json; charset=utf-8
    [1,2]
    ");
    insta::assert_snapshot!(answer(put, ResultSet { inserted: Some(0), ..two() }), @r"
    200
    preference-applied: return=representation
    content-length: 5
    content-type: application/json; charset=utf-8
    [1,2]
    ");
    insta::assert_snapshot!(answer("PUT /clients?id=eq.1\n\n{\"id\":1}", ResultSet { inserted: Some(1), ..two() }), @"204");
}

#[test]
fn calls() {
    insta::assert_snapshot!(answer("GET /rpc/add_them?a=1&b=2", ResultSet { query_total: 1, body: Bytes::from_static(b"3"), ..ResultSet::default() }), @r"
    200
    content-range: 0-0/*
    content-length: 1
    content-type: application/json; charset=utf-8
    3
    ");
    insta::assert_snapshot!(answer("HEAD /rpc/getproject?id=1", two()), @r"
    200
    content-range: 0-1/*
    content-type: application/json; charset=utf-8
    ");
}

#[test]
fn the_database_has_the_last_word() {
    let overridden = ResultSet {
        guc_status: Some("202".into()),
        guc_headers: Some(Bytes::from_static(br#"[{"content-type":"text/x"},{"X-A":"1"},{"X-A":"2"}]"#)),
        ..two()
    };
    insta::assert_snapshot!(answer("GET /clients", overridden), @r"
    202
    content-range: 0-1/*
    content-location: /clients
    content-length: 5
    content-type: text/x
    x-a: 1
    x-a: 2
    [1,2]
    ");
    let broken = |status: Option<&str>, headers: Option<&'static str>| ResultSet {
        guc_status: status.map(Into::into),
        guc_headers: headers.map(|it| Bytes::from_static(it.as_bytes())),
        ..two()
    };
    insta::assert_snapshot!(answer("GET /clients", broken(Some("x"), None)), @r#"
    500
    content-type: application/json; charset=utf-8
    content-length: 106
    proxy-status: PostgREST; error=PGRST112
    {"code":"PGRST112","details":null,"hint":null,"message":"response.status guc must be a valid status code"}
    "#);
    insta::assert_snapshot!(answer("GET /clients", broken(None, Some("{}"))), @r#"
    500
    content-type: application/json; charset=utf-8
    content-length: 157
    proxy-status: PostgREST; error=PGRST111
    {"code":"PGRST111","details":null,"hint":null,"message":"response.headers guc must be a JSON array composed of objects with a single key and a string value"}
    "#);
}

#[test]
fn the_schema_is_named_where_it_was_chosen() {
    let conf = AppConfig { db_schemas: vec!["test".to_owned(), "v2".to_owned()], ..conf() };
    insta::assert_snapshot!(answer_with(&conf, "GET /clients", two()), @r"
    200
    content-range: 0-1/*
    content-location: /clients
    content-length: 5
    content-type: application/json; charset=utf-8
    content-profile: test
    [1,2]
    ");
    insta::assert_snapshot!(answer_with(&conf, "DELETE /clients", two()), @r"
    204
    content-range: */*
    ");
}

#[test]
fn options_tell_what_can_be_done() {
    insta::assert_snapshot!(answer("OPTIONS /clients", two()), @r"
    200
    content-length: 0
    access-control-allow-origin: *
    allow: OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE
    ");
    insta::assert_snapshot!(answer("OPTIONS /no_key", two()), @r"
    200
    content-length: 0
    access-control-allow-origin: *
    allow: OPTIONS,GET,HEAD,POST,PATCH,DELETE
    ");
    insta::assert_snapshot!(answer("OPTIONS /rpc/getproject?id=1", two()), @r#"
    400
    content-type: application/json; charset=utf-8
    content-length: 166
    proxy-status: PostgREST; error=PGRST100
    {"code":"PGRST100","details":"unexpected \"1\" expecting \"not\" or operator (eq, gt, ...)","hint":null,"message":"\"failed to parse filter (1)\" (line 1, column 1)"}
    "#);
    insta::assert_snapshot!(answer("OPTIONS /rpc/one_project", two()), @r"
    200
    content-length: 0
    access-control-allow-origin: *
    allow: OPTIONS,POST
    ");
    insta::assert_snapshot!(answer("OPTIONS /", two()), @r"
    200
    content-length: 0
    access-control-allow-origin: *
    allow: OPTIONS,GET,HEAD
    ");
    insta::assert_snapshot!(answer("OPTIONS /client", two()), @r#"
    404
    content-type: application/json; charset=utf-8
    content-length: 157
    proxy-status: PostgREST; error=PGRST205
    {"code":"PGRST205","details":null,"hint":"Perhaps you meant the table 'test.clients'","message":"Could not find the table 'test.client' in the schema cache"}
    "#);
}

/// What CORS asks of a request with these headers.
fn cors(conf: &AppConfig, method: &Method, headers: &[(&str, &str)]) -> String {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
        })
        .collect();
    let (kind, headers) = match cors::headers(conf, method, &headers) {
        Cors::None => return "nothing".to_owned(),
        Cors::Actual(headers) => ("added", headers),
        Cors::Preflight(headers) => ("preflight", headers),
    };
    let lines: Vec<_> =
        headers.iter().map(|(name, value)| format!("\n{name}: {}", value.to_str().unwrap())).collect();
    kind.to_owned() + &lines.concat()
}

#[test]
fn cross_origin_requests() {
    let open = conf();
    let origin = ("Origin", "http://example.com");
    let asks = ("Access-Control-Request-Method", "POST");
    insta::assert_snapshot!(cors(&open, &Method::OPTIONS, &[origin, asks, ("Access-Control-Request-Headers", "Foo,Bar, accept")]), @r"
    preflight
    access-control-allow-origin: *
    access-control-allow-methods: GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD
    access-control-allow-headers: Authorization, Foo, Bar, accept, Accept-Language, Content-Language
    access-control-max-age: 86400
    ");
    insta::assert_snapshot!(cors(&open, &Method::GET, &[origin]), @r"
    added
    access-control-allow-origin: *
    access-control-expose-headers: Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, Transfer-Encoding, Range-Unit
    ");
    assert_eq!(cors(&open, &Method::GET, &[]), "nothing");
    assert_eq!(cors(&open, &Method::OPTIONS, &[origin]), "nothing");
    assert_eq!(
        cors(&open, &Method::OPTIONS, &[origin, ("Access-Control-Request-Method", "BREW")]),
        "nothing"
    );
    assert_eq!(cors(&open, &Method::GET, &[origin, ("Upgrade", "WebSocket")]), "nothing");
}

#[test]
fn cross_origin_requests_from_named_origins() {
    let conf = AppConfig {
        server_cors_allowed_origins: vec!["http://a.com".into(), "http://b.com".into()],
        ..conf()
    };
    let asks = ("Access-Control-Request-Method", "POST");
    insta::assert_snapshot!(cors(&conf, &Method::OPTIONS, &[("Origin", "http://b.com"), asks]), @r"
    preflight
    access-control-allow-origin: http://b.com
    access-control-allow-credentials: true
    access-control-allow-methods: GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD
    access-control-max-age: 86400
    ");
    insta::assert_snapshot!(cors(&conf, &Method::GET, &[("Origin", "http://b.com")]), @r"
    added
    access-control-allow-origin: http://b.com
    access-control-allow-credentials: true
    access-control-expose-headers: Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, Transfer-Encoding, Range-Unit
    ");
    assert_eq!(cors(&conf, &Method::GET, &[("Origin", "http://c.com")]), "nothing");
    assert_eq!(cors(&conf, &Method::OPTIONS, &[("Origin", "http://c.com"), asks]), "nothing");
}

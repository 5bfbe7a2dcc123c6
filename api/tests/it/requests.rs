//! What a request is understood to ask for, before anyone looks at the schema.

use api::api_request::ApiRequest;
use api::api_request::types::{Action, DbAction};
use api::config::{AppConfig, OpenApiMode};
use api::error::Error;
use api::schema_cache::identifiers::QualifiedIdentifier;
use proptest::prelude::*;

use crate::fixture::{conf, request};

fn two_schemas() -> AppConfig {
    AppConfig { db_schemas: vec!["v1".to_owned(), "v2".to_owned()], ..conf() }
}

fn action_with(conf: &AppConfig, text: &str) -> String {
    match request(conf, text) {
        Ok(request) => show(&request.action),
        Err(Error::ApiRequest(error)) => format!("{error:?}"),
        Err(other) => panic!("{text}: {other:?}"),
    }
}

fn show(action: &Action) -> String {
    let name = |qi: &QualifiedIdentifier| format!("{}.{}", qi.schema, qi.name);
    match action {
        Action::Db(DbAction::RelationRead(qi, head)) => format!("read {} {head}", name(qi)),
        Action::Db(DbAction::RelationMutation(qi, mutation)) => format!("{mutation:?} {}", name(qi)),
        Action::Db(DbAction::Routine(qi, method)) => format!("call {} {method:?}", name(qi)),
        Action::Db(DbAction::SchemaRead(schema, head)) => format!("describe {schema} {head}"),
        Action::RelationInfo(qi) => format!("info {}", name(qi)),
        Action::RoutineInfo(qi, _) => format!("info of function {}", name(qi)),
        Action::SchemaInfo => "info of schema".to_owned(),
    }
}

#[test]
fn method_and_path_make_the_action() {
    for (text, expected) in [
        ("GET /items", "read test.items false"),
        ("HEAD /items", "read test.items true"),
        ("POST /items\n\n{}", "Create test.items"),
        ("PUT /items\n\n{}", "SingleUpsert test.items"),
        ("PATCH /items\n\n{}", "Update test.items"),
        ("DELETE /items", "Delete test.items"),
        ("OPTIONS /items", "info test.items"),
        ("TRACE /items", "UnsupportedMethod(\"TRACE\")"),
        ("BREW /items", "UnsupportedMethod(\"BREW\")"),
        ("GET /rpc/f", "call test.f InvRead(false)"),
        ("HEAD /rpc/f", "call test.f InvRead(true)"),
        ("POST /rpc/f", "call test.f Inv"),
        ("OPTIONS /rpc/f", "info of function test.f"),
        ("PATCH /rpc/f", "InvalidRpcMethod(\"PATCH\")"),
        ("GET /", "describe test false"),
        ("HEAD /", "describe test true"),
        ("OPTIONS /", "info of schema"),
        ("POST /", "UnsupportedMethod(\"POST\")"),
        ("GET /rpc", "read test.rpc false"),
        ("GET /a/b", "InvalidResourcePath"),
        ("GET /a/", "InvalidResourcePath"),
        ("GET /rpc/a/b", "InvalidResourcePath"),
        ("GET //a", "InvalidResourcePath"),
        ("GET /%D9%85%D9%88%20%2Fa+b", "read test.مو /a+b false"),
    ] {
        assert_eq!(action_with(&conf(), text), expected, "{text}");
    }
}

#[test]
fn the_root_may_be_a_function_or_nothing() {
    let root = Some(QualifiedIdentifier::new("", "root"));
    let function = AppConfig { db_root_spec: root.clone(), ..conf() };
    assert_eq!(action_with(&function, "GET /"), "call test.root InvRead(false)");
    let disabled = AppConfig { openapi_mode: OpenApiMode::Disabled, db_root_spec: root, ..conf() };
    assert_eq!(action_with(&disabled, "GET /"), "OpenApiDisabled");
}

#[test]
fn profiles_choose_the_schema() {
    let conf = two_schemas();
    let show = |text| {
        let request = request(&conf, text).unwrap();
        (request.schema.clone(), request.negotiated_by_profile)
    };
    assert_eq!(show("GET /t"), ("v1".to_owned(), true));
    assert_eq!(show("GET /t\nAccept-Profile: v2"), ("v2".to_owned(), true));
    assert_eq!(show("GET /t\nContent-Profile: v2"), ("v1".to_owned(), true));
    assert_eq!(show("DELETE /t\nContent-Profile: v2"), ("v2".to_owned(), true));
    assert_eq!(show("DELETE /t\nAccept-Profile: v2"), ("v1".to_owned(), true));
    assert_eq!(action_with(&conf, "GET /t\nAccept-Profile: v3"), r#"UnacceptableSchema("v3", ["v1", "v2"])"#);
    let request = request(&self::conf(), "GET /t").unwrap();
    assert!(!request.negotiated_by_profile, "with one schema there is nothing to negotiate");
}

#[test]
fn headers_cookies_and_types_are_kept() {
    let text = "POST /rpc/f?a=eq.1\nCookie: a=b; c=d=e;f\nX-Mixed-Case: V\nAccept: text/csv;q=0.1, application/json\nContent-Type: text/plain; charset=latin1\n\nhi";
    let request = request(&conf(), text).unwrap();
    let cookies: Vec<_> = request.cookies.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(cookies, [("a", "b"), ("c", "d=e"), ("f", "")]);
    let names: Vec<_> = request.headers.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["x-mixed-case", "accept", "content-type"]);
    assert_eq!(request.path, "/rpc/f");
    insta::assert_debug_snapshot!((request.accept, request.content_type), @r"
    (
        [
            ApplicationJson,
            TextCsv,
        ],
        TextPlain,
    )
    ");
}

#[test]
fn preferences_are_read_once_and_written_back() {
    let show = |conf: &AppConfig, prefer: &str| {
        let request = request(conf, &format!("GET /t\n{prefer}")).unwrap();
        let applied = api::api_request::preferences::applied(&request.preferences);
        format!("{} | not understood: {:?}", applied.unwrap_or_default(), request.preferences.invalid)
    };
    let allowing = AppConfig { db_tx_allow_override: true, ..conf() };
    insta::assert_snapshot!(show(&allowing, "Prefer: resolution=ignore-duplicates, count=exact, timezone=America/Los_Angeles, max-affected=100"), @"resolution=ignore-duplicates, count=exact, timezone=America/Los_Angeles | not understood: []");
    insta::assert_snapshot!(show(&allowing, "Prefer: count=exact,    tx=commit   ,return=representation , missing=default, handling=strict, anything"), @r#"missing=default, return=representation, count=exact, tx=commit, handling=strict | not understood: ["anything"]"#);
    insta::assert_snapshot!(show(&allowing, "Prefer: tx=commit, tx=rollback\nPrefer: count=planned\nPrefer: count=exact"), @"count=planned, tx=commit | not understood: []");
    insta::assert_snapshot!(show(&allowing, "Prefer: handling=strict, max-affected=5, max-affected=x"), @"handling=strict, max-affected=5 | not understood: []");
    insta::assert_snapshot!(show(&allowing, "Prefer: max-affected=x, count=none,"), @r#" | not understood: ["count=none", ""]"#);
    insta::assert_snapshot!(show(&conf(), "Prefer: tx=rollback, return=headers-only"), @"return=headers-only | not understood: []");
    insta::assert_snapshot!(show(&conf(), "X-Prefer: count=exact"), @" | not understood: []");
}

proptest! {
    /// Whatever a client sends is understood or refused, and what is understood has a top-level window.
    #[test]
    fn any_request_is_answered(
        method in "(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|X)",
        path in "/[a-z/%0-9.]{0,8}",
        query in "[a-z.=&(),%0-9\"!:*>-]{0,24}",
        prefer in "[a-z=,; -]{0,20}",
        accept in "[a-z/*;=,.+q0-9\"]{0,24}",
        content_type in "(application/json|text/csv|application/x-www-form-urlencoded|[a-z/;=\"]{0,9})",
        body in "[\\[\\]{}\",:a1&=%+\n]{0,24}",
    ) {
        let builder = http::Request::builder()
            .method(&*method)
            .uri(format!("{path}?{}", query.replace(['"', '>'], "")))
            .header("prefer", prefer)
            .header("accept", accept)
            .header("content-type", content_type);
        let (head, ()) = builder.body(()).unwrap().into_parts();
        let conf = two_schemas();
        let preferences = api::api_request::preferences::from_headers(&conf, &head.headers);
        if let Ok(request) = ApiRequest::from_http(&conf, preferences, &head, bytes::Bytes::from(body)) {
            prop_assert!(request.ranges.iter().any(|(path, range)| path.is_empty() && *range == request.top_level_range));
        }
    }
}

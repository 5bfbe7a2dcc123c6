//! The REST server as a Lambda function: what a server on a port answers, through every front door; and a start that
//! asks the database nothing.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use local_stack::testing::{NativeServer, TestCluster};
use serde_json::{Map, Value, json};

use super::auth::token;
use super::http::Request;
use super::process::{SECRET, Server, command};
use super::rds::{REGION, Rds};
use super::{authenticator, database, execute};
use crate::animals::emulator::Function;

/// Plenty for a healthy database.
const TIME: Duration = Duration::from_secs(20);

/// A request, whatever carries it.
#[derive(Debug, Clone)]
struct Call {
    method: &'static str,
    path: String,
    query: Vec<(&'static str, &'static str)>,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Call {
    fn new(method: &'static str, path: &str) -> Self {
        Self { method, path: path.to_owned(), query: Vec::new(), headers: Vec::new(), body: Vec::new() }
    }

    fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    fn query(mut self, name: &'static str, value: &'static str) -> Self {
        self.query.push((name, value));
        self
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn body(self, json: &str) -> Self {
        Self { body: json.into(), ..self.header("Content-Type", "application/json") }
    }

    fn query_string(&self) -> String {
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        let pairs: Vec<_> =
            self.query.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        pairs.join("&")
    }

    /// Parameters by name, each with all of its values.
    fn parameters(&self, value: impl Fn(&str) -> String) -> Value {
        let mut all = Map::new();
        for (name, text) in &self.query {
            let values = all.entry(*name).or_insert_with(|| json!([]));
            values.as_array_mut().unwrap().push(value(text).into());
        }
        if all.is_empty() { Value::Null } else { all.into() }
    }

    fn headers_of_one_value(&self) -> Value {
        self.headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect::<Map<_, _>>()
            .into()
    }

    fn encoded_path(&self) -> String {
        let segments = self.path.split('/');
        let set = percent_encoding::NON_ALPHANUMERIC;
        let encoded: Vec<_> =
            segments.map(|it| percent_encoding::utf8_percent_encode(it, set).to_string()).collect();
        encoded.join("/").replace("%5F", "_")
    }
}

/// The event that a front door makes of a call.
#[derive(Debug, Clone, Copy)]
enum Front {
    Rest,
    FirstFormat,
    SecondFormat,
    FunctionUrl,
    Balancer,
}

impl Front {
    const ALL: [Self; 5] =
        [Self::Rest, Self::FirstFormat, Self::SecondFormat, Self::FunctionUrl, Self::Balancer];

    fn event(self, call: &Call) -> Value {
        let text = || String::from_utf8(call.body.clone()).unwrap();
        let encoded = || STANDARD.encode(&call.body);
        let first = |path: String, query: Value, context: Value| {
            let mut several = call.headers_of_one_value();
            for value in several.as_object_mut().unwrap().values_mut() {
                *value = json!([value.take()]);
            }
            json!({
                "httpMethod": call.method, "path": path, "multiValueHeaders": several,
                "multiValueQueryStringParameters": query, "requestContext": context,
                "body": text(), "isBase64Encoded": false
            })
        };
        let second = |stage: &str, prefix: &str, body: String, is_encoded: bool| {
            let path = format!("{prefix}{}", call.encoded_path());
            json!({
                "version": "2.0", "rawPath": path, "rawQueryString": call.query_string(),
                "headers": call.headers_of_one_value(), "body": body, "isBase64Encoded": is_encoded,
                "requestContext": {"stage": stage,
                    "http": {"method": call.method, "path": path, "sourceIp": "203.0.113.9"}}
            })
        };
        let plain = |it: &str| it.to_owned();
        match self {
            Self::Rest => first(call.path.clone(), call.parameters(plain), json!({"stage": "v1"})),
            Self::FirstFormat => {
                let path = format!("/v1{}", call.path);
                let mut event = first(path, call.parameters(plain), json!({"stage": "v1"}));
                event["version"] = "1.0".into();
                event["body"] = encoded().into();
                event["isBase64Encoded"] = true.into();
                event
            }
            Self::SecondFormat => second("v1", "/v1", encoded(), true),
            Self::FunctionUrl => second("$default", "", text(), false),
            Self::Balancer => {
                let encode = |text: &str| {
                    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                        .to_string()
                };
                let context = json!({"elb": {"targetGroupArn": "arn"}});
                first(call.encoded_path(), call.parameters(encode), context)
            }
        }
    }
}

/// An answer, as far as two of them have to be equal.
#[derive(Debug, PartialEq)]
struct Reply {
    status: u16,
    headers: Vec<(String, Option<String>)>,
    body: String,
}

const HEADERS: [&str; 10] = [
    "content-type",
    "content-range",
    "content-location",
    "location",
    "preference-applied",
    "allow",
    "proxy-status",
    "www-authenticate",
    "access-control-allow-origin",
    "access-control-allow-methods",
];

async fn through(function: &Function, front: Front, call: &Call) -> Reply {
    let answer = function.invoke(front.event(call).to_string(), TIME).await.unwrap();
    let header = |name: &str| {
        let single = answer["headers"].get(name).and_then(Value::as_str).map(ToOwned::to_owned);
        single.or_else(|| Some(answer["multiValueHeaders"].get(name)?[0].as_str()?.to_owned()))
    };
    let body = answer["body"].as_str().unwrap();
    Reply {
        status: answer["statusCode"].as_u64().unwrap().try_into().unwrap(),
        headers: HEADERS.iter().map(|name| ((*name).to_owned(), header(name))).collect(),
        body: match answer["isBase64Encoded"].as_bool().unwrap() {
            true => String::from_utf8_lossy(&STANDARD.decode(body).unwrap()).into_owned(),
            false => body.to_owned(),
        },
    }
}

async fn on_a_port(server: &Server, call: &Call) -> Reply {
    let query = call.query_string();
    let target = format!("{}{}{query}", call.encoded_path(), if query.is_empty() { "" } else { "?" });
    let mut request = Request::new(call.method, &target);
    for (name, value) in &call.headers {
        request = request.header(name, value);
    }
    let answer = request.body(&call.body).send(server.api()).await.unwrap();
    let header = |name: &&str| ((*name).to_owned(), answer.header(name).map(ToOwned::to_owned));
    Reply { status: answer.status, headers: HEADERS.iter().map(header).collect(), body: answer.body }
}

/// The settings of [`Server::over`], and a secret.
fn variables(uri: &str) -> Vec<(&'static str, String)> {
    [
        ("PGAPP_LAMBDA_APP", "rest"),
        ("PGRST_DB_URI", uri),
        ("PGRST_DB_ANON_ROLE", "web_anon"),
        ("PGRST_DB_SCHEMAS", "api,api_v2"),
        ("PGRST_DB_EXTRA_SEARCH_PATH", "extra"),
        ("PGRST_DB_TX_END", "commit-allow-override"),
        ("PGRST_JWT_SECRET", SECRET),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

/// Writes a snapshot as its maker does, and returns what was said on the way.
async fn write_snapshot(uri: &str, to: &Path) -> String {
    let variables = variables(uri);
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut made = tokio::process::Command::from(command(&variables, &["--dump-snapshot"]));
    let output = made.output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    std::fs::write(to, output.stdout).unwrap();
    said
}

fn calls() -> Vec<Call> {
    let user = format!("Bearer {}", token(&json!({"role": "app_user"}), SECRET));
    let rolled_back = |call: Call| call.header("Prefer", "return=representation, tx=rollback");
    vec![
        Call::get("/films").query("select", "id,title").query("limit", "2").header("Prefer", "count=exact"),
        Call::get("/films")
            .query("id", "gte.2")
            .query("id", "lt.4")
            .query("order", "id.desc")
            .query("select", "id"),
        Call::get("/films").query("select", "title,directors(name),actors(last_name)").query("id", "eq.2"),
        Call::get("/films").query("select", "details->cuts->>director").query("title", "like.S* S*"),
        Call::get("/films").query("select", "id,title").header("Accept", "text/csv"),
        Call::get("/d\u{e9}j\u{e0} vu"),
        Call::get("/films").query("select", "id").header("Accept-Profile", "api_v2"),
        Call::new("HEAD", "/films").query("select", "id").header("Prefer", "count=exact"),
        Call::new("OPTIONS", "/films"),
        Call::new("OPTIONS", "/films")
            .header("Origin", "http://example.com")
            .header("Access-Control-Request-Method", "POST"),
        Call::get("/rpc/whoami"),
        Call::get("/rpc/whoami").header("Authorization", &*user),
        Call::get("/rpc/whoami").header("Authorization", "Bearer a.b.c"),
        rolled_back(Call::new("POST", "/directors").body(r#"{"id":70,"name":"Lucía \"Puenzo\""}"#)),
        rolled_back(Call::new("POST", "/directors").body("not json")),
        rolled_back(
            Call::new("PATCH", "/films").query("id", "eq.1").query("select", "year").body(r#"{"year":1}"#),
        ),
        rolled_back(Call::new("DELETE", "/castings").query("film_id", "eq.1")),
        Call::get("/nope"),
        Call::get("/films").query("select", "nope"),
        Call::get("/films").query("id", "eq.one"),
        Call::new("POST", "/rpc/nope").body("{}"),
        Call::get("/films").header("Accept", "application/unknown"),
    ]
}

#[tokio::test]
async fn every_front_door_answers_as_a_server_on_a_port() {
    let db = database().await;
    let uri = authenticator(db.config());
    let server =
        Server::over(&uri).set("JWT_SECRET", SECRET).set("DB_TX_END", "commit-allow-override").start().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("snapshot.json");
    write_snapshot(&uri, &file).await;
    let mut with_snapshot = variables(&uri);
    with_snapshot.push(("PGAPP_SCHEMA_SNAPSHOT", file.display().to_string()));
    let functions = [Function::start(&with_snapshot).await, Function::start(&variables(&uri)).await];
    for call in calls() {
        let expected = on_a_port(&server, &call).await;
        for (function, front) in functions.iter().flat_map(|it| Front::ALL.map(|front| (it, front))) {
            assert_eq!(through(function, front, &call).await, expected, "{front:?} {call:?}");
        }
    }
    let document = |reply: &Reply| -> Value {
        let mut document: Value = serde_json::from_str(&reply.body).unwrap();
        // Where it listens; a function does not.
        document.as_object_mut().unwrap().remove("host").unwrap();
        document
    };
    let from_snapshot = document(&through(&functions[0], Front::Rest, &Call::get("/")).await);
    let expected = document(&on_a_port(&server, &Call::get("/")).await);
    assert!(from_snapshot == expected, "the document of a snapshot is that of the catalog");
}

#[tokio::test]
async fn a_function_logs_in_with_tokens_of_its_role() {
    let rds = Rds::start().await;
    rds.trust("ASIAFUNCTION", "the role's secret", Some("of the function"));
    let client = rds.admin().await;
    for script in [
        include_str!("../fixtures/roles.sql"),
        include_str!("../fixtures/schema.sql"),
        include_str!("../fixtures/data.sql"),
    ] {
        execute(&client, script).await;
    }
    let mut variables = variables(&rds.uri("authenticator", "verify-full"));
    // What Lambda sets.
    for (name, value) in [
        ("PGAPP_DB_AUTH", "iam"),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "ASIAFUNCTION"),
        ("AWS_SECRET_ACCESS_KEY", "the role's secret"),
        ("AWS_SESSION_TOKEN", "of the function"),
    ] {
        variables.push((name, value.to_owned()));
    }
    let function = Function::start(&variables).await;
    let get = Call::get("/films").query("select", "id").query("id", "eq.1");
    assert_eq!(through(&function, Front::SecondFormat, &get).await.body, r#"[{"id":1}]"#);
    let logins = rds.logins();
    assert!(logins.len() == 2 && logins.iter().all(|it| it.as_deref() == Ok("ASIAFUNCTION")), "{logins:?}");
}

#[tokio::test]
async fn what_is_written_stays() {
    let db = database().await;
    let function = Function::start(&variables(&authenticator(db.config()))).await;
    let post = Call::new("POST", "/directors").body(r#"{"id":71,"name":"Jane"}"#);
    assert_eq!(through(&function, Front::SecondFormat, &post).await.status, 201);
    assert_eq!(through(&function, Front::Rest, &post).await.status, 409);
    let delete = Call::new("DELETE", "/directors").query("id", "eq.71");
    assert_eq!(through(&function, Front::Balancer, &delete).await.status, 204);
    let get = Call::get("/directors").query("id", "eq.71");
    assert_eq!(through(&function, Front::Rest, &get).await.body, "[]");
}

/// A server that logs every statement, and where its log is.
async fn talkative() -> (TestCluster, String, std::path::PathBuf) {
    let server = NativeServer::builder().setting("log_statement", "all").start().await.unwrap();
    let log = server.socket_dir().unwrap().join("log");
    let cluster = TestCluster::from_server(server);
    let client = cluster.connect("postgres").await.unwrap();
    for script in [
        include_str!("../fixtures/roles.sql"),
        include_str!("../fixtures/schema.sql"),
        include_str!("../fixtures/data.sql"),
    ] {
        execute(&client, script).await;
    }
    let uri = authenticator(&cluster.config("postgres"));
    (cluster, uri, log)
}

#[tokio::test]
async fn a_start_with_a_snapshot_asks_the_catalog_nothing() {
    let (_cluster, uri, log) = talkative().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("snapshot.json");
    write_snapshot(&uri, &file).await;
    let mut variables = variables(&uri);
    // What the server logged since a moment; nobody but functions talks to it by then.
    let statements = |since: usize| std::fs::read_to_string(&log).unwrap().split_off(since);
    let now = || usize::try_from(std::fs::metadata(&log).unwrap().len()).unwrap();
    let call = Call::get("/films").query("select", "id,directors(name)").query("id", "eq.1");

    let since = now();
    let without = Function::start(&variables).await;
    assert_eq!(through(&without, Front::Rest, &call).await.status, 200);
    assert!(statements(since).contains("pg_class"), "the catalog is read without one");

    variables.push(("PGAPP_SCHEMA_SNAPSHOT", file.display().to_string()));
    let since = now();
    let with = Function::start(&variables).await;
    let answer = through(&with, Front::Rest, &call).await;
    assert_eq!((answer.status, answer.body.contains("Agnès Varda")), (200, true), "{answer:?}");
    let asked = statements(since);
    assert!(asked.contains("authenticator@") && asked.contains("directors"), "{asked}");
    for catalog in ["pg_class", "pg_proc", "pg_namespace", "pg_roles", "pg_db_role_setting", "server_version"]
    {
        assert!(!asked.contains(catalog), "{asked}");
    }
}

#[tokio::test]
async fn a_snapshot_that_is_behind_is_caught_up_with() {
    let db = database().await;
    let uri = authenticator(db.config());
    let client = db.connect().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("snapshot.json");
    write_snapshot(&uri, &file).await;
    let mut variables = variables(&uri);
    variables.push(("PGAPP_SCHEMA_SNAPSHOT", file.display().to_string()));

    execute(&client, "create table api.fresh (id int); grant select, insert on api.fresh to web_anon").await;
    let function = Function::start(&variables).await;
    assert_eq!(through(&function, Front::Rest, &Call::get("/fresh")).await.body, "[]");
    let post = Call::new("POST", "/fresh").body(r#"{"id":1}"#);
    assert_eq!(through(&function, Front::Rest, &post).await.status, 201);

    // A column that the snapshot names and the database has no more; the request is answered by what there is.
    execute(&client, "alter table api.specs rename flags to marks").await;
    let behind = Function::start(&variables).await;
    let gone = through(&behind, Front::Rest, &Call::get("/specs").query("select", "flags")).await;
    assert_eq!((gone.status, gone.body.contains("42703")), (400, true), "{gone:?}");
    let renamed = through(&behind, Front::Rest, &Call::get("/specs").query("marks", "eq.101")).await;
    assert_eq!(renamed.status, 200, "{renamed:?}");

    // Asking for what is nowhere does not make every request read the catalog.
    execute(&client, "create table api.fresher (id int); grant select on api.fresher to web_anon").await;
    assert_eq!(through(&function, Front::Rest, &Call::get("/fresher")).await.status, 404);
}

#[tokio::test]
async fn a_snapshot_that_does_not_count_is_named_and_the_catalog_is_read() {
    let db = database().await;
    let uri = authenticator(db.config());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("snapshot.json");
    write_snapshot(&uri, &file).await;
    let start = async |schemas: &str| {
        let mut variables = variables(&uri);
        variables.retain(|(name, _)| *name != "PGRST_DB_SCHEMAS");
        variables.push(("PGRST_DB_SCHEMAS", schemas.to_owned()));
        variables.push(("PGAPP_SCHEMA_SNAPSHOT", file.display().to_string()));
        Function::start(&variables).await
    };
    let warned = async |function: &Function, text: &str| {
        assert_eq!(
            through(function, Front::Rest, &Call::get("/films").query("limit", "1")).await.status,
            200
        );
        let lines = function.log();
        let warning = lines.iter().find(|it| it["level"] == "WARN").unwrap_or_else(|| panic!("{lines:?}"));
        let message = warning["fields"]["message"].as_str().unwrap();
        assert!(message.contains(text) && message.contains("pgapp-api --dump-snapshot"), "{message}");
    };
    warned(&start("api_v2").await, r#"made with db-schemas = "api,api_v2", and here it is "api_v2""#).await;
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, &text[..text.len() / 2]).unwrap();
    warned(&start("api,api_v2").await, "is damaged").await;
    std::fs::write(&file, text.replacen("with format 1", "with format 0", 1)).unwrap();
    warned(&start("api,api_v2").await, "was made by PostgREST").await;
}

#[tokio::test]
async fn settings_of_the_database_come_with_the_snapshot_but_its_secret() {
    let (cluster, uri, _) = talkative().await;
    let client = cluster.connect("postgres").await.unwrap();
    execute(
        &client,
        "alter role authenticator set pgrst.db_max_rows = '1';
         alter role authenticator set pgrst.jwt_secret = 'a secret of at least 32 characters'",
    )
    .await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("snapshot.json");
    let said = write_snapshot(&uri, &file).await;
    assert!(
        said.contains("\"pgrst.jwt_secret\" is secret and not part of the snapshot; set PGRST_JWT_SECRET")
    );
    assert!(!std::fs::read_to_string(&file).unwrap().contains("a secret of"));
    let mut variables = variables(&uri);
    variables.push(("PGAPP_SCHEMA_SNAPSHOT", file.display().to_string()));
    let function = Function::start(&variables).await;
    let films = through(&function, Front::Rest, &Call::get("/films").query("select", "id")).await;
    assert_eq!(films.body, r#"[{"id":1}]"#);
    let admin = format!("Bearer {}", token(&json!({"role": "app_admin"}), SECRET));
    let isolation = Call::get("/films").query("select", "id").header("Authorization", admin);
    assert_eq!(through(&function, Front::Rest, &isolation).await.status, 200);
}

#[tokio::test]
async fn a_database_that_is_away_is_answered_with_503_until_it_is_back() {
    let (cluster, uri, _) = talkative().await;
    let call = Call::get("/films").query("select", "id").query("limit", "1");
    cluster.server().stop(local_stack::cluster::StopMode::Fast).await.unwrap();
    let function = Function::start(&variables(&uri)).await;
    assert_eq!(through(&function, Front::Rest, &call).await.status, 503);
    cluster.server().start().await.unwrap();
    assert_eq!(through(&function, Front::Rest, &call).await.status, 200);

    // Killed between two invocations: the dead connection is noticed, and a new one opened.
    cluster.server().kill().await.unwrap();
    cluster.server().start().await.unwrap();
    assert_eq!(through(&function, Front::Rest, &call).await.status, 200);
    assert!(function.is_running().await);
}

#[tokio::test]
async fn a_request_ends_before_the_function_does() {
    let db = database().await;
    let function = Function::start(&variables(&authenticator(db.config()))).await;
    let sleep = Front::Rest.event(&Call::get("/rpc/sleep").query("seconds", "60")).to_string();
    let answer = function.invoke(sleep, Duration::from_secs(3)).await.unwrap();
    assert_eq!(answer["statusCode"], 504, "{answer}");
    assert!(answer["body"].as_str().unwrap().contains("look before you repeat a write"));
    let after = through(&function, Front::Rest, &Call::get("/films").query("limit", "1")).await;
    assert_eq!(after.status, 200);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_refused_with_what_to_do() {
    let db = database().await;
    let client = db.connect().await.unwrap();
    let sql = "create function api.long(n int) returns text language sql as $$ select repeat('x', n) $$;
               grant execute on function api.long to web_anon";
    execute(&client, sql).await;
    let function = Function::start(&variables(&authenticator(db.config()))).await;
    let long = |n| Call::get("/rpc/long").query("n", n);
    assert_eq!(through(&function, Front::Rest, &long("5000000")).await.body.len(), 5_000_002);
    for (front, n) in [(Front::Rest, "6400000"), (Front::Balancer, "1100000")] {
        let refused = through(&function, front, &long(n)).await;
        assert_eq!((refused.status, refused.body.contains("Ask for fewer rows")), (413, true), "{front:?}");
    }
}

#[tokio::test]
async fn a_base_path_and_odd_events_are_understood() {
    let db = database().await;
    let mut variables = variables(&authenticator(db.config()));
    variables.push(("PGAPP_LAMBDA_BASE_PATH", "/shop/api/".to_owned()));
    let function = Function::start(&variables).await;
    let films = Call::get("/shop/api/films").query("select", "id").query("id", "eq.1");
    for front in Front::ALL {
        assert_eq!(through(&function, front, &films).await.body, r#"[{"id":1}]"#, "{front:?}");
    }
    for event in [
        "{}",
        "5",
        r#"{"httpMethod":"GET","path":5}"#,
        r#"{"httpMethod":"POST","path":"/films","body":"%","isBase64Encoded":true}"#,
    ] {
        let answer = function.invoke(event.to_owned(), TIME).await.unwrap();
        assert!(answer["statusCode"].as_u64().is_some_and(|it| it < 500), "{event}: {answer}");
    }
    assert!(function.is_running().await);
}

/// Not a benchmark: it guards against a start that waits for something. The figures are in the output.
#[tokio::test]
async fn a_snapshot_makes_a_start_that_waits_for_nothing() {
    let db = database().await;
    let uri = authenticator(db.config());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("snapshot.json");
    write_snapshot(&uri, &file).await;
    for snapshot in [None, Some(file.display().to_string())] {
        let mut variables = variables(&uri);
        variables.extend(snapshot.map(|it| ("PGAPP_SCHEMA_SNAPSHOT", it)));
        let has_snapshot = variables.len() > 7;
        let mut function = Function::start(&variables).await;
        let init = function.init_time().await;
        let asked = std::time::Instant::now();
        let call = Call::get("/films").query("select", "id").query("id", "eq.1");
        assert_eq!(through(&function, Front::Rest, &call).await.status, 200);
        println!("snapshot {has_snapshot}: init {init:?}, first answer {:?}", asked.elapsed());
        assert!(init < Duration::from_secs(10), "{init:?}");
    }
}

//! `pgapp-lambda` behind the Runtime API: every front door, every row of the contract.

use std::time::Duration;

use base64::Engine as _;
use local_stack::testing::TestCluster;
use serde_json::{Map, Value, json};

use super::door::{Call, Door, Reply};
use super::emulator::{Function, TRACE};
use super::{contract, database};

/// Plenty for a healthy database.
const TIME: Duration = Duration::from_secs(20);

/// Makes an event of a call.
type Wrap = fn(&Call) -> Value;

struct Wrapped<'a>(&'a Function, Wrap);

impl Door for Wrapped<'_> {
    async fn knock(&self, call: Call) -> Reply {
        let event = self.1(&call).to_string();
        reply(&self.0.invoke(event, TIME).await.unwrap())
    }
}

/// Reads a function's answer, of any shape.
pub(super) fn reply(answer: &Value) -> Reply {
    assert_eq!(answer["isBase64Encoded"], false);
    let several = answer["multiValueHeaders"].as_object();
    let headers = several.or_else(|| answer["headers"].as_object()).unwrap();
    let text = |value: &Value| value.as_str().or_else(|| value[0].as_str()).unwrap().to_owned();
    Reply {
        status: answer["statusCode"].as_u64().unwrap().try_into().unwrap(),
        headers: headers.iter().map(|(name, value)| (name.to_lowercase(), text(value))).collect(),
        body: answer["body"].as_str().unwrap().to_owned(),
    }
}

fn text(body: &[u8]) -> Value {
    String::from_utf8(body.to_vec()).unwrap().into()
}

/// A REST API behind a stage.
pub(super) fn rest(call: &Call) -> Value {
    let query: Map<_, _> =
        call.query.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let several: Map<_, _> =
        call.query.iter().map(|(name, value)| ((*name).to_owned(), json!([value]))).collect();
    json!({
        "resource": "/{proxy+}", "path": call.path, "httpMethod": call.method,
        "headers": {"Host": "x.execute-api.eu-west-1.amazonaws.com", "X-Forwarded-Proto": "https"},
        "multiValueHeaders": {"Host": ["x.execute-api.eu-west-1.amazonaws.com"]},
        "queryStringParameters": if query.is_empty() { Value::Null } else { query.into() },
        "multiValueQueryStringParameters": if several.is_empty() { Value::Null } else { several.into() },
        "pathParameters": null, "stageVariables": null,
        "requestContext": {"stage": "v1", "path": format!("/v1{}", call.path), "httpMethod": call.method},
        "body": call.body.as_deref().map(text), "isBase64Encoded": false
    })
}

/// An HTTP API that sends format 1.0, as a REST API does but for the stage in the path and the encoded body.
fn http_api_in_the_first_format(call: &Call) -> Value {
    let mut event = rest(call);
    event["version"] = "1.0".into();
    event["path"] = format!("/v1{}", call.path).into();
    event["isBase64Encoded"] = true.into();
    event["body"] =
        call.body.as_deref().map(|it| base64::engine::general_purpose::STANDARD.encode(it)).into();
    event["requestContext"]["protocol"] = "HTTP/1.1".into();
    event
}

/// An HTTP API behind a named stage, whose name is in the path; bodies in base64.
fn http_api(call: &Call) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": format!("/v1{}", call.path),
        "rawQueryString": call.query_string(), "headers": {"host": "x"},
        "requestContext": {"stage": "v1", "domainName": "x",
            "http": {"method": call.method, "path": format!("/v1{}", call.path), "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1", "userAgent": "x"}},
        "body": call.body.as_deref().map(|it| base64::engine::general_purpose::STANDARD.encode(it)),
        "isBase64Encoded": true
    })
}

/// A function URL.
fn function_url(call: &Call) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": call.path, "rawQueryString": call.query_string(),
        "headers": {"host": "x.lambda-url.eu-west-1.on.aws"},
        "requestContext": {"stage": "$default", "http": {"method": call.method, "path": call.path}},
        "body": call.body.as_deref().map(text), "isBase64Encoded": false
    })
}

/// A load balancer with headers of several values.
fn balancer(call: &Call) -> Value {
    let encode = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let query: Map<_, _> =
        call.query.iter().map(|(name, value)| ((*name).to_owned(), json!([encode(value)]))).collect();
    json!({
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/x/1"}},
        "httpMethod": call.method, "path": call.path, "multiValueQueryStringParameters": query,
        "multiValueHeaders": {"host": ["x"]},
        "body": call.body.as_deref().map_or("".into(), text), "isBase64Encoded": false
    })
}

#[tokio::test]
async fn every_front_door_holds_the_contract() {
    let cluster = TestCluster::shared().await.unwrap();
    let db = database::with_table(cluster).await;
    let function = Function::start(&database::variables(cluster, &db, cluster.server().port())).await;
    let doors: [Wrap; 5] = [rest, http_api_in_the_first_format, http_api, function_url, balancer];
    for wrap in doors {
        contract::hold(&Wrapped(&function, wrap)).await;
    }
    assert!(function.is_running().await, "{:?}", function.log());
}

#[tokio::test]
async fn events_of_any_kind_get_an_answer() {
    let cluster = TestCluster::shared().await.unwrap();
    let db = database::with_table(cluster).await;
    let function = Function::start(&database::variables(cluster, &db, cluster.server().port())).await;
    let ask = async |event: &str| reply(&function.invoke(event.to_owned(), TIME).await.unwrap());
    for event in ["{}", "[]", "null", "5", r#"{"Records":[{"eventSource":"aws:sqs"}]}"#, r#""\ud800""#] {
        let reply = ask(event).await;
        assert_eq!((reply.status, &*reply.message()), (400, "The event is not an HTTP request."), "{event}");
    }
    let post = |rest: &str| format!(r#"{{"httpMethod":"POST","path":"/animals",{rest}}}"#);
    for (event, message) in [
        (post(r#""body":"not base64!","isBase64Encoded":true"#), "Body must be valid JSON"),
        (post(r#""body":"/w==","isBase64Encoded":true"#), "Body must be valid JSON"),
        (post(r#""body":{"name":"a"},"isBase64Encoded":false"#), "Missing required fields: weight, height"),
        (post(r#""body":5"#), "Body must be a JSON object"),
        (post(r#""headers":{"Host":"not a host \\"},"body":"{""#), "Body must be valid JSON"),
    ] {
        let reply = ask(&event).await;
        assert_eq!((reply.status, &*reply.message()), (400, message), "{event}");
    }
    assert_eq!(ask(r#"{"httpMethod":"GET","path":"/%/v1 \u0000"}"#).await.status, 404);
    assert!(function.is_running().await);
}

#[tokio::test]
async fn log_lines_and_answers_tell_which_request_they_are_about() {
    let cluster = TestCluster::shared().await.unwrap();
    let db = database::with_table(cluster).await;
    let function = Function::start(&database::variables(cluster, &db, cluster.server().port())).await;
    let answer = function.invoke(rest(&Call::new("GET", "/animals")).to_string(), TIME).await.unwrap();
    assert_eq!(reply(&answer).header("x-amzn-trace-id"), Some(TRACE));
    let line = function.logged("answered").await;
    assert_eq!(line["level"], "INFO");
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
    assert_eq!(line["span"]["requestId"], "invocation-0");
    assert_eq!(line["span"]["xrayTraceId"], TRACE);
    assert_eq!(line["fields"]["status"], 200);
}

/// Not a benchmark: it guards against a start that waits for something. The figures are in the output.
#[tokio::test]
async fn function_is_ready_before_it_asks_for_anything() {
    let cluster = TestCluster::shared().await.unwrap();
    let db = database::with_table(cluster).await;
    let mut function = Function::start(&database::variables(cluster, &db, cluster.server().port())).await;
    let init = function.init_time().await;
    let asked = std::time::Instant::now();
    let answer = function.invoke(rest(&Call::new("GET", "/animals")).to_string(), TIME).await.unwrap();
    println!("init {init:?}, first answer {:?}", asked.elapsed());
    assert_eq!(reply(&answer).status, 200);
    assert!(init < Duration::from_secs(10), "{init:?}");
}

#[tokio::test]
async fn function_without_settings_ends_and_says_why() {
    let output =
        tokio::process::Command::new(env!("CARGO_BIN_EXE_pgapp-lambda")).env_clear().output().await.unwrap();
    assert!(!output.status.success());
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(line["level"], "ERROR");
    assert_eq!(
        line["fields"]["message"],
        "AWS_LAMBDA_RUNTIME_API is not set: this program runs in Lambda; elsewhere, use pgapp-api --animals"
    );
}

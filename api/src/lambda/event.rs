//! Events of a Lambda function → HTTP, and answers back. Pure.
//!
//! One function stands behind any front door: API Gateway's REST proxy events, HTTP API events of version 1 and 2,
//! function URLs, and load balancers. Read leniently and by hand: whatever an event lacks is taken as empty, and what is
//! no HTTP event at all is answered, too. (The typed readers that exist panic on a body that is not base64 though it is
//! said to be, and on hosts that are no hosts.)

use base64::Engine as _;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, COOKIE, HeaderName, HeaderValue, SET_COOKIE};
use http::{HeaderMap, Method};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::Reply;

/// The shape that the front door wants answers in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// API Gateway with events of version 1, that is, every REST API.
    Gateway,
    /// API Gateway and function URLs with events of version 2.
    SecondGateway,
    /// A load balancer; whether it speaks of headers with several values.
    LoadBalancer {
        /// It does.
        multi_value: bool,
    },
}

/// An HTTP request out of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpEvent {
    /// Method.
    pub method: Method,
    /// Path, percent-encoded where the door left it so; may start with the stage.
    pub path: String,
    /// The stage, where the path may start with it.
    pub stage: Option<String>,
    /// Query string, percent-encoded.
    pub query: String,
    /// Headers; what no header can hold is left out.
    pub headers: HeaderMap,
    /// Address of the client, as the door saw it.
    pub peer: String,
    /// Body, decoded.
    pub body: Bytes,
    /// Where the answer goes.
    pub door: Door,
}

/// Stands for a body that cannot be decoded: these bytes are no JSON either, and are refused as such by whoever needs
/// a body.
const UNREADABLE: &[u8] = b"\xff";

const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Reads an event; `None` when it is not about HTTP.
pub fn read(event: &Value) -> Option<HttpEvent> {
    let context = event.get("requestContext");
    let http = context.and_then(|it| it.get("http"));
    let is_second = http.is_some() && event.get("rawPath").is_some();
    let method = match http {
        Some(http) if is_second => text(http, "method")?,
        _ => text(event, "httpMethod")?,
    };
    let is_balancer = context.is_some_and(|it| it.get("elb").is_some());
    let (path, query) = if is_second {
        (text(event, "rawPath")?, text(event, "rawQueryString").unwrap_or_default().to_owned())
    } else {
        // A load balancer passes on what it was sent; API Gateway has decoded it.
        (text(event, "path").unwrap_or("/"), query_of(event, !is_balancer))
    };
    let multi_value = event.get("multiValueHeaders").is_some_and(|it| !it.is_null());
    // A REST API keeps its stage out of the path. HTTP APIs, which alone say their version, do not.
    let stage = event.get("version").and(context).and_then(|it| text(it, "stage"));
    let identity = context.and_then(|it| it.get("identity"));
    let peer = http.and_then(|it| text(it, "sourceIp")).or_else(|| text(identity?, "sourceIp"));
    Some(HttpEvent {
        method: Method::from_bytes(method.as_bytes()).ok()?,
        path: path.to_owned(),
        stage: stage.filter(|it| *it != "$default").map(ToOwned::to_owned),
        query,
        headers: headers_of(event),
        peer: peer.unwrap_or_default().to_owned(),
        body: body_of(event).into(),
        door: match (is_balancer, is_second) {
            (true, _) => Door::LoadBalancer { multi_value },
            (false, true) => Door::SecondGateway,
            (false, false) => Door::Gateway,
        },
    })
}

/// Headers; those with several values go first, as they include the others. Version 2 has cookies apart.
fn headers_of(event: &Value) -> HeaderMap {
    let fields = |name: &str| event.get(name).and_then(Value::as_object).filter(|it| !it.is_empty());
    let given = fields("multiValueHeaders").or_else(|| fields("headers"));
    let mut headers = HeaderMap::new();
    for (name, values) in given.into_iter().flatten() {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { continue };
        let values = match values {
            Value::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        for value in values.iter().filter_map(Value::as_str) {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.append(&name, value);
            }
        }
    }
    let cookies = event.get("cookies").and_then(Value::as_array);
    let cookies: Vec<&str> = cookies.into_iter().flatten().filter_map(Value::as_str).collect();
    if let (false, Ok(value)) = (cookies.is_empty(), HeaderValue::from_str(&cookies.join("; "))) {
        headers.insert(COOKIE, value);
    }
    headers
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

fn body_of(event: &Value) -> Vec<u8> {
    let is_base64 = event.get("isBase64Encoded").and_then(Value::as_bool).unwrap_or_default();
    match event.get("body") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) if is_base64 => {
            base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_else(|_| UNREADABLE.to_vec())
        }
        Some(Value::String(text)) => text.as_bytes().to_vec(),
        // Somebody who tries the function from the console may well put the object itself there.
        Some(other) => other.to_string().into_bytes(),
    }
}

/// The parameters as a query string; those with several values go first, as they include the others.
fn query_of(event: &Value, encode: bool) -> String {
    let parameters = |name: &str| event.get(name).and_then(Value::as_object).filter(|it| !it.is_empty());
    let given = parameters("multiValueQueryStringParameters").or_else(|| parameters("queryStringParameters"));
    let mut query = String::new();
    for (name, values) in given.into_iter().flatten() {
        let values = match values {
            Value::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        for value in values.iter().filter_map(Value::as_str) {
            if !query.is_empty() {
                query.push('&');
            }
            if encode {
                query.extend(utf8_percent_encode(name, NON_ALPHANUMERIC));
                query.push('=');
                query.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
            } else {
                query.push_str(name);
                query.push('=');
                query.push_str(value);
            }
        }
    }
    query
}

/// Renders an answer for the door that asked, with the trace that the invocation is part of.
pub fn render(reply: &Reply, door: Door, trace_id: Option<&str>) -> Value {
    let mut headers = reply.headers.clone();
    if let Some(Ok(value)) = trace_id.map(HeaderValue::from_str) {
        headers.insert(TRACE_ID, value);
    }
    // The door counts the bytes that it sends itself.
    headers.remove(CONTENT_LENGTH);
    let text = std::str::from_utf8(&reply.body);
    let encode = || base64::engine::general_purpose::STANDARD.encode(&reply.body);
    let mut rendered = json!({
        "statusCode": reply.status.as_u16(),
        "isBase64Encoded": text.is_err(),
        "body": text.map_or_else(|_| encode(), ToOwned::to_owned),
    });
    match door {
        Door::Gateway => {
            rendered["headers"] = fields(&headers, |values| match values.as_slice() {
                [value] => Some(value.as_str().into()),
                _ => None,
            });
            let several = fields(&headers, |values| (values.len() > 1).then(|| values.into()));
            if several != json!({}) {
                rendered["multiValueHeaders"] = several;
            }
        }
        Door::SecondGateway => {
            let cookies = values(&headers, &SET_COOKIE);
            headers.remove(SET_COOKIE);
            rendered["headers"] = fields(&headers, |values| Some(values.join(", ").into()));
            if !cookies.is_empty() {
                rendered["cookies"] = cookies.into();
            }
        }
        Door::LoadBalancer { multi_value } => {
            let reason = reply.status.canonical_reason().unwrap_or_default();
            rendered["statusDescription"] = format!("{} {reason}", reply.status.as_u16()).into();
            if multi_value {
                rendered["multiValueHeaders"] = fields(&headers, |values| Some(values.into()));
            } else {
                rendered["headers"] = fields(&headers, |values| Some(values.join(", ").into()));
            }
        }
    }
    rendered
}

fn values(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    headers.get_all(name).iter().map(|it| String::from_utf8_lossy(it.as_bytes()).into_owned()).collect()
}

/// The headers as an object, each with its values as `show` has them, or left out.
fn fields(headers: &HeaderMap, show: impl Fn(Vec<String>) -> Option<Value>) -> Value {
    let shown = headers.keys().filter_map(|name| Some((name.to_string(), show(values(headers, name))?)));
    shown.collect::<Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::animals::answer::{Answer, Outcome};
    use http::StatusCode;

    #[track_caller]
    fn check(event: &Value, method: &Method, path: &str, query: &str, body: &str) -> Door {
        let read = read(event).unwrap();
        assert_eq!((&read.method, &*read.path, &*read.query), (method, path, query));
        assert_eq!(String::from_utf8_lossy(&read.body), body);
        read.door
    }

    #[test]
    fn rest_proxy_events() {
        let event = json!({
            "resource": "/animals", "path": "/animals", "httpMethod": "DELETE",
            "headers": {"Accept": "*/*"}, "multiValueHeaders": {"Accept": ["*/*"]},
            "queryStringParameters": {"name": "Big Cat & Co"},
            "multiValueQueryStringParameters": {"name": ["Big Cat & Co"]},
            "requestContext": {"stage": "v1", "path": "/v1/animals"},
            "body": null, "isBase64Encoded": false
        });
        let door = check(&event, &Method::DELETE, "/animals", "name=Big%20Cat%20%26%20Co", "");
        assert_eq!(door, Door::Gateway);
    }

    #[test]
    fn http_api_and_function_url_events() {
        let event = json!({
            "version": "2.0", "routeKey": "$default", "rawPath": "/v1/animals", "rawQueryString": "name=a%20b",
            "requestContext": {"http": {"method": "POST", "path": "/v1/animals"}, "stage": "v1"},
            "body": "eyJhIjoxfQ==", "isBase64Encoded": true
        });
        let door = check(&event, &Method::POST, "/v1/animals", "name=a%20b", r#"{"a":1}"#);
        assert_eq!(door, Door::SecondGateway);
    }

    #[test]
    fn http_api_events_of_the_first_format() {
        let event = json!({
            "version": "1.0", "resource": "/animals", "path": "/v1/animals", "httpMethod": "POST",
            "headers": {"Content-Length": "7"}, "multiValueHeaders": {"Content-Length": ["7"]},
            "queryStringParameters": {"name": "b", "x": "1"},
            "multiValueQueryStringParameters": {"name": ["a b", "b"], "x": ["1"]},
            "requestContext": {"apiId": "id", "stage": "v1", "path": "/v1/animals", "protocol": "HTTP/1.1"},
            "pathParameters": null, "stageVariables": null, "body": "eyJhIjoxfQ==", "isBase64Encoded": true
        });
        let door = check(&event, &Method::POST, "/v1/animals", "name=a%20b&name=b&x=1", r#"{"a":1}"#);
        assert_eq!(door, Door::Gateway);
    }

    #[test]
    fn load_balancer_events_keep_their_encoding() {
        let mut event = json!({
            "requestContext": {"elb": {"targetGroupArn": "arn"}}, "httpMethod": "DELETE", "path": "/animals",
            "queryStringParameters": {"name": "Big%20Cat%26Co"}, "headers": {}, "body": "", "isBase64Encoded": false
        });
        let door = check(&event, &Method::DELETE, "/animals", "name=Big%20Cat%26Co", "");
        assert_eq!(door, Door::LoadBalancer { multi_value: false });
        event["multiValueHeaders"] = json!({});
        assert_eq!(read(&event).unwrap().door, Door::LoadBalancer { multi_value: true });
    }

    #[test]
    fn odd_events_are_read_as_far_as_they_go() {
        assert_eq!(read(&json!({})), None);
        assert_eq!(read(&json!([1])), None);
        assert_eq!(read(&json!({"httpMethod": "GET IT"})), None);
        check(&json!({"httpMethod": "GET"}), &Method::GET, "/", "", "");
        let object = json!({"httpMethod": "POST", "path": "/animals", "body": {"a": 1}});
        check(&object, &Method::POST, "/animals", "", r#"{"a":1}"#);
        let broken =
            json!({"httpMethod": "POST", "path": "/animals", "body": "%%%", "isBase64Encoded": true});
        assert_eq!(read(&broken).unwrap().body, UNREADABLE);
        let odd = json!({"httpMethod": "GET", "path": 5, "queryStringParameters": {"name": 5, "x": null}});
        check(&odd, &Method::GET, "/", "", "");
    }

    #[test]
    fn answers_have_the_shape_of_their_door() {
        let answer = Reply::from(Answer::from(Outcome::Unavailable));
        let gateway = render(&answer, Door::Gateway, Some("Root=1-2"));
        assert_eq!(gateway["statusCode"], 503);
        assert_eq!(gateway["headers"]["content-type"], "application/json");
        assert_eq!(gateway["headers"]["retry-after"], "5");
        assert_eq!(gateway["headers"]["x-amzn-trace-id"], "Root=1-2");
        let balancer = render(&answer, Door::LoadBalancer { multi_value: true }, None);
        assert_eq!(balancer["statusDescription"], "503 Service Unavailable");
        assert_eq!(balancer["multiValueHeaders"]["content-type"], json!(["application/json"]));
    }

    #[test]
    fn headers_of_several_values_and_bytes_arrive_through_every_door() {
        let cookies = ["a=1; Path=/", "b=2"].map(|it| (SET_COOKIE, HeaderValue::from_static(it)));
        let lengths = [(CONTENT_LENGTH, HeaderValue::from_static("1"))];
        let headers = cookies.into_iter().chain(lengths).collect();
        let reply = Reply { status: StatusCode::OK, headers, body: Bytes::from_static(b"\xff") };
        let body = |rendered: &Value| (rendered["isBase64Encoded"] == true, rendered["body"].clone());
        let gateway = render(&reply, Door::Gateway, None);
        assert_eq!(gateway["multiValueHeaders"], json!({"set-cookie": ["a=1; Path=/", "b=2"]}));
        assert_eq!((gateway["headers"].clone(), body(&gateway)), (json!({}), (true, json!("/w=="))));
        let second = render(&reply, Door::SecondGateway, None);
        assert_eq!((&second["cookies"], &second["headers"]), (&json!(["a=1; Path=/", "b=2"]), &json!({})));
        let balancer = render(&reply, Door::LoadBalancer { multi_value: true }, None);
        assert_eq!(balancer["multiValueHeaders"]["set-cookie"], json!(["a=1; Path=/", "b=2"]));
    }

    #[test]
    fn headers_stage_and_client_are_read_from_every_door() {
        let first = json!({
            "httpMethod": "GET", "path": "/todos", "headers": {"Prefer": "count=exact"},
            "multiValueHeaders": {"Prefer": ["count=exact", "max-affected=1"], "b\u{e4}d": ["x"], "X": ["a\nb"]},
            "requestContext": {"stage": "v1", "identity": {"sourceIp": "203.0.113.7"}}
        });
        let event = read(&first).unwrap();
        assert_eq!(
            values(&event.headers, &HeaderName::from_static("prefer")),
            ["count=exact", "max-affected=1"]
        );
        assert_eq!((event.headers.len(), event.stage, &*event.peer), (2, None, "203.0.113.7"));
        let second = json!({
            "version": "2.0", "rawPath": "/v1/todos", "headers": {"accept": "text/csv,application/json"},
            "cookies": ["a=1", "b=2"],
            "requestContext": {"stage": "v1", "http": {"method": "GET", "sourceIp": "203.0.113.8"}}
        });
        let event = read(&second).unwrap();
        assert_eq!(
            (&event.headers["cookie"], &event.headers["accept"]),
            (&HeaderValue::from_static("a=1; b=2"), &HeaderValue::from_static("text/csv,application/json"))
        );
        assert_eq!((event.stage.as_deref(), &*event.peer), (Some("v1"), "203.0.113.8"));
        let mut url = second;
        url["requestContext"]["stage"] = "$default".into();
        assert_eq!(read(&url).unwrap().stage, None);
    }

    proptest::proptest! {
        #[test]
        fn bodies_of_any_text_never_panic(text in ".{0,40}", is_base64: bool) {
            let event = json!({"httpMethod": "POST", "path": text, "body": text, "isBase64Encoded": is_base64});
            proptest::prop_assert!(read(&event).is_some());
        }
    }
}

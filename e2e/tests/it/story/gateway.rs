//! API Gateway, from what Terraform says it deployed: routes by resource and method, functions with their environment,
//! events as the proxy integration makes them.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use super::front::{Answer, Call, answer};
use super::lambda::Function;

/// The API with its functions.
pub(super) struct Gateway {
    stage: String,
    /// Path with its parameters, method, function.
    routes: Vec<(String, String, String)>,
    functions: BTreeMap<String, Function>,
    /// Status and body for what no route takes.
    missing: (u16, String),
}

/// Every resource of a state, modules included.
fn resources<'a>(module: &'a Value, found: &mut Vec<&'a Value>) {
    found.extend(module["resources"].as_array().into_iter().flatten());
    module["child_modules"].as_array().into_iter().flatten().for_each(|it| resources(it, found));
}

fn of<'a>(all: &'a [&'a Value], kind: &'static str) -> impl Iterator<Item = &'a Value> {
    all.iter().filter(move |it| it["type"] == kind && it["mode"] == "managed").map(|it| &it["values"])
}

fn text<'a>(values: &'a Value, name: &str) -> &'a str {
    values[name].as_str().unwrap_or_else(|| panic!("no {name} in {values}"))
}

impl Gateway {
    /// Starts what the state (`terraform show -json`) describes. `network` has the variables that follow from where the
    /// functions run.
    pub(super) async fn start(state: &Value, network: &[(&str, String)]) -> Self {
        let mut all = Vec::new();
        resources(&state["values"]["root_module"], &mut all);
        let parts: HashMap<&str, (&str, &str)> = of(&all, "aws_api_gateway_resource")
            .map(|it| (text(it, "id"), (text(it, "parent_id"), text(it, "path_part"))))
            .collect();
        let path = |resource: &str| {
            let (mut path, mut next) = (String::new(), parts.get(resource));
            while let Some((parent, part)) = next {
                path = format!("/{part}{path}");
                next = parts.get(parent);
            }
            path
        };
        let routes = of(&all, "aws_api_gateway_integration").map(|it| {
            // …:function:NAME:ALIAS/invocations
            let function = text(it, "uri").split(":function:").nth(1).and_then(|it| it.split(':').next());
            (
                path(text(it, "resource_id")),
                text(it, "http_method").to_owned(),
                function.expect("a function").to_owned(),
            )
        });
        let routes: Vec<_> = routes.collect();
        assert!(routes.len() >= 4, "{routes:?}");
        let mut functions = BTreeMap::new();
        for it in of(&all, "aws_lambda_function") {
            let given = it["environment"][0]["variables"].as_object().expect("an environment");
            let mut variables: BTreeMap<String, String> = given
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned()))
                .collect();
            variables.extend(network.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
            functions.insert(text(it, "function_name").to_owned(), Function::start(&variables).await);
        }
        let missing = of(&all, "aws_api_gateway_gateway_response")
            .find(|it| it["response_type"] == "MISSING_AUTHENTICATION_TOKEN")
            .expect("an answer for unknown paths");
        let status = text(missing, "status_code").parse().expect("a status");
        let body = text(&missing["response_templates"], "application/json").to_owned();
        let stage = of(&all, "aws_api_gateway_stage").next().map(|it| text(it, "stage_name").to_owned());
        Self { stage: stage.expect("a stage"), routes, functions, missing: (status, body) }
    }

    /// Answers a call.
    pub(super) async fn answer(&self, call: Call) -> Answer {
        let (path, query) = call.target.split_once('?').unwrap_or((&call.target, ""));
        let Some(path) = path.strip_prefix(&format!("/{}", self.stage)).filter(|it| it.starts_with('/'))
        else {
            return answer(403, "application/json", r#"{"message":"Forbidden"}"#);
        };
        let matching = |method: &str| {
            let of_method = self.routes.iter().filter(move |it| it.1 == method);
            of_method
                .filter_map(|(route, _, function)| Some((parameters(route, path)?, route, function)))
                .next()
        };
        let Some((parameters, resource, function)) =
            matching(call.method.as_str()).or_else(|| matching("ANY"))
        else {
            return answer(self.missing.0, "application/json", &self.missing.1);
        };
        let event = event(&call, path, query, resource, &parameters, &self.stage);
        let Some(reply) = self.functions[function].invoke(&event).await else {
            return answer(504, "application/json", r#"{"message":"Endpoint request timed out"}"#);
        };
        let Some(status) = reply["statusCode"].as_u64() else {
            return answer(502, "application/json", r#"{"message":"Internal server error"}"#);
        };
        let kind = reply["headers"]["content-type"].as_str();
        let kind =
            kind.or_else(|| reply["multiValueHeaders"]["content-type"][0].as_str()).unwrap_or_default();
        let status = u16::try_from(status).expect("a status");
        let body = reply["body"].as_str().unwrap_or_default();
        let mut answer = answer(status, kind, body);
        for name in ["allow", "retry-after"] {
            let value =
                reply["headers"][name].as_str().or_else(|| reply["multiValueHeaders"][name][0].as_str());
            if let Some(value) = value.and_then(|it| it.parse().ok()) {
                answer.headers_mut().insert(name, value);
            }
        }
        answer
    }
}

/// The parameters of a path, where the route takes it.
fn parameters(route: &str, path: &str) -> Option<Map<String, Value>> {
    let (expected, given): (Vec<_>, Vec<_>) = (route.split('/').collect(), path.split('/').collect());
    let mut found = Map::new();
    let fits = expected.len() == given.len()
        && expected.iter().zip(&given).all(|(expected, given)| {
            match expected.strip_prefix('{').and_then(|it| it.strip_suffix('}')) {
                Some(name) => {
                    let value = percent_encoding::percent_decode_str(given).decode_utf8_lossy();
                    found.insert(name.to_owned(), value.into());
                    !given.is_empty()
                }
                None => expected == given,
            }
        });
    fits.then_some(found)
}

/// The event of a REST API's proxy integration.
fn event(
    call: &Call,
    path: &str,
    query: &str,
    resource: &str,
    parameters: &Map<String, Value>,
    stage: &str,
) -> Value {
    let headers: Map<String, Value> = call
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().into()))
        .collect();
    let many = headers.iter().map(|(name, value)| (name.clone(), json!([value]))).collect::<Map<_, _>>();
    let decode = |it: &str| percent_encoding::percent_decode_str(it).decode_utf8_lossy().into_owned();
    let query: Map<String, Value> = query
        .split('&')
        .filter_map(|it| it.split_once('='))
        .map(|(name, value)| (decode(name), decode(value).into()))
        .collect();
    let many_query = query.iter().map(|(name, value)| (name.clone(), json!([value]))).collect::<Map<_, _>>();
    // Text goes as it is, anything else in base64.
    let (body, is_base64) = match std::str::from_utf8(&call.body) {
        Ok("") => (Value::Null, false),
        Ok(text) => (text.into(), false),
        Err(_) => (BASE64.encode(&call.body).into(), true),
    };
    json!({
        "resource": resource, "path": path, "httpMethod": call.method.as_str(),
        "headers": headers, "multiValueHeaders": many,
        "queryStringParameters": query, "multiValueQueryStringParameters": many_query,
        "pathParameters": parameters, "stageVariables": null,
        "requestContext": {
            "stage": stage, "path": format!("/{stage}{path}"), "resourcePath": resource,
            "httpMethod": call.method.as_str(), "requestId": "story", "protocol": "HTTP/1.1",
            "identity": { "sourceIp": "127.0.0.1" },
        },
        "body": body, "isBase64Encoded": is_base64,
    })
}

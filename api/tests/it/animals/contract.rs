//! Every row of the contract, through any door. The table is empty at the start and at the end.

use serde_json::json;

use super::door::{Call, Door, Reply};

/// A name that no index entry holds: it does not compress.
fn endless_name() -> String {
    let mut state = 1_u64;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + u8::try_from(state >> 33 & 15).unwrap())
    };
    (0..20_000).map(|_| letter()).collect()
}

async fn check(door: &impl Door, call: Call, status: u16, body: &str) -> Reply {
    let asked = format!("{} {} {:?}", call.method, call.path, call.query);
    let reply = door.knock(call).await;
    assert_eq!((reply.status, &*reply.body), (status, body), "{asked}");
    assert_eq!(reply.header("content-type"), Some("application/json"), "{asked}");
    reply
}

fn message(text: &str) -> String {
    json!({ "message": text }).to_string()
}

fn post(body: impl Into<Vec<u8>>) -> Call {
    Call::new("POST", "/animals").body(body)
}

fn delete() -> Call {
    Call::new("DELETE", "/animals")
}

/// Goes through the contract.
pub(super) async fn hold(door: &impl Door) {
    saving_and_listing(door).await;
    faults_of_bodies(door).await;
    deleting(door).await;
    other_requests(door).await;
    check(door, Call::new("GET", "/animals"), 200, r#"{"items":[]}"#).await;
}

async fn saving_and_listing(door: &impl Door) {
    check(door, Call::new("GET", "/animals"), 200, r#"{"items":[]}"#).await;
    let zebra = r#"{"name":" Zebra ","weight":300.255,"height":"1.5","colour":"both"}"#;
    let saved = r#"{"message":"Animal saved","item":{"name":"Zebra","weight":300.26,"height":1.50}}"#;
    check(door, post(zebra), 201, saved).await;
    let replaced = r#"{"message":"Animal saved","item":{"name":"Zebra","weight":0.10,"height":9999.99}}"#;
    check(door, post(r#"{"name":"Zebra","weight":0.1,"height":9999.99}"#), 201, replaced).await;
    let ant = r#"{"message":"Animal saved","item":{"name":"Ant","weight":0.01,"height":0.01}}"#;
    check(door, post(r#"{"name":"Ant","weight":0.01,"height":1e-2}"#), 201, ant).await;
    let both = r#"{"items":[{"name":"Ant","weight":0.01,"height":0.01},{"name":"Zebra","weight":0.10,"height":9999.99}]}"#;
    check(door, Call::new("GET", "/animals"), 200, both).await;
}

async fn faults_of_bodies(door: &impl Door) {
    let cases: Vec<(Vec<u8>, &str)> = [
        ("{", "Body must be valid JSON"),
        (r#"{"name":"a","weight":NaN,"height":1}"#, "Body must be valid JSON"),
        (r#"{"name":"a","weight":01,"height":1}"#, "Body must be valid JSON"),
        (r#"[{"name":"a"}]"#, "Body must be a JSON object"),
        ("null", "Body must be a JSON object"),
        ("\"text\"", "Body must be a JSON object"),
        (r#"{"name":"a"}"#, "Missing required fields: weight, height"),
        ("{}", "Missing required fields: name, weight, height"),
        (r#"{"name":"a","weight":"heavy","height":1}"#, "Weight and height must be numeric"),
        (r#"{"name":"a","weight":true,"height":1}"#, "Weight and height must be numeric"),
        (r#"{"name":"a","weight":{"kg":1},"height":1}"#, "Weight and height must be numeric"),
        (r#"{"name":7,"weight":1,"height":1}"#, "Name must be a non-empty string"),
        (r#"{"name":"  ","weight":1,"height":1}"#, "Name must be a non-empty string"),
        (r#"{"name":"a\u0000","weight":1,"height":1}"#, "Name must be a non-empty string"),
        (r#"{"name":"a\ud800","weight":1,"height":1}"#, "Name must be a non-empty string"),
        (r#"{"name":"a","weight":"NaN","height":1}"#, "Weight must be between 0.01 and 9999.99"),
        (r#"{"name":"a","weight":"Infinity","height":1}"#, "Weight must be between 0.01 and 9999.99"),
        (r#"{"name":"a","weight":1,"height":1e400}"#, "Height must be between 0.01 and 9999.99"),
        (r#"{"name":"a","weight":1,"height":-1}"#, "Height must be between 0.01 and 9999.99"),
        (r#"{"name":"a","weight":0,"height":1}"#, "Weight must be between 0.01 and 9999.99"),
        (r#"{"name":"a","weight":9999.995,"height":1}"#, "Weight must be between 0.01 and 9999.99"),
    ]
    .into_iter()
    .map(|(body, text)| (body.as_bytes().to_vec(), text))
    .collect();
    for (body, text) in cases {
        check(door, post(body), 400, &message(text)).await;
    }
    check(door, Call::new("POST", "/animals"), 400, &message("Request body is required")).await;
    check(door, post(""), 400, &message("Request body is required")).await;
    let digits = "9".repeat(100_000);
    let huge = format!(r#"{{"name":"a","weight":{digits},"height":1}}"#);
    check(door, post(huge), 400, &message("Weight must be between 0.01 and 9999.99")).await;
    let deep = format!(r#"{{"name":{}1{},"weight":1,"height":1}}"#, "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(door.knock(post(deep)).await.status, 400);
    let long = json!({"name": endless_name(), "weight": 1, "height": 1}).to_string();
    check(door, post(long), 400, &message("Name is too long.")).await;
}

async fn deleting(door: &impl Door) {
    // Bobby, quoted and percent-encoded in every way that could matter.
    let bobby = r#"Robert'); DROP TABLE animals;-- "\ % & = + ü"#;
    let body = json!({"name": bobby, "weight": 1, "height": 1}).to_string();
    let in_path =
        percent_encoding::utf8_percent_encode(bobby, percent_encoding::NON_ALPHANUMERIC).to_string();
    let ways = [
        Call::new("DELETE", &format!("/animals/{in_path}")),
        delete().query("name", bobby),
        delete().body(json!({ "name": bobby }).to_string()),
    ];
    for way in ways {
        assert_eq!(door.knock(post(body.clone())).await.status, 201);
        let reply = door.knock(way.clone()).await;
        assert_eq!((reply.status, &*reply.body), (204, ""), "{way:?}");
        let gone = message(&format!("Animal '{bobby}' not found."));
        check(door, way, 404, &gone).await;
    }
    let no_name = message("The name to delete must be provided.");
    check(door, delete(), 400, &no_name).await;
    check(door, delete().query("name", " "), 400, &no_name).await;
    check(door, delete().body("{}"), 400, &no_name).await;
    check(door, delete().body("{"), 400, &message("Body must be valid JSON")).await;
    check(door, delete().body(r#"{"name":5}"#), 400, &message("Name must be a non-empty string")).await;
    assert_eq!(door.knock(Call::new("DELETE", "/animals/Ant").query("name", "Zebra")).await.status, 204);
    assert_eq!(door.knock(delete().query("name", "Zebra").body(r#"{"name":"Ant"}"#)).await.status, 204);
}

async fn other_requests(door: &impl Door) {
    let refused = message("Method not allowed.");
    let reply = check(door, Call::new("PUT", "/animals"), 405, &refused).await;
    assert_eq!(reply.header("allow"), Some("GET, POST, DELETE"));
    let reply = check(door, Call::new("GET", "/animals/Zebra"), 405, &refused).await;
    assert_eq!(reply.header("allow"), Some("DELETE"));
    for path in ["/", "/plants", "/animals/a/b", "/a/b/animals"] {
        check(door, Call::new("GET", path), 404, &message("Not found.")).await;
    }
}

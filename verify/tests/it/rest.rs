//! A REST server of one table in memory, good and broken in every way that a check looks for.

use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};
use verify::{Report, Subject, Target};

use super::server::{Call, Fault, Reply, Server};
use super::{assert_failed, failed, lines, skipped, subject, verify};

const JSON: &str = "application/json; charset=utf-8";
const SECRET: &str = "a key of more than thirty-two characters";

pub(crate) type Rows = Arc<Mutex<Vec<Map<String, Value>>>>;

fn error(status: u16, code: &str) -> Reply {
    Reply::new(status, JSON, json!({"code": code, "message": "no", "details": null, "hint": null}))
}

fn document() -> Value {
    json!({
        "swagger": "2.0",
        "paths": {"/": {}, "/notes": {"get": {}, "post": {}}},
        "definitions": {"notes": {
            "required": ["id", "note"],
            "properties": {
                "id": {"type": "string", "format": "text", "description": "Note:\nThis is a Primary Key.<pk/>"},
                "note": {"type": "string", "format": "text"},
            },
        }},
    })
}

/// What a token gives: nothing, a refusal, or a role.
fn role(call: &Call, secret: &str) -> Result<&'static str, Reply> {
    let Some(token) = call.authorization.strip_prefix("Bearer ") else { return Ok("web_anon") };
    let refused = |code| Err(error(401, code).with("www-authenticate", "Bearer"));
    let key = jsonwebtoken::DecodingKey::from_secret(secret.as_bytes());
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    rules.validate_exp = false;
    let Ok(claims) = jsonwebtoken::decode::<Value>(token, &key, &rules) else { return refused("PGRST301") };
    let now = verify::token::now();
    match (claims.claims["exp"].as_u64(), claims.claims["role"].as_str()) {
        (Some(end), _) if end < now => refused("PGRST303"),
        (_, Some("editor")) => Ok("editor"),
        (_, Some("web_anon")) => Ok("web_anon"),
        _ => Err(error(403, "42501")),
    }
}

/// A server whose tokens are signed with this key.
pub(crate) fn answer(rows: &Rows, secret: &str, call: &Call) -> Reply {
    if call.method == "OPTIONS" {
        return Reply::new(200, "text/plain", "").with("access-control-allow-origin", "*");
    }
    let role = match role(call, secret) {
        Ok(role) => role,
        Err(refusal) => return refusal,
    };
    match call.path.as_str() {
        "/" => return Reply::new(200, "application/openapi+json; charset=utf-8", document()),
        "/notes" => {}
        _ => return error(404, "PGRST205"),
    }
    let mut rows = rows.lock().unwrap();
    let filter = call.query.split('&').find(|it| !it.is_empty() && !it.starts_with("limit="));
    let id = filter.and_then(|it| it.strip_prefix("id=eq."));
    let body: Option<Map<String, Value>> = serde_json::from_str(&call.body).ok();
    match (call.method.as_str(), filter) {
        (_, Some(it)) if it.starts_with("select=") => error(400, "42703"),
        (_, Some(_)) if id.is_none() => error(400, "PGRST100"),
        ("GET", _) => {
            let found: Vec<&Map<_, _>> =
                rows.iter().filter(|row| id.is_none_or(|id| row["id"] == id)).collect();
            let range = if found.is_empty() { "*/*" } else { "0-0/*" };
            Reply::new(200, JSON, json!(found)).with("content-range", range)
        }
        ("POST" | "PUT" | "PATCH", _) if body.is_none() => error(400, "PGRST102"),
        ("POST" | "PUT" | "PATCH" | "DELETE", _) if role == "web_anon" => error(401, "42501"),
        ("POST", _) => {
            let row = body.unwrap();
            rows.push(row.clone());
            Reply::new(201, JSON, json!([row]))
        }
        ("PUT" | "PATCH", _) => {
            for row in rows.iter_mut().filter(|row| id.is_some_and(|id| row["id"] == id)) {
                row.extend(body.clone().unwrap());
            }
            Reply::new(204, JSON, "")
        }
        ("DELETE", _) => {
            rows.retain(|row| id.is_none_or(|id| row["id"] != id));
            Reply::new(204, JSON, "")
        }
        _ => error(405, "PGRST117"),
    }
}

/// The token of a role that writes, against a server that is broken for one check.
async fn run(fault: Option<&'static Fault>) -> (Report, Rows) {
    let rows = Rows::default();
    let shared = Arc::clone(&rows);
    let server = Server::start(move |call| answer(&shared, SECRET, call), fault).await;
    let claims = json!({"role": "editor", "exp": verify::token::now() + 60});
    let subject = Subject {
        table: Some("notes".to_owned()),
        token: Some(verify::token::sign(SECRET, &claims).unwrap()),
        jwt_secret: Some(SECRET.to_owned()),
        superuser: Some("root".to_owned()),
        ..subject(Target::Hybrid, server.url())
    };
    (verify(&subject).await, rows)
}

fn is(call: &Call, method: &str, path: &str) -> bool {
    call.method == method && call.path == path
}

fn instead(applies: bool, reply: Reply) -> Option<Reply> {
    applies.then_some(reply)
}

/// Whether the call has a token other than that of the user.
fn has_odd_token(call: &Call, of: fn(&Reply) -> bool, good: &Reply) -> bool {
    !call.authorization.is_empty() && of(good)
}

fn code(reply: &Reply) -> String {
    let value: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    value["code"].as_str().unwrap_or_default().to_owned()
}

fn open() -> Reply {
    Reply::new(200, "application/openapi+json; charset=utf-8", document())
}

/// A server broken for each check.
pub(crate) const FAULTS: &[Fault] = &[
    Fault { check: "answers", instead: |_, _| Some(Reply::new(502, "text/plain", "bad gateway")) },
    Fault {
        check: "describes-itself",
        instead: |call, _| instead(is(call, "GET", "/"), Reply::new(200, "text/html", "<h1>It works!</h1>")),
    },
    Fault {
        check: "table",
        instead: |call, _| {
            instead(is(call, "GET", "/notes") && call.query == "limit=0", error(404, "PGRST205"))
        },
    },
    Fault {
        check: "create",
        instead: |call, good| {
            instead(is(call, "POST", "/notes") && good.status == 201, Reply { status: 200, ..good.clone() })
        },
    },
    Fault {
        check: "read",
        instead: |call, good| {
            let found = is(call, "GET", "/notes") && call.query.starts_with("id=eq.");
            instead(found, Reply { body: "[]".to_owned(), ..good.clone() })
        },
    },
    Fault { check: "replace", instead: |call, _| instead(is(call, "PUT", "/notes"), error(405, "PGRST117")) },
    Fault {
        check: "update",
        instead: |call, good| instead(call.method == "PATCH", Reply { status: 404, ..good.clone() }),
    },
    Fault {
        check: "delete",
        instead: |call, good| instead(call.method == "DELETE", Reply { status: 403, ..good.clone() }),
    },
    Fault {
        check: "bad-body",
        instead: |call, good| instead(call.method == "POST" && code(good) == "PGRST102", error(500, "XX000")),
    },
    Fault {
        check: "bad-filter",
        instead: |_, good| instead(code(good) == "PGRST100", Reply::new(200, JSON, "[]")),
    },
    Fault {
        check: "unknown-column",
        instead: |_, good| instead(code(good) == "42703", Reply::new(200, JSON, "[]")),
    },
    Fault {
        check: "unknown-table",
        instead: |call, _| instead(call.path == "/pgapp_no_such_table", Reply::new(200, JSON, "[]")),
    },
    Fault {
        check: "bad-token",
        instead: |call, good| {
            instead(call.authorization == "Bearer no.such.token" && good.status == 401, open())
        },
    },
    Fault {
        check: "unsigned-token",
        instead: |call, good| {
            instead(
                has_odd_token(call, |it| it.status == 401, good) && call.authorization.ends_with('.'),
                open(),
            )
        },
    },
    Fault {
        check: "expired-token",
        instead: |call, good| instead(has_odd_token(call, |it| code(it) == "PGRST303", good), open()),
    },
    Fault {
        check: "superuser-token",
        instead: |call, good| instead(has_odd_token(call, |it| it.status == 403, good), open()),
    },
    Fault {
        check: "admin-not-served",
        instead: |call, _| instead(call.path == "/config", Reply::new(200, "text/plain", "db-uri = \"\"")),
    },
    Fault {
        check: "discreet-errors",
        instead: |_, good| {
            instead(
                good.status == 400,
                Reply { body: good.body.replace("no", "host 127.0.0.1"), ..good.clone() },
            )
        },
    },
    Fault {
        check: "headers",
        instead: |_, good| instead(good.status == 200, good.clone().with("content-type", "text/plain")),
    },
    Fault {
        check: "cors",
        instead: |call, _| instead(call.method == "OPTIONS", Reply::new(405, "text/plain", "")),
    },
    Fault {
        check: "anonymous-write",
        instead: |call, _| {
            instead(call.method == "POST" && call.authorization.is_empty(), Reply::new(201, JSON, "[]"))
        },
    },
];

#[tokio::test]
async fn a_good_server_passes_and_keeps_no_row() {
    let (report, rows) = run(None).await;
    assert!(report.is_good(), "{}", lines(&report));
    assert_eq!(failed(&report).len() + report.leftovers.len(), 0);
    // What lies around the server is not there.
    let around = ["encrypted", "certificate", "old-tls", "plain-http", "databases-closed", "admin-closed"];
    assert!(
        skipped(&report).iter().all(|it| around.contains(it) || it.starts_with("bucket")),
        "{}",
        lines(&report)
    );
    assert!(rows.lock().unwrap().is_empty());
}

#[tokio::test]
async fn every_fault_is_found() {
    for fault in FAULTS {
        let (report, rows) = run(Some(fault)).await;
        assert_failed(&report, fault.check);
        // Whatever went wrong, the row is gone: the fault of "delete" lies about a deletion that took place.
        assert!(rows.lock().unwrap().is_empty(), "{} left a row:\n{}", fault.check, lines(&report));
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_removed_is_told() {
    static STUCK: Fault =
        Fault { check: "delete", instead: |call, _| instead(call.method == "DELETE", error(500, "XX000")) };
    let (report, _) = run(Some(&STUCK)).await;
    assert_eq!(report.leftovers.len(), 1, "{}", lines(&report));
    assert!(report.summary().contains("left behind: DELETE http"), "{}", report.summary());
}

#[tokio::test]
async fn an_interrupted_run_removes_its_row() {
    let rows = Rows::default();
    let shared = Arc::clone(&rows);
    let (created, is_created) = tokio::sync::oneshot::channel();
    let created = Mutex::new(Some(created));
    let server = Server::start(
        move |call| {
            let reply = answer(&shared, SECRET, call);
            if reply.status == 201
                && let Some(created) = created.lock().unwrap().take()
            {
                let _ = created.send(());
            }
            reply
        },
        None,
    )
    .await;
    let claims = json!({"role": "editor", "exp": verify::token::now() + 60});
    let subject = Subject {
        table: Some("notes".to_owned()),
        token: Some(verify::token::sign(SECRET, &claims).unwrap()),
        ..subject(Target::Hybrid, server.url())
    };
    let http = verify::http::Http::new(&subject).unwrap();
    let interrupted = async { drop(is_created.await) };
    let report = verify::run(&subject, http, interrupted, |_| {}).await;
    assert!(report.interrupted && !report.is_good(), "{}", lines(&report));
    assert!(report.entries.len() < verify::run::checks(Target::Hybrid).len());
    assert!(rows.lock().unwrap().is_empty(), "{}", lines(&report));
}

#[tokio::test]
async fn a_server_that_is_not_there_fails_once() {
    let url = Server::start(|_| Reply::default(), None).await.url();
    let subject = Subject { table: Some("notes".to_owned()), ..subject(Target::Hybrid, url) };
    let report = verify(&subject).await;
    assert!(failed(&report).contains("answers"), "{}", lines(&report));
    assert!(report.leftovers.is_empty(), "{}", lines(&report));
    let shown = report.json().to_string();
    assert!(shown.contains("\"good\":false") && shown.contains("\"outcome\":\"skipped\""), "{shown}");
}

//! The animals app in memory, good and broken in every way that a check looks for.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use verify::{
    Report, Target,
    http::{Http, Request, Signer},
};

use super::server::{Call, Fault, Reply, Server};
use super::{assert_failed, failed, lines, subject, verify};

pub(crate) type Animals = Arc<Mutex<BTreeMap<String, Value>>>;

fn message(status: u16, text: &str) -> Reply {
    Reply::new(status, "application/json", json!({ "message": text }))
}

pub(crate) fn answer(animals: &Animals, call: &Call) -> Reply {
    let Some(path) = call.path.strip_prefix("/v1/animals") else { return message(404, "Not found.") };
    let mut animals = animals.lock().unwrap();
    match (call.method.as_str(), path.trim_start_matches('/')) {
        ("GET", "") => {
            Reply::new(200, "application/json", json!({"items": animals.values().collect::<Vec<_>>()}))
        }
        ("POST", "") if call.body.is_empty() => message(400, "Request body is required"),
        ("POST", "") => {
            let Ok(animal) = serde_json::from_str::<Value>(&call.body) else {
                return message(400, "Body must be valid JSON");
            };
            match (animal["name"].as_str(), &animal["weight"]) {
                (_, Value::Null) => message(400, "Missing required fields: weight, height"),
                (_, Value::String(_)) => message(400, "Weight and height must be numeric"),
                (Some(name), _) if name.trim().is_empty() => message(400, "Name must be a non-empty string"),
                (_, it) if it.as_f64().is_some_and(|it| it <= 0.0) => {
                    message(400, "Weight must be between 0.01 and 9999.99")
                }
                (Some(name), _) => {
                    animals.insert(name.to_owned(), animal.clone());
                    Reply::new(201, "application/json", json!({"message": "Animal saved", "item": animal}))
                }
                (None, _) => message(400, "Name must be a non-empty string"),
            }
        }
        ("DELETE", "") => message(400, "The name to delete must be provided."),
        ("DELETE", name) => match animals.remove(name) {
            Some(_) => Reply { status: 204, ..Reply::default() },
            None => message(404, &format!("Animal '{name}' not found.")),
        },
        _ => message(405, "Method not allowed.").with("allow", "GET, POST, DELETE"),
    }
}

async fn run(fault: Option<&'static Fault>) -> (Report, Animals) {
    let animals = Animals::default();
    let shared = Arc::clone(&animals);
    let server = Server::start(move |call| answer(&shared, call), fault).await;
    let report = verify(&subject(Target::Serverless, format!("{}/v1", server.url()))).await;
    (report, animals)
}

fn instead(applies: bool, reply: Reply) -> Option<Reply> {
    applies.then_some(reply)
}

/// A refusal of bad input that is taken for good.
macro_rules! accepts {
    ($check:literal, $message:literal) => {
        Fault {
            check: $check,
            instead: |_, good| instead(good.body.contains($message), message(201, "Animal saved")),
        }
    };
}

fn is_list(call: &Call) -> bool {
    call.method == "GET" && call.path == "/v1/animals"
}

/// A server broken for each check.
pub(crate) const FAULTS: &[Fault] = &[
    Fault { check: "answers", instead: |_, _| Some(message(503, "The database is not available.")) },
    Fault {
        check: "create",
        instead: |call, good| {
            instead(call.method == "POST" && good.status == 201, message(201, "Animal saved"))
        },
    },
    Fault {
        check: "read",
        instead: |call, good| {
            let body = json!({"items": []}).to_string();
            instead(is_list(call), Reply { body, ..good.clone() })
        },
    },
    Fault {
        check: "replace",
        instead: |call, good| {
            let body = good.body.replace("20.75", "12.5");
            instead(is_list(call), Reply { body, ..good.clone() })
        },
    },
    Fault {
        check: "ordered",
        instead: |call, good| {
            let mut list: Value = serde_json::from_str(&good.body).unwrap_or_default();
            if let Some(items) = list["items"].as_array_mut() {
                items.reverse();
            }
            instead(is_list(call), Reply { body: list.to_string(), ..good.clone() })
        },
    },
    accepts!("no-body", "Request body"),
    accepts!("bad-body", "valid JSON"),
    accepts!("missing-fields", "Missing required"),
    accepts!("not-numeric", "must be numeric"),
    accepts!("out-of-range", "must be between"),
    accepts!("bad-name", "non-empty"),
    Fault {
        check: "delete",
        instead: |_, good| instead(good.status == 204, Reply { status: 200, ..good.clone() }),
    },
    Fault {
        check: "delete-again",
        instead: |_, good| {
            instead(good.body.contains("not found."), Reply { status: 204, ..Reply::default() })
        },
    },
    Fault {
        check: "delete-nameless",
        instead: |_, good| instead(good.body.contains("name to delete"), message(500, "oops")),
    },
    Fault {
        check: "unknown-path",
        instead: |call, _| instead(call.path.contains("no-such-path/x"), message(200, "hello")),
    },
    Fault { check: "other-method", instead: |call, _| instead(call.method == "PUT", message(200, "saved")) },
    Fault {
        check: "headers",
        instead: |_, good| instead(good.status == 400, good.clone().with("content-type", "text/html")),
    },
    Fault {
        check: "discreet-errors",
        instead: |_, good| {
            let body = format!("{}: Postgres is at db.rds.amazonaws.com", good.body);
            instead(good.status == 404, Reply { body, ..good.clone() })
        },
    },
    Fault {
        check: "other-stage",
        instead: |call, _| instead(call.path.starts_with("/pgapp-not-"), message(200, "hello")),
    },
    // What a good server says to nobody is said to everybody by this one; it is only asked with a signer, below.
    Fault { check: "signature", instead: |_, _| None },
];

#[tokio::test]
async fn a_good_server_passes_and_keeps_no_animal() {
    let (report, animals) = run(None).await;
    assert!(report.is_good(), "{}", lines(&report));
    assert!(animals.lock().unwrap().is_empty());
}

#[tokio::test]
async fn every_fault_is_found() {
    for fault in FAULTS.iter().filter(|it| it.check != "signature") {
        let (report, animals) = run(Some(fault)).await;
        assert_failed(&report, fault.check);
        assert!(animals.lock().unwrap().is_empty(), "{} left an animal:\n{}", fault.check, lines(&report));
    }
}

/// Signs without any credentials: the server here only looks whether there is a signature.
struct Stamp;

impl Signer for Stamp {
    fn sign(&self, request: &mut Request) -> Result<(), String> {
        request.headers.push(("authorization", "AWS4-HMAC-SHA256 test".to_owned()));
        Ok(())
    }
}

#[tokio::test]
async fn a_signature_is_asked_for() {
    for is_guarded in [true, false] {
        let animals = Animals::default();
        let serve = move |call: &Call| {
            if is_guarded && !call.authorization.starts_with("AWS4-") {
                return message(403, "Missing Authentication Token");
            }
            answer(&animals, call)
        };
        let server = Server::start(serve, None).await;
        let subject = subject(Target::Serverless, format!("{}/v1", server.url()));
        let http = Http::new(&subject).unwrap().signed_by(Some(Arc::new(Stamp)));
        let report = verify::run(&subject, http, std::future::pending(), |_| {}).await;
        assert_eq!(failed(&report).contains("signature"), !is_guarded, "{}", lines(&report));
        assert_eq!(report.is_good(), is_guarded, "{}", lines(&report));
        // Without a signature the guarded one says how to go on.
        if is_guarded {
            let report = verify(&subject).await;
            assert!(lines(&report).contains("--sign"), "{}", lines(&report));
        }
    }
}

//! The animals app's user story: an animal's life, bad input, methods, headers.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    check::{Check, Context, Stop, Undo, Verdict, ensure, fail, skip},
    http::{Answer, Request},
};

/// The checks.
pub const CHECKS: &[Check] = &[
    Check { name: "answers", what: "the API lists animals", how: |it| Box::pin(answers(it)) },
    Check { name: "create", what: "an animal is stored as sent", how: |it| Box::pin(create(it)) },
    Check { name: "read", what: "the animal is in the list", how: |it| Box::pin(read(it)) },
    Check { name: "replace", what: "the same name replaces it", how: |it| Box::pin(replace(it)) },
    Check { name: "ordered", what: "the list is ordered by name", how: |it| Box::pin(ordered(it)) },
    Check { name: "no-body", what: "a missing body is refused", how: |it| Box::pin(bad(it, 0)) },
    Check { name: "bad-body", what: "a body that is no JSON is refused", how: |it| Box::pin(bad(it, 1)) },
    Check { name: "missing-fields", what: "missing fields are named", how: |it| Box::pin(bad(it, 2)) },
    Check {
        name: "not-numeric",
        what: "a weight that is no number is refused",
        how: |it| Box::pin(bad(it, 3)),
    },
    Check {
        name: "out-of-range",
        what: "a weight that does not fit is refused",
        how: |it| Box::pin(bad(it, 4)),
    },
    Check { name: "bad-name", what: "an empty name is refused", how: |it| Box::pin(bad(it, 5)) },
    Check { name: "delete", what: "the animal is deleted by its path", how: |it| Box::pin(delete(it)) },
    Check { name: "delete-again", what: "what is gone is not found", how: |it| Box::pin(delete_again(it)) },
    Check {
        name: "delete-nameless",
        what: "a deletion needs a name",
        how: |it| Box::pin(delete_nameless(it)),
    },
    Check { name: "unknown-path", what: "other paths are not found", how: |it| Box::pin(unknown_path(it)) },
    Check { name: "other-method", what: "other methods are refused", how: |it| Box::pin(other_method(it)) },
    Check { name: "headers", what: "answers are JSON, refusals too", how: |it| Box::pin(headers(it)) },
    Check {
        name: "discreet-errors",
        what: "refusals tell nothing about the database",
        how: |it| Box::pin(discreet(it)),
    },
    Check {
        name: "other-stage",
        what: "nothing is served beside the stage",
        how: |it| Box::pin(other_stage(it)),
    },
    Check {
        name: "signature",
        what: "callers without a signature are refused",
        how: |it| Box::pin(signature(it)),
    },
];

/// Bodies that must be refused, with the message.
const BAD: [(&str, &str); 6] = [
    ("", "Request body is required"),
    ("{", "Body must be valid JSON"),
    (r#"{"name":"pgapp-verify-bad"}"#, "Missing required fields: weight, height"),
    (r#"{"name":"pgapp-verify-bad","weight":"heavy","height":1}"#, "Weight and height must be numeric"),
    (r#"{"name":"pgapp-verify-bad","weight":-1,"height":1}"#, "Weight must be between"),
    (r#"{"name":" ","weight":1,"height":1}"#, "Name must be a non-empty string"),
];

const TELLTALES: [&str; 6] = ["postgres", "password", "rds.amazonaws.com", "select ", "insert ", "panicked"];

fn post(it: &Context<'_>, body: &str) -> Request {
    Request::new(Method::POST, it.subject.at("/animals")).json(body)
}

fn expect(answer: &Answer, status: u16, what: &str) -> Verdict {
    ensure(answer.status == status, || format!("{what}: expected {status}, got {}", answer.describe()))
}

async fn answers(it: &Context<'_>) -> Verdict {
    let get = Request::get(it.subject.at("/animals"));
    // A database that was paused answers 503 while it wakes up.
    let answer = it.http.send_until(&get, it.subject.patience, |it| it.status == 200).await;
    let answer = answer.map_err(Stop::Failed)?;
    if answer.status == 403 || answer.status == 404 && !it.http.signs() {
        return fail(format!(
            "GET /animals: {}; with api_authorization AWS_IAM, calls have to be signed: --sign",
            answer.describe()
        ));
    }
    expect(&answer, 200, "GET /animals")?;
    ensure(answer.json()["items"].is_array(), || {
        format!("GET /animals has no items: {}", answer.describe())
    })?;
    it.note("answers", "yes");
    Ok(())
}

fn animal(name: &str, weight: f64) -> Value {
    json!({"name": name, "weight": weight, "height": 3.25})
}

/// Saves an animal and expects it back.
async fn save(it: &Context<'_>, animal: &Value) -> Verdict {
    let answer = it.send(post(it, &animal.to_string())).await?;
    expect(&answer, 201, "POST /animals")?;
    ensure(answer.json()["item"] == *animal && answer.json()["message"] == "Animal saved", || {
        format!("POST /animals: expected {animal} back, got {}", answer.describe())
    })
}

/// Waits until the list holds exactly this animal under its name: a cache may be as old as it is allowed to be.
async fn is_listed(it: &Context<'_>, animal: &Value) -> Verdict {
    let found = |answer: &Answer| -> Vec<Value> {
        let items = answer.json()["items"].as_array().cloned().unwrap_or_default();
        items.into_iter().filter(|it| it["name"] == animal["name"]).collect()
    };
    let get = Request::get(it.subject.at("/animals"));
    let answer = it.http.send_until(&get, it.subject.patience, |it| found(it) == [animal.clone()]).await;
    let answer = answer.map_err(Stop::Failed)?;
    ensure(found(&answer) == [animal.clone()], || {
        format!("GET /animals: expected {animal} once, found {}", Value::from(found(&answer)))
    })
}

async fn create(it: &Context<'_>) -> Verdict {
    it.noted("answers")?;
    let name = format!("pgapp-verify-{:08x}", rand::random::<u32>());
    it.on_exit(Undo::Request(Request::new(Method::DELETE, it.subject.at(&format!("/animals/{name}")))));
    save(it, &animal(&name, 12.5)).await?;
    it.note("create", name);
    Ok(())
}

async fn read(it: &Context<'_>) -> Verdict {
    is_listed(it, &animal(&it.noted("create")?, 12.5)).await
}

async fn replace(it: &Context<'_>) -> Verdict {
    let replaced = animal(&it.noted("create")?, 20.75);
    save(it, &replaced).await?;
    is_listed(it, &replaced).await
}

async fn ordered(it: &Context<'_>) -> Verdict {
    let name = it.noted("create")?;
    let other = format!("{name}-b");
    it.on_exit(Undo::Request(Request::new(Method::DELETE, it.subject.at(&format!("/animals/{other}")))));
    save(it, &animal(&other, 1.5)).await?;
    is_listed(it, &animal(&other, 1.5)).await?;
    let answer = it.send(Request::get(it.subject.at("/animals"))).await?.json();
    let ours: Vec<&str> = answer["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| it["name"].as_str().filter(|it| it.starts_with(&name)))
        .collect();
    ensure(ours == [&name, &other], || format!("expected {name} before {other}, found {}", ours.join(", ")))
}

async fn bad(it: &Context<'_>, index: usize) -> Verdict {
    it.noted("answers")?;
    let (body, message) = BAD[index];
    let answer = it.send(post(it, body)).await?;
    expect(&answer, 400, &format!("POST of \"{body}\""))?;
    let found = answer.json()["message"].as_str().unwrap_or_default().to_owned();
    ensure(found.starts_with(message), || {
        format!("POST of \"{body}\": expected the message \"{message}\", got {}", answer.describe())
    })
}

async fn delete(it: &Context<'_>) -> Verdict {
    let path = format!("/animals/{}", it.noted("create")?);
    expect(&it.send(Request::new(Method::DELETE, it.subject.at(&path))).await?, 204, "DELETE")
}

async fn delete_again(it: &Context<'_>) -> Verdict {
    let name = it.noted("create")?;
    let path = format!("/animals/{name}");
    let answer = it.send(Request::new(Method::DELETE, it.subject.at(&path))).await?;
    expect(&answer, 404, "DELETE of what is gone")?;
    ensure(answer.json()["message"] == format!("Animal '{name}' not found."), || {
        format!("DELETE of what is gone: {}", answer.describe())
    })
}

async fn delete_nameless(it: &Context<'_>) -> Verdict {
    it.noted("answers")?;
    let answer = it.send(Request::new(Method::DELETE, it.subject.at("/animals"))).await?;
    expect(&answer, 400, "DELETE without a name")
}

async fn unknown_path(it: &Context<'_>) -> Verdict {
    it.noted("answers")?;
    let answer = it.send(Request::get(it.subject.at("/pgapp-no-such-path/x/y"))).await?;
    ensure(matches!(answer.status, 403 | 404), || format!("expected 404, got {}", answer.describe()))
}

async fn other_method(it: &Context<'_>) -> Verdict {
    it.noted("answers")?;
    let put = Request::new(Method::PUT, it.subject.at("/animals")).json("{}");
    let answer = it.send(put).await?;
    // API Gateway does not know the difference between a path and its methods.
    ensure(matches!(answer.status, 403..=405), || {
        format!("PUT /animals: expected 405 or 404, got {}", answer.describe())
    })?;
    ensure(answer.status != 405 || !answer.header("allow").is_empty(), || {
        "PUT /animals: 405 without Allow".to_owned()
    })
}

async fn headers(it: &Context<'_>) -> Verdict {
    it.noted("answers")?;
    for (what, request) in [
        ("GET /animals", Request::get(it.subject.at("/animals"))),
        ("POST of a broken body", post(it, "{")),
        ("GET of an unknown path", Request::get(it.subject.at("/pgapp-no-such-path"))),
    ] {
        let answer = it.send(request).await?;
        let kind = answer.header("content-type").to_owned();
        ensure(kind.starts_with("application/json"), || format!("{what}: Content-Type is \"{kind}\""))?;
    }
    Ok(())
}

async fn discreet(it: &Context<'_>) -> Verdict {
    let refusals = it.refusals();
    ensure(!refusals.is_empty(), || "nothing was refused, so there is nothing to read".to_owned())?;
    for needle in TELLTALES {
        if let Some(text) = refusals.iter().find(|text| text.to_lowercase().contains(needle)) {
            return fail(format!("a refusal says \"{needle}\": {}", text.trim()));
        }
    }
    Ok(())
}

async fn other_stage(it: &Context<'_>) -> Verdict {
    it.noted("answers")?;
    let Some((host, stage)) = it.subject.url.rsplit_once('/').filter(|(host, _)| !host.ends_with('/')) else {
        return skip("the address has no stage");
    };
    let answer = it.send(Request::get(format!("{host}/pgapp-not-{stage}/animals"))).await?;
    ensure(matches!(answer.status, 403 | 404), || format!("expected 403 or 404, got {}", answer.describe()))
}

/// Where callers have to sign, nothing is there for who does not.
async fn signature(it: &Context<'_>) -> Verdict {
    if !it.http.signs() {
        return skip("everyone may call this API (api_authorization NONE)");
    }
    it.noted("answers")?;
    let answer =
        it.http.unsigned().send(&Request::get(it.subject.at("/animals"))).await.map_err(Stop::Failed)?;
    ensure(matches!(answer.status, 401 | 403 | 404), || {
        format!("GET /animals without a signature: expected 403 or 404, got {}", answer.describe())
    })
}

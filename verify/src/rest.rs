//! The REST server's user story: a row's life, bad input, tokens, headers.

mod refusals;
mod row;

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    check::{Check, Context, Stop, Undo, Verdict, ensure, fail, skip},
    database,
    http::{Answer, Request},
    token,
};
use row::Row;

/// The checks that every REST server gets.
pub const CHECKS: &[Check] = &[
    Check { name: "answers", what: "the API answers at its address", how: |it| Box::pin(answers(it)) },
    Check { name: "describes-itself", what: "/ is an OpenAPI document", how: |it| Box::pin(describes(it)) },
    Check { name: "table", what: "a table to try is served", how: |it| Box::pin(table(it)) },
    Check { name: "create", what: "a row is stored as sent", how: |it| Box::pin(create(it)) },
    Check { name: "read", what: "the row is found by its key", how: |it| Box::pin(read(it)) },
    Check { name: "replace", what: "PUT replaces the row", how: |it| Box::pin(replace(it)) },
    Check { name: "update", what: "PATCH changes the row", how: |it| Box::pin(update(it)) },
    Check { name: "delete", what: "the row is gone after DELETE", how: |it| Box::pin(delete(it)) },
    Check {
        name: "bad-body",
        what: "a body that is no JSON is refused",
        how: |it| Box::pin(refusals::bad_body(it)),
    },
    Check {
        name: "bad-filter",
        what: "an unknown operator is refused",
        how: |it| Box::pin(refusals::bad_filter(it)),
    },
    Check {
        name: "unknown-column",
        what: "an unknown column is refused",
        how: |it| Box::pin(refusals::unknown_column(it)),
    },
    Check {
        name: "unknown-table",
        what: "an unknown table is not found",
        how: |it| Box::pin(refusals::unknown_table(it)),
    },
    Check {
        name: "bad-token",
        what: "a malformed token is refused",
        how: |it| Box::pin(refusals::bad_token(it)),
    },
    Check {
        name: "unsigned-token",
        what: "a token without a signature is refused",
        how: |it| Box::pin(refusals::unsigned_token(it)),
    },
    Check {
        name: "expired-token",
        what: "an expired token is refused",
        how: |it| Box::pin(refusals::expired_token(it)),
    },
    Check {
        name: "superuser-token",
        what: "no token makes anybody a superuser",
        how: |it| Box::pin(refusals::superuser_token(it)),
    },
    Check {
        name: "admin-not-served",
        what: "the API's port serves no administration",
        how: |it| Box::pin(refusals::admin_not_served(it)),
    },
    Check {
        name: "discreet-errors",
        what: "refusals tell nothing about the database's surroundings",
        how: |it| Box::pin(refusals::discreet(it)),
    },
    Check { name: "headers", what: "answers say what they are", how: |it| Box::pin(headers(it)) },
    Check { name: "cors", what: "a browser's preflight is answered", how: |it| Box::pin(cors(it)) },
];

/// What holds on AWS beside that.
pub const ON_AWS: &[Check] = &[Check {
    name: "anonymous-write",
    what: "writes without a token are refused",
    how: |it| Box::pin(anonymous_write(it)),
}];

/// A request with the subject's token, where there is one.
fn request(it: &Context<'_>, method: Method, path: &str) -> Request {
    let request = Request::new(method, it.subject.at(path));
    match &it.subject.token {
        Some(token) => request.header("authorization", format!("Bearer {token}")),
        None => request,
    }
}

fn expect(answer: &Answer, statuses: &[u16], what: &str) -> Verdict {
    ensure(statuses.contains(&answer.status), || {
        let wanted: Vec<String> = statuses.iter().map(ToString::to_string).collect();
        format!("{what}: expected {}, got {}", wanted.join(" or "), answer.describe())
    })
}

async fn answers(it: &Context<'_>) -> Verdict {
    let get = request(it, Method::GET, "/");
    let answer = it.http.send_until(&get, it.subject.patience, |it| it.status < 500).await;
    let answer = answer.map_err(Stop::Failed)?;
    ensure(answer.status < 500, || format!("GET /: {}", answer.describe()))?;
    it.note("answers", "yes");
    Ok(())
}

async fn describes(it: &Context<'_>) -> Verdict {
    it.noted("answers")?;
    let answer = it.send(request(it, Method::GET, "/")).await?;
    expect(&answer, &[200], "GET /")?;
    ensure(answer.json()["swagger"] == "2.0" && answer.json()["paths"].is_object(), || {
        format!("GET / is no OpenAPI 2.0 document: {}", answer.describe())
    })
}

async fn table(it: &Context<'_>) -> Verdict {
    it.noted("answers")?;
    let name = match (&it.subject.table, it.subject.databases.iter().find(|it| it.is_served)) {
        (Some(name), _) => name.clone(),
        (None, Some(served)) => {
            let name = format!("pgapp_verify_{:08x}", rand::random::<u32>());
            it.on_exit(Undo::Table(name.clone()));
            // Who writes there is whom the token names, or who has none.
            let role = it.subject.token.as_deref().and_then(token::role_of);
            let role = role.as_deref().unwrap_or("web_anon");
            database::make_table(served, &name, role).await.map_err(Stop::Failed)?;
            name
        }
        (None, None) => {
            return skip(
                "no table to write to: name one with --table, and give a token that may write there",
            );
        }
    };
    let get = request(it, Method::GET, &format!("/{name}?limit=0"));
    // The server reads its catalog anew on its own time.
    let answer = it.http.send_until(&get, it.subject.patience, |it| it.status == 200).await;
    expect(&answer.map_err(Stop::Failed)?, &[200], &format!("GET /{name}"))?;
    let document = it.send(request(it, Method::GET, "/")).await?.json();
    let row = Row::of(&name, &document["definitions"][&name])?;
    it.note("table", name);
    it.note("row", row.to_text());
    Ok(())
}

fn row(it: &Context<'_>) -> Result<Row, Stop> {
    it.noted("table")?;
    Row::from_text(&it.noted("row")?)
}

/// The stored row, and nothing else, is what was expected.
async fn is_stored(it: &Context<'_>, row: &Row, expected: &Value) -> Verdict {
    let answer = it.send(request(it, Method::GET, &row.path())).await?;
    expect(&answer, &[200], "GET")?;
    ensure(
        answer.json().as_array().is_some_and(|rows| rows.len() == 1 && row::holds(&rows[0], expected)),
        || format!("GET {}: expected [{expected}], got {}", row.path(), answer.describe()),
    )
}

async fn create(it: &Context<'_>) -> Verdict {
    let row = row(it)?;
    it.on_exit(Undo::Request(request(it, Method::DELETE, &row.path())));
    let post = request(it, Method::POST, &format!("/{}", row.table)).json(&row.first);
    let answer = it.send(post.header("prefer", "return=representation")).await?;
    expect(&answer, &[201], "POST")?;
    ensure(
        answer.json().as_array().is_some_and(|rows| rows.len() == 1 && row::holds(&rows[0], &row.first)),
        || format!("POST: expected [{}], got {}", row.first, answer.describe()),
    )?;
    it.note("create", "yes");
    Ok(())
}

async fn read(it: &Context<'_>) -> Verdict {
    it.noted("create")?;
    let row = row(it)?;
    is_stored(it, &row, &row.first).await
}

async fn replace(it: &Context<'_>) -> Verdict {
    it.noted("create")?;
    let row = row(it)?;
    let answer = it.send(request(it, Method::PUT, &row.path()).json(&row.second)).await?;
    // No unique constraint though there is a primary key: it is the origin's, of a foreign table.
    if answer.status == 400 && answer.json()["code"] == "42P10" {
        return skip(format!(
            "\"{}\" is a foreign table, into which Postgres cannot upsert; PATCH changes its rows",
            row.table
        ));
    }
    expect(&answer, &[200, 201, 204], "PUT")?;
    is_stored(it, &row, &row.second).await
}

async fn update(it: &Context<'_>) -> Verdict {
    it.noted("create")?;
    let row = row(it)?;
    let Some(column) = &row.changeable else { return skip("the table has no column beside its key") };
    let change = json!({ column: row.first[column] });
    let answer = it.send(request(it, Method::PATCH, &row.path()).json(&change)).await?;
    expect(&answer, &[200, 204], "PATCH")?;
    is_stored(it, &row, &change).await
}

async fn delete(it: &Context<'_>) -> Verdict {
    it.noted("create")?;
    let row = row(it)?;
    let answer = it.send(request(it, Method::DELETE, &row.path())).await?;
    expect(&answer, &[200, 204], "DELETE")?;
    let answer = it.send(request(it, Method::GET, &row.path())).await?;
    ensure(answer.status == 200 && answer.json() == json!([]), || {
        format!("GET after DELETE: expected 200 [], got {}", answer.describe())
    })
}

async fn headers(it: &Context<'_>) -> Verdict {
    it.noted("answers")?;
    let mut kinds = vec![("/", "application/openapi+json")];
    let table = it.noted("table").map(|name| format!("/{name}?limit=1"));
    if let Ok(path) = &table {
        kinds.push((path, "application/json"));
    }
    for (path, kind) in kinds {
        let answer = it.send(request(it, Method::GET, path)).await?;
        let found = answer.header("content-type").to_owned();
        ensure(found == format!("{kind}; charset=utf-8"), || {
            format!("GET {path}: Content-Type is \"{found}\", not {kind}; charset=utf-8")
        })?;
        if kind == "application/json" {
            let range = answer.header("content-range").to_owned();
            ensure(range.ends_with("/*"), || format!("GET {path}: Content-Range is \"{range}\""))?;
        }
    }
    Ok(())
}

async fn cors(it: &Context<'_>) -> Verdict {
    it.noted("answers")?;
    let preflight = Request::new(Method::OPTIONS, it.subject.at("/"))
        .header("origin", "https://example.com")
        .header("access-control-request-method", "GET");
    let answer = it.send(preflight).await?;
    let allowed = answer.header("access-control-allow-origin");
    ensure(answer.status == 200 && ["*", "https://example.com"].contains(&allowed), || {
        format!(
            "OPTIONS /: {}, Access-Control-Allow-Origin \"{allowed}\"; where db or server-cors-allowed-origins names \
             origins, this one is not among them",
            answer.describe()
        )
    })
}

/// Strangers may read what was granted to them, but on AWS they write nowhere.
async fn anonymous_write(it: &Context<'_>) -> Verdict {
    it.noted("answers")?;
    let tables: Vec<String> = match it.noted("table") {
        Ok(name) => vec![format!("/{name}")],
        // What strangers are shown, if anything is.
        Err(_) => {
            let document = it.send(Request::get(it.subject.at("/"))).await?.json();
            let paths = document["paths"].as_object().cloned().unwrap_or_default();
            let writable = paths.into_iter().filter(|(_, methods)| methods["post"].is_object());
            writable.map(|(path, _)| path).filter(|it| it != "/" && !it.starts_with("/rpc/")).collect()
        }
    };
    for path in &tables {
        // The transaction is rolled back where the server allows it; a key would make it a row that stays.
        let post = Request::new(Method::POST, it.subject.at(path)).json("{}").header("prefer", "tx=rollback");
        let answer = it.send(post).await?;
        if !matches!(answer.status, 401 | 403) {
            return fail(format!("POST {path} without a token: expected 401, got {}", answer.describe()));
        }
    }
    let post = Request::new(Method::POST, it.subject.at("/pgapp_verify")).json("{}");
    let answer = it.send(post).await?;
    expect(&answer, &[401, 403, 404], "POST without a token")
}

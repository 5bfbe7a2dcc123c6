//! What the REST server has to refuse, and how it says so.

use reqwest::Method;
use serde_json::json;

use super::{expect, request};
use crate::{
    check::{Context, Stop, Verdict, ensure, fail, skip},
    http::{Answer, Request},
    token,
};

/// Paths of the admin server.
const ADMIN_PATHS: [&str; 4] = ["/metrics", "/config", "/schema_cache", "/ready"];

/// What would give away how the database is reached, or statements that run there. Names are harmless: messages of Postgres
/// quote tables and columns.
const TELLTALES: [&str; 8] = [
    "postgres://",
    "postgresql://",
    "password",
    "authenticator",
    "pgrst_source",
    "set_config(",
    "127.0.0.1",
    ".internal",
];

fn expect_code(answer: &Answer, status: u16, codes: &[&str], what: &str) -> Verdict {
    expect(answer, &[status], what)?;
    let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
    ensure(codes.contains(&code.as_str()), || {
        format!("{what}: expected the code {}, got {}", codes.join(" or "), answer.describe())
    })
}

fn table(it: &Context<'_>) -> Result<String, Stop> {
    Ok(format!("/{}", it.noted("table")?))
}

pub(super) async fn bad_body(it: &Context<'_>) -> Verdict {
    let path = table(it)?;
    let answer = it.send(request(it, Method::POST, &path).json("{\"not json\"")).await?;
    expect_code(&answer, 400, &["PGRST102"], "POST with a broken body")
}

pub(super) async fn bad_filter(it: &Context<'_>) -> Verdict {
    let path = format!("{}?id=nosuchoperator.1", table(it)?);
    expect_code(
        &it.send(request(it, Method::GET, &path)).await?,
        400,
        &["PGRST100"],
        "GET with a broken filter",
    )
}

pub(super) async fn unknown_column(it: &Context<'_>) -> Verdict {
    let path = format!("{}?select=pgapp_no_such_column", table(it)?);
    expect_code(&it.send(request(it, Method::GET, &path)).await?, 400, &["42703"], "GET of an unknown column")
}

pub(super) async fn unknown_table(it: &Context<'_>) -> Verdict {
    it.noted("answers")?;
    let answer = it.send(request(it, Method::GET, "/pgapp_no_such_table")).await?;
    expect_code(&answer, 404, &["PGRST205"], "GET of an unknown table")
}

/// A request with another token than the subject's.
async fn with_token(it: &Context<'_>, token: &str) -> Result<Answer, Stop> {
    it.noted("answers")?;
    it.send(Request::get(it.subject.at("/")).header("authorization", format!("Bearer {token}"))).await
}

pub(super) async fn bad_token(it: &Context<'_>) -> Verdict {
    let answer = with_token(it, "no.such.token").await?;
    expect_code(&answer, 401, &["PGRST301"], "GET with a broken token")?;
    ensure(answer.header("www-authenticate").starts_with("Bearer"), || {
        "the refusal of a token has no WWW-Authenticate: Bearer".to_owned()
    })
}

pub(super) async fn unsigned_token(it: &Context<'_>) -> Verdict {
    let answer = with_token(it, &token::unsigned("web_anon")).await?;
    expect_code(&answer, 401, &["PGRST301"], "GET with an unsigned token")
}

fn secret<'a>(it: &'a Context<'_>) -> Result<&'a str, Stop> {
    match &it.subject.jwt_secret {
        Some(secret) => Ok(secret),
        None => {
            skip("the key that signs tokens is not known here; --role ROLE reads it from Secrets Manager")
        }
    }
}

pub(super) async fn expired_token(it: &Context<'_>) -> Verdict {
    let expired = token::sign(secret(it)?, &json!({"role": "web_anon", "exp": token::now() - 3600}));
    let answer = with_token(it, &expired.map_err(Stop::Failed)?).await?;
    expect_code(&answer, 401, &["PGRST303"], "GET with an expired token")
}

pub(super) async fn superuser_token(it: &Context<'_>) -> Verdict {
    let Some(superuser) = &it.subject.superuser else {
        return skip("the superuser's name is not known here");
    };
    let token = token::sign(secret(it)?, &json!({"role": superuser, "exp": token::now() + 60}));
    let answer = with_token(it, &token.map_err(Stop::Failed)?).await?;
    expect_code(&answer, 403, &["42501"], &format!("GET with a token for the role \"{superuser}\""))
}

pub(super) async fn admin_not_served(it: &Context<'_>) -> Verdict {
    it.noted("answers")?;
    for path in ADMIN_PATHS {
        let answer = it.send(request(it, Method::GET, path)).await?;
        // A table of such a name is no administration, and would be JSON.
        let is_table = answer.status == 200 && answer.json().is_array();
        if !is_table && !matches!(answer.status, 401 | 403 | 404) {
            return fail(format!("GET {path}: expected 404, got {}", answer.describe()));
        }
    }
    Ok(())
}

pub(super) async fn discreet(it: &Context<'_>) -> Verdict {
    let refusals = it.refusals();
    ensure(!refusals.is_empty(), || "nothing was refused, so there is nothing to read".to_owned())?;
    let passwords = it.subject.databases.iter().map(|it| it.password);
    for needle in TELLTALES.into_iter().chain(passwords) {
        if let Some(text) = refusals.iter().find(|text| text.to_lowercase().contains(needle)) {
            return fail(format!("a refusal says \"{needle}\": {}", text.trim()));
        }
    }
    Ok(())
}

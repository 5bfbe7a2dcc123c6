//! Tokens against the running server: algorithms, keys, claims, caching.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::http::Request;
use super::process::{SECRET, Server};
use super::{authenticator, database};

/// A token signed with a text secret.
pub(super) fn token(claims: &Value, secret: &str) -> String {
    let encode = |it: &[u8]| URL_SAFE_NO_PAD.encode(it);
    let signed =
        format!("{}.{}", encode(br#"{"alg":"HS256","typ":"JWT"}"#), encode(claims.to_string().as_bytes()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    format!("{signed}.{}", encode(hmac::sign(&key, signed.as_bytes()).as_ref()))
}

fn whoami(token: Option<&str>) -> Request {
    let request = Request::get("/rpc/whoami");
    match token {
        Some(token) => request.header("Authorization", &format!("Bearer {token}")),
        None => request,
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

#[tokio::test]
async fn tokens_decide_the_role() {
    let db = database().await;
    let server = Server::over(&authenticator(db.config())).set("JWT_SECRET", SECRET).start().await;
    let role = async |claims: Option<Value>| {
        let token = claims.map(|it| token(&it, SECRET));
        let answer = server.send(whoami(token.as_deref())).await;
        (answer.status, answer.json())
    };
    assert_eq!(role(None).await, (200, json!("web_anon")));
    assert_eq!(role(Some(json!({}))).await, (200, json!("web_anon")));
    // Twice: the second time the token is remembered.
    for _ in 0..2 {
        assert_eq!(role(Some(json!({"role": "app_user"}))).await, (200, json!("app_user")));
    }
    let (status, error) = role(Some(json!({"role": "app_user", "exp": now() - 31}))).await;
    assert_eq!((status, &error["code"]), (401, &json!("PGRST303")));
    let (status, error) = role(Some(json!({"role": "nobody_knows"}))).await;
    assert_eq!((status, &error["code"]), (401, &json!("22023")));

    let answer = server.send(whoami(Some(&token(&json!({"role": "app_user"}), "another secret")))).await;
    assert_eq!((answer.status, answer.code()), (401, "PGRST301".to_owned()));
    assert_eq!(
        answer.header("www-authenticate"),
        Some(r#"Bearer error="invalid_token", error_description="No suitable key or wrong key type""#)
    );
}

#[tokio::test]
async fn a_remembered_token_still_expires() {
    let db = database().await;
    let server = Server::over(&authenticator(db.config())).set("JWT_SECRET", SECRET).start().await;
    // Clocks may differ by 30 seconds, so this one is good for another two.
    let token = token(&json!({"role": "app_user", "exp": now() - 28}), SECRET);
    assert_eq!(server.send(whoami(Some(&token))).await.status, 200);
    super::process::eventually("the token expires", async || {
        server.send(whoami(Some(&token))).await.status == 401
    })
    .await;
}

#[tokio::test]
async fn without_secret_or_anonymous_role_requests_are_refused() {
    let db = database().await;
    let server = Server::over(&authenticator(db.config())).set("DB_ANON_ROLE", "").start().await;
    let answer = server.send(whoami(None)).await;
    assert_eq!((answer.status, answer.code()), (401, "PGRST302".to_owned()));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    let answer = server.send(whoami(Some(&token(&json!({}), SECRET)))).await;
    assert_eq!((answer.status, answer.code()), (500, "PGRST300".to_owned()));
}

#[tokio::test]
async fn a_changed_secret_outdates_remembered_tokens() {
    let db = database().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    std::fs::write(&file, SECRET).unwrap();
    let server = Server::over(&authenticator(db.config()))
        .set("JWT_SECRET", &format!("@{}", file.display()))
        .start()
        .await;
    let token = token(&json!({"role": "app_user"}), SECRET);
    assert_eq!(server.send(whoami(Some(&token))).await.status, 200);
    std::fs::write(&file, "invalid".repeat(5)).unwrap();
    server.clear_lines();
    server.signal(Signal::SIGUSR2);
    server.wait_for_line("Config reloaded").await;
    assert_eq!(server.send(whoami(Some(&token))).await.status, 401);
}

#[tokio::test]
async fn the_old_path_syntax_works_and_warns() {
    let db = database().await;
    let server = Server::over(&authenticator(db.config()))
        .set("JWT_SECRET", SECRET)
        .set("JWT_ROLE_CLAIM_KEY", ".realm.roles[?(@ ^== \"app_\")]")
        .start()
        .await;
    server
        .wait_for_line(
            "WARNING: The config `jwt-role-claim-key=.\"realm\".\"roles\"[?(@ ^== \"app_\")]` is using the deprecated JSPath syntax.",
        )
        .await;
    let token = token(&json!({"realm": {"roles": ["other", "app_user"]}}), SECRET);
    assert_eq!(server.send(whoami(Some(&token))).await.json(), json!("app_user"));
}

/// A secret that can be guessed from one token is refused, in whichever form it comes.
#[tokio::test]
async fn short_secrets_are_refused_at_the_start() {
    let db = database().await;
    let encode = |it: &[u8]| URL_SAFE_NO_PAD.encode(it);
    let oct = |it: &[u8]| json!({"kty": "oct", "k": encode(it)});
    for secret in [
        "short".to_owned(),
        oct(b"").to_string(),
        oct(b"x").to_string(),
        oct(&[7; 31]).to_string(),
        json!({"keys": [oct(&[7; 32]), oct(b"x")]}).to_string(),
    ] {
        let mut server = Server::over(&authenticator(db.config())).set("JWT_SECRET", &secret).spawn();
        assert!(!server.wait_for_exit().await.success(), "{secret}");
        assert!(!server.lines().join("\n").contains(&secret), "the secret is shown");
    }
    let good = oct(SECRET.as_bytes()).to_string();
    let server = Server::over(&authenticator(db.config())).set("JWT_SECRET", &good).start().await;
    let token = token(&json!({"role": "app_user"}), SECRET);
    assert_eq!(server.send(whoami(Some(&token))).await.status, 200);
}

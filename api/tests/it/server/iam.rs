//! The REST server before a database that wants tokens: with its own keys, and with those of its task or instance.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, put};

use super::execute;
use super::process::{Builder, Server, eventually};
use super::rds::{REGION, Rds};

const USER: &str = "authenticator";

/// A database with something to serve.
async fn rds() -> Rds {
    let rds = Rds::start().await;
    let client = rds.admin().await;
    for script in [
        include_str!("../fixtures/roles.sql"),
        include_str!("../fixtures/schema.sql"),
        include_str!("../fixtures/data.sql"),
    ] {
        execute(&client, script).await;
    }
    rds
}

fn server(rds: &Rds) -> Builder {
    Server::over(&rds.uri(USER, "verify-full"))
        .variable("PGAPP_DB_AUTH", "iam")
        .variable("AWS_REGION", REGION)
}

/// Ends the server's connections, so that new ones need new tokens.
async fn end_connections(rds: &Rds) {
    let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = $1";
    assert!(!rds.admin().await.query(end, &[&USER]).await.unwrap().is_empty());
}

#[tokio::test]
async fn every_connection_logs_in_with_a_token_over_tls() {
    let rds = rds().await;
    rds.trust("AKIDEXAMPLE", "the secret", None);
    let server = server(&rds)
        .variable("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .variable("AWS_SECRET_ACCESS_KEY", "the secret")
        .start()
        .await;
    assert_eq!(server.get("/films?select=id&limit=1").await.status, 200);
    // The catalog, the listener and the pool's.
    let before = rds.logins();
    assert!(before.len() >= 3 && before.iter().all(|it| it.as_deref() == Ok("AKIDEXAMPLE")), "{before:?}");

    end_connections(&rds).await;
    eventually("a new connection serves", async || server.get("/films?limit=1").await.status == 200).await;
    assert!(rds.logins().len() > before.len());

    // Keys that were taken away: no way in, and nothing of it in an answer or the log.
    rds.distrust("AKIDEXAMPLE");
    end_connections(&rds).await;
    eventually("the login is refused", async || {
        server.get("/films?limit=1").await.status == 503 && rds.logins().iter().any(Result::is_err)
    })
    .await;
    let answer = server.get("/films?limit=1").await;
    assert_eq!(answer.status, 503);
    server.wait_for_line("PAM authentication failed").await;
    rds.trust("AKIDEXAMPLE", "the secret", None);
    eventually("it is let in again", async || server.get("/films?limit=1").await.status == 200).await;
    let log = server.last_lines().join("\n");
    for hidden in ["the secret", "X-Amz-Signature"] {
        assert!(!log.contains(hidden) && !answer.body.contains(hidden), "{log}");
    }
}

#[tokio::test]
async fn a_token_is_not_sent_in_the_clear() {
    let rds = rds().await;
    rds.trust("AKIDEXAMPLE", "the secret", None);
    let server = Server::over(&rds.uri(USER, "disable"))
        .variable("PGAPP_DB_AUTH", "iam")
        .variable("AWS_REGION", REGION)
        .variable("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .variable("AWS_SECRET_ACCESS_KEY", "the secret")
        .spawn();
    server.wait_for_line("Attempting to reconnect to the database").await;
    assert_eq!(rds.logins(), []);
}

/// Credentials of a task: worth ten minutes each, and the first of them less than the five that are wanted.
async fn task_agent(rds: Arc<Rds>) -> String {
    let n = Arc::new(AtomicU32::new(0));
    let answer = move |headers: HeaderMap| {
        let (rds, n) = (Arc::clone(&rds), n.fetch_add(1, Relaxed));
        async move {
            if headers.get("authorization").is_none_or(|it| it != "task proof") {
                return StatusCode::UNAUTHORIZED.into_response();
            }
            let (id, session) = (format!("ASIA{n}"), format!("session/{n}+="));
            rds.trust(&id, "the task's secret", Some(&session));
            credentials(&id, "the task's secret", &session, if n == 0 { 60 } else { 600 })
        }
    };
    serve(axum::Router::new().route("/v2/credentials/task", get(answer))).await
}

fn credentials(id: &str, secret: &str, session: &str, seconds: i64) -> Response {
    let expiration = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    axum::Json(serde_json::json!({
        "Code": "Success", "AccessKeyId": id, "SecretAccessKey": secret, "Token": session,
        "Expiration": expiration.to_string(),
    }))
    .into_response()
}

async fn serve(routes: axum::Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

#[tokio::test]
async fn a_task_gets_its_keys_from_the_agent_and_renews_them() {
    let rds = Arc::new(rds().await);
    let url = task_agent(Arc::clone(&rds)).await;
    let server = server(&rds)
        .variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{url}/v2/credentials/task"))
        .variable("AWS_CONTAINER_AUTHORIZATION_TOKEN", "task proof")
        .start()
        .await;
    assert_eq!(server.get("/films?select=id&limit=1").await.status, 200);
    let logins: Vec<String> = rds.logins().into_iter().map(Result::unwrap).collect();
    // Connections are opened side by side: the first keys need not be the first to log in.
    let (first, renewed): (Vec<_>, Vec<_>) = logins.iter().partition(|it| *it == "ASIA0");
    assert!(first.len() == 1 && renewed.len() >= 2, "{logins:?}");
    assert!(renewed.iter().all(|it| *it == "ASIA1"), "{logins:?}");
}

#[tokio::test]
async fn an_instance_gives_the_keys_of_its_role() {
    let rds = rds().await;
    rds.trust("ASIAINSTANCE", "the role's secret", Some("of the instance"));
    let role = |headers: HeaderMap| async move {
        match headers.get("x-aws-ec2-metadata-token").is_some_and(|it| it == "a session") {
            true => credentials("ASIAINSTANCE", "the role's secret", "of the instance", 3600),
            false => StatusCode::UNAUTHORIZED.into_response(),
        }
    };
    let routes = axum::Router::new()
        .route("/latest/api/token", put(|| async { "a session" }))
        .route("/latest/meta-data/iam/security-credentials/", get(|| async { "host-role" }))
        .route("/latest/meta-data/iam/security-credentials/host-role", get(role));
    let url = serve(routes).await;
    let server = server(&rds).variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url).start().await;
    assert_eq!(server.get("/films?select=id&limit=1").await.status, 200);
    assert!(rds.logins().iter().all(|it| it.as_deref() == Ok("ASIAINSTANCE")));
}

#[tokio::test]
async fn without_credentials_the_log_says_what_to_do_and_the_server_goes_on_trying() {
    let rds = Arc::new(rds().await);
    let absent = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server =
        server(&rds).variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", &format!("http://{absent}")).spawn();
    let line = server.wait_for_line("no AWS credentials to sign a database token with").await;
    assert!(line.contains("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"), "{line}");
    tokio::time::timeout(Duration::from_secs(30), server.wait_for_line("Attempting to reconnect"))
        .await
        .unwrap();
    assert_eq!(rds.logins(), []);
}

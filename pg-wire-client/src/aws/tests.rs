//! A metadata service of the test's own, on loopback, which refuses what AWS's refuse.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, put};
use jiff::Timestamp;

use super::*;

const PROOF: &str = "let-me-in";
const SESSION: &str = "a-session";
const NOW: &str = "2026-01-02T03:04:05Z";

/// Both agents. `n` counts the credentials that were handed out; each has its number in its key.
#[derive(Default)]
struct Agents {
    n: AtomicU32,
    is_broken: std::sync::atomic::AtomicBool,
    has_no_role: std::sync::atomic::AtomicBool,
}

impl Agents {
    fn hand_out(&self) -> Response {
        if self.is_broken.load(Relaxed) {
            return (StatusCode::INTERNAL_SERVER_ERROR, "hush").into_response();
        }
        let n = self.n.fetch_add(1, Relaxed);
        // Worth an hour from the first on.
        let expiration = NOW.parse::<Timestamp>().unwrap() + Duration::from_secs(3600 * u64::from(n + 1));
        axum::Json(serde_json::json!({
            "RoleArn": "arn:aws:iam::123456789012:role/x", "AccessKeyId": format!("AKID{n}"),
            "SecretAccessKey": "the secret", "Token": "the session", "Expiration": expiration.to_string(),
        }))
        .into_response()
    }
}

fn is(headers: &HeaderMap, name: &str, value: &str) -> bool {
    headers.get(name).is_some_and(|it| it == value)
}

async fn container(State(agents): State<Arc<Agents>>, headers: HeaderMap) -> Response {
    match is(&headers, "authorization", PROOF) {
        true => agents.hand_out(),
        false => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn roles(State(agents): State<Arc<Agents>>, headers: HeaderMap) -> Response {
    match is(&headers, "x-aws-ec2-metadata-token", SESSION) {
        true if agents.has_no_role.load(Relaxed) => StatusCode::NOT_FOUND.into_response(),
        true => "api-role\n".into_response(),
        false => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn role(State(agents): State<Arc<Agents>>, headers: HeaderMap) -> Response {
    match is(&headers, "x-aws-ec2-metadata-token", SESSION) {
        true => agents.hand_out(),
        false => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn session(headers: HeaderMap) -> Response {
    match headers.contains_key("x-aws-ec2-metadata-token-ttl-seconds") {
        true => SESSION.into_response(),
        false => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn agents() -> (Arc<Agents>, String) {
    let agents = Arc::new(Agents::default());
    let routes = Router::new()
        .route("/v2/credentials/x", get(container))
        .route(
            "/v2/nonsense",
            get(|| async { r#"{"AccessKeyId": "AKID", "SecretAccessKey": "the secret"}"# }),
        )
        .route("/latest/api/token", put(session))
        .route("/latest/meta-data/iam/security-credentials/", get(roles))
        .route("/latest/meta-data/iam/security-credentials/api-role", get(role))
        .with_state(Arc::clone(&agents));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (agents, url)
}

/// A clock that is set by hand, in minutes after [`NOW`].
#[derive(Clone, Default)]
struct Minutes(Arc<AtomicU32>);

impl Minutes {
    fn set(&self, minutes: u32) {
        self.0.store(minutes, Relaxed);
    }

    fn clock(&self) -> Clock {
        let minutes = Arc::clone(&self.0);
        Arc::new(move || {
            SystemTime::from(NOW.parse::<Timestamp>().unwrap())
                + Duration::from_secs(60 * u64::from(minutes.load(Relaxed)))
        })
    }
}

fn read(vars: &[(&str, &str)], clock: Clock) -> Result<ProcessCredentials, InvalidSource> {
    let var =
        |name: &str| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    ProcessCredentials::read_with_clock(var, clock)
}

async fn key(credentials: &ProcessCredentials) -> String {
    let provided = credentials.provide_credentials().await.unwrap();
    assert_eq!((provided.secret_access_key(), provided.session_token()), ("the secret", Some("the session")));
    provided.access_key_id().to_owned()
}

/// The error with its cause, which has to hold no secret.
async fn error(credentials: &ProcessCredentials) -> String {
    let error = credentials.provide_credentials().await.unwrap_err();
    let text = std::error::Error::source(&error).unwrap().to_string();
    for secret in ["the secret", PROOF, SESSION, "hush"] {
        assert!(!format!("{text} {error:?}").contains(secret), "{text}");
    }
    text
}

fn full(url: &str) -> (&'static str, String) {
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{url}/v2/credentials/x"))
}

#[tokio::test]
async fn variables_come_first_and_nobody_is_asked() {
    let (agents, url) = agents().await;
    let (name, url) = full(&url);
    let vars = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "the secret"),
        ("AWS_SESSION_TOKEN", "the session"),
        (name, &url),
    ];
    let credentials = read(&vars, Minutes::default().clock()).unwrap();
    assert_eq!(key(&credentials).await, "AKIDEXAMPLE");
    assert_eq!(agents.n.load(Relaxed), 0);
    assert!(!format!("{credentials:?}").contains("the secret"));
}

#[tokio::test]
async fn credentials_are_kept_until_shortly_before_their_end() {
    let (agents, url) = agents().await;
    let (name, url) = full(&url);
    let minutes = Minutes::default();
    let vars = [(name, &*url), ("AWS_CONTAINER_AUTHORIZATION_TOKEN", PROOF)];
    let credentials = read(&vars, minutes.clock()).unwrap();
    let both = tokio::join!(key(&credentials), key(&credentials));
    assert_eq!(both, ("AKID0".to_owned(), "AKID0".to_owned()));
    minutes.set(54);
    assert_eq!(key(&credentials).await, "AKID0");
    minutes.set(55);
    assert_eq!(key(&credentials).await, "AKID1", "the old ones have five minutes left");

    // The agent fails: what is at hand serves to its end, and what is over does not.
    agents.is_broken.store(true, Relaxed);
    minutes.set(119);
    assert_eq!(key(&credentials).await, "AKID1");
    minutes.set(120);
    let text = error(&credentials).await;
    assert!(
        text.starts_with("the container's credentials agent answers 500 Internal Server Error"),
        "{text}"
    );
    agents.is_broken.store(false, Relaxed);
    assert_eq!(key(&credentials).await, "AKID2");
}

#[tokio::test]
async fn the_token_of_a_file_is_read_each_time() {
    let (_, url) = agents().await;
    let (name, url) = full(&url);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    let vars = [(name, &*url), ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.to_str().unwrap())];
    let credentials = read(&vars, Minutes::default().clock()).unwrap();
    assert!(error(&credentials).await.starts_with("could not read the token in "));
    std::fs::write(&file, "wrong").unwrap();
    let text = error(&credentials).await;
    assert!(text.contains("answers 401 Unauthorized") && text.ends_with("does the task have a task role?"));
    std::fs::write(&file, format!("{PROOF}\n")).unwrap();
    assert_eq!(key(&credentials).await, "AKID0");
}

#[tokio::test]
async fn an_instance_is_asked_within_a_session() {
    let (agents, url) = agents().await;
    let vars = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*url)];
    let credentials = read(&vars, Minutes::default().clock()).unwrap();
    assert_eq!(key(&credentials).await, "AKID0");
    assert_eq!(key(&credentials).await, "AKID0");

    agents.has_no_role.store(true, Relaxed);
    let credentials = read(&vars, Minutes::default().clock()).unwrap();
    assert_eq!(
        error(&credentials).await,
        "the instance's metadata service has no role: give the instance a profile with one"
    );
}

#[tokio::test]
async fn agents_that_are_away_or_talk_nonsense_are_named() {
    let (_, url) = agents().await;
    let nonsense = format!("{url}/v2/nonsense");
    let clock = || Minutes::default().clock();
    let odd = read(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &nonsense)], clock()).unwrap();
    assert!(error(&odd).await.ends_with("AccessKeyId, SecretAccessKey, Token or Expiration is missing"));

    // Accepts by the system's queue, and never answers.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", mute.local_addr().unwrap());
    let vars = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*url)];
    let text = error(&read(&vars, clock()).unwrap()).await;
    assert!(
        text.contains(&format!("does not answer at {url}/latest/api/token: no answer within 2 s")),
        "{text}"
    );
    assert!(text.contains("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"), "{text}");
    drop(mute);
    let text = error(&read(&vars, clock()).unwrap()).await;
    assert!(text.contains("refused"), "{text}");

    let forbidden = read(&[("AWS_EC2_METADATA_DISABLED", "True")], clock()).unwrap();
    assert!(error(&forbidden).await.contains("AWS_EC2_METADATA_DISABLED forbids to ask the instance"));
}

#[tokio::test]
async fn only_agents_nearby_are_told_a_token() {
    let check = |name: &'static str, value: &str, message: &str| {
        let error = read(&[(name, value)], Minutes::default().clock()).map(drop).map_err(|it| it.to_string());
        assert_eq!(error.err().unwrap_or_default(), message, "{name}={value}");
    };
    for near in
        ["http://127.0.0.1:80/x", "http://[::1]/x", "http://localhost/x", "http://169.254.170.23/v1/c"]
    {
        check("AWS_CONTAINER_CREDENTIALS_FULL_URI", near, "");
    }
    check("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/x", "");
    let expected = "expected http:// and this machine, 169.254.170.2 or 169.254.170.23";
    for far in ["http://example.com/x", "https://127.0.0.1/x", "http://127.0.0.1.example.com/x"] {
        let message = format!("AWS_CONTAINER_CREDENTIALS_FULL_URI is \"{far}\", {expected}");
        check("AWS_CONTAINER_CREDENTIALS_FULL_URI", far, &message);
    }
    check(
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "@example.com/x",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is \"@example.com/x\", expected a path that starts with a slash",
    );
    check(
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        "ftp://x",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT is \"ftp://x\", expected http:// and a host",
    );
}

//! Tokens instead of passwords, and the server's certificate: a real server with TLS that wants what RDS wants.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use api::animals::App;
use api::animals::answer::Answer;
use api::animals::settings::{CA_BUNDLE, Settings};
use http::Method;
use local_stack::testing::TestServer as _;
use pg_wire_client::{CredentialSource, IamTokens, ProcessCredentials, TokenSource as _};
use tokio::time::Instant;

use super::database;
use crate::execute::tls::Tls;

/// The login that has to send its password as it is, as RDS asks for tokens.
const USER: &str = "with_password";

fn aws(name: &str) -> Option<String> {
    let value = match name {
        "AWS_ACCESS_KEY_ID" => "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY" => "secret",
        "AWS_REGION" => "eu-west-1",
        _ => return None,
    };
    Some(value.to_owned())
}

/// What the function is told about `server`, at `host`.
fn settings(tls: &Tls, host: &str, root: Option<&str>, beside: Option<&std::path::Path>) -> Settings {
    let port = tls.server.port().to_string();
    let root = root.map(|it| tls.path(it).display().to_string());
    let var = |name: &str| match name {
        "DB_HOST" => Some(host.to_owned()),
        "DB_PORT" => Some(port.clone()),
        "DB_NAME" => Some("postgres".to_owned()),
        "DB_USERNAME" => Some(USER.to_owned()),
        "DB_SSLROOTCERT" => root.clone(),
        other => aws(other),
    };
    Settings::read(var, beside).unwrap()
}

async fn list(app: &App, time: Duration) -> Answer {
    app.answer(&Method::GET, "/animals", "", b"", Instant::now() + time).await
}

async fn admin(tls: &Tls) -> tokio_postgres::Client {
    let mut config = tokio_postgres::Config::new();
    config
        .host_path(tls.server.socket_dir().unwrap())
        .port(tls.server.port())
        .user("postgres")
        .dbname("postgres");
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(database::TABLE).await.unwrap();
    client.batch_execute(&format!("GRANT SELECT ON animals TO {USER}")).await.unwrap();
    client
}

const TIME: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_secs(1);

#[tokio::test]
async fn each_new_connection_presents_a_token_of_its_own_time() {
    let tls = Tls::start().await;
    let admin = admin(&tls).await;
    let now = Arc::new(Mutex::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045)));
    let clock = Arc::clone(&now);
    let tokens = IamTokens::new("eu-west-1", ProcessCredentials::read(aws).unwrap())
        .with_clock(move || *clock.lock().unwrap());
    // The server takes the token of one moment only, as one whose tokens have expired since.
    let accept_token_of_now = async || {
        let token = tokens.token("localhost", tls.server.port(), USER).await.unwrap();
        admin.batch_execute(&format!("ALTER ROLE {USER} PASSWORD '{}'", token.expose())).await.unwrap();
    };
    let settings = settings(&tls, "localhost", Some("root.crt"), None)
        .with_credentials(CredentialSource::Token(Arc::new(tokens.clone())));
    let app = App::new(&settings);

    accept_token_of_now().await;
    assert_eq!(list(&app, TIME).await.status, 200);

    *now.lock().unwrap() += Duration::from_secs(20 * 60);
    accept_token_of_now().await;
    assert_eq!(list(&app, TIME).await.status, 200, "a connection outlives its token");
    let ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = $1";
    assert_eq!(admin.query(ended, &[&USER]).await.unwrap().len(), 1);
    assert_eq!(list(&app, TIME).await.status, 200, "a new connection has a new token");

    // A clock that is wrong by 20 minutes makes tokens that are refused, and nothing of it shows.
    *now.lock().unwrap() += Duration::from_secs(20 * 60);
    accept_token_of_now().await;
    *now.lock().unwrap() -= Duration::from_secs(20 * 60);
    assert_eq!(admin.query(ended, &[&USER]).await.unwrap().len(), 1);
    let refused = list(&app, SHORT).await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.body, r#"{"message":"The database is not available. Try again shortly."}"#);
}

#[tokio::test]
async fn only_a_server_that_proves_its_name_gets_a_token() {
    let tls = Tls::start().await;
    let admin = admin(&tls).await;
    let password = async |settings: &Settings| {
        // Whatever token is presented, the server would take it.
        admin.batch_execute(&format!("ALTER ROLE {USER} PASSWORD 'any'")).await.unwrap();
        App::new(&settings.clone().with_credentials(CredentialSource::Token(Arc::new(Any))))
    };
    let right = password(&settings(&tls, "localhost", Some("root.crt"), None)).await;
    assert_eq!(list(&right, TIME).await.status, 200);

    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(tls.path("root.crt"), dir.path().join(CA_BUNDLE)).unwrap();
    let bundled = password(&settings(&tls, "localhost", None, Some(dir.path()))).await;
    assert_eq!(list(&bundled, TIME).await.status, 200, "the bundle beside the program is trusted");

    for (host, root, why) in [
        ("localhost", Some("wrong.crt"), "signed by somebody else"),
        ("localhost", None, "public authorities did not sign it"),
        ("127.0.0.1", Some("root.crt"), "for another name"),
    ] {
        let wrong = password(&settings(&tls, host, root, None)).await;
        assert_eq!(list(&wrong, SHORT).await.status, 503, "{why}");
    }
}

/// Presents what the server accepts.
struct Any;

impl pg_wire_client::TokenSource for Any {
    fn token<'a>(&'a self, _: &'a str, _: u16, _: &'a str) -> pg_wire_client::TokenFuture<'a> {
        Box::pin(async { Ok(pg_wire_client::conninfo::Secret::new("any")) })
    }
}

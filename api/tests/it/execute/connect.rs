//! Reaching a server: authentication methods, hosts, session attributes, messages.

use api::config::AppConfig;
use api::error::DbError;
use api::execute::{Connector, Pool, connect_cold};
use local_stack::testing::{NativeServer, TestServer};
use pg_wire_client::conninfo::Secret;
use pg_wire_client::{CredentialSource, TokenFuture, TokenSource};

use super::fixture::{Request, db_error};
use crate::support;

const WHO: &str = "(SELECT current_user || ' ' || coalesce(client_addr::text, 'socket') FROM pg_stat_activity WHERE pid = pg_backend_pid())";

/// A server that asks each role for its own kind of proof.
async fn server() -> NativeServer {
    // Read at the start alone, so it may go with this function.
    let dir = tempfile::Builder::new().prefix("pgapp-hba-").tempdir().unwrap();
    let hba = dir.path().join("pg_hba.conf");
    let rules = "local all all trust\n\
        host all postgres 127.0.0.1/32 scram-sha-256\n\
        host all with_trust 127.0.0.1/32 trust\n\
        host all with_md5 127.0.0.1/32 md5\n\
        host all with_scram 127.0.0.1/32 scram-sha-256\n\
        host all with_cleartext 127.0.0.1/32 password\n";
    std::fs::write(&hba, rules).unwrap();
    open_to_all(dir.path(), &hba);
    let server = NativeServer::builder().setting("hba_file", hba.to_str().unwrap()).start().await.unwrap();
    let conf = support::config(&socket_url(&server, "postgres", "postgres"));
    let (client, _) = connect_cold(&conf).await.unwrap();
    client
        .batch_execute(
            "CREATE ROLE with_trust LOGIN;
             CREATE ROLE with_scram LOGIN PASSWORD 'sécret \"x\"';
             CREATE ROLE with_cleartext LOGIN PASSWORD 'pw';
             SET password_encryption = 'md5';
             CREATE ROLE with_md5 LOGIN PASSWORD 'pw'",
        )
        .await
        .unwrap();
    server
}

fn open_to_all(dir: &std::path::Path, file: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).unwrap();
}

fn socket_url(server: &NativeServer, user: &str, dbname: &str) -> String {
    let dir = server.socket_dir().unwrap().display();
    format!("host={dir} port={} user={user} dbname={dbname}", server.port())
}

fn tcp(server: &NativeServer, rest: &str) -> String {
    format!("host=127.0.0.1 port={} dbname=postgres {rest}", server.port())
}

/// Both ways to speak the protocol have to agree on who gets in.
async fn attempt(uri: &str) -> Result<String, String> {
    let mut conf = support::config(uri);
    conf.db_pool = 1;
    let cold = connect_cold(&conf).await;
    let pool = Pool::new(&conf).map_err(message)?;
    match (Request::read(WHO).role("none", "").result(&pool, &conf).await, cold) {
        (Ok(set), Ok((client, _))) => {
            let row = client.query_one("SELECT current_user::text", &[]).await.unwrap();
            let body = String::from_utf8(set.body.to_vec()).unwrap();
            assert!(body.starts_with(row.get::<_, &str>(0)), "{body}");
            Ok(body)
        }
        (hot @ Err(_), Err(cold)) => {
            let (hot, cold) = (message(db_error(hot)), message(cold));
            if !hot.contains("no password supplied") && !hot.contains("channel binding") {
                assert_eq!(hot, cold);
            }
            Err(hot)
        }
        (hot, cold) => panic!("{uri}: request path {hot:?}, cold path {:?}", cold.map(drop)),
    }
}

fn message(error: DbError) -> String {
    match error {
        DbError::Connection { was_established: false, message } => message,
        other => panic!("unexpected {other:?}"),
    }
}

#[tokio::test]
async fn every_password_method_logs_in() {
    let server = server().await;
    let expect = async |rest: &str, expected: &str| {
        assert_eq!(attempt(&tcp(&server, rest)).await.as_deref(), Ok(expected), "{rest}");
    };
    expect("user=with_trust", "with_trust 127.0.0.1/32").await;
    expect("user=with_md5 password=pw", "with_md5 127.0.0.1/32").await;
    expect("user=with_cleartext password=pw", "with_cleartext 127.0.0.1/32").await;
    expect(r#"user=with_scram password='sécret "x"'"#, "with_scram 127.0.0.1/32").await;
    let socket = attempt(&socket_url(&server, "with_scram", "postgres")).await;
    assert_eq!(socket.as_deref(), Ok("with_scram socket"));
    let dir = server.socket_dir().unwrap().to_str().unwrap().replace('/', "%2F");
    let uri = format!("postgresql://with_md5@{dir}:{}/postgres", server.port());
    assert_eq!(attempt(&uri).await.as_deref(), Ok("with_md5 socket"));
}

#[tokio::test]
async fn failures_are_told_in_libpqs_words() {
    let server = server().await;
    let port = server.port();
    let refused = async |rest: &str| attempt(&tcp(&server, rest)).await.unwrap_err();
    let place = format!("connection to server at \"127.0.0.1\", port {port} failed: ");
    for user in ["with_md5", "with_scram", "with_cleartext"] {
        let message = refused(&format!("user={user} password=wrong")).await;
        assert_eq!(message, format!("{place}FATAL:  password authentication failed for user \"{user}\"\n"));
        let message = refused(&format!("user={user}")).await;
        assert_eq!(message, format!("{place}fe_sendauth: no password supplied\n"));
    }
    let message = refused("user=with_trust dbname=nowhere").await;
    assert_eq!(message, format!("{place}FATAL:  database \"nowhere\" does not exist\n"));
    let message = refused("user=with_scram password=x sslmode=require").await;
    assert_eq!(message, format!("{place}server does not support SSL, but SSL was required\n"));
    let message = refused("user=with_scram password=x channel_binding=require").await;
    assert_eq!(
        message,
        format!(
            "{place}channel binding is required, but server did not offer an authentication method that supports channel binding\n"
        )
    );
    let message = refused("user=with_trust channel_binding=require").await;
    assert!(message.contains("without channel binding"), "{message}");
    let message = attempt("host=/nowhere/at/all user=x").await.unwrap_err();
    assert_eq!(
        message,
        "connection to server on socket \"/nowhere/at/all/.s.PGSQL.5432\" failed: No such file or directory\n\tIs the server running locally and accepting connections on that socket?\n"
    );
    let message = attempt("host=no-such-host.invalid user=x").await.unwrap_err();
    assert!(
        message.starts_with("could not translate host name \"no-such-host.invalid\" to address: "),
        "{message}"
    );
    let message = attempt("nonsense=1").await.unwrap_err();
    assert_eq!(message, "invalid connection option \"nonsense\"\n");
}

#[tokio::test]
async fn hosts_are_tried_in_order_until_one_fits() {
    let server = server().await;
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = server.port();
    let hosts = format!("host=127.0.0.1,localhost port={dead},{port} user=with_trust dbname=postgres");
    assert!(attempt(&hosts).await.unwrap().starts_with("with_trust"));
    let balanced = format!("{hosts} load_balance_hosts=random connect_timeout=5");
    assert!(attempt(&balanced).await.unwrap().starts_with("with_trust"));
    let message = attempt(&tcp(&server, "user=with_trust target_session_attrs=standby")).await.unwrap_err();
    assert_eq!(
        message,
        format!(
            "connection to server at \"127.0.0.1\", port {port} failed: server is not in hot standby mode\n"
        )
    );
    for (attrs, fits) in [
        ("any", true),
        ("read-write", true),
        ("primary", true),
        ("prefer-standby", true),
        ("read-only", false),
        ("standby", false),
    ] {
        let outcome = attempt(&tcp(&server, &format!("user=with_trust target_session_attrs={attrs}"))).await;
        assert_eq!(outcome.is_ok(), fits, "{attrs}: {outcome:?}");
    }
    let read_only = "user=with_trust options='-c default_transaction_read_only=on' target_session_attrs=";
    assert!(attempt(&tcp(&server, &format!("{read_only}read-only"))).await.is_ok());
    let message = attempt(&tcp(&server, &format!("{read_only}read-write"))).await.unwrap_err();
    assert!(message.ends_with("session is read-only\n"), "{message}");
}

#[tokio::test]
async fn server_that_never_answers_is_given_up() {
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = deaf.local_addr().unwrap().port();
    let uri = format!("host=127.0.0.1 port={port} user=x connect_timeout=1 sslmode=disable");
    let message = attempt(&uri).await.unwrap_err();
    assert_eq!(
        message,
        format!("connection to server at \"127.0.0.1\", port {port} failed: timeout expired\n")
    );
}

#[tokio::test]
async fn session_carries_names_and_options() {
    let server = server().await;
    let mut conf = support::config(&tcp(&server, "user=with_trust"));
    let pool = Pool::new(&conf).unwrap();
    let name = Request::read("current_setting('application_name')").role("none", "").body(&pool, &conf).await;
    assert!(name.starts_with("PostgREST "), "{name}");
    conf.db_uri =
        tcp(&server, r"user=with_trust application_name='my app' options='-c work_mem=7MB -c a.b=x\\ y'");
    let pool = Pool::new(&conf).unwrap();
    let expression = "concat_ws('|', current_setting('application_name'), current_setting('work_mem'), current_setting('a.b'))";
    let body = Request::read(expression).role("none", "").body(&pool, &conf).await;
    assert_eq!(body, "my app|7MB|x y");
}

#[tokio::test]
async fn passfile_is_named_when_its_password_is_wrong() {
    use std::os::unix::fs::PermissionsExt;
    let server = server().await;
    let dir = tempfile::tempdir().unwrap();
    let passfile = dir.path().join("pass");
    let with = |line: &str, mode| {
        std::fs::write(&passfile, line).unwrap();
        std::fs::set_permissions(&passfile, std::fs::Permissions::from_mode(mode)).unwrap();
        tcp(&server, &format!("user=with_md5 passfile={}", passfile.display()))
    };
    assert!(attempt(&with("*:*:*:with_md5:pw", 0o600)).await.is_ok());
    let message = attempt(&with("*:*:*:with_md5:no", 0o600)).await.unwrap_err();
    assert!(
        message.ends_with(&format!("password retrieved from file \"{}\"\n", passfile.display())),
        "{message}"
    );
    let message = attempt(&with("*:*:*:with_md5:pw", 0o644)).await.unwrap_err();
    assert!(message.contains("permissions should be u=rw (0600) or less"), "{message}");
}

/// Counts itself into the tokens that it makes.
struct Tokens(std::sync::atomic::AtomicU32);

impl TokenSource for Tokens {
    fn token<'a>(&'a self, host: &'a str, port: u16, user: &'a str) -> TokenFuture<'a> {
        let n = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Box::pin(async move { Ok(Secret::new(format!("{host}:{port}:{user}:{n}"))) })
    }
}

#[tokio::test]
async fn token_is_never_sent_without_encryption() {
    let server = server().await;
    let source = || CredentialSource::Token(std::sync::Arc::new(Tokens(0.into())));
    for mode in ["disable", "prefer", "require"] {
        let conf: AppConfig = support::config(&tcp(&server, &format!("user=with_cleartext sslmode={mode}")));
        let connector = Connector::with_credentials(&conf, source()).unwrap();
        let error = message(connector.connect_cold().await.map(drop).unwrap_err());
        assert!(
            error.contains("only sent over an encrypted") || error.contains("SSL was required"),
            "{error}"
        );
    }
    assert!(!server.log().contains("password authentication failed"), "a password reached the server");
}

#[tokio::test]
async fn notifications_reach_the_channel_until_the_connection_ends() {
    let server = server().await;
    let conf = support::config(&socket_url(&server, "postgres", "postgres"));
    let (client, mut notifications) = connect_cold(&conf).await.unwrap();
    client.batch_execute("LISTEN pgrst").await.unwrap();
    let (other, _) = connect_cold(&conf).await.unwrap();
    other.batch_execute("NOTIFY pgrst, 'reload schema'").await.unwrap();
    let notification = notifications.recv().await.unwrap();
    assert_eq!((&*notification.channel, &*notification.payload), ("pgrst", "reload schema"));
    other
        .execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'", &[])
        .await
        .unwrap();
    assert_eq!(notifications.recv().await, None);
}

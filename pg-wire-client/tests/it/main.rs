//! The client over a real server.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::net::TcpListener;
use std::time::Duration;

use local_stack::testing::{TestCluster, TestDb};
use pg_wire_client::wire::State;
use pg_wire_client::{Connector, CredentialSource, Driven, Error, Source, Wire};

fn connector(uri: &str) -> Connector {
    let source = Source {
        uri: uri.to_owned(),
        file: None,
        application_name: "pg-wire-client tests".to_owned(),
        connect_timeout: Some(Duration::from_secs(30)),
        hang_timeout: None,
    };
    Connector::new(source, CredentialSource::Password).unwrap()
}

async fn database() -> TestDb {
    TestCluster::shared().await.unwrap().create_db(None).await.unwrap()
}

#[tokio::test]
async fn a_failed_statement_is_told_and_leaves_the_connection_usable() {
    let db = database().await;
    let mut wire: Wire = connector(db.url()).open().await.unwrap();
    let Err(Error::Server(error)) = wire.simple("SELECT 1 / 0").await else { panic!("it divides by zero") };
    assert_eq!((&*error.code, error.is_fatal), ("22012", false));
    assert_eq!(wire.state(), State::Idle);
    let name = wire.simple("SHOW application_name").await.unwrap();
    assert_eq!(name.as_deref(), Some(&b"pg-wire-client tests"[..]));
}

#[tokio::test]
async fn a_running_statement_is_cancelled_from_outside() {
    const RUNNING: &str = "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'";
    let db = database().await;
    let connector = connector(db.url());
    let mut wire: Wire = connector.open().await.unwrap();
    let key = wire.cancel_key().clone();
    let watcher: Driven = connector.open().await.unwrap();
    let cancels = async {
        while watcher.client.query(RUNNING, &[]).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        key.cancel().await.unwrap();
    };
    let (outcome, ()) = tokio::join!(wire.simple("SELECT pg_sleep(600)"), cancels);
    let Err(Error::Server(error)) = outcome else { panic!("it was not cancelled: {outcome:?}") };
    assert_eq!(error.code, "57014");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named_without_the_password() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let uri = format!("postgresql://app:s3cret-word@127.0.0.1:{port}/shop?sslmode=disable");
    let outcome: Result<Wire, Error> = connector(&uri).open().await;
    let Err(error) = outcome else { panic!("no server listens there") };
    assert!(matches!(error, Error::Connection { was_established: false, .. }), "{error:?}");
    let text = error.to_string();
    let place = format!("connection to server at \"127.0.0.1\", port {port} failed");
    assert!(text.contains(&place) && !text.contains("s3cret-word"), "{text}");
}

//! The built server as a user sees it: command line, sockets, signals, log, admin server, failures.

mod admin;
mod auth;
mod base_path;
mod beyond;
mod bounds;
mod cli;
mod connections;
mod disconnects;
mod failures;
mod freshness;
mod function;
mod http;
mod http2;
mod hung;
mod iam;
mod in_database;
mod log;
mod origins;
mod process;
mod rds;
mod reload;
mod shutdown;
mod sockets;

use local_stack::testing::{TestCluster, TestDb};
use tokio_postgres::Client;

use crate::support::fixture_db;
use process::Server;

/// What these tests need beyond the test application.
const EXTRA: &str = "
    create function api.sleep(seconds float) returns void language sql as 'select pg_sleep(seconds)';
    create function api.setting(name text) returns text language sql as 'select current_setting(name, true)';
    create function api.whoami() returns text language sql as 'select current_user::text';
    grant execute on all functions in schema api to web_anon, app_user, app_admin;
";

/// The test application with [`EXTRA`].
async fn database() -> TestDb {
    let db = fixture_db().await;
    db.connect().await.unwrap().batch_execute(EXTRA).await.unwrap();
    db
}

/// The same in a separate cluster, for tests that stop it.
async fn database_of_its_own() -> (TestCluster, String) {
    let cluster = TestCluster::start().await.unwrap();
    let client = cluster.connect("postgres").await.unwrap();
    for script in [
        include_str!("fixtures/roles.sql"),
        include_str!("fixtures/schema.sql"),
        include_str!("fixtures/data.sql"),
        EXTRA,
    ] {
        client.batch_execute(script).await.unwrap();
    }
    let uri = authenticator(&cluster.config("postgres"));
    (cluster, uri)
}

/// The connection string of the role that servers connect as.
fn authenticator(config: &tokio_postgres::Config) -> String {
    let tokio_postgres::config::Host::Tcp(host) = &config.get_hosts()[0] else {
        panic!("the test cluster listens on TCP");
    };
    format!(
        "postgresql://authenticator:authenticator@{host}:{}/{}",
        config.get_ports()[0],
        config.get_dbname().unwrap()
    )
}

/// A server over a database, on free ports, that has started.
async fn server_over(db: &TestDb) -> Server {
    Server::over(&authenticator(db.config())).start().await
}

async fn execute(client: &Client, sql: &str) {
    client.batch_execute(sql).await.unwrap();
}

//! Both deployments, from nothing to nothing, as a user types them: deploy, tunnel, bootstrap, verify, remove.
//!
//! ```text
//! deploy, ops, verify, xtask ──▶ CloudFormation, secrets, task definitions: the emulator; Terraform: the real one
//!                           ├──▶ Session Manager and its agent: the tests' own ──▶ real databases, with TLS
//!                           └──▶ load balancer, API Gateway: the tests' own, with TLS ──▶ pgapp-api, pgapp-lambda
//! ```
//!
//! What the deployments' own network does, names and addresses, is the tests'; nothing that a command checks is switched
//! off for them.

mod authority;
mod checkout;
mod ecs;
mod front;
mod gateway;
mod hybrid;
mod lambda;
mod serverless;
mod terminal;

use std::net::SocketAddr;

use local_stack::testing::{NativeServer, TestServer as _};
use tokio_postgres::{Client, Config, NoTls};

/// An application with a part for each deployment.
fn shop() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/shop").to_owned()
}

/// A server's administrator, whom no deployment knows of.
async fn superuser(server: &NativeServer, dbname: &str) -> Client {
    let mut config = Config::new();
    config.host(server.host()).port(server.port()).dbname(dbname);
    config.user(server.superuser()).password(server.password());
    let (client, connection) = config.connect(NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

/// Tries to log in.
async fn login(server: &NativeServer, user: &str, password: &str) -> Result<Client, tokio_postgres::Error> {
    let mut config = Config::new();
    config.host("127.0.0.1").port(server.port()).dbname("postgres").user(user).password(password);
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// A server reads its rules some time after it was told to.
async fn wait_until(mut holds: impl AsyncFnMut() -> bool) {
    let begin = std::time::Instant::now();
    while !holds().await {
        assert!(begin.elapsed().as_secs() < 60, "the server does not read its rules");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// A server that trusts who comes from its own machine, as the image of the custom database does; and what it did before.
struct Loopback {
    rules: String,
    path: String,
}

impl Loopback {
    async fn trusted(admin: &Client, server: &NativeServer, user: &str) -> Self {
        let read = "SELECT pg_read_file(current_setting('hba_file')), current_setting('hba_file')";
        let row = admin.query_one(read, &[]).await.expect("the server's rules");
        let before = Self { rules: row.get(0), path: row.get(1) };
        before.write(admin, "host all all 127.0.0.1/32 trust\n").await;
        wait_until(async || login(server, user, "any").await.is_ok()).await;
        before
    }

    async fn restore(self, admin: &Client, server: &NativeServer, user: &str) {
        self.write(admin, &self.rules).await;
        wait_until(async || login(server, user, "any").await.is_err()).await;
    }

    async fn write(&self, admin: &Client, rules: &str) {
        // Two statements: the second sees what the first has made.
        let make = "SELECT lo_from_bytea(0, convert_to($1::text, 'UTF8'))";
        let object: u32 = admin.query_one(make, &[&rules]).await.expect("a large object").get(0);
        let write = "SELECT lo_export($1::oid, $2::text), pg_reload_conf()";
        admin.query_one(write, &[&object, &self.path]).await.expect("new rules");
    }
}

/// Runs statements, one by one.
async fn run(client: &Client, statements: &[String]) {
    for statement in statements {
        client.batch_execute(statement).await.unwrap_or_else(|err| panic!("{statement}: {err}"));
    }
}

/// How many roles of the deployment's kind a server has, asked through a tunnel.
async fn count_roles(server: &NativeServer, through: SocketAddr, password: &str) -> i64 {
    let mut config = Config::new();
    config.host(through.ip().to_string()).port(through.port()).dbname("postgres");
    config.user(server.superuser()).password(password);
    let (client, connection) = config.connect(NoTls).await.expect("a connection through the tunnel");
    tokio::spawn(connection);
    let roles = "SELECT count(*) FROM pg_roles WHERE rolname IN ('rds_iam', 'lambda_iam', 'authenticator', 'web_anon')";
    client.query_one(roles, &[]).await.expect("an answer").get(0)
}

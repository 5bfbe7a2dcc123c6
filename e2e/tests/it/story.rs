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

/// A server's administrator, whom no deployment knows of.
async fn superuser(server: &NativeServer, dbname: &str) -> Client {
    let mut config = Config::new();
    config.host(server.host()).port(server.port()).dbname(dbname);
    config.user(server.superuser()).password(server.password());
    let (client, connection) = config.connect(NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
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

//! The real things: a whole local stack, the animals app, and a database that lets everybody in.

use std::{os::unix::fs::PermissionsExt, process::Stdio, sync::Arc, time::Duration};

use aws_fakes::programs;
use local_stack::{
    ApiLauncher, Backend, Database, Stack, StackConfig, Volumes, ports,
    testing::{NativeServer, TestServer},
};
use tokio::io::{AsyncBufReadExt, BufReader};
use verify::{
    Subject, Target,
    subject::{LocalDatabase, local},
    token,
};

use super::closed::{assert_says, one};
use super::{lines as lines_of, skipped, subject, verify};

/// Checks that a test of this module breaks.
pub(crate) const BROKEN: [&str; 1] = ["database-password"];

#[tokio::test]
async fn a_local_stack_passes_and_stays_as_it_was() {
    let root = tempfile::tempdir().unwrap();
    // As root, the databases' user has to get in.
    std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let config = StackConfig {
        backend: Backend::Native,
        api_port: ports::free().unwrap(),
        admin_port: Some(ports::free().unwrap()),
        origin_port: ports::free().unwrap(),
        custom_port: ports::free().unwrap(),
        ..StackConfig::default()
    };
    let stack = Stack::new(root.path(), config.name.clone(), Arc::new(|_| {}));
    stack.up(&config, &ApiLauncher::Program(programs::api())).await.unwrap();

    let subject = local::find(root.path(), config.name.as_str(), None).await.unwrap();
    let report = verify(&subject).await;
    // A role of the user's own has no right to what verify makes, unless verify gives it.
    let client = stack.connection(Database::Custom).unwrap().connect().await.unwrap();
    client.batch_execute("CREATE ROLE app_user; GRANT app_user TO authenticator").await.unwrap();
    let claims = serde_json::json!({"role": "app_user", "exp": token::now() + 300});
    let token = token::sign(subject.jwt_secret.as_deref().unwrap(), &claims).unwrap();
    let as_user = verify(&Subject { token: Some(token), ..subject }).await;
    assert!(as_user.is_good(), "{}", lines_of(&as_user));
    let client = stack.connection(Database::Custom).unwrap().connect().await.unwrap();
    let tables = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'pgapp_verify%'";
    let n_left: i64 = client.query_one(tables, &[]).await.unwrap().get(0);
    stack.down(Volumes::Remove).await.unwrap();

    assert!(report.is_good(), "{}", lines_of(&report));
    assert_eq!(n_left, 0);
    // A machine without a network has no address from outside.
    assert!(skipped(&report).iter().all(|it| it.ends_with("-closed")), "{}", lines_of(&report));

    let down = local::find(root.path(), config.name.as_str(), None).await.err().unwrap();
    assert!(format!("{down:#}").contains("cargo xtask up"), "{down:#}");
}

#[tokio::test]
async fn the_animals_app_passes_and_keeps_no_animal() {
    let server = NativeServer::builder().start().await.unwrap();
    let table = include_str!("../../../bootstrap-sql/sql/aurora/0001_animals.sql");
    let client = connect(server.port()).await;
    client.batch_execute(table).await.unwrap();
    let mut app = tokio::process::Command::new(programs::api())
        .args(["--animals", "--animals-port", "0"])
        .env("DB_HOST", "127.0.0.1")
        .env("DB_PORT", server.port().to_string())
        .env("DB_NAME", "postgres")
        .env("DB_USERNAME", server.superuser())
        .env("DB_AUTH", "password")
        .env("DB_PASSWORD", server.password())
        .env("DB_SSLMODE", "disable")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(app.stdout.take().unwrap()).lines();
    let line =
        tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await.unwrap().unwrap().unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let url = format!("http://{}", line["fields"]["address"].as_str().unwrap());
    // Its log would fill the pipe.
    let log = tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });

    let report =
        verify(&Subject { patience: Duration::from_secs(10), ..subject(Target::Serverless, url) }).await;
    assert!(report.is_good(), "{}", lines_of(&report));
    let n_left: i64 = client.query_one("SELECT count(*) FROM animals", &[]).await.unwrap().get(0);
    assert_eq!(n_left, 0);
    app.kill().await.unwrap();
    log.await.unwrap();
}

async fn connect(port: u16) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::Config::new()
        .host("127.0.0.1")
        .port(port)
        .user("postgres")
        .password("postgres")
        .connect(tokio_postgres::NoTls)
        .await
        .unwrap();
    // The client's calls report a broken connection.
    tokio::spawn(async { drop(connection.await) });
    client
}

#[tokio::test]
async fn a_database_that_lets_everybody_in_is_found() {
    let server = NativeServer::builder().start().await.unwrap();
    let database = |port| LocalDatabase {
        service: "customdb",
        port,
        user: "postgres",
        password: "postgres",
        dbname: "postgres",
        is_served: false,
    };
    let with = |port| Subject {
        databases: vec![database(port)],
        ..subject(Target::Local, "http://127.0.0.1:1".to_owned())
    };
    assert_eq!(one(&with(server.port()), "database-password").await, verify::Outcome::Passed);

    // The same server, told to trust.
    let client = connect(server.port()).await;
    let hba: String = client.query_one("SHOW hba_file", &[]).await.unwrap().get(0);
    std::fs::write(hba, "host all all 127.0.0.1/32 trust\n").unwrap();
    client.execute("SELECT pg_reload_conf()", &[]).await.unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    let outcome = loop {
        let outcome = one(&with(server.port()), "database-password").await;
        if outcome != verify::Outcome::Passed || std::time::Instant::now() > deadline {
            break outcome;
        }
    };
    assert_says(&outcome, "lets postgres in with a wrong password");
}

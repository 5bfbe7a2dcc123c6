//! The day after, from nothing to nothing: the stacks are deployed, the origin is reached through a tunnel, set up, asked,
//! and everything goes again. CloudFormation and the secrets are the emulator's, Session Manager is the tests' own, the
//! database is a real one with the certificate and the password that the stacks say.

use std::process::Stdio;

use serde_json::Value;

use crate::{
    emulator::Emulator,
    ops::{Ran, World},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_is_reached_set_up_and_removed() {
    let Some(emulator) = tokio::task::spawn_blocking(|| Emulator::start(0.01)).await.unwrap() else { return };
    let emulator = std::sync::Arc::new(emulator);
    let deploy = |args: &'static [&'static str]| {
        let emulator = std::sync::Arc::clone(&emulator);
        async move { tokio::task::spawn_blocking(move || emulator.done(args)).await.unwrap() }
    };
    deploy(&["deploy", "--all", "--yes"]).await;
    let outputs: Value = serde_json::from_str(&deploy(&["outputs", "--json"]).await.stdout).unwrap();
    let host = outputs["rds"]["DatabaseHost"].as_str().unwrap();
    let group = outputs["compute"]["HostGroup"].as_str().unwrap();
    assert!(outputs["rds"]["PsqlConnection"].as_str().unwrap().contains(host), "{outputs}");

    // What RDS would have made of the stack: its name in the certificate, its user, its database.
    let world = World::for_host(host).await;
    let params = std::fs::read_to_string(emulator.params_dir().join("rds.json")).unwrap();
    let params: Value = serde_json::from_str(&params).unwrap();
    let password =
        params.as_array().unwrap().iter().find(|it| it["ParameterKey"] == "DatabasePassword").unwrap();
    let password = password["ParameterValue"].as_str().unwrap();
    let admin = world.connect("postgres").await;
    admin
        .batch_execute(&format!("CREATE ROLE someuser LOGIN CREATEDB CREATEROLE PASSWORD '{password}'"))
        .await
        .unwrap();
    admin.batch_execute("CREATE DATABASE somedb OWNER someuser").await.unwrap();
    world.aws.add_instance(group, "i-0123456789abcdef0", true);

    let ops = |args: &[&str]| {
        let mut command = world.command(args);
        command
            .env("AWS_ENDPOINT_URL", emulator.url())
            .env("AWS_ENDPOINT_URL_SSM", world.aws.url())
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", "us-east-1")
            .stdin(Stdio::null());
        world.run_command(command)
    };
    let hidden = |ran: &Ran| {
        assert!(!ran.out().contains(password) && !ran.err().contains(password), "a secret was printed");
    };
    let plan = ops(&["bootstrap", "--target", "rds", "--sample-table", "--dry-run"]).await.is(0);
    assert!(plan.out().contains("CREATE TABLE"), "{}", plan.out());
    hidden(&plan);
    let first = ops(&["bootstrap", "--target", "rds", "--sample-table"]).await.is(0);
    assert!(first.err().contains("set up:"), "{}", first.err());
    hidden(&first);
    let second = ops(&["bootstrap", "--target", "rds", "--sample-table"]).await.is(0);
    assert!(second.err().contains("everything was in place"), "{}", second.err());
    let asked =
        ops(&["psql", "rds", "--", "-XAtc", "select current_user, col1, col2 from todos"]).await.is(0);
    assert_eq!(asked.out(), "someuser|cat|dog");
    assert_eq!(world.n_calls("StartSession"), 4);
    assert_eq!(world.n_calls("TerminateSession"), 4);

    deploy(&["terminate", "--all", "--yes"]).await;
    let gone = ops(&["psql", "rds", "--", "-c", "select 1"]).await.is(1);
    assert!(gone.err().contains("does not exist; make it with `cargo xtask deploy"), "{}", gone.err());
}

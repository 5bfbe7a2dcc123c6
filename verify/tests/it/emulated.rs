//! The stacks of an emulator: their outputs and their secret lead the checks.

use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use serde_json::Value;

use super::rest::{Rows, answer};
use super::server::Server;
use aws_fakes::{Emulator, Run};

fn config(emulator: &Emulator) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(emulator.url())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "test", "test", None, None, "test",
        )))
        .build()
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_and_the_key_of_the_stacks_are_found() {
    let Some(emulator) = Emulator::start(0.0) else { return };
    let stacks = ["--stack", "s3", "--stack", "vpc", "--stack", "persist", "--yes"];
    emulator.done(&[&["deploy"], &stacks[..]].concat());
    let outputs: Value = serde_json::from_str(&emulator.done(&["outputs", "--json"]).stdout).unwrap();
    let arn = outputs["persist"]["JwtSecret"].as_str().unwrap();
    let secret = verify::aws::jwt_secret(&config(&emulator), arn).await.unwrap();
    assert!(secret.len() >= 32);

    // A server that knows this key and no other.
    let rows = Rows::default();
    let (shared, key) = (Arc::clone(&rows), secret.clone());
    let server = Server::start(move |call| answer(&shared, &key, call), None).await;
    let verify = |more: &[&str]| {
        let mut command = emulator.program(env!("CARGO_BIN_EXE_verify"));
        command.args(["verify", "--target", "hybrid"]).args(more);
        Run::of(&command.output().unwrap())
    };
    let run = verify(&["--url", &server.url(), "--table", "notes", "--role", "editor", "--json"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let outcome = |name: &str| {
        let check = report["checks"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap();
        (
            check["outcome"].as_str().unwrap().to_owned(),
            check["reason"].as_str().unwrap_or_default().to_owned(),
        )
    };
    for name in ["create", "delete", "expired-token", "superuser-token", "anonymous-write"] {
        assert_eq!(outcome(name).0, "passed", "{name}: {}", outcome(name).1);
    }
    assert!(outcome("bucket-listing").1.contains("emulator"), "{:?}", outcome("bucket-listing"));
    assert!(rows.lock().unwrap().is_empty());
    assert!(!run.stdout.contains(&secret) && !run.stderr.contains(&secret));

    let without = verify(&[]);
    assert_eq!(without.code, Some(1));
    assert!(without.stderr.contains("cargo xtask deploy --all"), "{}", without.stderr);
    emulator.done(&[&["terminate"], &stacks[..]].concat());
}

//! The built program: exit codes, output, and what a signal does.

use std::process::{Output, Stdio};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::process::Command;

use super::animals::{Animals, FAULTS, answer};
use super::server::{Reply, Server};

fn verify(url: &str, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_verify"));
    command.args(["verify", "--target", "serverless", "--url", url]).args(more);
    command.env("NO_COLOR", "1").env_remove("AWS_ENDPOINT_URL").env_remove("PGAPP_VERIFY_TOKEN");
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

fn text(output: &Output) -> (String, String) {
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[tokio::test]
async fn a_good_deployment_ends_with_zero_and_a_summary() {
    let animals = Animals::default();
    let server = Server::start(move |call| answer(&animals, call), None).await;
    let url = format!("{}/v1", server.url());
    let output = verify(&url, &["--patience", "1"]).output().await.unwrap();
    let (out, err) = text(&output);
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    let last = out.lines().last().unwrap();
    assert!(last.starts_with(&format!("serverless {url} in ")) && last.contains(" 0 failed, "), "{last}");
    assert!(out.lines().any(|it| it.starts_with("ok ") && it.contains("  create ")), "{out}");
    assert!(!out.contains('\u{1b}') && err.is_empty(), "{out}{err}");
}

#[tokio::test]
async fn a_broken_deployment_ends_with_one_and_says_what_is_broken() {
    let fault = FAULTS.iter().find(|it| it.check == "delete").unwrap();
    let animals = Animals::default();
    let server = Server::start(move |call| answer(&animals, call), Some(fault)).await;
    let output =
        verify(&format!("{}/v1", server.url()), &["--patience", "1", "--json"]).output().await.unwrap();
    let (out, err) = text(&output);
    assert_eq!(output.status.code(), Some(1), "{out}{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    let delete = report["checks"].as_array().unwrap().iter().find(|it| it["name"] == "delete").unwrap();
    assert_eq!(delete["outcome"], "failed");
    assert!(delete["reason"].as_str().unwrap().contains("expected 204, got 200"), "{delete}");
}

#[tokio::test]
async fn wrong_use_is_told_apart() {
    let output = verify("http://127.0.0.1:1", &["--target", "moon"]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(2));
    let output = verify("ftp://127.0.0.1", &[]).output().await.unwrap();
    let (out, err) = text(&output);
    assert_eq!((output.status.code(), out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains("has the scheme ftp"), "{err}");
}

#[tokio::test]
async fn a_signal_removes_what_was_made() {
    let animals = Animals::default();
    let served = animals.clone();
    let (saved, mut is_saved) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::start(
        move |call| {
            let reply = answer(&served, call);
            if reply.status == 201 {
                let _ = saved.send(());
            }
            // The list never has what was saved, so that the run is still waiting for it when the signal comes.
            if call.method == "GET" { Reply { body: r#"{"items":[]}"#.to_owned(), ..reply } } else { reply }
        },
        None,
    )
    .await;
    let child = verify(&format!("{}/v1", server.url()), &["--patience", "60"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    is_saved.recv().await.unwrap();
    kill(Pid::from_raw(child.id().unwrap().try_into().unwrap()), Signal::SIGTERM).unwrap();
    let output = child.wait_with_output().await.unwrap();
    let (out, err) = text(&output);
    assert_eq!(output.status.code(), Some(130), "{out}{err}");
    assert!(out.contains("interrupted") && err.contains("interrupted"), "{out}{err}");
    assert!(animals.lock().unwrap().is_empty());
}

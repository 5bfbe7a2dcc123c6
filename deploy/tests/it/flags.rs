//! The command line as it is typed: what a command cannot honour is a usage error, and nothing is touched for it.

use std::process::{Command, Output};

fn run(args: &[&str]) -> Output {
    // Nothing here may reach an AWS: there is none at this address.
    Command::new(env!("CARGO_BIN_EXE_deploy"))
        .args(args)
        .env_clear()
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1")
        .output()
        .unwrap()
}

#[track_caller]
fn is_usage(args: &[&str], words: &str) {
    let output = run(args);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
    assert!(text.contains(words), "{args:?}: {text}");
}

#[test]
fn a_flag_that_a_command_cannot_honour_is_a_usage_error() {
    for args in [
        &["terminate", "--all", "--yes", "--no-execute"][..],
        &["terminate", "--all", "--yes", "--parameter", "A=b"],
        &["terminate", "--all", "--yes", "--tags", "a=b"],
        &["terminate", "--all", "--yes", "--on-failure", "keep"],
        &["terminate", "--all", "--yes", "--allow-data-loss", "X"],
        &["recreate", "--all", "--yes", "--no-execute"],
        &["recreate", "--all", "--yes", "--rollback-skip", "X"],
        &["create", "--all", "--retain", "X"],
        &["create", "--all", "--rollback-skip", "X"],
        &["deploy", "--all", "--retain", "X"],
        &["diff", "--all", "--yes"],
        &["diff", "--all", "--no-execute"],
        &["diff", "--all", "--termination-protection", "on"],
        &["wait", "--all", "--yes"],
        &["template", "--all", "--json"],
        &["apply", "arn", "--parameter", "A=b"],
    ] {
        is_usage(args, "unexpected argument");
    }
    is_usage(&["terminate", "--all", "--termination-protection", "on"], "only \"off\" makes sense");
    is_usage(&["deploy", "--all", "--markdown"], "--no-execute");
    is_usage(&["deploy", "--all", "--no-execute", "--markdown", "--json"], "cannot be used with");
    is_usage(&["apply"], "CHANGE_SET");
}

#[test]
fn what_makes_no_sense_is_told_from_what_failed() {
    for command in ["deploy", "create", "terminate", "recreate", "diff", "wait", "events"] {
        is_usage(&[command], "name a stack with --stack NAME");
    }
    is_usage(
        &["deploy", "--stack", "vpc", "--parameter", "Nmae=1"],
        "no stack of vpc has a parameter \"Nmae\"",
    );
    is_usage(&["deploy", "--stack", "vpc", "--parameter", "rds.X=1"], "not among the stacks");
    is_usage(&["deploy", "--stack", "vpc", "--parameter", "vpc.X=1"], "parameter \"X\"");
    is_usage(&["deploy", "--stack", "vpc", "--params-dir", "/no/such/folder"], "there is no such folder");
}

#[test]
fn a_file_of_another_stack_is_no_matter_and_lint_tells_it_as_json() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("rds.json"), "// a comment\n[]").unwrap();
    let folder = dir.path().to_str().unwrap();
    let lint = run(&["lint", "--all", "--json", "--params-dir", folder]);
    assert_eq!(lint.status.code(), Some(1));
    let problems: Vec<String> = serde_json::from_slice(&lint.stdout).unwrap();
    assert!(problems.iter().any(|it| it.contains("rds.json") && it.contains("not a list")), "{problems:?}");
    let other = run(&["lint", "--stack", "vpc", "--json", "--params-dir", folder]);
    assert_eq!(other.status.code(), Some(0), "{}", String::from_utf8_lossy(&other.stdout));
    // Not a word about rds.json where only vpc is wanted: the next thing is AWS, which is not there.
    let deploy = run(&["outputs", "--stack", "vpc", "--params-dir", folder]);
    assert!(!String::from_utf8_lossy(&deploy.stderr).contains("rds.json"));
}

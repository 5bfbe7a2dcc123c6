//! What `doctor` says of machines that have little.

use std::path::Path;

use serde_json::Value;

use crate::{text, xtask};

/// A machine with these programs only, each of which prints one line.
fn machine(programs: &[(&str, &str)]) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    for (name, line) in programs {
        let path = dir.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\necho '{line}'\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    dir
}

/// Exit code and findings.
fn examine(path: &Path, variables: &[(&str, &str)]) -> (i32, Vec<Value>) {
    let mut command = xtask(&["doctor", "--json"]);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("PATH", path).env("HOME", path).env("PG_BIN_DIR", path.join("no-server"));
    command.envs(variables.iter().copied());
    let output = command.output().unwrap();
    let (out, err) = text(&output);
    (output.status.code().unwrap(), serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}\n{err}")))
}

#[track_caller]
fn level(findings: &[Value], what: &str) -> String {
    let found =
        findings.iter().find(|it| it["what"] == what).unwrap_or_else(|| panic!("nothing about {what}"));
    // Whatever is not as it should be says what to do.
    assert!(found["level"] == "ok" || found["fix"].as_str().is_some_and(|it| !it.is_empty()), "{found}");
    found["level"].as_str().unwrap().to_owned()
}

#[test]
fn a_bare_machine_has_problems() {
    let machine = machine(&[]);
    let (code, findings) = examine(machine.path(), &[]);
    assert_eq!(code, 1);
    assert_eq!(level(&findings, "Rust"), "problem");
    assert_eq!(level(&findings, "Postgres server"), "problem");
    assert_eq!(level(&findings, "Docker"), "problem");
    for what in ["psql", "git", "nextest", "Terraform", "AWS credentials", "AWS region"] {
        assert_eq!(level(&findings, what), "note", "{what}");
    }
}

#[test]
fn rust_and_one_backend_are_enough() {
    let machine =
        machine(&[("rustc", "rustc 1.95.0"), ("docker", "28.0.0"), ("terraform", "Terraform v1.5.7")]);
    let (code, findings) = examine(machine.path(), &[]);
    assert_eq!(level(&findings, "Docker"), "ok");
    assert_eq!(level(&findings, "Postgres server"), "note");
    assert_eq!(level(&findings, "Terraform"), "note", "too old");
    assert_eq!(code, 0);
}

#[test]
fn an_old_compiler_is_a_problem() {
    let machine = machine(&[("rustc", "rustc 1.80.1"), ("docker", "28.0.0")]);
    let (code, findings) = examine(machine.path(), &[]);
    assert_eq!((code, level(&findings, "Rust").as_str()), (1, "problem"));
}

#[test]
fn aws_is_described_without_secrets() {
    let machine = machine(&[("aws", "arn:aws:iam::123456789012:user/me")]);
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "topsecret"),
        ("AWS_REGION", "eu-west-1"),
    ];
    let (_, findings) = examine(machine.path(), &keys);
    let shown = Value::from(findings.clone()).to_string();
    assert!(!shown.contains("AKIDEXAMPLE") && !shown.contains("topsecret"), "{shown}");
    assert!(shown.contains("eu-west-1") && shown.contains("user/me"), "{shown}");
    assert_eq!(level(&findings, "AWS identity"), "ok");
}

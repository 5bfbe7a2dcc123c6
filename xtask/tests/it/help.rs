//! Help: of every command, with nothing built, installed or written for it.

use std::path::PathBuf;

use crate::{text, xtask};

/// Commands of this program, with those below them.
const COMMANDS: &[&[&str]] = &[
    &["up"],
    &["down"],
    &["status"],
    &["stacks", "--local"],
    &["logs"],
    &["psql"],
    &["fdw"],
    &["fdw", "import"],
    &["open"],
    &["publish"],
    &["lambda"],
    &["lambda", "build"],
    &["tf"],
    &["tf", "plan"],
    &["ci"],
    &["test"],
    &["bench"],
    &["bench", "instructions"],
    &["codegen"],
    &["doctor"],
    &["completions"],
    &["new"],
    &["token"],
    &["db"],
    &["db", "new"],
    &["db", "migrate"],
    &["db", "status"],
    &["db", "diff"],
    &["db", "lint"],
    &["db", "types"],
    &["db", "reset"],
    &["db", "test"],
    &["db", "policies"],
];

#[test]
fn help_starts_no_program_and_writes_nothing() {
    let root = tempfile::tempdir().unwrap();
    for command in COMMANDS {
        let mut asked = xtask(command);
        // Cargo, valgrind, docker, terraform: whatever it would start is not to be found, and the project is empty.
        asked.arg("--help").env("PATH", root.path()).env("CARGO", "/nonexistent/cargo");
        asked.env("CARGO_MANIFEST_DIR", root.path().join("xtask")).env_remove("CARGO_TARGET_DIR");
        let output = asked.current_dir(root.path()).output().unwrap();
        let (out, err) = text(&output);
        assert!(output.status.success(), "{command:?}: {err}");
        assert!(out.contains(&format!("cargo xtask {}", command[0])), "{command:?}: {out}");
        let written: Vec<PathBuf> =
            std::fs::read_dir(root.path()).unwrap().map(|it| it.unwrap().path()).collect();
        assert_eq!(written, Vec::<PathBuf>::new(), "{command:?}");
    }
}

#[test]
fn help_command_shows_what_the_flag_shows() {
    let out = |args: &[&str]| text(&xtask(args).output().unwrap()).0;
    assert_eq!(out(&["help"]), out(&[]));
    assert_eq!(out(&["help", "up"]), out(&["up", "--help"]));
    assert_eq!(out(&["help", "fdw", "import"]), out(&["fdw", "import", "--help"]));
    assert!(out(&["bench", "--help"]).contains("--connections <CONNECTIONS>"));
}

#[test]
fn options_of_the_comparison_are_checked_before_it_is_built() {
    let output = xtask(&["bench", "--roundz", "3"]).env("CARGO", "/nonexistent/cargo").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).1.contains("--rounds"), "{}", text(&output).1);
}

#[test]
fn misspelt_commands_get_a_suggestion_whichever_program_answers_them() {
    for (typed, meant) in [("stauts", "status"), ("deplyo", "deploy"), ("terminat", "terminate")] {
        let output = xtask(&[typed]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output).1.contains(&format!("'{meant}'")), "{}", text(&output).1);
    }
}

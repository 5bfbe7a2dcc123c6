//! The scripts that `completions` prints, in the shells that they are for.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::{text, xtask};

/// A shell that was told to complete something answers at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// The shell, if it is installed; one that is not is named.
fn find(shell: &str) -> Option<PathBuf> {
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap()).collect();
    let found = folders.iter().map(|it| it.join(shell)).find(|it| it.is_file());
    if found.is_none() {
        eprintln!("skipped: {shell} is not installed");
    }
    found
}

/// The script for a shell, in a file.
fn script(shell: &str) -> tempfile::NamedTempFile {
    let output = xtask(&["completions", shell]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output).1);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), output.stdout).unwrap();
    file
}

/// What a shell prints that runs `program` with the completions at `$script`.
async fn run(shell: &Path, options: &[&str], program: &str, script: &Path) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut command = tokio::process::Command::new(shell);
    command.args(options).arg("-c").arg(program).env("script", script).env("HOME", home.path());
    command.env("TERM", "dumb").stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("the shell ends").unwrap();
    let (out, err) = text(&output);
    assert!(output.status.success(), "{out}\n{err}");
    out
}

#[tokio::test]
async fn bash_completes_commands_options_and_values() {
    let bash = find("bash").expect("bash is installed wherever cargo is used from scripts");
    let script = script("bash");
    let complete = r#"
        complete -F _known_before cargo
        _known_before() { COMPREPLY=(before); }
        source "$script"
        ask() {
            COMP_WORDS=(cargo "$@"); COMP_CWORD=$#; COMPREPLY=()
            _cargo_or_xtask cargo "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
            echo "$*: ${COMPREPLY[*]}"
        }
        ask xtask comp
        ask xtask up --ori
        ask xtask up --backend ""
        ask xtask psql a
        ask xtask termi
        ask bui
    "#;
    let out = run(&bash, &["--norc"], complete, script.path()).await;
    let expected = "xtask comp: completions\nxtask up --ori: --origin-port\nxtask up --backend : auto native docker\n\
                    xtask psql a: aurora\nxtask termi: terminate\nbui: before\n";
    assert_eq!(out, expected);
}

#[tokio::test]
async fn zsh_completes_options_as_they_are_typed() {
    let Some(zsh) = find("zsh") else { return };
    let script = script("zsh");
    // A terminal is what completion of zsh works on: one is made, and what is typed there is read back.
    let complete = r#"
        zmodload zsh/zpty
        zpty typed "$0 -f -i"
        zpty -w typed 'PS1=; autoload -Uz compinit; compinit -u -D; source $script; print loaded-$((1 + 1))'
        zpty -r -m typed seen '*loaded-2*'
        zpty -w -n typed $'cargo xtask up --origin\t'
        zpty -r -m typed seen '*--origin-port*'
        print completed
        zpty -d typed
    "#;
    let out = run(&zsh, &["-f"], complete, script.path()).await;
    assert!(out.ends_with("completed\n"), "{out}");
}

#[tokio::test]
async fn fish_completes_commands_and_options() {
    let Some(fish) = find("fish") else { return };
    let script = script("fish");
    let complete = r#"
        source $script
        complete -C "cargo xtask up --ori"
        complete -C "cargo xtask compl"
    "#;
    let out = run(&fish, &["--no-config"], complete, script.path()).await;
    let words: Vec<&str> = out.lines().filter_map(|it| it.split('\t').next()).collect();
    assert_eq!(words, ["--origin-port", "completions"], "{out}");
}

#[test]
fn unknown_shells_are_refused_with_those_that_there_are() {
    let output = xtask(&["completions", "tcsh"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).1.contains("bash, zsh, fish"), "{}", text(&output).1);
}

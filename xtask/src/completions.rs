//! `cargo xtask completions SHELL`: scripts with which a shell completes commands and options.
//!
//! The commands are completed as those of a program `cargo-xtask`. What is typed is `cargo xtask`, so each script also
//! hooks into the completion of `cargo`.

use std::process::ExitCode;

use anyhow::Result;
use clap_complete::Shell;

use crate::cli::{self, CompletionsArgs};
use crate::output;

/// The program that the scripts complete.
const PROGRAM: &str = "cargo-xtask";

const BASH_HOOK: &str = include_str!("completions/hook.bash");
const ZSH_HOOK: &str = include_str!("completions/hook.zsh");
const FISH_HOOK: &str = include_str!("completions/hook.fish");

/// Prints the script for a shell.
pub(crate) fn run(args: &CompletionsArgs) -> Result<ExitCode> {
    output::data(&script(args.shell.into())?);
    Ok(ExitCode::SUCCESS)
}

fn script(shell: Shell) -> Result<String> {
    let mut script = Vec::new();
    // The script for bash takes a dash in the program's name for the space before a command.
    let program = if shell == Shell::Bash { "cargo_xtask" } else { PROGRAM };
    clap_complete::generate(shell, &mut cli::completed(program), program, &mut script);
    let mut script = String::from_utf8(script)?;
    script.push_str(match shell {
        Shell::Bash => BASH_HOOK,
        Shell::Zsh => ZSH_HOOK,
        Shell::Fish => FISH_HOOK,
        _ => "",
    });
    Ok(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_knows_own_commands_and_those_of_other_programs() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell).unwrap();
            for word in ["origin-port", "completions", "terminate", "instructions", "aurora"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
    /// What a shell that has read the script offers for a line; nothing where the shell is not installed.
    fn offered(shell: Shell, line: &str) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("script");
        std::fs::write(&path, script(shell).unwrap()).unwrap();
        let (program, run) = match shell {
            Shell::Bash => (
                "bash",
                "source \"$0\"; COMP_WORDS=($1); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=(); \
                 _cargo_or_xtask cargo \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"; \
                 printf '%s\\n' \"${COMPREPLY[@]}\"",
            ),
            _ => ("fish", "source $argv[1]; complete -C $argv[2]"),
        };
        let mut command = std::process::Command::new(program);
        command.arg("-c").arg(run).arg(&path).arg(line).env("HOME", folder.path());
        match command.output() {
            Ok(ran) => Some(String::from_utf8(ran.stdout).unwrap()),
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => None,
            Err(err) => panic!("start {program}: {err}"),
        }
    }

    #[test]
    fn shells_offer_commands_and_options() {
        for shell in [Shell::Bash, Shell::Fish] {
            for (line, expected) in [
                ("cargo xtask termi", "terminate"),
                ("cargo xtask up --orig", "--origin-port"),
                ("cargo xtask bench instr", "instructions"),
            ] {
                let Some(offered) = offered(shell, line) else { continue };
                let first = offered.split_whitespace().next();
                assert_eq!(first, Some(expected), "{shell}, {line}: {offered}");
            }
        }
    }
}

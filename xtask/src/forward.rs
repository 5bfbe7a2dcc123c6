//! Commands that live in the crate that owns their subject: listed here, built and run on demand.
//!
//! `cargo xtask` is compiled before anything else can happen, so it must not carry the AWS SDKs. It knows of these
//! commands only what the overview prints and which program takes the arguments; flags, help and exit codes are the
//! program's own.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::{output, workspace};

/// A program of another crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Program {
    /// The crate.
    package: &'static str,
    /// The program in it.
    bin: &'static str,
}

/// The CloudFormation engine.
const DEPLOY: Program = Program { package: "deploy", bin: "deploy" };

/// The program that tries a deployment.
const VERIFY: Program = Program { package: "verify", bin: "verify" };

/// What is done with a deployment once it is there.
const OPS: Program = Program { package: "remote-ops", bin: "ops" };

/// A command that another program answers.
#[derive(Debug)]
pub(crate) struct Forwarded {
    /// Heading in the overview.
    pub(crate) group: &'static str,
    /// The words that select it. They reach the program as they are, so that it can have several commands.
    pub(crate) words: &'static [&'static str],
    /// How it is written, in the overview.
    pub(crate) usage: &'static str,
    /// One line on what it does.
    pub(crate) what: &'static str,
    /// Who answers it.
    program: Program,
}

const fn hybrid(words: &'static [&'static str], usage: &'static str, what: &'static str) -> Forwarded {
    Forwarded { group: "hybrid (CloudFormation)", words, usage, what, program: DEPLOY }
}

const fn both(words: &'static [&'static str], usage: &'static str, what: &'static str) -> Forwarded {
    Forwarded { group: "both", words, usage, what, program: OPS }
}

/// Every forwarded command, in the order of the overview.
pub(crate) const FORWARDED: &[Forwarded] = &[
    hybrid(&["create"], "create", "make stacks that do not exist yet"),
    hybrid(&["deploy"], "deploy", "make or change stacks, after showing what changes"),
    hybrid(&["apply"], "apply", "execute change sets that deploy --no-execute has prepared"),
    hybrid(&["wait"], "wait", "follow what CloudFormation is doing until it ends"),
    hybrid(&["import"], "import", "take existing resources over into a stack"),
    hybrid(&["terminate"], "terminate", "delete stacks in reverse order"),
    hybrid(&["recreate"], "recreate", "delete stacks and make them anew"),
    hybrid(&["diff"], "diff", "what a deployment would change, and what drifted"),
    hybrid(&["events"], "events", "events of the last operation, with a chart of each resource's time"),
    hybrid(&["outputs"], "outputs", "the stacks' outputs"),
    hybrid(&["stacks"], "stacks", "the stacks of this installation and their state"),
    hybrid(&["template"], "template", "print a template"),
    hybrid(&["params"], "params init|pin", "make parameter files from the samples; bind them to an account"),
    hybrid(&["lint"], "lint", "check templates and parameter files, and the account on request"),
    both(&["bootstrap"], "bootstrap", "set up a database: roles, tables, grants, the way to the origin"),
    both(&["tunnel"], "tunnel", "forward a local port to a private database"),
    both(&["psql", "rds"], "psql rds [-- ARGS]", "open psql on the origin database of the hybrid deployment"),
    both(&["psql", "compute"], "psql compute [-- ARGS]", "open psql on its custom database"),
    both(&["psql", "aurora"], "psql aurora [-- ARGS]", "open psql on the serverless deployment's database"),
    Forwarded {
        group: "both",
        words: &["verify"],
        usage: "verify --target TARGET",
        what: "call a deployment (local, hybrid, serverless) as its users do, and check that forbidden actions are refused",
        program: VERIFY,
    },
    both(&["login"], "login", "start a session of the administrator role with an MFA code"),
];

/// The command these arguments select, if another program answers it. The longest match wins.
pub(crate) fn find(args: &[OsString]) -> Option<&'static Forwarded> {
    // The stacks of this checkout are answered here.
    if args.first().is_some_and(|it| it == "stacks") && args.iter().any(|it| it == "--local") {
        return None;
    }
    let selects = |it: &&Forwarded| {
        args.len() >= it.words.len()
            && it.words.iter().zip(args).all(|(word, arg)| arg.to_str() == Some(word))
    };
    FORWARDED.iter().filter(selects).max_by_key(|it| it.words.len())
}

/// Builds the program and gives it all arguments and the terminal. Its exit code is ours.
pub(crate) fn run(command: &Forwarded, args: &[OsString]) -> Result<ExitCode> {
    let Program { package, bin } = command.program;
    let build = ["build", "--package", package, "--bin", bin];
    let target_dir = workspace::target_dir();
    let mut cargo = Command::new(workspace::cargo());
    cargo.args(build).current_dir(workspace::root()).env("CARGO_TARGET_DIR", &target_dir);
    // The first build takes minutes and shows cargo's own progress; later ones take a moment and say nothing.
    if target_dir.join("debug").join(bin).exists() {
        cargo.arg("--quiet");
    } else if asks_for_help(args) {
        // Help changes nothing, and so it builds nothing.
        output::data(&short_help(command));
        return Ok(ExitCode::SUCCESS);
    } else {
        output::note(&format!(
            "Building `{bin}` for `cargo xtask {}`; this happens once.",
            command.words.join(" ")
        ));
    }
    workspace::forget_package(&mut cargo);
    let status = cargo.stdout(std::process::Stdio::null()).status().context("start cargo")?;
    if !status.success() {
        return Ok(ExitCode::FAILURE);
    }
    let mut program = Command::new(target_dir.join("debug").join(bin));
    // Its help and hints name the commands as they are called here.
    program.args(args).env("PGAPP_FORWARDED", "1");
    workspace::forget_package(&mut program);
    workspace::hand_over(program).with_context(|| format!("run `{bin}`"))
}

fn asks_for_help(args: &[OsString]) -> bool {
    args.iter().take_while(|it| *it != "--").any(|it| it == "--help" || it == "-h")
}

/// What is known of a command before its program is built.
fn short_help(command: &Forwarded) -> String {
    let Program { package, bin } = command.program;
    format!(
        "cargo xtask {}: {}\n\nIts options are known to the program `{bin}`, which is built at first use, or by\n  cargo build --package {package} --bin {bin}",
        command.usage, command.what
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn first_words_select_a_command() {
        assert_eq!(find(&words("deploy --all --yes")).map(|it| it.usage), Some("deploy"));
        assert_eq!(find(&words("params init --all")).map(|it| it.usage), Some("params init|pin"));
        assert_eq!(find(&words("psql rds -- -c x")).map(|it| it.usage), Some("psql rds [-- ARGS]"));
        for local in ["up", "psql origin", "stacks --local", "--version", ""] {
            assert!(find(&words(local)).is_none(), "{local}");
        }
    }

    #[test]
    fn help_is_told_from_what_is_meant_for_psql() {
        assert!(asks_for_help(&words("deploy --help")) && asks_for_help(&words("psql rds -h")));
        assert!(!asks_for_help(&words("psql rds -- --help")) && !asks_for_help(&words("deploy --all")));
        let text = short_help(find(&words("diff")).unwrap());
        assert!(text.starts_with("cargo xtask diff: what a deployment would change"), "{text}");
        assert!(text.contains("cargo build --package deploy --bin deploy"), "{text}");
    }

    #[test]
    fn every_command_names_a_program_that_exists() {
        for command in FORWARDED {
            let manifest = workspace::root().join(command.program.package).join("Cargo.toml");
            let manifest = std::fs::read_to_string(&manifest).expect("the manifest of the named crate");
            let bin = command.program.bin;
            let folder = workspace::root().join(command.program.package).join("src/bin").join(bin);
            assert!(
                bin == command.program.package
                    || folder.join("main.rs").is_file()
                    || manifest.contains(&format!("name = \"{bin}\"")),
                "{} has no program `{bin}`",
                command.program.package
            );
            assert_eq!(command.usage.split_whitespace().next(), command.words.first().copied());
        }
    }
}

//! The whole gate, as one list of steps: the same here and on a CI machine.
//!
//! Budget: 30 minutes cold on 2 cores; the closing table says where the time went. Fast steps come first.
//! A step may be skipped only for a reason outside this machine's reach, and the reason is printed.

pub(crate) mod cloudformation;
mod conformance;
mod dependencies;
mod majors;
mod policies;
mod promises;
mod setup;
mod static_checks;
mod terraform;
mod workflows;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use xshell::{Shell, cmd};

use crate::cli::CiArgs;
use crate::{output, publish, test, tidy, workspace};

/// How a step ended.
pub(crate) enum Outcome {
    /// It ran and passed.
    Done,
    /// It ran and passed, but for a part that this machine cannot do; which, and why.
    DoneWithout(String),
    /// It could not run on this machine; why.
    Skipped(String),
}

/// One step of the gate.
struct Step {
    name: &'static str,
    what: &'static str,
    run: fn(&Shell) -> Result<Outcome>,
}

/// The steps in order.
const STEPS: &[Step] = &[
    Step { name: "setup", what: "what the tests need: Postgres server, Python tools", run: setup::run },
    Step { name: "fmt", what: "formatting", run: fmt },
    Step { name: "tidy", what: "the project's own rules on its sources", run: tidy_step },
    Step { name: "spelling", what: "misspelled words (typos)", run: dependencies::spelling },
    Step {
        name: "dependencies",
        what: "licences, bans and advisories (cargo-deny), unused dependencies (cargo-shear)",
        run: dependencies::run,
    },
    Step { name: "clippy", what: "lints, warnings are errors", run: clippy },
    Step { name: "doc", what: "documentation builds without warnings", run: doc },
    Step {
        name: "scripts",
        what: "Dockerfiles (hadolint) and shell scripts (shellcheck)",
        run: static_checks::run,
    },
    Step { name: "secrets", what: "no secret in what images are built from (detect-secrets)", run: secrets },
    Step {
        name: "templates",
        what: "CloudFormation: own promises, cfn-lint, checkov, parliament, shellcheck of start scripts",
        run: cloudformation::run,
    },
    Step {
        name: "terraform",
        what: "Terraform: format, tables in the READMEs, validation, tests; apply, second plan and destroy offline",
        run: terraform::run,
    },
    Step { name: "checkov", what: "policies on the Terraform", run: terraform::policies },
    Step {
        name: "workflows",
        what: "GitHub workflows (schema, zizmor, shellcheck of their scripts, actionlint where it is installed)",
        run: workflows::run,
    },
    Step { name: "test", what: "unit, integration and end-to-end tests", run: test_step },
    Step {
        name: "majors",
        what: "the tests that need a database, over another major version of Postgres",
        run: majors::run,
    },
    Step { name: "doctest", what: "examples in the documentation", run: doctest },
    Step {
        name: "conformance",
        what: "PostgREST's own cases, where they are at hand, over each major version of Postgres",
        run: conformance::run,
    },
];

/// Runs the steps asked for and prints a line and a time for each.
pub(crate) fn run(args: &CiArgs) -> Result<ExitCode> {
    if args.list {
        let lines: Vec<String> =
            STEPS.iter().map(|step| format!("{:<12} {}", step.name, step.what)).collect();
        output::data(&lines.join("\n"));
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(unknown) = args.only.iter().find(|name| !STEPS.iter().any(|step| step.name == name.as_str()))
    {
        bail!("there is no step '{unknown}'; `cargo xtask ci --list` shows them");
    }
    let sh = workspace::shell()?;
    let started = Instant::now();
    let mut report: Vec<(&str, &str, Duration, String)> = Vec::new();
    let mut n_failed = 0;
    for step in
        STEPS.iter().filter(|step| args.only.is_empty() || args.only.iter().any(|name| name == step.name))
    {
        output::note(&format!("\n── {}: {}", step.name, step.what));
        let begun = Instant::now();
        let (verdict, remark) = match (step.run)(&sh) {
            Ok(Outcome::Done) => ("ok", String::new()),
            Ok(Outcome::DoneWithout(what)) => ("ok", what),
            Ok(Outcome::Skipped(why)) => ("skipped", why),
            Err(error) => {
                output::failure(&error);
                n_failed += 1;
                ("FAILED", first_line(&error))
            }
        };
        output::note(&closing_line(step.name, verdict, begun.elapsed(), &remark));
        report.push((step.name, verdict, begun.elapsed(), remark));
        // Later steps only make sense on code that compiles and formats; but a full list of failures helps most
        // when steps are cheap, so only the set-up stops everything.
        if n_failed > 0 && step.name == "setup" {
            break;
        }
    }
    output::note("\nstep         verdict      time");
    for (name, verdict, time, remark) in &report {
        output::note(&closing_line(name, verdict, *time, remark));
    }
    output::note(&closing_line("all", if n_failed == 0 { "ok" } else { "FAILED" }, started.elapsed(), ""));
    Ok(if n_failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn closing_line(name: &str, verdict: &str, time: Duration, remark: &str) -> String {
    format!("{name:<12} {verdict:<8} {:>7.1} s  {remark}", time.as_secs_f64()).trim_end().to_owned()
}

fn first_line(error: &anyhow::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn fmt(sh: &Shell) -> Result<Outcome> {
    let cargo = workspace::cargo();
    cmd!(sh, "{cargo} fmt --all --check").quiet().run()?;
    Ok(Outcome::Done)
}

fn tidy_step(_: &Shell) -> Result<Outcome> {
    let findings = tidy::check(&workspace::root())?;
    if findings.is_empty() {
        return Ok(Outcome::Done);
    }
    bail!("{} findings\n{}", findings.len(), findings.join("\n"))
}

fn secrets(sh: &Shell) -> Result<Outcome> {
    publish::scan_sources(sh)?;
    Ok(Outcome::Done)
}

fn clippy(sh: &Shell) -> Result<Outcome> {
    let cargo = workspace::cargo();
    cmd!(sh, "{cargo} clippy --quiet --workspace --all-targets -- -D warnings").quiet().run()?;
    Ok(Outcome::Done)
}

fn doc(sh: &Shell) -> Result<Outcome> {
    let cargo = workspace::cargo();
    let _flags = sh.push_env("RUSTDOCFLAGS", "-D warnings");
    cmd!(sh, "{cargo} doc --quiet --workspace --no-deps --document-private-items").quiet().run()?;
    Ok(Outcome::Done)
}

fn test_step(sh: &Shell) -> Result<Outcome> {
    let _profile = sh.push_env("NEXTEST_PROFILE", "ci");
    test::tests(sh, &[])?;
    Ok(Outcome::Done)
}

fn doctest(sh: &Shell) -> Result<Outcome> {
    let cargo = workspace::cargo();
    cmd!(sh, "{cargo} test --quiet --workspace --doc").quiet().run()?;
    Ok(Outcome::Done)
}

/// Files of a folder by extension; none is a mistake, since then nothing would be checked.
fn files(sh: &Shell, folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = sh.read_dir(folder)?;
    found.retain(|it| it.extension().is_some_and(|it| it == extension));
    if found.is_empty() {
        bail!("there is no .{extension} file in {}", folder.display());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_line_names_step_verdict_and_time() {
        let line = closing_line("fmt", "ok", Duration::from_millis(1500), "");
        assert_eq!(line, "fmt          ok           1.5 s");
    }

    #[test]
    fn unknown_step_is_refused() {
        let error = run(&CiArgs { only: vec!["nope".to_owned()], list: false }).expect_err("no such step");
        assert!(error.to_string().contains("'nope'"), "{error}");
    }
}

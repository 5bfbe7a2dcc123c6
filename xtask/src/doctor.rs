//! `cargo xtask doctor`: what this machine has, what is missing, and how to get it.
//!
//! Findings are values, found by the room that knows the subject; this file orders and prints them.

mod aws;
mod finding;
mod machine;
mod postgres;
mod tools;

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;
use xshell::{Shell, cmd};

use crate::cli::DoctorArgs;
use crate::{output, workspace};
use finding::{Finding, Level, Platform, Purpose};

pub(crate) use postgres::{
    INSTALL as INSTALL_POSTGRES, farthest as farthest_postgres, major as postgres_major,
    servers as postgres_servers,
};

/// Looks at everything and prints one line per finding, with its fix.
pub(crate) fn run(args: &DoctorArgs) -> Result<ExitCode> {
    let sh = workspace::shell()?;
    let platform = Platform::of_this_machine();
    let findings = examine(&sh);
    if args.json {
        let rows: Vec<_> = findings
            .iter()
            .map(|it| {
                json!({
                    "for": it.purpose.name(), "what": it.what, "level": it.level.name(), "found": it.found,
                    "fix": it.fix.as_ref().map(|fix| fix.on(platform)),
                })
            })
            .collect();
        output::data(&serde_json::to_string_pretty(&rows)?);
    } else {
        output::data(&text(&findings, platform));
    }
    let is_healthy = findings.iter().all(|it| it.level != Level::Problem);
    Ok(if is_healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Everything, in the order of the purposes.
fn examine(sh: &Shell) -> Vec<Finding> {
    let docker = tools::docker(sh);
    let server = postgres::server();
    // One of the two backends is enough, and it is the only thing that `up` needs beside Rust.
    let has_backend = docker.level == Level::Ok || server.iter().all(|it| it.level != Level::Problem);
    let demote = |mut it: Finding| {
        if has_backend && it.level == Level::Problem {
            it.level = Level::Note;
        }
        it
    };
    let mut findings = vec![tools::rust(sh)];
    findings.extend(server.into_iter().map(demote));
    findings.push(demote(docker));
    findings.push(tools::psql(sh));
    findings.extend(machine::ports());
    findings.extend(machine::disk(sh));
    findings.extend(machine::stacks());
    findings.extend(tools::for_checks(sh));
    findings.extend(tools::for_deployments(sh));
    findings.extend(aws::examine(sh));
    findings
}

fn text(findings: &[Finding], platform: Option<Platform>) -> String {
    let mut lines = Vec::new();
    for purpose in Purpose::ALL {
        let of_purpose: Vec<&Finding> = findings.iter().filter(|it| it.purpose == purpose).collect();
        if of_purpose.is_empty() {
            continue;
        }
        lines.push(format!("{}:", purpose.heading()));
        for it in of_purpose {
            lines.push(format!("  {:<8} {:<18} {}", it.level.name(), it.what, it.found));
            for line in it.fix.as_ref().map(|fix| fix.on(platform)).iter().flat_map(|it| it.lines()) {
                lines.push(format!("  {:27} {line}", ""));
            }
        }
    }
    let n_problems = findings.iter().filter(|it| it.level == Level::Problem).count();
    lines.push(match n_problems {
        0 => "`cargo xtask up` has all it needs.".to_owned(),
        n => format!("{n} problems keep `cargo xtask up` from working."),
    });
    lines.join("\n")
}

/// Whether this process runs as root.
pub(crate) fn is_root(sh: &Shell) -> bool {
    cmd!(sh, "id -u").quiet().ignore_stderr().read().is_ok_and(|id| id.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;
    use finding::Fix;

    #[test]
    fn findings_are_grouped_and_have_their_fix_below() {
        let findings = [
            Finding::ok(Purpose::Checks, "nextest", "0.9"),
            Finding::ok(Purpose::Up, "Rust", "1.95"),
            Finding::new(Purpose::Up, Level::Problem, "server", "none").fix(Fix::everywhere("Get one.")),
        ];
        assert_eq!(
            text(&findings, None),
            "to run the local stack:\n\
             \x20 ok       Rust               1.95\n\
             \x20 problem  server             none\n\
             \x20                             Get one.\n\
             to check a change:\n\
             \x20 ok       nextest            0.9\n\
             1 problems keep `cargo xtask up` from working."
        );
    }
}

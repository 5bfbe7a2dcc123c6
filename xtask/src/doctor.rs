//! `cargo xtask doctor`: what this machine has, what is missing, and how to get it.

use std::process::ExitCode;

use anyhow::Result;
use local_stack::pgbin::{SearchPath, ServerBinaries};
use serde_json::json;
use xshell::{Shell, cmd};

use crate::cli::DoctorArgs;
use crate::{output, workspace};

/// How to install server binaries, by platform.
pub(crate) const INSTALL_POSTGRES: &str = "Debian/Ubuntu: sudo apt-get install postgresql postgresql-contrib\n\
     Fedora:        sudo dnf install postgresql-server postgresql-contrib\n\
     macOS:         brew install postgresql@17";

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Ok,
    /// Something optional is missing.
    Note,
    /// Nothing runs without it.
    Problem,
}

/// One thing looked at.
struct Finding {
    what: &'static str,
    level: Level,
    found: String,
    fix: Option<String>,
}

/// Looks at everything and prints one line per finding, with its fix.
pub(crate) fn run(args: &DoctorArgs) -> Result<ExitCode> {
    let sh = workspace::shell()?;
    let findings = examine(&sh);
    if args.json {
        let rows: Vec<_> = findings
            .iter()
            .map(|it| json!({"what": it.what, "level": label(it.level), "found": it.found, "fix": it.fix}))
            .collect();
        output::data(&serde_json::to_string_pretty(&rows)?);
    } else {
        for it in &findings {
            output::data(&format!("{:<8} {:<22} {}", label(it.level), it.what, it.found));
            if let Some(fix) = &it.fix {
                for line in fix.lines() {
                    output::data(&format!("{:31} {line}", ""));
                }
            }
        }
    }
    let is_healthy = findings.iter().all(|it| it.level != Level::Problem);
    Ok(if is_healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn label(level: Level) -> &'static str {
    match level {
        Level::Ok => "ok",
        Level::Note => "note",
        Level::Problem => "problem",
    }
}

fn examine(sh: &Shell) -> Vec<Finding> {
    let docker = docker(sh);
    let postgres = postgres();
    // One of the two backends is enough.
    let has_backend = docker.level == Level::Ok || postgres.level == Level::Ok;
    let demote = |mut it: Finding| {
        if has_backend && it.level == Level::Problem {
            it.level = Level::Note;
        }
        it
    };
    vec![
        version(sh, "cargo", "cargo", Level::Problem, "Install Rust from https://rustup.rs."),
        demote(postgres),
        pg_cron(),
        version(
            sh,
            "psql",
            "psql",
            Level::Note,
            "Needed by `cargo xtask psql`. Debian/Ubuntu: sudo apt-get install postgresql-client",
        ),
        demote(docker),
        version(
            sh,
            "nextest",
            "cargo-nextest",
            Level::Note,
            "Optional, faster tests: cargo install --locked cargo-nextest",
        ),
        version(
            sh,
            "python3",
            "python3",
            Level::Note,
            "Needed by `cargo xtask ci`. Debian/Ubuntu: sudo apt-get install python3 python3-venv",
        ),
    ]
}

fn version(sh: &Shell, what: &'static str, program: &str, if_missing: Level, fix: &str) -> Finding {
    match cmd!(sh, "{program} --version").quiet().ignore_stderr().read() {
        Ok(text) => Finding {
            what,
            level: Level::Ok,
            found: text.lines().next().unwrap_or_default().to_owned(),
            fix: None,
        },
        Err(_) => {
            Finding { what, level: if_missing, found: "not found".to_owned(), fix: Some(fix.to_owned()) }
        }
    }
}

fn postgres() -> Finding {
    let what = "Postgres server";
    match ServerBinaries::find(&SearchPath::from_env(), None) {
        Ok(Some(it)) => Finding {
            what,
            level: Level::Ok,
            found: format!("{} in {} (from {})", it.version, it.dir.display(), it.found_by),
            fix: None,
        },
        Ok(None) => Finding {
            what,
            level: Level::Problem,
            found: "no server binaries found".to_owned(),
            fix: Some(INSTALL_POSTGRES.to_owned()),
        },
        Err(error) => Finding {
            what,
            level: Level::Problem,
            found: error.to_string(),
            fix: Some("Unset PG_BIN_DIR, or point it at a server of a supported version.".to_owned()),
        },
    }
}

/// Major version of the server binaries that tests will use.
pub(crate) fn postgres_major() -> Option<u32> {
    ServerBinaries::find(&SearchPath::from_env(), None).ok().flatten().map(|it| it.major)
}

/// Whether this process runs as root.
pub(crate) fn is_root(sh: &Shell) -> bool {
    cmd!(sh, "id -u").quiet().ignore_stderr().read().is_ok_and(|id| id.trim() == "0")
}

fn pg_cron() -> Finding {
    let what = "pg_cron";
    let Ok(Some(server)) = ServerBinaries::find(&SearchPath::from_env(), None) else {
        return Finding { what, level: Level::Note, found: "no server to look at".to_owned(), fix: None };
    };
    if server.has_extension("pg_cron") {
        return Finding {
            what,
            level: Level::Ok,
            found: "installed; preloaded in the custom database".to_owned(),
            fix: None,
        };
    }
    let major = server.major;
    Finding {
        what,
        level: Level::Note,
        found: format!("not installed for Postgres {major}; scheduled jobs are not available natively"),
        fix: Some(format!(
            "Debian/Ubuntu: sudo apt-get install postgresql-{major}-cron\nFedora:        sudo dnf install pg_cron_{major}\nmacOS:         build it from https://github.com/citusdata/pg_cron, or use --backend docker"
        )),
    }
}

fn docker(sh: &Shell) -> Finding {
    let what = "Docker";
    let format = "{{.Server.Version}}";
    let engine = cmd!(sh, "docker version --format {format}").quiet().ignore_stderr().read();
    let compose = ["docker compose", "docker-compose"].into_iter().find(|program| {
        let words: Vec<&str> = program.split(' ').chain(["version"]).collect();
        let (first, rest) = (words[0], &words[1..]);
        cmd!(sh, "{first} {rest...}").quiet().ignore_stdout().ignore_stderr().run().is_ok()
    });
    match (engine, compose) {
        (Ok(version), Some(compose)) => {
            Finding { what, level: Level::Ok, found: format!("engine {version}, {compose}"), fix: None }
        }
        (Ok(version), None) => Finding {
            what,
            level: Level::Problem,
            found: format!("engine {version}, but no Compose"),
            fix: Some(
                "Debian/Ubuntu: sudo apt-get install docker-compose (or the docker-compose-plugin package)"
                    .to_owned(),
            ),
        },
        (Err(_), _) => Finding {
            what,
            level: Level::Problem,
            found: "no engine answers".to_owned(),
            fix: Some(
                "Only needed with `--backend docker`: https://docs.docker.com/engine/install/".to_owned(),
            ),
        },
    }
}

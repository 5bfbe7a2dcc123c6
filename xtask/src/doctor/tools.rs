//! Programs that commands start.

use std::path::Path;

use xshell::{Shell, cmd};

use super::finding::{Finding, Fix, Level, Purpose};
/// The oldest Rust that compiles this, from the root manifest.
const OLDEST_RUST: &str = env!("CARGO_PKG_RUST_VERSION");

/// The oldest Terraform that knows locks in the state bucket.
const OLDEST_TERRAFORM: &str = "1.11";

/// First line of what a program says of itself.
fn ask(sh: &Shell, program: &str, args: &[&str]) -> Option<String> {
    let text = cmd!(sh, "{program} {args...}").quiet().ignore_stderr().read().ok()?;
    text.lines().next().map(|it| it.trim().to_owned()).filter(|it| !it.is_empty())
}

/// The first version number in a text.
fn version_in(text: &str) -> Option<Vec<u32>> {
    let word = text
        .split_whitespace()
        .map(|it| it.trim_start_matches('v'))
        .find(|it| it.starts_with(|it: char| it.is_ascii_digit()) && it.contains('.'))?;
    let number = |it: &str| it.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    word.split('.').map_while(number).map(Some).collect()
}

/// Whether a version, as a program prints it, is at least another one. One that cannot be read is taken as new.
fn is_at_least(found: &str, oldest: &str) -> bool {
    match (version_in(found), version_in(oldest)) {
        (Some(found), Some(oldest)) => found >= oldest,
        _ => true,
    }
}

/// A program that is there, or is not.
fn program(
    sh: &Shell,
    purpose: Purpose,
    what: &'static str,
    command: (&str, &[&str]),
    missing: &str,
    fix: Fix,
) -> Finding {
    match ask(sh, command.0, command.1) {
        Some(found) => Finding::ok(purpose, what, found),
        None => Finding::new(purpose, Level::Note, what, format!("not found; {missing}")).fix(fix),
    }
}

/// The compiler.
pub(super) fn rust(sh: &Shell) -> Finding {
    let install = || Fix::everywhere("Install Rust from https://rustup.rs.");
    match ask(sh, "rustc", &["--version"]).or_else(|| ask(sh, "cargo", &["--version"])) {
        None => Finding::new(Purpose::Up, Level::Problem, "Rust", "not found").fix(install()),
        Some(found) if !is_at_least(&found, OLDEST_RUST) => {
            Finding::new(Purpose::Up, Level::Problem, "Rust", format!("{found}; {OLDEST_RUST} is needed"))
                .fix(Fix::everywhere("rustup update stable"))
        }
        Some(found) => Finding::ok(Purpose::Up, "Rust", found),
    }
}

/// The client.
pub(super) fn psql(sh: &Shell) -> Finding {
    let fix = Fix::by_platform(
        "sudo apt-get install postgresql-client",
        "sudo dnf install postgresql",
        "brew install libpq && brew link --force libpq",
    );
    program(sh, Purpose::Up, "psql", ("psql", &["--version"]), "`cargo xtask psql` needs it", fix)
}

/// Engine and Compose.
pub(super) fn docker(sh: &Shell) -> Finding {
    let what = "Docker";
    let engine = ask(sh, "docker", &["version", "--format", "{{.Server.Version}}"]);
    let compose = [("docker", &["compose", "version"][..]), ("docker-compose", &["version"])]
        .into_iter()
        .find(|(program, args)| ask(sh, program, args).is_some());
    match (engine, compose) {
        (Some(version), Some((program, args))) => {
            let compose = if program == "docker" { format!("docker {}", args[0]) } else { program.to_owned() };
            Finding::ok(Purpose::Up, what, format!("engine {version}, {compose}"))
        }
        (Some(version), None) => {
            let fix = Fix::by_platform(
                "sudo apt-get install docker-compose-plugin (or docker-compose)",
                "sudo dnf install docker-compose-plugin",
                "brew install docker-compose",
            );
            Finding::new(Purpose::Up, Level::Problem, what, format!("engine {version}, but no Compose")).fix(fix)
        }
        (None, _) => Finding::new(Purpose::Up, Level::Problem, what, "no engine answers").fix(Fix::everywhere(
            "Only needed with `--backend docker` and to publish images: https://docs.docker.com/engine/install/",
        )),
    }
}

/// What `ci` and `test` use.
pub(super) fn for_checks(sh: &Shell) -> Vec<Finding> {
    let purpose = Purpose::Checks;
    let python = Fix::by_platform(
        "sudo apt-get install python3 python3-venv",
        "sudo dnf install python3",
        "brew install python",
    );
    let cargo = |name: &str| Fix::everywhere(format!("cargo install --locked {name}"));
    vec![
        program(
            sh,
            purpose,
            "git",
            ("git", &["--version"]),
            "checks ask it for the files",
            Fix::by_platform("sudo apt-get install git", "sudo dnf install git", "xcode-select --install"),
        ),
        program(
            sh,
            purpose,
            "nextest",
            ("cargo", &["nextest", "--version"]),
            "tests run faster with it",
            cargo("cargo-nextest"),
        ),
        // The module is a separate package on Debian.
        program(
            sh,
            purpose,
            "python3 with venv",
            ("python3", &["-c", "import sys, venv, ensurepip; print('Python', sys.version.split()[0])"]),
            "linters and a client library are Python",
            python,
        ),
    ]
}

/// What `tf`, `lambda` and `publish` use.
pub(super) fn for_deployments(sh: &Shell) -> Vec<Finding> {
    let purpose = Purpose::Deployments;
    let mut findings = vec![terraform(sh)];
    findings.push(program(
        sh,
        purpose,
        "AWS command line",
        ("aws", &["--version"]),
        "`publish` asks it for a token of ECR",
        Fix::everywhere("https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"),
    ));
    findings.push(target(sh));
    findings
}

fn terraform(sh: &Shell) -> Finding {
    let (purpose, what) = (Purpose::Deployments, "Terraform");
    let fix = Fix::everywhere("https://developer.hashicorp.com/terraform/install");
    match ask(sh, "terraform", &["version"]) {
        None => {
            Finding::new(purpose, Level::Note, what, "not found; the serverless deployment needs it").fix(fix)
        }
        Some(found) if !is_at_least(&found, OLDEST_TERRAFORM) => {
            Finding::new(purpose, Level::Note, what, format!("{found}; {OLDEST_TERRAFORM} is needed"))
                .fix(fix)
        }
        Some(found) => Finding::ok(purpose, what, found),
    }
}

/// Functions run on Graviton by default: the standard library for it, on machines of another kind. The linker is brought
/// by `lambda build` itself.
fn target(sh: &Shell) -> Finding {
    let (purpose, what) = (Purpose::Deployments, "Rust for arm64");
    if cfg!(all(target_arch = "aarch64", target_os = "linux")) {
        return Finding::ok(purpose, what, "not needed: this machine is one");
    }
    let triple = "aarch64-unknown-linux-gnu";
    let sysroot = ask(sh, "rustc", &["--print", "sysroot"]).unwrap_or_default();
    if Path::new(&sysroot).join("lib/rustlib").join(triple).is_dir() {
        return Finding::ok(purpose, what, format!("target {triple} is installed"));
    }
    let found = format!("target {triple} is not installed; `lambda build --arch arm64` needs it");
    Finding::new(purpose, Level::Note, what, found)
        .fix(Fix::everywhere(format!("rustup target add {triple}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_and_compared() {
        assert_eq!(version_in("rustc 1.95.0 (abc 2026-01-01)"), Some(vec![1, 95, 0]));
        assert_eq!(version_in("Terraform v1.11.4"), Some(vec![1, 11, 4]));
        assert_eq!(version_in("aws-cli/2.1 Python/3.11"), None);
        assert!(is_at_least("Terraform v1.11.4", "1.11") && !is_at_least("Terraform v1.9.8", "1.11"));
        assert!(is_at_least("rustc 1.100.0-nightly", "1.95") && is_at_least("unknown", "1.95"));
    }
}

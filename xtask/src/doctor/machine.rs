//! The machine itself: ports, room on its disk, stacks that exist.

use std::{net::TcpListener, sync::Arc};

use local_stack::{ServiceState, Stack, StackConfig, state::StackHome};
use xshell::{Shell, cmd};

use super::finding::{Finding, Fix, Level, Purpose};
use crate::workspace;

/// A first build and two databases, in MiB.
const COMFORTABLE: u64 = 6 * 1024;

/// Less than this, in MiB, and the first build breaks off.
const ENOUGH: u64 = 2 * 1024;

/// The ports that `up` takes when it is told nothing.
pub(super) fn ports() -> Vec<Finding> {
    let defaults = StackConfig::default();
    let root = workspace::root();
    let ours: Vec<(u16, String)> = StackHome::all(&root)
        .into_iter()
        .filter_map(|name| {
            let config = Stack::new(&root, name.clone(), Arc::new(|_| {})).config().ok()?;
            let ports = config.services().into_iter().map(move |it| (config.port(it), name.to_string()));
            Some(ports.collect::<Vec<_>>())
        })
        .flatten()
        .collect();
    let taken: Vec<u16> = defaults
        .services()
        .into_iter()
        .map(|service| defaults.port(service))
        .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_err())
        .collect();
    let all: Vec<String> = defaults.services().into_iter().map(|it| defaults.port(it).to_string()).collect();
    vec![judge_ports(&all.join(", "), &taken, &ours)]
}

/// A port that one of our own stacks holds is as it should be.
fn judge_ports(all: &str, taken: &[u16], ours: &[(u16, String)]) -> Finding {
    let what = "ports";
    let (known, strange): (Vec<u16>, Vec<u16>) =
        taken.iter().partition(|port| ours.iter().any(|(it, _)| it == *port));
    if strange.is_empty() {
        let used = if known.is_empty() { "free" } else { "free or used by a stack of this project" };
        return Finding::ok(Purpose::Up, what, format!("{all}: {used}"));
    }
    let list: Vec<String> = strange.iter().map(ToString::to_string).collect();
    let fix = "cargo xtask up --api-port 3001 --origin-port 54331 --custom-port 54332, or stop what uses them: \
               ss -ltnp (Linux), lsof -iTCP -sTCP:LISTEN (macOS)";
    Finding::new(Purpose::Up, Level::Note, what, format!("taken by another program: {}", list.join(", ")))
        .fix(Fix::everywhere(fix))
}

/// Room where the build and the databases go.
pub(super) fn disk(sh: &Shell) -> Option<Finding> {
    let root = workspace::root();
    let text = cmd!(sh, "df -Pk {root}").quiet().ignore_stderr().read().ok()?;
    let (what, free) = ("disk", free_mib(&text)?);
    let found = format!("{}.{} GiB free at {}", free / 1024, free % 1024 * 10 / 1024, root.display());
    let fix = || Fix::everywhere("Make room, or put the build elsewhere with CARGO_TARGET_DIR.");
    Some(match free {
        COMFORTABLE.. => Finding::ok(Purpose::Up, what, found),
        ENOUGH.. => Finding::new(Purpose::Up, Level::Note, what, found).fix(fix()),
        _ => Finding::new(Purpose::Up, Level::Problem, what, found).fix(fix()),
    })
}

/// The available column of POSIX `df -Pk`.
fn free_mib(text: &str) -> Option<u64> {
    let line = text.lines().nth(1)?;
    // Names of file systems may have spaces; the columns behind the name are numbers.
    let columns: Vec<&str> = line.split_whitespace().collect();
    let percent = columns.iter().position(|it| it.ends_with('%'))?;
    columns.get(percent.checked_sub(1)?)?.parse::<u64>().ok().map(|kib| kib / 1024)
}

/// Stacks of this project and their state.
pub(super) fn stacks() -> Vec<Finding> {
    let root = workspace::root();
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Vec::new();
    };
    let names = StackHome::all(&root);
    names
        .into_iter()
        .map(|name| {
            let stack = Stack::new(&root, name.clone(), Arc::new(|_| {}));
            let (what, option) = (
                "local stack",
                if name.to_string() == "default" { String::new() } else { format!(" --name {name}") },
            );
            let status = match runtime.block_on(stack.status()) {
                Ok(status) => status,
                Err(error) => {
                    let fix = format!("cargo xtask down{option}");
                    return Finding::new(Purpose::Up, Level::Note, what, format!("{name}: {error}"))
                        .fix(Fix::everywhere(fix));
                }
            };
            let failed: Vec<String> = status
                .services
                .iter()
                .filter(|it| it.state == ServiceState::Failed)
                .map(|it| it.name.to_string())
                .collect();
            let state = if status.is_up() { "running" } else { "stopped" };
            match failed.as_slice() {
                [] => Finding::ok(Purpose::Up, what, format!("{name}: {state}")),
                failed => {
                    let found = format!("{name}: {} failed", failed.join(", "));
                    let fix = format!("cargo xtask logs{option}, then cargo xtask up{option}");
                    Finding::new(Purpose::Up, Level::Note, what, found).fix(Fix::everywhere(fix))
                }
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_is_read_from_df() {
        let text =
            "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/my disk 1000 400 6291456 40% /";
        assert_eq!(free_mib(text), Some(6144));
        assert_eq!(free_mib("Filesystem\n"), None);
        assert_eq!(free_mib("h\n50% x"), None);
    }

    #[test]
    fn ports_of_our_own_stacks_are_no_trouble() {
        let ours = [(3000, "default".to_owned())];
        assert_eq!(judge_ports("3000", &[], &[]).level, Level::Ok);
        assert_eq!(judge_ports("3000", &[3000], &ours).level, Level::Ok);
        let strange = judge_ports("3000", &[3000, 54321], &ours);
        assert_eq!(strange.level, Level::Note);
        assert!(strange.found.ends_with(": 54321"), "{}", strange.found);
    }
}

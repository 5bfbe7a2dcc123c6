//! TCP ports on the loopback interface: is one free, who holds it, give me any, refuse those that are taken.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use crate::config::{StackConfig, StackName};
use crate::error::Error;
use crate::process::command_line;
use crate::service::ServiceName;
use crate::state::{StackHome, State};

/// Whether nobody listens on the port on 127.0.0.1.
pub fn is_free(port: u16) -> bool {
    // The standard library sets SO_REUSEADDR, so connections in TIME_WAIT do not count as taken.
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_ok()
}

/// A port that nobody listened on a moment ago. Another process may take it first: be ready to try again.
pub fn free() -> std::io::Result<u16> {
    Ok(TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?.local_addr()?.port())
}

/// Who listens on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// Name of its program.
    pub program: String,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (pid {})", self.program, self.pid)
    }
}

/// The process that listens on a port, where the system lets us see it.
pub fn holder(port: u16) -> Option<Holder> {
    let pid = listening_pid(port)?;
    let command = command_line(pid).unwrap_or_default();
    let program = command.split(' ').next().unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or_default().trim_end_matches(':');
    Some(Holder { pid, program: if program.is_empty() { "unknown" } else { program }.to_owned() })
}

#[cfg(target_os = "linux")]
fn listening_pid(port: u16) -> Option<u32> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let pid: u32 = process.file_name().to_str()?.parse().ok()?;
        let mut files = std::fs::read_dir(process.path().join("fd")).ok()?.flatten();
        let holds = |target: &Path| inodes.iter().any(|it| target.as_os_str() == it.as_str());
        files.any(|fd| std::fs::read_link(fd.path()).is_ok_and(|target| holds(&target))).then_some(pid)
    })
}

/// Socket numbers of the listening entries (state `0A`) for a port in a `/proc/net/tcp` table.
#[cfg(target_os = "linux")]
fn listening_inodes(table: &str, port: u16) -> Vec<u64> {
    let listens = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (address, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let entry_port = u16::from_str_radix(address.rsplit_once(':')?.1, 16).ok()?;
        (entry_port == port && *state == "0A").then(|| inode.parse().ok())?
    };
    table.lines().skip(1).filter_map(listens).collect()
}

#[cfg(not(target_os = "linux"))]
fn listening_pid(port: u16) -> Option<u32> {
    let output = std::process::Command::new("lsof")
        .args(["-nP", "-t", "-sTCP:LISTEN", &format!("-iTCP:{port}")])
        .output()
        .ok()?;
    String::from_utf8_lossy(&output.stdout).lines().next()?.trim().parse().ok()
}

/// Every port serves one service.
pub(crate) fn refuse_equal(config: &StackConfig) -> Result<(), Error> {
    let ports = config.ports();
    for (i, (_, first, port)) in ports.iter().enumerate() {
        if let Some((_, second, _)) = ports[i + 1..].iter().find(|it| it.2 == *port) {
            return Err(Error::PortTwice { port: *port, first, second });
        }
    }
    Ok(())
}

/// Before anything is started: a stack that comes up by half helps nobody.
pub(crate) fn refuse_taken(root: &Path, config: &StackConfig, missing: &[ServiceName]) -> Result<(), Error> {
    for (service, flag, port) in config.ports() {
        if missing.contains(&service) && !is_free(port) {
            let process = holder(port).map(|it| it.to_string());
            let other = stack_at(root, &config.name, port).map(|it| format!("stack \"{it}\""));
            let holder = match (process, other) {
                (Some(process), Some(stack)) => Some(format!("{process} of {stack}")),
                (process, stack) => process.or(stack),
            };
            return Err(Error::PortTaken { port, flag, service, holder });
        }
    }
    Ok(())
}

/// Another stack of this project that is up on the port.
fn stack_at(root: &Path, not: &StackName, port: u16) -> Option<StackName> {
    StackHome::all(root).into_iter().filter(|it| it != not).find(|name| {
        let state = StackHome::new(root, name).load().ok().flatten();
        let is_at = |state: State| {
            state.config.ports().iter().any(|it| it.2 == port && state.expected.contains(&it.0))
        };
        state.is_some_and(is_at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_its_process() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(!is_free(port));
        assert_eq!(holder(port).unwrap().pid, std::process::id());
        drop(listener);
        assert!(is_free(port));
        assert_eq!(holder(port), None);
    }
}

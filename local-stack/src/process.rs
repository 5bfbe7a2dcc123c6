//! Processes that outlive us: telling whether a recorded one is still the same, and signalling it.
//!
//! Invariant: nothing is ever signalled by number alone. A process id is reused after its owner ends, so a record
//! holds the start time too, and both must match.

use std::io;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// One process, for good: its number and when it started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Process id.
    pub pid: u32,
    /// Opaque start time; unequal for two processes that had the same id one after the other.
    pub started: String,
}

impl ProcessIdentity {
    /// The identity of a running process; `None` when there is none with this id.
    pub fn of(pid: u32) -> Option<Self> {
        start_time(pid).map(|started| Self { pid, started })
    }

    /// The identity of this process.
    pub fn current() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// Whether that very process still runs. A finished one that nobody collected yet does not count.
    pub fn is_alive(&self) -> bool {
        start_time(self.pid).is_some_and(|it| it == self.started)
    }

    /// Sends a signal if that very process still runs; `false` when it is gone.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<bool> {
        if !self.is_alive() {
            return Ok(false);
        }
        let pid = i32::try_from(self.pid).map_err(io::Error::other)?;
        match kill(Pid::from_raw(pid), signal) {
            Ok(()) => Ok(true),
            Err(nix::errno::Errno::ESRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until the process is gone; `false` when it outlived the deadline.
    pub(crate) async fn wait_gone(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        while self.is_alive() {
            if Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        true
    }
}

/// Start time in clock ticks since boot, made unique over reboots by the boot's id.
#[cfg(target_os = "linux")]
fn start_time(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command name, in parentheses, may itself hold spaces and parentheses: fields are counted after the last one.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    let ticks = fields.nth(18)?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Some(format!("{}-{ticks}", boot.trim()))
}

#[cfg(not(target_os = "linux"))]
fn start_time(pid: u32) -> Option<String> {
    let text = ps(pid, "state=,lstart=")?;
    (!text.starts_with('Z')).then(|| text.split_once(' ').map_or("", |it| it.1).trim().to_owned())
}

/// The command line of a process, words joined by spaces; `None` when it is gone or not ours to read.
#[cfg(target_os = "linux")]
pub(crate) fn command_line(pid: u32) -> Option<String> {
    let raw = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let text = String::from_utf8_lossy(&raw).replace('\0', " ").trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// The command line of a process, words joined by spaces; `None` when it is gone or not ours to read.
#[cfg(not(target_os = "linux"))]
pub(crate) fn command_line(pid: u32) -> Option<String> {
    ps(pid, "args=")
}

#[cfg(not(target_os = "linux"))]
fn ps(pid: u32, columns: &str) -> Option<String> {
    let output =
        std::process::Command::new("ps").args(["-o", columns, "-p", &pid.to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_pid_is_not_the_same_process() {
        let me = ProcessIdentity::current().unwrap();
        assert!(me.is_alive());
        assert!(command_line(me.pid).unwrap().contains("local_stack"));
        let earlier = ProcessIdentity { started: "some other time".to_owned(), ..me };
        assert!(!earlier.is_alive());
        // Signal 0 of a stranger would succeed; ours must not even be tried.
        assert!(!earlier.signal(Signal::SIGTERM).unwrap());
    }

    #[tokio::test]
    async fn an_ended_process_is_gone_even_before_it_is_collected() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let identity = ProcessIdentity::of(child.id()).unwrap();
        assert!(identity.signal(Signal::SIGKILL).unwrap());
        assert!(identity.wait_gone(Duration::from_secs(10)).await);
        child.wait().unwrap();
    }
}

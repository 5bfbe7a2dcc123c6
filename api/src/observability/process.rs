//! What the system knows of this process, as far as `/proc` tells it.

use std::fs;

/// A metric of the process.
pub(super) struct ProcessMetric {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    pub(super) value: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

/// The metrics that can be read here; none where there is no `/proc`.
pub(super) fn metrics() -> Vec<ProcessMetric> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let found = [
        (
            "process_cpu_seconds_total",
            "Total user and system CPU time spent in seconds",
            Kind::Counter,
            cpu_seconds(&stat),
        ),
        (
            "process_resident_memory_bytes",
            "Resident memory size in bytes",
            Kind::Gauge,
            kilobytes(&status, "VmRSS:"),
        ),
        (
            "process_virtual_memory_bytes",
            "Virtual memory size in bytes",
            Kind::Gauge,
            kilobytes(&status, "VmSize:"),
        ),
        ("process_open_fds", "Number of open file descriptors", Kind::Gauge, open_files()),
        ("process_max_fds", "Maximum number of open file descriptors", Kind::Gauge, max_files(&limits)),
    ];
    found
        .into_iter()
        .filter_map(|(name, help, kind, value)| Some(ProcessMetric { name, help, kind, value: value? }))
        .collect()
}

/// Fields 14 and 15 of `/proc/self/stat`, in hundredths of a second on every Linux there is.
fn cpu_seconds(stat: &str) -> Option<f64> {
    // The second field is the program's name in parentheses and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / 100.0)
}

fn kilobytes(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|it| it.strip_prefix(name))?;
    let kilobytes: f64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024.0)
}

fn open_files() -> Option<f64> {
    Some(fs::read_dir("/proc/self/fd").ok()?.count() as f64)
}

fn max_files(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|it| it.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_whatever_the_program_is_called() {
        let stat = "12 (a) b) R 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(kilobytes("Name:\tx\nVmRSS:\t    2048 kB\n", "VmRSS:"), Some(2_097_152.0));
        let limits =
            "Limit  Soft  Hard\nMax open files            1024                 4096                 files\n";
        assert_eq!(max_files(limits), Some(1024.0));
        assert_eq!(cpu_seconds(""), None);
    }
}

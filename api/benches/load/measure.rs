//! One round: as many requests as fit, with what they cost.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::task::LocalSet;

use crate::client::Connection;
use crate::database::Database;
use crate::servers::Server;
use crate::workloads::{N_IDS, Workload};

/// Figures of one round.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// Requests answered per second.
    pub(crate) per_second: f64,
    /// Median latency in microseconds; none for pgbench.
    pub(crate) p50_us: Option<f64>,
    /// 99th percentile in microseconds; none for pgbench.
    pub(crate) p99_us: Option<f64>,
    /// CPU microseconds of the server per request; none for pgbench.
    pub(crate) server_cpu_us: Option<f64>,
    /// CPU microseconds of all Postgres processes per request.
    pub(crate) postgres_cpu_us: f64,
}

/// Runs one contestant on one workload for a while.
pub(crate) async fn round(
    server: &Server,
    workload: &'static Workload,
    n_connections: usize,
    length: Duration,
    database: &Database,
) -> Result<Sample> {
    let postmaster = database.postmaster().await?;
    let mut connections = Vec::new();
    for _ in 0..n_connections {
        connections.push(Connection::open(server.address).await?);
    }
    let (server_before, postgres_before) = (cpu_of(server.pid())?, cpu_of_family(postmaster)?);
    let begun = Instant::now();
    let deadline = begun + length;
    let next_id = Rc::new(Cell::new(0_u32));
    let local = LocalSet::new();
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|connection| local.spawn_local(caller(connection, workload, deadline, Rc::clone(&next_id))))
        .collect();
    let mut latencies = Vec::new();
    local
        .run_until(async {
            for task in tasks {
                latencies.extend(task.await.context("run a caller")??);
            }
            Ok::<_, anyhow::Error>(())
        })
        .await?;
    let elapsed = begun.elapsed();
    let n_requests = latencies.len();
    if n_requests == 0 {
        bail!("{} answered nothing", server.name);
    }
    latencies.sort_unstable();
    let per_request = |micros: f64| micros / n_requests as f64;
    Ok(Sample {
        per_second: n_requests as f64 / elapsed.as_secs_f64(),
        p50_us: Some(percentile(&latencies, 0.50)),
        p99_us: Some(percentile(&latencies, 0.99)),
        server_cpu_us: Some(per_request(cpu_of(server.pid())? - server_before)),
        postgres_cpu_us: per_request(cpu_of_family(postmaster)? - postgres_before),
    })
}

async fn caller(
    mut connection: Connection,
    workload: &'static Workload,
    deadline: Instant,
    next_id: Rc<Cell<u32>>,
) -> Result<Vec<u32>> {
    let mut latencies = Vec::with_capacity(16 * 1024);
    while Instant::now() < deadline {
        // A stride that shares no factor with the number of ids visits all of them in a scattered order.
        let id = next_id.get();
        next_id.set(id.wrapping_add(7_919));
        let request = workload.request(1 + id % N_IDS);
        let begun = Instant::now();
        let answer = connection.exchange(&request).await?;
        latencies.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
        if answer.status != workload.status {
            bail!("{} answered {}: {}", workload.name, answer.status, String::from_utf8_lossy(&answer.body));
        }
    }
    Ok(latencies)
}

/// The same SQL through `pgbench`; `None` where it is not installed.
pub(crate) async fn pgbench_round(
    workload: &Workload,
    n_connections: usize,
    length: Duration,
    database: &Database,
) -> Result<Option<Sample>> {
    use local_stack::pgbin::{SearchPath, ServerBinaries};
    let Some(binaries) = ServerBinaries::find(&SearchPath::from_env(), None)? else { return Ok(None) };
    let program = binaries.program("pgbench");
    if !program.is_file() {
        return Ok(None);
    }
    let folder = tempfile::tempdir().context("make a folder for the script")?;
    let script = folder.path().join("script.sql");
    std::fs::write(&script, workload.script)?;
    let server = database.cluster.server();
    let postmaster = database.postmaster().await?;
    let before = cpu_of_family(postmaster)?;
    let output = tokio::process::Command::new(program)
        .args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "--username=bench_authenticator"])
        .arg(format!("--client={n_connections}"))
        .arg(format!("--time={}", length.as_secs().max(1)))
        .arg(format!("--file={}", script.display()))
        .arg(format!("--host={}", server.host()))
        .arg(format!("--port={}", server.port()))
        .arg(database.db.name())
        .env("PGPASSWORD", "bench")
        .env("PGOPTIONS", "-c role=bench_anon")
        .output()
        .await
        .context("run pgbench")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let field = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<f64>().ok())
    };
    let Some(n_requests) = field("number of transactions actually processed: ") else {
        bail!(
            "pgbench failed on {} ({}):\n{text}{}",
            workload.name,
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    };
    // On a busy machine a short round can end before pgbench is connected.
    let Some(per_second) = field("tps = ") else { return Ok(None) };
    let postgres_cpu_us = (cpu_of_family(postmaster)? - before) / n_requests.max(1.0);
    Ok(Some(Sample { per_second, p50_us: None, p99_us: None, server_cpu_us: None, postgres_cpu_us }))
}

fn percentile(sorted: &[u32], share: f64) -> f64 {
    let index = ((sorted.len() - 1) as f64 * share).round();
    // In range: `share` is at most one.
    f64::from(sorted[index as usize])
}

/// CPU microseconds a process has used so far.
fn cpu_of(pid: i32) -> Result<f64> {
    let text =
        std::fs::read_to_string(format!("/proc/{pid}/stat")).context("read the process's accounting")?;
    Ok(ticks(&text, 11..13).context("read the process's accounting")? * micros_per_tick())
}

/// The same for a process, its living children and those it has seen end.
fn cpu_of_family(parent: i32) -> Result<f64> {
    let mut sum = 0.0;
    for entry in std::fs::read_dir("/proc").context("list processes")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        // A process may end while we look; its time is then in the parent's sum.
        let Ok(text) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        if pid == parent {
            sum += ticks(&text, 11..15).unwrap_or_default();
        } else if fields(&text).nth(1).and_then(|it| it.parse::<i32>().ok()) == Some(parent) {
            sum += ticks(&text, 11..13).unwrap_or_default();
        }
    }
    Ok(sum * micros_per_tick())
}

/// Fields after the command's name, which may itself hold blanks: 0 is the state, 1 the parent, 11.. the times.
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    stat.rsplit(')').next().unwrap_or_default().split_whitespace()
}

fn ticks(stat: &str, range: std::ops::Range<usize>) -> Option<f64> {
    let times: Vec<f64> =
        fields(stat).skip(range.start).take(range.len()).filter_map(|it| it.parse().ok()).collect();
    (times.len() == range.len()).then(|| times.iter().sum())
}

fn micros_per_tick() -> f64 {
    let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
    1_000_000.0 / per_second as f64
}

/// Resident memory of a process in KiB.
pub(crate) fn resident_kib(pid: i32) -> Result<u64> {
    status_kib(pid, "VmRSS:")
}

/// Highest resident memory of a process so far, in KiB.
pub(crate) fn peak_kib(pid: i32) -> Result<u64> {
    status_kib(pid, "VmHWM:")
}

fn status_kib(pid: i32, field: &str) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).context("read the process's memory")?;
    text.lines()
        .find_map(|line| line.strip_prefix(field)?.split_whitespace().next()?.parse().ok())
        .context("read the process's memory")
}

//! `cargo xtask bench`: our server, a hand-written peer and `pgbench` on the same data, in interleaved rounds.
//!
//! Machines are shared and noisy, so nothing here passes or fails: it prints ratios of figures that were taken in
//! turns within one run, and writes them as JSON. How to read them: `docs/performance.md`.

mod client;
mod database;
mod measure;
mod peer;
mod report;
mod scale;
mod servers;
mod workloads;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;

/// Compares throughput, latency and CPU per request.
#[derive(Debug, Parser)]
struct Options {
    /// Seconds of one round of one server on one workload
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Rounds; the median of each figure is reported
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Concurrent client connections
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Only workloads whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// Also measure start-to-ready and memory against schemas of 10, 1 000 and 10 000 tables
    #[arg(long)]
    scale: bool,
    /// Write the figures here as JSON
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench.json"))]
    json: PathBuf,
    /// Given by cargo to every bench target; without meaning here
    #[arg(long, hide = true)]
    bench: bool,
}

// The same for the peer as for our server, so that allocators are not what is compared.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    // The peer is this same program, started with its address in the environment.
    if let Some(settings) = peer::Settings::from_env() {
        return peer::serve(&settings);
    }
    let options = Options::parse();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(run(&options))
}

async fn run(options: &Options) -> Result<()> {
    let database = database::Database::prepare().await?;
    let mut servers = vec![
        servers::Server::ours(&database).await?,
        servers::Server::peer(&database, peer::Kind::Roles).await?,
        servers::Server::peer(&database, peer::Kind::Plain).await?,
    ];
    let selected: Vec<_> = workloads::ALL
        .iter()
        .filter(|it| options.only.as_deref().is_none_or(|part| it.name.contains(part)))
        .collect();
    let mut figures = report::Figures::default();
    for server in &servers {
        figures.idle(server.name, server.ready_after, measure::resident_kib(server.pid())?);
    }
    let round = Duration::from_secs_f64(options.seconds);
    for workload in selected {
        workloads::check(workload, &servers).await?;
        for _ in 0..options.rounds {
            for server in &servers {
                let sample = measure::round(server, workload, options.connections, round, &database).await?;
                figures.add(workload.name, server.name, sample);
            }
            if let Some(sample) =
                measure::pgbench_round(workload, options.connections, round, &database).await?
            {
                figures.add(workload.name, "pgbench", sample);
            }
        }
        figures.print_workload(workload.name);
    }
    for server in &mut servers {
        server.stop().await;
    }
    if options.scale {
        scale::run(&database, &mut figures).await?;
    }
    figures.print_summary();
    figures.write(&options.json)
}

//! `cargo xtask bench`: our server, a hand-written peer and `pgbench` on the same data, in interleaved rounds.
//!
//! Machines are shared and noisy, so nothing here passes or fails: it prints ratios of figures that were taken in
//! turns within one run, and writes them as JSON. How to read them: `docs/performance.md`.

mod client;
mod database;
mod measure;
mod options;
mod peer;
mod report;
mod scale;
mod servers;
mod workloads;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use options::{Opponent, Options};

/// Compares throughput, latency and CPU per request.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
struct Cli {
    #[command(flatten)]
    options: Options,
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
    let options = Cli::parse().options;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(run(&options))
}

async fn run(options: &Options) -> Result<()> {
    let database = database::Database::prepare().await?;
    let mut servers = vec![servers::Server::ours(&database).await?];
    for (opponent, kind) in [(Opponent::Handwritten, peer::Kind::Roles), (Opponent::Plain, peer::Kind::Plain)]
    {
        if options.against.contains(&opponent) {
            servers.push(servers::Server::peer(&database, kind).await?);
        }
    }
    for program in &options.builds {
        servers.push(servers::Server::another(&database, program).await?);
    }
    let selected: Vec<_> = workloads::ALL
        .iter()
        .filter(|it| options.only.as_deref().is_none_or(|part| it.name.contains(part)))
        .collect();
    let mut figures = report::Figures::default();
    for server in &servers {
        figures.idle(&server.name, server.ready_after, measure::resident_kib(server.pid())?);
    }
    let length = Duration::from_secs_f64(options.seconds);
    for workload in selected {
        workloads::check(workload, &servers).await?;
        for &n_connections in &options.connections {
            let key = report::Key { workload: workload.name, n_connections };
            for round in 0..options.rounds {
                // Whoever comes first does so once each.
                for at in 0..servers.len() {
                    let server = &servers[(at + round) % servers.len()];
                    let sample = measure::round(server, workload, n_connections, length, &database).await?;
                    figures.add(key, &server.name, sample);
                }
                if options.against.contains(&Opponent::Pgbench)
                    && let Some(sample) =
                        measure::pgbench_round(workload, n_connections, length, &database).await?
                {
                    figures.add(key, "pgbench", sample);
                }
            }
            figures.print(key);
        }
    }
    for server in &mut servers {
        server.stop().await;
    }
    if options.scale {
        scale::run(&database, &mut figures).await?;
    }
    figures.print_summary();
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench.json");
    figures.write(&options.json.clone().unwrap_or_else(default))
}

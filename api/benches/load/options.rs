//! What can be asked of the comparison. The tool that starts it shows the same options without building it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Options of the comparison.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Seconds of one round of one server on one workload
    #[arg(long, default_value_t = 1.0)]
    pub(crate) seconds: f64,
    /// Rounds; the median of each figure is reported
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// Numbers of concurrent client connections, each measured by itself
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64], value_parser = at_least_one)]
    pub(crate) connections: Vec<usize>,
    /// Only workloads whose name contains this
    #[arg(long)]
    pub(crate) only: Option<String>,
    /// Other builds of this server that take part under the names of their files, such as the one before a change
    #[arg(long, value_delimiter = ',', value_name = "PROGRAMS")]
    pub(crate) builds: Vec<PathBuf>,
    /// What this server is compared with
    #[arg(long, value_delimiter = ',', default_values = ["handwritten", "plain", "pgbench"])]
    pub(crate) against: Vec<Opponent>,
    /// Also measure start-to-ready and memory against schemas of 10, 1 000 and 10 000 tables
    #[arg(long)]
    pub(crate) scale: bool,
    /// Write the figures here as JSON [default: target/bench.json of the workspace]
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// What this server is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Opponent {
    /// A handler that takes on role and claims for each request
    Handwritten,
    /// A handler without roles, claims and transactions
    Plain,
    /// The query alone
    Pgbench,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.trim().parse().map_err(|error| format!("{error}"))?;
    if number == 0 { Err("at least one connection is needed".to_owned()) } else { Ok(number) }
}

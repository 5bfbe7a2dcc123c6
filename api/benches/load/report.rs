//! Figures collected, reduced to medians, printed as ratios, written as JSON.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use indexmap::{IndexMap, IndexSet};
use serde_json::{Value, json};

use crate::measure::Sample;

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// Kind of request.
    pub(crate) workload: &'static str,
    /// How many asked at once.
    pub(crate) n_connections: usize,
}

/// All figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// By what was measured, then contestant.
    samples: IndexMap<Key, IndexMap<String, Vec<Sample>>>,
    /// By contestant: start to first answer, and memory then.
    idle: IndexMap<String, (Duration, u64)>,
    /// Figures of the scale runs, by name.
    scale: IndexMap<String, Value>,
}

/// The contestant that the others are compared with.
const OURS: &str = "pgapp-api";

impl Figures {
    /// Adds a round.
    pub(crate) fn add(&mut self, key: Key, contestant: &str, sample: Sample) {
        self.samples.entry(key).or_default().entry(contestant.to_owned()).or_default().push(sample);
    }

    /// Adds what a contestant cost before the first request.
    pub(crate) fn idle(&mut self, contestant: &str, ready_after: Duration, resident_kib: u64) {
        self.idle.insert(contestant.to_owned(), (ready_after, resident_kib));
    }

    /// Adds a figure of a scale run.
    pub(crate) fn scale(&mut self, name: String, value: Value) {
        print(&format!("{name}: {value}"));
        self.scale.insert(name, value);
    }

    /// Prints one measurement's medians.
    pub(crate) fn print(&self, key: Key) {
        let Some(rows) = self.samples.get(&key) else { return };
        print(&format!(
            "\n{:<14} {:>10} {:>9} {:>9} {:>12} {:>12}",
            format!("{} \u{d7}{}", key.workload, key.n_connections),
            "req/s",
            "p50 us",
            "p99 us",
            "server us",
            "postgres us"
        ));
        for (contestant, samples) in rows {
            print(&format!(
                "{contestant:<14} {:>10.0} {:>9} {:>9} {:>12} {:>12.1}",
                median(samples, |it| Some(it.per_second)).unwrap_or_default(),
                text(median(samples, |it| it.p50_us)),
                text(median(samples, |it| it.p99_us)),
                text(median(samples, |it| it.server_cpu_us)),
                median(samples, |it| Some(it.postgres_cpu_us)).unwrap_or_default(),
            ));
        }
    }

    /// Prints the ratios, a table for each opponent.
    pub(crate) fn print_summary(&self) {
        for opponent in self.opponents() {
            self.print_against(opponent);
        }
        for (contestant, (ready_after, kib)) in &self.idle {
            print(&format!(
                "{contestant}: ready after {:.1} ms, {:.1} MiB resident then",
                ready_after.as_secs_f64() * 1000.0,
                *kib as f64 / 1024.0
            ));
        }
    }

    /// Everybody else, in the order in which they were measured first.
    fn opponents(&self) -> IndexSet<&str> {
        self.samples.values().flat_map(IndexMap::keys).map(String::as_str).filter(|it| *it != OURS).collect()
    }

    fn print_against(&self, opponent: &str) {
        let mut counts: Vec<usize> = self.samples.keys().map(|it| it.n_connections).collect();
        counts.sort_unstable();
        counts.dedup();
        let mut workloads: Vec<&'static str> = self.samples.keys().map(|it| it.workload).collect();
        workloads.dedup();
        let width = counts.len() * 7;
        let mut heads = String::new();
        let mut numbers = String::new();
        for figure in FIGURES {
            heads.push_str(&format!("  {:<width$}", figure.name()));
            numbers.push_str("  ");
            for count in &counts {
                numbers.push_str(&format!("{count:>6} "));
            }
        }
        print(&format!("\npgapp-api against {opponent}, by number of connections"));
        print(format!("{:<12}{heads}", "").trim_end());
        print(format!("{:<12}{numbers}", "").trim_end());
        for workload in workloads {
            let mut line = format!("{workload:<12}");
            for figure in FIGURES {
                line.push_str("  ");
                for &n_connections in &counts {
                    let ratio = self.ratio(Key { workload, n_connections }, opponent, figure);
                    line.push_str(&format!("{:>6} ", text2(ratio)));
                }
            }
            print(line.trim_end());
        }
    }

    /// Median over rounds of our figure over theirs, taken round by round so that drift cancels out.
    fn ratio(&self, key: Key, other: &str, figure: Figure) -> Option<f64> {
        let rows = self.samples.get(&key)?;
        let (ours, theirs) = (rows.get(OURS)?, rows.get(other)?);
        let of_round = |(ours, theirs)| Some(figure.of(ours)? / figure.of(theirs)?);
        let mut ratios: Vec<f64> = ours.iter().zip(theirs).filter_map(of_round).collect();
        middle(&mut ratios)
    }

    /// Writes everything as JSON.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let mut workloads = serde_json::Map::new();
        for (key, rows) in &self.samples {
            let mut row: serde_json::Map<String, Value> = rows
                .iter()
                .map(|(contestant, samples)| {
                    let value = json!({
                        "per_second": median(samples, |it| Some(it.per_second)),
                        "p50_us": median(samples, |it| it.p50_us),
                        "p99_us": median(samples, |it| it.p99_us),
                        "server_cpu_us": median(samples, |it| it.server_cpu_us),
                        "postgres_cpu_us": median(samples, |it| Some(it.postgres_cpu_us)),
                        "rounds": samples.len(),
                    });
                    (contestant.clone(), value)
                })
                .collect();
            for opponent in self.opponents().into_iter().filter(|it| rows.contains_key(*it)) {
                let ratios = FIGURES.map(|it| (it.key().to_owned(), json!(self.ratio(*key, opponent, it))));
                row.insert(format!("ratio_to_{opponent}"), Value::Object(ratios.into_iter().collect()));
            }
            let of_workload = workloads.entry(key.workload).or_insert_with(|| json!({}));
            of_workload[key.n_connections.to_string()] = Value::Object(row);
        }
        let idle: serde_json::Map<String, Value> = self
            .idle
            .iter()
            .map(|(name, (ready, kib))| {
                (name.clone(), json!({"ready_ms": ready.as_secs_f64() * 1000.0, "resident_kib": kib}))
            })
            .collect();
        let document = json!({"workloads": workloads, "idle": idle, "scale": self.scale});
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        }
        std::fs::write(path, serde_json::to_string_pretty(&document)?)
            .with_context(|| format!("write {}", path.display()))?;
        print(&format!("figures written to {}", path.display()));
        Ok(())
    }
}

/// What a ratio is of.
#[derive(Debug, Clone, Copy)]
enum Figure {
    Throughput,
    P99,
    Cpu,
}

const FIGURES: [Figure; 3] = [Figure::Throughput, Figure::P99, Figure::Cpu];

impl Figure {
    fn name(self) -> &'static str {
        match self {
            Self::Throughput => "requests per second",
            Self::P99 => "p99",
            Self::Cpu => "CPU per request",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::P99 => "p99",
            Self::Cpu => "cpu",
        }
    }

    /// The figure, where the contestant has one.
    fn of(self, sample: &Sample) -> Option<f64> {
        match self {
            Self::Throughput => Some(sample.per_second),
            Self::P99 => sample.p99_us,
            // Server and Postgres together.
            Self::Cpu => Some(sample.server_cpu_us.unwrap_or_default() + sample.postgres_cpu_us),
        }
    }
}

fn median(samples: &[Sample], figure: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
    let mut values: Vec<f64> = samples.iter().filter_map(figure).collect();
    middle(&mut values)
}

fn middle(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn text(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |it| format!("{it:.0}"))
}

fn text2(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |it| format!("{it:.2}"))
}

#[expect(clippy::print_stdout, reason = "the figures are this program's data")]
fn print(line: &str) {
    println!("{line}");
}

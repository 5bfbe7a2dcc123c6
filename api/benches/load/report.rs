//! Figures collected, reduced to medians, printed as ratios, written as JSON.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use indexmap::IndexMap;
use serde_json::{Value, json};

use crate::measure::Sample;

/// All figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// By workload, then contestant.
    samples: IndexMap<&'static str, IndexMap<&'static str, Vec<Sample>>>,
    /// By contestant: start to first answer, and memory then.
    idle: IndexMap<&'static str, (Duration, u64)>,
    /// Figures of the scale runs, by name.
    scale: IndexMap<String, Value>,
}

impl Figures {
    /// Adds a round.
    pub(crate) fn add(&mut self, workload: &'static str, contestant: &'static str, sample: Sample) {
        self.samples.entry(workload).or_default().entry(contestant).or_default().push(sample);
    }

    /// Adds what a contestant cost before the first request.
    pub(crate) fn idle(&mut self, contestant: &'static str, ready_after: Duration, resident_kib: u64) {
        self.idle.insert(contestant, (ready_after, resident_kib));
    }

    /// Adds a figure of a scale run.
    pub(crate) fn scale(&mut self, name: String, value: Value) {
        print(&format!("{name}: {value}"));
        self.scale.insert(name, value);
    }

    /// Prints one workload's medians.
    pub(crate) fn print_workload(&self, workload: &str) {
        let Some(rows) = self.samples.get(workload) else { return };
        print(&format!(
            "\n{workload:<12} {:>10} {:>9} {:>9} {:>12} {:>12}",
            "req/s", "p50 us", "p99 us", "server us", "postgres us"
        ));
        for (contestant, samples) in rows {
            print(&format!(
                "{contestant:<12} {:>10.0} {:>9} {:>9} {:>12} {:>12.1}",
                median(samples, |it| Some(it.per_second)).unwrap_or_default(),
                text(median(samples, |it| it.p50_us)),
                text(median(samples, |it| it.p99_us)),
                text(median(samples, |it| it.server_cpu_us)),
                median(samples, |it| Some(it.postgres_cpu_us)).unwrap_or_default(),
            ));
        }
    }

    /// Prints the ratios: above one, our server is ahead.
    pub(crate) fn print_summary(&self) {
        for (heading, figure) in [
            ("requests per second of pgapp-api over those of", Figure::Throughput),
            ("CPU per request of the others over that of pgapp-api", Figure::Cpu),
        ] {
            print(&format!("\n{heading}"));
            print(&format!("{:<12} {:>12} {:>8} {:>8}", "", "handwritten", "plain", "pgbench"));
            for workload in self.samples.keys() {
                print(&format!(
                    "{workload:<12} {:>12} {:>8} {:>8}",
                    text2(self.ratio(workload, "handwritten", figure)),
                    text2(self.ratio(workload, "plain", figure)),
                    text2(self.ratio(workload, "pgbench", figure))
                ));
            }
        }
        for (contestant, (ready_after, kib)) in &self.idle {
            print(&format!(
                "{contestant}: ready after {:.1} ms, {:.1} MiB resident then",
                ready_after.as_secs_f64() * 1000.0,
                *kib as f64 / 1024.0
            ));
        }
    }

    /// Median over rounds of how far we are ahead, taken round by round so that drift cancels out.
    fn ratio(&self, workload: &str, other: &str, figure: Figure) -> Option<f64> {
        let rows = self.samples.get(workload)?;
        let (ours, theirs) = (rows.get("pgapp-api")?, rows.get(other)?);
        let ahead = |(ours, theirs): (&Sample, &Sample)| match figure {
            Figure::Throughput => ours.per_second / theirs.per_second,
            Figure::Cpu => cpu(theirs) / cpu(ours),
        };
        let mut ratios: Vec<f64> = ours.iter().zip(theirs).map(ahead).collect();
        middle(&mut ratios)
    }

    /// Writes everything as JSON.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let workloads: serde_json::Map<String, Value> = self
            .samples
            .iter()
            .map(|(workload, rows)| {
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
                        ((*contestant).to_owned(), value)
                    })
                    .collect();
                let ratios = |other| {
                    json!({
                        "throughput": self.ratio(workload, other, Figure::Throughput),
                        "cpu": self.ratio(workload, other, Figure::Cpu),
                    })
                };
                row.insert("ratio_to_handwritten".to_owned(), ratios("handwritten"));
                row.insert("ratio_to_plain".to_owned(), ratios("plain"));
                row.insert("ratio_to_pgbench".to_owned(), ratios("pgbench"));
                ((*workload).to_owned(), Value::Object(row))
            })
            .collect();
        let idle: serde_json::Map<String, Value> = self
            .idle
            .iter()
            .map(|(name, (ready, kib))| {
                ((*name).to_owned(), json!({"ready_ms": ready.as_secs_f64() * 1000.0, "resident_kib": kib}))
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
    Cpu,
}

/// CPU of a request, server and Postgres together.
fn cpu(sample: &Sample) -> f64 {
    sample.server_cpu_us.unwrap_or_default() + sample.postgres_cpu_us
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

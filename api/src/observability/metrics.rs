//! Counters and gauges, under PostgREST's names, in Prometheus' text format.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::observation::Observation;
use super::process;
use crate::kept::CacheFigures;

/// What the metrics endpoint reports of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolMetrics {
    /// Open connections that no request uses.
    pub available: usize,
    /// Requests waiting for a connection.
    pub waiting: usize,
    /// Upper bound of connections.
    pub max: usize,
    /// Requests that waited in vain, since the start.
    pub timeouts: u64,
    /// Reads that were sent on a connection behind others, since the start.
    pub shared_reads: u64,
}

/// The server's counters. Cardinality is fixed: no label carries anything a client sends.
///
/// What the pool counts itself is handed in when the metrics are rendered.
#[derive(Default)]
pub struct Metrics {
    schema_cache_loads: AtomicU64,
    schema_cache_failures: AtomicU64,
    schema_cache_query_micros: AtomicU64,
    jwt_requests: AtomicU64,
    jwt_hits: AtomicU64,
    jwt_evictions: AtomicU64,
}

impl Metrics {
    /// Counts what is counted.
    pub fn observe(&self, observation: &Observation<'_>) {
        match observation {
            Observation::SchemaCacheLoaded { query_time, .. } => {
                add(&self.schema_cache_loads);
                let micros = u64::try_from(query_time.as_micros()).unwrap_or(u64::MAX);
                self.schema_cache_query_micros.store(micros, Relaxed);
            }
            Observation::SchemaCacheError { .. } => add(&self.schema_cache_failures),
            Observation::JwtCacheLookup(hit) => {
                add(&self.jwt_requests);
                if *hit {
                    add(&self.jwt_hits);
                }
            }
            Observation::JwtCacheEviction => add(&self.jwt_evictions),
            _ => {}
        }
    }

    /// The exposition.
    pub fn render(&self, pool: PoolMetrics, caches: &[CacheFigures]) -> String {
        let loads = self.schema_cache_loads.load(Relaxed);
        let failures = self.schema_cache_failures.load(Relaxed);
        let mut out = String::new();
        counter(
            &mut out,
            "pgrst_db_pool_timeouts_total",
            "The total number of pool connection timeouts",
            &[("", pool.timeouts)],
        );
        for (name, help, value) in [
            ("pgrst_db_pool_available", "Available connections in the pool", pool.available),
            ("pgrst_db_pool_waiting", "Requests waiting to acquire a pool connection", pool.waiting),
            ("pgrst_db_pool_max", "Max pool connections", pool.max),
        ] {
            gauge(&mut out, name, help, value as f64);
        }
        // A status that never occurred has no sample, as in PostgREST.
        let by_status: Vec<(&str, u64)> = [("{status=\"FAIL\"}", failures), ("{status=\"SUCCESS\"}", loads)]
            .into_iter()
            .filter(|(_, n)| *n > 0)
            .collect();
        counter(
            &mut out,
            "pgrst_schema_cache_loads_total",
            "The total number of times the schema cache was loaded",
            &by_status,
        );
        gauge(
            &mut out,
            "pgrst_schema_cache_query_time_seconds",
            "The query time in seconds of the last schema cache load",
            self.schema_cache_query_micros.load(Relaxed) as f64 / 1e6,
        );
        counter(
            &mut out,
            "pgrst_jwt_cache_requests_total",
            "The total number of JWT cache lookups",
            &[("", self.jwt_requests.load(Relaxed))],
        );
        counter(
            &mut out,
            "pgrst_jwt_cache_hits_total",
            "The total number of JWT cache hits",
            &[("", self.jwt_hits.load(Relaxed))],
        );
        counter(
            &mut out,
            "pgrst_jwt_cache_evictions_total",
            "The total number of JWT cache evictions",
            &[("", self.jwt_evictions.load(Relaxed))],
        );
        counter(
            &mut out,
            "pgapp_db_pool_shared_reads_total",
            "The total number of reads that were sent on a connection behind others",
            &[("", pool.shared_reads)],
        );
        of_caches(&mut out, caches);
        for metric in process::metrics() {
            match metric.kind {
                process::Kind::Counter => {
                    header(&mut out, metric.name, metric.help, "counter");
                    let _ = writeln!(out, "{} {:?}", metric.name, metric.value);
                }
                process::Kind::Gauge => {
                    header(&mut out, metric.name, metric.help, "gauge");
                    // Whole numbers without a decimal point, as every other exporter writes them.
                    let _ = writeln!(out, "{} {}", metric.name, metric.value);
                }
            }
        }
        out
    }
}

/// What is kept between requests, a sample for each cache.
fn of_caches(out: &mut String, caches: &[CacheFigures]) {
    let mut family = |name: &str, help: &str, kind: &str, value: fn(&CacheFigures) -> u64| {
        header(out, name, help, kind);
        for cache in caches {
            // Writing to a `String` cannot fail.
            let _ = writeln!(out, "{name}{{cache=\"{}\"}} {}.0", cache.name, value(cache));
        }
    };
    family(
        "pgapp_cache_hits_total",
        "The total number of cache lookups that found an entry",
        "counter",
        |it| it.hits,
    );
    family(
        "pgapp_cache_misses_total",
        "The total number of cache lookups that found no entry",
        "counter",
        |it| it.misses,
    );
    family(
        "pgapp_cache_evictions_total",
        "The total number of cache entries evicted to make room for others",
        "counter",
        |it| it.evictions,
    );
    family("pgapp_cache_bytes", "Estimated memory used by the cache in bytes", "gauge", |it| it.bytes as u64);
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

fn header(out: &mut String, name: &str, help: &str, kind: &str) {
    // Writing to a `String` cannot fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn counter(out: &mut String, name: &str, help: &str, samples: &[(&str, u64)]) {
    header(out, name, help, "counter");
    for (labels, value) in samples {
        let _ = writeln!(out, "{name}{labels} {value}.0");
    }
}

fn gauge(out: &mut String, name: &str, help: &str, value: f64) {
    header(out, name, help, "gauge");
    // `{:?}` keeps the decimal point of whole numbers, which is how PostgREST prints them.
    let _ = writeln!(out, "{name} {value:?}");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn exposition_has_every_metric_once_with_help_and_type() {
        let metrics = Metrics::default();
        metrics.observe(&Observation::SchemaCacheLoaded {
            took: Duration::ZERO,
            query_time: Duration::from_millis(1500),
            summary: "",
        });
        for hit in [true, false, true] {
            metrics.observe(&Observation::JwtCacheLookup(hit));
        }
        metrics.observe(&Observation::JwtCacheEviction);
        let pool = PoolMetrics { available: 2, waiting: 3, max: 10, timeouts: 4, shared_reads: 5 };
        let plans = CacheFigures { name: "plans", hits: 6, misses: 7, evictions: 8, bytes: 9 };
        let text = metrics.render(pool, &[plans]);
        for sample in [
            "pgrst_db_pool_timeouts_total 4.0",
            "pgrst_db_pool_available 2.0",
            "pgrst_db_pool_waiting 3.0",
            "pgrst_db_pool_max 10.0",
            "pgrst_schema_cache_loads_total{status=\"SUCCESS\"} 1.0",
            "pgrst_schema_cache_query_time_seconds 1.5",
            "pgrst_jwt_cache_requests_total 3.0",
            "pgrst_jwt_cache_hits_total 2.0",
            "pgrst_jwt_cache_evictions_total 1.0",
            "pgapp_db_pool_shared_reads_total 5.0",
            "pgapp_cache_hits_total{cache=\"plans\"} 6.0",
            "pgapp_cache_misses_total{cache=\"plans\"} 7.0",
            "pgapp_cache_evictions_total{cache=\"plans\"} 8.0",
            "pgapp_cache_bytes{cache=\"plans\"} 9.0",
        ] {
            assert_eq!(text.lines().filter(|it| *it == sample).count(), 1, "{sample} in\n{text}");
            let name = sample.split(['{', ' ']).next().unwrap();
            assert_eq!(text.matches(&format!("# HELP {name} ")).count(), 1, "{name}");
            assert_eq!(text.matches(&format!("# TYPE {name} ")).count(), 1, "{name}");
        }
        // A status that never occurred is not there.
        assert!(!text.contains("FAIL"), "{text}");
    }
}

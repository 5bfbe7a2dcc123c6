//! Counters and gauges, under PostgREST's names, in Prometheus' text format.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::observation::{ConnectionStatus, Observation};

/// The server's metrics. Cardinality is fixed: no label carries anything a client sends.
#[derive(Default)]
pub struct Metrics {
    pool_timeouts: AtomicU64,
    pool_waiting: AtomicI64,
    pool_max: u64,
    connections: Mutex<Connections>,
    schema_cache_loads: AtomicU64,
    schema_cache_failures: AtomicU64,
    schema_cache_query_micros: AtomicU64,
    jwt_requests: AtomicU64,
    jwt_hits: AtomicU64,
    jwt_evictions: AtomicU64,
}

/// Connections by number. Kept as sets because a connection may be reported as terminated that
/// never was established: counting events alone would drift.
#[derive(Default)]
struct Connections {
    open: HashSet<u64>,
    in_use: HashSet<u64>,
}

impl Metrics {
    /// Metrics of a pool of this size.
    pub fn new(pool_max: usize) -> Self {
        Self { pool_max: pool_max as u64, ..Self::default() }
    }

    /// Counts what is counted.
    pub fn observe(&self, observation: &Observation<'_>) {
        match observation {
            Observation::PoolAcquisitionTimeout => add(&self.pool_timeouts),
            Observation::PoolRequest => {
                self.pool_waiting.fetch_add(1, Relaxed);
            }
            Observation::PoolRequestFulfilled => {
                self.pool_waiting.fetch_sub(1, Relaxed);
            }
            Observation::Connection(id, status) => self.track(*id, *status),
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

    fn track(&self, id: u64, status: ConnectionStatus) {
        let mut connections = self.connections();
        match status {
            ConnectionStatus::Connecting => {}
            ConnectionStatus::Established
            | ConnectionStatus::SessionSucceeded
            | ConnectionStatus::SessionFailed => {
                connections.open.insert(id);
                connections.in_use.remove(&id);
            }
            ConnectionStatus::InUse => {
                connections.in_use.insert(id);
            }
            ConnectionStatus::Terminated(_) => {
                connections.open.remove(&id);
                connections.in_use.remove(&id);
            }
        }
    }

    /// A poisoned lock only means that a thread died between two set operations; the sets stay usable.
    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The exposition.
    pub fn render(&self) -> String {
        let available = {
            let connections = self.connections();
            connections.open.len() as i64 - connections.in_use.len() as i64
        };
        let loads = self.schema_cache_loads.load(Relaxed);
        let failures = self.schema_cache_failures.load(Relaxed);
        let mut out = String::new();
        counter(
            &mut out,
            "pgrst_db_pool_timeouts_total",
            "The total number of pool connection timeouts",
            &[("", self.pool_timeouts.load(Relaxed))],
        );
        header(&mut out, "pgrst_db_pool_available", "Available connections in the pool", "gauge");
        let _ = writeln!(out, "pgrst_db_pool_available {available}");
        gauge(
            &mut out,
            "pgrst_db_pool_waiting",
            "Requests waiting to acquire a pool connection",
            self.pool_waiting.load(Relaxed) as f64,
        );
        gauge(&mut out, "pgrst_db_pool_max", "Max pool connections", self.pool_max as f64);
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
        out
    }
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

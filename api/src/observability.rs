//! What the server tells about itself: one closed enum of [`observation::Observation`]s, read by
//! two interpreters, [`log`] and [`metrics`].
//!
//! No other module writes to standard error or standard output while the server runs, and what
//! the pool and the caches count is handed in when the metrics are asked for.

pub mod log;
pub mod metrics;
pub mod observation;
mod process;

use std::sync::Arc;

use crate::config::{AppConfig, LogLevel};
use crate::kept::CacheFigures;
use metrics::PoolMetrics;
pub use observation::Observation;

/// Hands each observation to the log and to the metrics. Cheap to clone.
#[derive(Clone)]
pub struct Observer(Arc<Interpreters>);

struct Interpreters {
    log: log::Logger,
    metrics: metrics::Metrics,
}

impl Observer {
    /// An observer that writes at the configured level.
    pub fn new(conf: &AppConfig) -> Self {
        Self(Arc::new(Interpreters {
            log: log::Logger::new(conf.log_level),
            metrics: metrics::Metrics::default(),
        }))
    }

    /// Takes note of something that happened.
    pub fn observe(&self, observation: &Observation<'_>) {
        self.0.metrics.observe(observation);
        self.0.log.observe(observation);
    }

    /// Follows a reloaded `log-level`.
    pub fn set_log_level(&self, level: LogLevel) {
        self.0.log.set_level(level);
    }

    /// The counters, in Prometheus' text format.
    pub fn render_metrics(&self, pool: PoolMetrics, caches: &[CacheFigures]) -> String {
        self.0.metrics.render(pool, caches)
    }
}

//! What requests share: configuration, schema cache, token verifier, pool and observer.
//!
//! Everything that changes at run time is an immutable snapshot behind an atomic pointer; a request
//! takes the snapshots it needs once and keeps them. Who may change what: [`reload`] replaces
//! configuration and schema cache, [`listener`] only asks for reloads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use arc_swap::{ArcSwap, ArcSwapOption};

use crate::auth::Verifier;
use crate::config::AppConfig;
use crate::observability::Observer;
use crate::schema_cache::SchemaCache;

/// The state of the server.
pub struct AppState {
    config: ArcSwap<AppConfig>,
    schema_cache: ArcSwapOption<SchemaCache>,
    pg_version: AtomicU32,
    observer: Observer,
    verifier: Verifier,
}

impl AppState {
    /// The state before anything was read from the database.
    pub fn new(conf: AppConfig) -> Arc<Self> {
        let observer = Observer::new(&conf);
        let verifier = Verifier::new(&conf);
        Arc::new(Self {
            config: ArcSwap::from_pointee(conf),
            schema_cache: ArcSwapOption::empty(),
            pg_version: AtomicU32::new(0),
            observer,
            verifier,
        })
    }

    /// The configuration as of now.
    pub fn config(&self) -> Arc<AppConfig> {
        self.config.load_full()
    }

    /// The schema cache as of now; none before the first load.
    pub fn schema_cache(&self) -> Option<Arc<SchemaCache>> {
        self.schema_cache.load_full()
    }

    /// `server_version_num`; 0 before the first connection.
    pub fn pg_version(&self) -> u32 {
        self.pg_version.load(Relaxed)
    }

    /// Verifies tokens.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Log and metrics.
    pub fn observer(&self) -> &Observer {
        &self.observer
    }

    /// A request met a database that does not answer: look at it, off the request path.
    pub(crate) fn database_seems_down(&self) {}

    /// Seconds after which a refused client may try again.
    pub(crate) fn retry_after(&self) -> u64 {
        0
    }
}

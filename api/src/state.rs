//! What requests share: configuration, schema cache, token verifier, pool and observer.
//!
//! Everything that changes at run time is an immutable snapshot behind an atomic pointer; a request
//! takes the snapshots it needs once and keeps them. Who may change what: [`reload`] replaces
//! configuration and schema cache, [`listener`] only asks for reloads.

pub mod basis;
mod freshness;
pub mod listener;
pub mod reload;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use crate::bodies::Bodies;
use crate::config::AppConfig;
use crate::config::database::{DatabaseSettings, PgVersion};
use crate::config::load::Environment;
use crate::error::{Cause, DbError};
use crate::execute::{Connector, Pool};
use crate::kept::CacheFigures;
use crate::observability::observation::FatalError;
use crate::observability::{Observation, Observer};
use crate::plan_cache::PlanCache;
use crate::schema_cache::SchemaCache;
use crate::snapshot::Snapshot;
use basis::Basis;
use freshness::Freshness;

/// How long the database may take to answer whoever asks whether we are ready.
const READY_TIMEOUT: Duration = Duration::from_secs(4);

/// How far the schema cache is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheStatus {
    /// The first load has not come to an end.
    Initial,
    /// The last load failed, or one is being put in place.
    Pending,
    /// It is there.
    Loaded,
}

/// The state of the server.
pub struct AppState {
    basis: ArcSwap<Basis>,
    pg_version: ArcSwapOption<PgVersion>,
    observer: Observer,
    pool: Pool,
    bodies: Bodies,
    environment: Environment,
    /// What the database said last, for when it cannot be asked.
    database_settings: ArcSwap<DatabaseSettings>,
    cache_status: watch::Sender<CacheStatus>,
    listener_on: AtomicBool,
    listener: Mutex<Option<AbortHandle>>,
    /// Seconds until the next attempt to reach the database; 0 when none is scheduled.
    next_attempt: AtomicU64,
    /// The tasks that wait until the schema cache is up to date.
    freshness: Freshness,
    /// Somebody wants the schema cache rebuilt. Wishes that come while one is being granted merge.
    schema_wanted: Notify,
    /// The same, for whoever waits before the next attempt at it.
    hurry: Notify,
    /// Somebody wants the configuration read again.
    config_wanted: Notify,
    /// The process has to end, for a reason that has been logged.
    doomed: watch::Sender<bool>,
}

impl AppState {
    /// The state before anything was read from the database. Must be called inside a Tokio runtime.
    pub fn new(conf: AppConfig, environment: Environment) -> Result<Arc<Self>, DbError> {
        let observer = Observer::new(&conf);
        Ok(Arc::new(Self {
            pool: Pool::with_connector(&conf, Connector::new(&conf)?, Some(observer.clone())),
            bodies: Bodies::new(conf.pgapp_max_bodies),
            basis: ArcSwap::from_pointee(Basis::new(conf)),
            pg_version: ArcSwapOption::empty(),
            observer,
            environment,
            database_settings: ArcSwap::default(),
            cache_status: watch::Sender::new(CacheStatus::Initial),
            listener_on: AtomicBool::new(false),
            listener: Mutex::new(None),
            next_attempt: AtomicU64::new(0),
            freshness: Freshness::new(),
            schema_wanted: Notify::new(),
            hurry: Notify::new(),
            config_wanted: Notify::new(),
            doomed: watch::Sender::new(false),
        }))
    }

    /// The memory for the bodies of requests.
    pub(crate) fn bodies(&self) -> &Bodies {
        &self.bodies
    }

    /// What a request that begins now is answered by.
    pub fn basis(&self) -> Arc<Basis> {
        self.basis.load_full()
    }

    /// The configuration as of now.
    pub fn config(&self) -> Arc<AppConfig> {
        Arc::clone(&self.basis.load().conf)
    }

    /// The schema cache as of now; none before the first load.
    pub fn schema_cache(&self) -> Option<Arc<SchemaCache>> {
        self.basis.load().plans.as_ref().map(|it| Arc::clone(it.cache()))
    }

    fn put_config(&self, conf: &Arc<AppConfig>) {
        self.basis.rcu(|old| Arc::new(old.with_conf(conf)));
    }

    fn put_schema(&self, cache: &Arc<SchemaCache>) {
        self.basis.rcu(|old| Arc::new(old.with_schema(cache)));
    }

    /// `server_version_num`; that of the oldest supported server before the first connection.
    pub fn pg_version(&self) -> u32 {
        self.pg_version.load().as_ref().map_or(crate::config::database::MINIMUM_PG_VERSION.0, |it| it.number)
    }

    /// Connections to the database.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// How often what is kept between requests was of use; plans once there is a schema cache.
    pub fn caches(&self) -> Vec<CacheFigures> {
        let plans = self.basis.load().plans.as_ref().map(PlanCache::figures);
        plans.into_iter().chain(self.pool.caches()).collect()
    }

    /// Log and metrics.
    pub fn observer(&self) -> &Observer {
        &self.observer
    }

    /// Follows the state of the schema cache.
    pub fn cache_status(&self) -> watch::Receiver<CacheStatus> {
        self.cache_status.subscribe()
    }

    /// Whether the schema cache is there and the database answers.
    pub async fn is_ready(&self) -> bool {
        *self.cache_status.borrow() == CacheStatus::Loaded && self.is_connected().await
    }

    /// The listener listens, where it should, and the database answers as it would a request.
    async fn is_connected(&self) -> bool {
        let listens = !self.config().db_channel_enabled || self.listener_on.load(Relaxed);
        listens && self.pool.answers_within(READY_TIMEOUT).await
    }

    /// Asks for the schema cache to be rebuilt; cuts short a pause after a failed attempt, since
    /// whoever asks may have mended what was wrong.
    pub fn want_schema_reload(&self) {
        self.freshness.wish();
        self.schema_wanted.notify_one();
        self.hurry.notify_waiters();
    }

    /// Puts in place what an earlier process read from the database, so that this one need not ask. The configuration
    /// that the snapshot's settings make is the caller's.
    pub fn install(&self, snapshot: Snapshot<'_>) {
        self.database_settings.store(Arc::new(snapshot.database.into_owned()));
        self.pg_version.store(Some(Arc::new(snapshot.pg_version.into_owned())));
        self.put_schema(&Arc::new(snapshot.cache.into_owned()));
        self.cache_status.send_replace(CacheStatus::Loaded);
    }

    /// What was read from the database, as far as it was, for a later process.
    pub fn snapshot(&self) -> Option<(Arc<PgVersion>, Arc<DatabaseSettings>, Arc<SchemaCache>)> {
        let (version, cache) = (self.pg_version.load_full()?, self.schema_cache()?);
        Some((version, self.database_settings.load_full(), cache))
    }

    /// Whether changes of the schema are told as they come.
    fn listens(&self) -> bool {
        self.listener_on.load(Relaxed)
    }

    /// No load of the schema cache has failed since the last one that did not.
    fn is_reloading_well(&self) -> bool {
        self.next_attempt.load(Relaxed) == 0
    }

    /// The basis with a schema cache that shows what was committed before this call, if it is another one than that of
    /// `old`. Waits as long as `pgapp-schema-wait` says; not at all while reloads fail.
    pub(crate) async fn newer_schema(&self, old: &Basis) -> Option<Arc<Basis>> {
        let limit = Duration::from_secs(old.conf.pgapp_schema_wait);
        if !limit.is_zero() && self.is_reloading_well() {
            let caught_up = async {
                if self.listens() {
                    self.freshness.pass_fence().await;
                }
                self.freshness.until_granted().await;
            };
            // Whatever came by then is looked at.
            let _ = tokio::time::timeout(limit, caught_up).await;
        }
        let cache = |it: &Basis| it.plans.as_ref().map(|plans| Arc::as_ptr(plans.cache()));
        Some(self.basis()).filter(|it| cache(it) != cache(old))
    }

    /// Asks for the configuration to be read again.
    pub fn want_config_reload(&self) {
        self.config_wanted.notify_one();
    }

    /// A request met a database that does not answer: look at it, off the request path. Before the
    /// first schema cache a load is under way anyway.
    pub(crate) fn database_seems_down(&self) {
        if self.schema_cache().is_some() {
            // Not in a hurry: many requests fail at once, and none of them mends anything.
            self.schema_wanted.notify_one();
        }
    }

    /// Seconds after which a refused client may try again.
    pub(crate) fn retry_after(&self) -> u64 {
        self.next_attempt.load(Relaxed).max(1)
    }

    /// Takes note of an error of the database, and ends the process where going on is pointless.
    pub(crate) fn note_database_error(&self, error: &DbError) {
        if let Some(kind) = fatal(error) {
            if kind == FatalError::Auth && self.schema_cache().is_some() {
                // It was right before: somebody changed it, here or there, and the attempts go on.
                return;
            }
            self.observer.observe(&Observation::Fatal(kind, error));
            self.doom();
            return;
        }
        match error {
            DbError::AcquisitionTimeout => self.observer.observe(&Observation::PoolAcquisitionTimeout),
            // The recovery that this sets off tells about it; nobody has to be told that a client left.
            DbError::Connection { was_established: false, .. } | DbError::Abandoned => {}
            _ => {
                if crate::error::http::database_status(error).is_server_error() {
                    self.observer.observe(&Observation::QueryError(error));
                }
            }
        }
    }

    /// Ends the process.
    fn doom(&self) {
        self.doomed.send_replace(true);
    }

    /// Resolves when the process has to end.
    pub async fn until_doomed(&self) {
        let mut doomed = self.doomed.subscribe();
        // The sender lives as long as `self`.
        let _ = doomed.wait_for(|it| *it).await;
    }

    fn replace_listener(&self, listener: Option<AbortHandle>) {
        let mut current = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = std::mem::replace(&mut *current, listener) {
            old.abort();
        }
        self.listener_on.store(false, Relaxed);
    }

    /// Lets go of the database: no listener, no idle connections.
    pub fn close(&self) {
        self.replace_listener(None);
        self.pool.close();
    }
}

/// Errors that trying again cannot mend.
fn fatal(error: &DbError) -> Option<FatalError> {
    match error {
        DbError::Connection { was_established: false, message }
            if message.contains("FATAL:  password authentication failed")
                || message.contains("no password supplied") =>
        {
            Some(FatalError::Auth)
        }
        DbError::Server { cause: Cause::ForeignStatement, .. } => Some(FatalError::PreparedStatementExists),
        DbError::Server { cause: Cause::StatementPooler, .. } => Some(FatalError::StatementPooling),
        _ => None,
    }
}

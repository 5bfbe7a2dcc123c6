//! The connection pool: bounded, fair, self-cleaning.
//!
//! Owns when a connection is opened, reused and closed; knows nothing of statements.
//!
//! Invariant: at most `size` connections exist that were not condemned. A permit is held from before
//! a connection is opened until it is back in the idle list or dropped, so the bound needs no count.
//! Invariant: a connection whose state is not known to be idle never reaches the idle list.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use super::connector::Connector;
use super::session::Session;
use super::shapes::{Encodable, Shapes};
use super::shared::{Conditions, PendingRead, SharedConnections, Sharing};
use super::watch::{Watch, is_silence, unless_silent};
use crate::config::AppConfig;
use crate::error::DbError;
use crate::kept::CacheFigures;
pub use crate::observability::metrics::PoolMetrics;
use crate::observability::observation::{ConnectionStatus, TerminationReason};
use crate::observability::{Observation, Observer};
use crate::spool::room::Room;

/// A pool of connections to the database; clones share it.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

struct Shared {
    connector: Arc<Connector>,
    watch: Arc<Watch>,
    size: usize,
    acquisition_timeout: Duration,
    max_lifetime: Duration,
    max_idletime: Duration,
    permits: Arc<Semaphore>,
    /// Most recently used at the back: the front grows old and is closed when load falls.
    idle: Mutex<VecDeque<Idle>>,
    waiting: AtomicUsize,
    timeouts: AtomicU64,
    /// Connections of an earlier generation are closed instead of reused.
    generation: AtomicU64,
    closed: AtomicBool,
    shapes: Arc<Shapes>,
    shapes_budget: AtomicUsize,
    /// For large answers.
    room: Arc<Room>,
    shared: Arc<SharedConnections>,
    /// Number of the next connection, for the log.
    next_id: AtomicU64,
    observer: Option<Observer>,
}

struct Idle {
    id: u64,
    session: Session,
    opened: Instant,
    since: Instant,
    generation: u64,
}

impl Pool {
    /// A pool that opens connections as they are needed. Must be called inside a Tokio runtime.
    pub fn new(conf: &AppConfig) -> Result<Self, DbError> {
        Self::sharing(conf, Sharing::default())
    }

    /// The same with other bounds for reads that share connections.
    pub fn sharing(conf: &AppConfig, sharing: Sharing) -> Result<Self, DbError> {
        Ok(Self::build(conf, Connector::new(conf)?, None, sharing))
    }

    /// The same over connections that are opened in another way, told to an observer.
    pub fn with_connector(conf: &AppConfig, connector: Connector, observer: Option<Observer>) -> Self {
        Self::build(conf, connector, observer, Sharing::default())
    }

    fn build(conf: &AppConfig, connector: Connector, observer: Option<Observer>, sharing: Sharing) -> Self {
        let size = conf.db_pool.max(1);
        let shapes_budget = conf.pgapp_plan_cache_bytes / 2;
        let (connector, shapes) = (Arc::new(connector), Arc::new(Shapes::new(shapes_budget)));
        let room = Arc::new(Room::new(conf, observer.clone()));
        let watch = Watch::begin(conf, Arc::clone(&connector), Arc::clone(&shapes), observer.clone());
        let shared = Arc::new(Shared {
            connector,
            watch,
            size,
            acquisition_timeout: Duration::from_secs(conf.db_pool_acquisition_timeout),
            max_lifetime: Duration::from_secs(conf.db_pool_max_lifetime),
            max_idletime: Duration::from_secs(conf.db_pool_max_idletime),
            permits: Arc::new(Semaphore::new(size)),
            idle: Mutex::new(VecDeque::new()),
            waiting: AtomicUsize::new(0),
            timeouts: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            shapes,
            shapes_budget: AtomicUsize::new(shapes_budget),
            room,
            shared: Arc::new(SharedConnections::new(sharing)),
            next_id: AtomicU64::new(1),
            observer,
        });
        tokio::spawn(reap(Arc::downgrade(&shared)));
        Self(shared)
    }

    /// The room for large answers.
    pub(super) fn room(&self) -> &Arc<Room> {
        &self.0.room
    }

    /// A connection for exclusive use: an idle one that is still alive, else a new one.
    ///
    /// Waits at most `db-pool-acquisition-timeout` for one to come free; opening one is not part of
    /// that time.
    pub(super) async fn acquire(&self) -> Result<Lease, DbError> {
        self.0.observe(&Observation::PoolRequest);
        let acquired = self.find_or_open().await;
        match &acquired {
            Ok(lease) => self.0.connection(lease.id, ConnectionStatus::InUse),
            Err(_) => self.0.observe(&Observation::PoolRequestFulfilled),
        }
        acquired
    }

    async fn find_or_open(&self) -> Result<Lease, DbError> {
        let shared = &self.0;
        if self.is_silent() {
            return Err(DbError::silent(false));
        }
        let permit = match Arc::clone(&shared.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _waiting = Waiting::new(&shared.waiting);
                let permit = Arc::clone(&shared.permits).acquire_owned();
                match tokio::time::timeout(shared.acquisition_timeout, permit).await {
                    Ok(Ok(permit)) => permit,
                    Ok(Err(_)) => return Err(closed()),
                    Err(_) => {
                        shared.timeouts.fetch_add(1, Ordering::Relaxed);
                        return Err(DbError::AcquisitionTimeout);
                    }
                }
            }
        };
        self.lend(permit).await
    }

    /// A connection for whoever may have one.
    async fn lend(&self, permit: OwnedSemaphorePermit) -> Result<Lease, DbError> {
        let shared = &self.0;
        while let Some(mut idle) = shared.take_idle() {
            if let Some(reason) = shared.staleness(&idle, Instant::now()) {
                shared.connection(idle.id, ConnectionStatus::Terminated(reason));
            } else if !idle.session.is_alive() {
                let lost = ConnectionStatus::Terminated(TerminationReason::NetworkError);
                shared.connection(idle.id, lost);
            } else {
                return Ok(Lease {
                    id: idle.id,
                    went_well: true,
                    session: Some(idle.session),
                    opened: idle.opened,
                    generation: idle.generation,
                    shared: Arc::clone(shared),
                    permit: Some(permit),
                });
            }
        }
        if shared.closed.load(Ordering::Acquire) {
            return Err(closed());
        }
        // Read before connecting: a flush during the attempt condemns this connection too.
        let generation = shared.generation.load(Ordering::Acquire);
        let id = shared.next_id.fetch_add(1, Ordering::Relaxed);
        shared.connection(id, ConnectionStatus::Connecting);
        let connected = Session::connect(&shared.connector, &shared.shapes, &shared.room).await;
        let session = connected.inspect_err(|error| {
            let failed = ConnectionStatus::Terminated(TerminationReason::NetworkError);
            shared.connection(id, failed);
            if is_silence(error) {
                shared.watch.suspect();
            }
        })?;
        shared.watch.add(&session);
        shared.connection(id, ConnectionStatus::Established);
        Ok(Lease {
            id,
            went_well: true,
            session: Some(session),
            opened: Instant::now(),
            generation,
            shared: Arc::clone(shared),
            permit: Some(permit),
        })
    }

    /// The database was found silent and has not been heard since, and there is no connection that may yet be answered:
    /// whoever waits for it waits in vain.
    fn is_silent(&self) -> bool {
        self.0.watch.is_silent() && self.0.lock_idle().is_empty()
    }

    /// Whether a request would be answered now: asks the database, as a request would, and waits for at most so long.
    ///
    /// Where all connections are in use, those who use them find out, and nobody else is kept waiting by the question.
    pub async fn answers_within(&self, limit: Duration) -> bool {
        if self.is_silent() {
            return false;
        }
        let permit = match Arc::clone(&self.0.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(TryAcquireError::NoPermits) => return true,
            Err(TryAcquireError::Closed) => return false,
        };
        let asked = async {
            let mut lease = self.lend(permit).await?;
            let answer = lease.session().ping().await;
            lease.went_well(answer.is_ok());
            answer
        };
        tokio::time::timeout(limit, asked).await.is_ok_and(|it| it.is_ok())
    }

    /// What comes of something that is done with the database elsewhere, unless the database falls silent before.
    pub async fn unless_silent<T>(
        &self,
        work: impl Future<Output = Result<T, DbError>>,
    ) -> Result<T, DbError> {
        unless_silent(&self.0.watch, work).await
    }

    /// How new connections are opened.
    pub fn connector(&self) -> &Connector {
        &self.0.connector
    }

    /// What is known of a query that was quick lately and whose rows can be encoded.
    pub(super) fn quick(&self, text: &str) -> Option<Arc<Encodable>> {
        let Sharing { quick, worth, .. } = self.0.shared.sharing();
        self.0.shapes.quick(text, quick).filter(|it| it.latency.costs_at_most(worth))
    }

    /// Has a read join where others are on their way, or gives it back: it is to take a connection.
    pub(super) fn join(&self, pending: PendingRead) -> Result<(), PendingRead> {
        let shared = &self.0;
        let conditions = Conditions {
            now: Instant::now(),
            generation: shared.generation.load(Ordering::Acquire),
            max_lifetime: shared.max_lifetime,
            is_one_free: shared.permits.available_permits() > 0,
            somebody_waits: shared.waiting.load(Ordering::Relaxed) > 0,
        };
        shared.shared.join(pending, conditions)?;
        // To whoever reads the log, it has a connection.
        shared.observe(&Observation::PoolRequest);
        shared.observe(&Observation::PoolRequestFulfilled);
        Ok(())
    }

    /// All connections are in use.
    pub(super) fn is_exhausted(&self) -> bool {
        self.0.permits.available_permits() == 0
    }

    /// Connections that are shared.
    pub(super) fn shared(&self) -> &Arc<SharedConnections> {
        &self.0.shared
    }

    /// Current numbers.
    pub fn metrics(&self) -> PoolMetrics {
        PoolMetrics {
            available: self.0.lock_idle().len(),
            waiting: self.0.waiting.load(Ordering::Relaxed),
            max: self.0.size,
            timeouts: self.0.timeouts.load(Ordering::Relaxed),
            shared_reads: self.0.shared.n_joined(),
        }
    }

    /// How often columns and prepared statements were found among what is kept.
    pub fn caches(&self) -> [CacheFigures; 2] {
        [self.0.shapes.figures(), self.0.connector.statements.figures("statements")]
    }

    /// Makes sure that requests from now on use connections opened from now on: after recovery, and
    /// after a schema reload, since sessions cache the catalog. Running requests finish undisturbed.
    pub fn flush(&self) {
        self.0.generation.fetch_add(1, Ordering::AcqRel);
        self.0.shapes.renew(self.0.shapes_budget.load(Ordering::Relaxed));
        let released = std::mem::take(&mut *self.0.lock_idle());
        for idle in &released {
            self.0.connection(idle.id, ConnectionStatus::Terminated(TerminationReason::Release));
        }
    }

    /// Takes over what a reload may have changed; sessions of the old configuration are not used again.
    pub fn reconfigure(&self, conf: &AppConfig) {
        let shapes = conf.pgapp_plan_cache_bytes / 2;
        let other_shapes = self.0.shapes_budget.swap(shapes, Ordering::Relaxed) != shapes;
        if self.0.connector.reconfigure(conf) || other_shapes {
            self.flush();
        }
    }

    /// Closes idle connections, lets running requests finish, refuses new ones.
    pub fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.permits.close();
        self.flush();
    }
}

impl Shared {
    fn lock_idle(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        // The list stays well formed whatever panicked beside it.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_idle(&self) -> Option<Idle> {
        self.lock_idle().pop_back()
    }

    /// Why a connection may not be used again, if it may not.
    fn staleness(&self, idle: &Idle, now: Instant) -> Option<TerminationReason> {
        if idle.generation != self.generation.load(Ordering::Acquire) {
            Some(TerminationReason::Release)
        } else if now.duration_since(idle.opened) >= self.max_lifetime {
            Some(TerminationReason::MaxLifetime)
        } else if now.duration_since(idle.since) >= self.max_idletime {
            Some(TerminationReason::MaxIdleTime)
        } else {
            None
        }
    }

    fn observe(&self, observation: &Observation<'_>) {
        if let Some(observer) = &self.observer {
            observer.observe(observation);
        }
    }

    fn connection(&self, id: u64, status: ConnectionStatus) {
        self.observe(&Observation::Connection(id, status));
    }
}

fn closed() -> DbError {
    DbError::Connection { was_established: false, message: "the connection pool is closed".into() }
}

/// Closes connections that grew too old or idle, once a second, for as long as the pool exists.
async fn reap(shared: Weak<Shared>) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tick.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        let now = Instant::now();
        let mut stale = Vec::new();
        {
            let mut idle = shared.lock_idle();
            for it in std::mem::take(&mut *idle) {
                match shared.staleness(&it, now) {
                    Some(reason) => stale.push((it, reason)),
                    None => idle.push_back(it),
                }
            }
        }
        for (it, reason) in stale {
            shared.connection(it.id, ConnectionStatus::Terminated(reason));
        }
    }
}

/// Counts a waiting request, also when its future is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection in use.
pub(super) struct Lease {
    id: u64,
    went_well: bool,
    session: Option<Session>,
    opened: Instant,
    generation: u64,
    shared: Arc<Shared>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Lease {
    /// The connection.
    pub(super) fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect("only `drop` takes the session")
    }

    /// The generation of the connection.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// When the connection was opened.
    pub(super) fn opened(&self) -> Instant {
        self.opened
    }

    /// Says how the session went, for the log.
    pub(super) fn went_well(&mut self, it: bool) {
        self.went_well = it;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else { return };
        let shared = &self.shared;
        // A dropped request future leaves the session mid-transaction: nobody else may ever see its
        // role, so it is closed. Its place is free when the server has let go of it.
        if !session.is_idle() {
            let permit = self.permit.take();
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move {
                    session.close().await;
                    drop(permit);
                });
            }
            shared.connection(self.id, ConnectionStatus::Terminated(TerminationReason::NetworkError));
            shared.observe(&Observation::PoolRequestFulfilled);
            return;
        }
        let (opened, since) = (self.opened, Instant::now());
        let idle = Idle { id: self.id, session, opened, since, generation: self.generation };
        let closed = shared.closed.load(Ordering::Acquire).then_some(TerminationReason::Release);
        // Told before it is done: once in the list, the connection may be somebody else's.
        match (closed.or_else(|| shared.staleness(&idle, since)), self.went_well) {
            (Some(reason), _) => shared.connection(self.id, ConnectionStatus::Terminated(reason)),
            (None, went_well) => {
                let status = match went_well {
                    true => ConnectionStatus::SessionSucceeded,
                    false => ConnectionStatus::SessionFailed,
                };
                shared.connection(self.id, status);
                shared.lock_idle().push_back(idle);
            }
        }
        shared.observe(&Observation::PoolRequestFulfilled);
    }
}

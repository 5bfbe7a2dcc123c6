//! Reads that share a connection.
//!
//! A connection that serves one request after the other spends more on waking up than on a quick query.
//! So a quick read may be sent behind others without waiting for their answers: a *shared connection* is a connection
//! with reads on their way. Each read stays what it is elsewhere, a transaction of its own with its role,
//! claims and settings, put together whole and ended by its own `Sync`; what fails in one is over with it.
//!
//! # The rule
//!
//! No request waits for long behind the query of another one:
//!
//! 1. Only reads are sent this way, of queries that were quick in their recent runs ([`super::latency`]) and cost at
//!    most [`Sharing::worth`], since waking up is all that is saved; and only what may be run a second time: relations, and functions that are not `VOLATILE`, without a
//!    `db-pre-request`.
//! 2. A read joins where the queries before it are expected to cost at most [`Sharing::budget`] together.
//!    Otherwise it takes a connection of its own, as long as there is a free one.
//! 3. Where the query whose turn it is takes longer than [`Sharing::hesitation`], no read joins any more. Where it
//!    takes longer than [`Sharing::patience`], all who are behind it are sent elsewhere: they are run again, and
//!    what still comes of them here is thrown away. They have read only.
//! 4. Where no connection is free, a read joins the shared connection with the least to do, whatever that is. Where
//!    there is no shared connection either it waits, and joins the next one that begins.
//! 5. Where no client waits any more for what runs on a shared connection, it goes on for [`Sharing::patience`]; then
//!    it is cancelled, and the connection closed. While any client waits there, one that disconnects changes nothing.
//! 6. While a request waits for a connection, a shared connection takes no more reads after its first
//!    [`Sharing::turn`], so that it ends.
//!
//! Everything else has a connection for itself.

mod driver;
mod wait_queue;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use tokio::sync::oneshot;

use super::shapes::Encodable;
use crate::error::DbError;
use crate::schema_cache::residue::Residue;
use crate::script::rows::Rows;
use crate::sql::types::MainQuery;
pub(super) use driver::lead;
use wait_queue::{Place, WaitQueue};

/// Requests on their way at once.
const DEPTH: usize = 16;

/// The bounds of the rule above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharing {
    /// Queries that are answered within this, on average, count as quick.
    pub quick: Duration,
    /// Queries that cost more take the first connection that comes free: they gain less than they keep others waiting.
    pub worth: Duration,
    /// Expected cost of those before up to which a read joins.
    pub budget: Duration,
    /// How long the query whose turn it is may have taken for others to join.
    pub hesitation: Duration,
    /// How long the others stay.
    pub patience: Duration,
    /// How long a shared connection goes on taking others while somebody waits for a connection.
    pub turn: Duration,
}

impl Default for Sharing {
    fn default() -> Self {
        Self {
            quick: Duration::from_millis(5),
            worth: Duration::from_micros(150),
            budget: Duration::from_micros(500),
            hesitation: Duration::from_millis(3),
            patience: Duration::from_millis(20),
            turn: Duration::from_millis(10),
        }
    }
}

/// A read that joins others on a connection.
pub(super) struct PendingRead {
    pub(super) query: Arc<MainQuery>,
    pub(super) encodable: Arc<Encodable>,
    pub(super) residue: Residue,
    pub(super) reply: oneshot::Sender<Reply>,
}

/// What a pending read is told. One that is told nothing goes elsewhere, too.
pub(super) enum Reply {
    /// What came of it.
    Answer(Result<Vec<Rows>, DbError>),
    /// It is to be run elsewhere.
    Elsewhere,
}

/// What decides which connection a read joins, apart from the shared connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conditions {
    pub(super) now: Instant,
    /// Connections of another generation are not to be used any more.
    pub(super) generation: u64,
    /// Connections that are older are not, either.
    pub(super) max_lifetime: Duration,
    /// There is a connection that nobody uses.
    pub(super) is_one_free: bool,
    /// Somebody waits for a connection.
    pub(super) somebody_waits: bool,
}

/// The shared connections of a pool.
#[derive(Default)]
pub(super) struct SharedConnections {
    sharing: Sharing,
    open: Mutex<Vec<Arc<SharedConnection>>>,
    /// Reads that wait for a connection.
    queue: Arc<WaitQueue>,
    /// Reads that joined one, since the start.
    n_joined: AtomicU64,
}

/// A connection with reads on their way.
pub(super) struct SharedConnection {
    sharing: Sharing,
    begun: Instant,
    generation: u64,
    opened: Instant,
    /// Wakes who drives it.
    waker: AtomicWaker,
    load: Mutex<Load>,
}

struct Load {
    /// Joined and not sent yet.
    waiting: VecDeque<PendingRead>,
    /// All reads of it.
    n_reads: usize,
    /// What they are expected to cost together, in microseconds.
    cost: u32,
    /// Since when it is the turn of the query whose turn it is.
    front_since: Instant,
    is_closed: bool,
}

impl Load {
    fn costs_more_than(&self, budget: Duration) -> bool {
        Duration::from_micros(self.cost.into()) > budget
    }
}

impl SharedConnections {
    /// No shared connections yet, and the bounds for those to come.
    pub(super) fn new(sharing: Sharing) -> Self {
        Self { sharing, ..Self::default() }
    }

    /// The bounds.
    pub(super) fn sharing(&self) -> Sharing {
        self.sharing
    }

    /// A shared connection of the connection that was opened then.
    pub(super) fn open(&self, generation: u64, opened: Instant) -> Arc<SharedConnection> {
        let now = Instant::now();
        let load = Load { waiting: VecDeque::new(), n_reads: 0, cost: 0, front_since: now, is_closed: false };
        let connection = SharedConnection {
            sharing: self.sharing,
            begun: now,
            generation,
            opened,
            waker: AtomicWaker::new(),
            load: Mutex::new(load),
        };
        let connection = Arc::new(connection);
        self.lock().push(Arc::clone(&connection));
        connection
    }

    /// Takes along who waits, as far as there is room.
    fn fill(&self, connection: &SharedConnection) {
        while connection.has_room()
            && let Some(pending) = self.queue.first()
        {
            match connection.enter(pending, connection.begun, None) {
                Ok(()) => {
                    self.n_joined.fetch_add(1, Ordering::Relaxed);
                }
                Err((pending, _)) => {
                    let _ = pending.reply.send(Reply::Elsewhere);
                    return;
                }
            }
        }
    }

    /// Waits for a shared connection, besides waiting for a connection.
    pub(super) fn wait(&self, pending: PendingRead) -> Place {
        self.queue.enter(pending)
    }

    /// Has a read join, or gives it back. The first shared connection with room takes it: few shared connections with much to do
    /// cost less than many with little.
    pub(super) fn join(&self, pending: PendingRead, conditions: Conditions) -> Result<(), PendingRead> {
        self.find(pending, conditions)?;
        self.n_joined.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn find(&self, pending: PendingRead, conditions: Conditions) -> Result<(), PendingRead> {
        let shared = self.lock();
        let mut pending = pending;
        let mut least: Option<(u32, &Arc<SharedConnection>)> = None;
        for connection in shared.iter().filter(|it| it.takes(conditions)) {
            match connection.enter(pending, conditions.now, Some(self.sharing.budget)) {
                Ok(()) => return Ok(()),
                Err((back, cost)) => {
                    pending = back;
                    if let Some(cost) = cost
                        && least.is_none_or(|(other, _)| cost < other)
                    {
                        least = Some((cost, connection));
                    }
                }
            }
        }
        match least {
            Some((_, connection)) if !conditions.is_one_free => {
                connection.enter(pending, conditions.now, None).map_err(|(pending, _)| pending)
            }
            _ => Err(pending),
        }
    }

    /// Reads that joined one, since the start.
    pub(super) fn n_joined(&self) -> u64 {
        self.n_joined.load(Ordering::Relaxed)
    }

    fn remove(&self, connection: &Arc<SharedConnection>) {
        self.lock().retain(|it| !Arc::ptr_eq(it, connection));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<SharedConnection>>> {
        // The list is whole whatever panicked beside it.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SharedConnection {
    fn takes(&self, conditions: Conditions) -> bool {
        let Conditions { now, generation, max_lifetime, somebody_waits, .. } = conditions;
        self.generation == generation
            && now.saturating_duration_since(self.opened) < max_lifetime
            && !(somebody_waits && now.saturating_duration_since(self.begun) > self.sharing.turn)
    }

    /// Has a read join, or gives it back, with the cost of those before it where that is the reason.
    fn enter(
        &self,
        pending: PendingRead,
        now: Instant,
        budget: Option<Duration>,
    ) -> Result<(), (PendingRead, Option<u32>)> {
        let mut load = self.lock();
        let hesitates =
            load.n_reads > 0 && now.saturating_duration_since(load.front_since) > self.sharing.hesitation;
        if load.is_closed || hesitates {
            return Err((pending, None));
        }
        if budget.is_some_and(|it| load.costs_more_than(it) || load.n_reads >= DEPTH) {
            return Err((pending, Some(load.cost)));
        }
        load.n_reads += 1;
        load.cost = load.cost.saturating_add(pending.encodable.latency.cost());
        load.waiting.push_back(pending);
        drop(load);
        self.waker.wake();
        Ok(())
    }

    fn has_room(&self) -> bool {
        let load = self.lock();
        !load.is_closed && !load.costs_more_than(self.sharing.budget) && load.n_reads < DEPTH
    }

    /// The next read to be sent.
    fn next_waiting(&self) -> Option<PendingRead> {
        self.lock().waiting.pop_front()
    }

    /// Ends the shared connection if nobody is left, which may have joined just now.
    fn close_if_empty(&self) -> bool {
        let mut load = self.lock();
        load.is_closed |= load.n_reads == 0;
        load.is_closed && load.waiting.is_empty()
    }

    /// Takes nobody any more, and sends elsewhere who waits.
    fn close(&self) {
        let mut load = self.lock();
        load.is_closed = true;
        let waiting = std::mem::take(&mut load.waiting);
        load.n_reads -= waiting.len();
        drop(load);
        for pending in waiting {
            let _ = pending.reply.send(Reply::Elsewhere);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Load> {
        // Every change is one assignment away from being whole.
        self.load.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::LazyLock;

    use super::super::json::Column;
    use super::super::shapes::Encodable;
    use super::*;

    /// A query whose cost is this many microseconds.
    pub(super) fn pending(cost: u64) -> (PendingRead, oneshot::Receiver<Reply>) {
        let (reply, answer) = oneshot::channel();
        let column = Column { name: "id".into(), type_oid: 23 };
        let encodable = Encodable::plain(vec![column]).unwrap();
        for _ in 0..200 {
            encodable.latency.followed(Duration::from_micros(cost), Duration::MAX);
        }
        let residue = Residue::default();
        (PendingRead { query: Arc::default(), encodable: Arc::new(encodable), residue, reply }, answer)
    }

    static NOW: LazyLock<Instant> = LazyLock::new(Instant::now);

    fn conditions(connection: &SharedConnection) -> Conditions {
        Conditions {
            now: connection.begun,
            generation: 0,
            max_lifetime: Duration::from_secs(60),
            is_one_free: true,
            somebody_waits: false,
        }
    }

    fn joins(shared: &SharedConnections, cost: u64, conditions: Conditions) -> bool {
        shared.join(pending(cost).0, conditions).is_ok()
    }

    #[test]
    fn no_read_joins_where_nothing_runs() {
        let shared = SharedConnections::default();
        let connection = SharedConnections::default().open(0, *NOW);
        assert!(!joins(&shared, 1, conditions(&connection)));
        assert_eq!(shared.n_joined(), 0);
    }

    #[test]
    fn costs_and_number_of_those_before_are_bounded() {
        let shared = SharedConnections::default();
        let connection = shared.open(0, *NOW);
        let n_joined = (0..100).filter(|_| joins(&shared, 200, conditions(&connection))).count();
        // The last one had 400 to 500 before it.
        assert_eq!(n_joined, 3);
        let second = shared.open(0, *NOW);
        assert_eq!((0..100).filter(|_| joins(&shared, 1, conditions(&connection))).count(), DEPTH);
        assert_eq!((connection.lock().waiting.len(), second.lock().waiting.len()), (3, DEPTH));
        assert_eq!(shared.n_joined(), 3 + DEPTH as u64);
    }

    #[test]
    fn without_a_free_connection_the_least_busy_one_takes_all() {
        let shared = SharedConnections::default();
        let (busy, other) = (shared.open(0, *NOW), shared.open(0, *NOW));
        busy.lock().cost = 2000;
        other.lock().cost = 501;
        assert!(!joins(&shared, 10, conditions(&busy)));
        let none_free = Conditions { is_one_free: false, ..conditions(&busy) };
        assert!(joins(&shared, 10, none_free));
        assert_eq!((busy.lock().waiting.len(), other.lock().waiting.len()), (0, 1));
    }

    #[test]
    fn who_waits_is_taken_along_as_far_as_there_is_room() {
        let shared = SharedConnections::default();
        let places: Vec<_> = (0..20).map(|_| shared.wait(pending(1).0)).collect();
        let connection = shared.open(0, *NOW);
        shared.fill(&connection);
        assert_eq!((connection.lock().waiting.len(), shared.n_joined()), (DEPTH, DEPTH as u64));
        let n_left = places.iter().filter(|it| it.leave().is_some()).count();
        assert_eq!(n_left, 20 - DEPTH);
    }

    #[test]
    fn no_read_joins_behind_a_query_that_takes_long() {
        let shared = SharedConnections::default();
        let connection = shared.open(0, *NOW);
        connection.lock().n_reads = 1;
        let at = |after| Conditions {
            now: connection.begun + after,
            is_one_free: false,
            ..conditions(&connection)
        };
        let hesitation = shared.sharing().hesitation;
        assert!(joins(&shared, 10, at(hesitation)));
        assert!(!joins(&shared, 10, at(hesitation + Duration::from_micros(1))));
    }

    #[test]
    fn sharing_ends_when_a_request_waits_or_the_connection_is_old() {
        let shared = SharedConnections::default();
        let connection = shared.open(7, *NOW);
        let usual = Conditions { generation: 7, ..conditions(&connection) };
        let later =
            Conditions { now: connection.begun + shared.sharing().turn + Duration::from_millis(1), ..usual };
        assert!(joins(&shared, 1, usual) && joins(&shared, 1, Conditions { somebody_waits: true, ..usual }));
        connection.lock().n_reads = 0;
        assert!(joins(&shared, 1, later));
        connection.lock().n_reads = 0;
        assert!(!joins(&shared, 1, Conditions { somebody_waits: true, ..later }));
        assert!(!joins(&shared, 1, Conditions { generation: 8, ..usual }));
        assert!(!joins(&shared, 1, Conditions { max_lifetime: Duration::ZERO, ..usual }));
    }

    #[test]
    fn a_read_that_joins_while_sharing_ends_is_served_or_refused() {
        let shared = SharedConnections::default();
        let connection = shared.open(0, *NOW);
        let (pending, mut answer) = pending(1);
        assert!(shared.join(pending, conditions(&connection)).is_ok());
        assert!(!connection.close_if_empty());
        connection.close();
        assert!(matches!(answer.try_recv(), Ok(Reply::Elsewhere)));
        assert!(connection.close_if_empty());
        assert!(!joins(&shared, 1, conditions(&connection)));
    }
}

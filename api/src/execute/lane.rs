//! Reads that share a connection.
//!
//! A connection that serves one request after the other spends more on waking up than on a quick query.
//! So a quick read may be sent behind others without waiting for their answers: a *lane* is a connection
//! with reads on their way. Each read stays what it is elsewhere, a transaction of its own with its role,
//! claims and settings, put together whole and ended by its own `Sync`; what fails in one is over with it.
//!
//! # The rule
//!
//! Nobody waits for long behind somebody else's query:
//!
//! 1. Only reads are sent this way, of queries that were quick in their recent runs ([`super::pace`]) and cost at
//!    most [`Sharing::worth`], since waking up is all that is saved; and only what may be run a second time: relations, and functions that are not `VOLATILE`, without a
//!    `db-pre-request`.
//! 2. A read gets on where the queries before it are expected to cost at most [`Sharing::budget`] together.
//!    Otherwise it takes a connection of its own, as long as there is a free one.
//! 3. Where the query whose turn it is takes longer than [`Sharing::hesitation`], nobody gets on any more. Where it
//!    takes longer than [`Sharing::patience`], all who are behind it are sent elsewhere: they are run again, and
//!    what still comes of them here is thrown away. They have read only.
//! 4. Where no connection is free, a read gets on the lane with the least to do, whatever that is. Where
//!    there is no lane either it waits, and gets on the next one that begins.
//! 5. Where nobody waits any more for what runs on a lane, it goes on for [`Sharing::patience`]; then it is cancelled, and
//!    the connection closed. As long as anybody waits there, a client that leaves changes nothing.
//! 6. While somebody waits for a connection, a lane takes nobody after its first [`Sharing::turn`], so that it ends.
//!
//! Everything else has a connection for itself.

mod drive;
mod platform;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use tokio::sync::oneshot;

use super::rows::Rows;
use super::shapes::Encodable;
use crate::error::DbError;
use crate::schema_cache::leavings::Leavings;
use crate::sql::types::MainQuery;
pub(super) use drive::lead;
use platform::{Place, Platform};

/// Requests on their way at once.
const DEPTH: usize = 16;

/// The bounds of the rule above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharing {
    /// Queries that are answered within this, on average, count as quick.
    pub quick: Duration,
    /// Queries that cost more take the first connection that comes free: they gain less than they keep others waiting.
    pub worth: Duration,
    /// Expected cost of those before up to which a read gets on.
    pub budget: Duration,
    /// How long the query whose turn it is may have taken for others to get on.
    pub hesitation: Duration,
    /// How long the others stay.
    pub patience: Duration,
    /// How long a lane goes on taking others while somebody waits for a connection.
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

/// A read that gets on.
pub(super) struct Rider {
    pub(super) query: Arc<MainQuery>,
    pub(super) encodable: Arc<Encodable>,
    pub(super) leavings: Leavings,
    pub(super) reply: oneshot::Sender<Reply>,
}

/// What a rider is told. One that is told nothing goes elsewhere, too.
pub(super) enum Reply {
    /// What came of it.
    Answer(Result<Vec<Rows>, DbError>),
    /// It is to be run elsewhere.
    Elsewhere,
}

/// What decides where a read gets on, apart from the lanes.
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

/// The lanes of a pool.
#[derive(Default)]
pub(super) struct Lanes {
    sharing: Sharing,
    open: Mutex<Vec<Arc<Lane>>>,
    /// Reads that wait for a connection.
    platform: Arc<Platform>,
    /// Reads that got on, since the start.
    n_boarded: AtomicU64,
}

/// A connection with reads on their way.
pub(super) struct Lane {
    sharing: Sharing,
    begun: Instant,
    generation: u64,
    opened: Instant,
    /// Wakes who drives it.
    waker: AtomicWaker,
    load: Mutex<Load>,
}

struct Load {
    /// Got on and not sent yet.
    waiting: VecDeque<Rider>,
    /// All who are on it.
    n_aboard: usize,
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

impl Lanes {
    /// No lanes yet, and the bounds for those to come.
    pub(super) fn new(sharing: Sharing) -> Self {
        Self { sharing, ..Self::default() }
    }

    /// The bounds.
    pub(super) fn sharing(&self) -> Sharing {
        self.sharing
    }

    /// A lane of the connection that was opened then.
    pub(super) fn open(&self, generation: u64, opened: Instant) -> Arc<Lane> {
        let now = Instant::now();
        let load =
            Load { waiting: VecDeque::new(), n_aboard: 0, cost: 0, front_since: now, is_closed: false };
        let lane = Lane {
            sharing: self.sharing,
            begun: now,
            generation,
            opened,
            waker: AtomicWaker::new(),
            load: Mutex::new(load),
        };
        let lane = Arc::new(lane);
        self.lock().push(Arc::clone(&lane));
        lane
    }

    /// Takes along who waits, as far as there is room.
    fn fill(&self, lane: &Lane) {
        while lane.has_room()
            && let Some(rider) = self.platform.first()
        {
            match lane.enter(rider, lane.begun, None) {
                Ok(()) => {
                    self.n_boarded.fetch_add(1, Ordering::Relaxed);
                }
                Err((rider, _)) => {
                    let _ = rider.reply.send(Reply::Elsewhere);
                    return;
                }
            }
        }
    }

    /// Waits for a lane, besides waiting for a connection.
    pub(super) fn wait(&self, rider: Rider) -> Place {
        self.platform.enter(rider)
    }

    /// Lets a read get on, or gives it back. The first lane with room takes it: few lanes with much to do
    /// cost less than many with little.
    pub(super) fn board(&self, rider: Rider, conditions: Conditions) -> Result<(), Rider> {
        self.find(rider, conditions)?;
        self.n_boarded.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn find(&self, rider: Rider, conditions: Conditions) -> Result<(), Rider> {
        let lanes = self.lock();
        let mut rider = rider;
        let mut least: Option<(u32, &Arc<Lane>)> = None;
        for lane in lanes.iter().filter(|it| it.takes(conditions)) {
            match lane.enter(rider, conditions.now, Some(self.sharing.budget)) {
                Ok(()) => return Ok(()),
                Err((back, cost)) => {
                    rider = back;
                    if let Some(cost) = cost
                        && least.is_none_or(|(other, _)| cost < other)
                    {
                        least = Some((cost, lane));
                    }
                }
            }
        }
        match least {
            Some((_, lane)) if !conditions.is_one_free => {
                lane.enter(rider, conditions.now, None).map_err(|(rider, _)| rider)
            }
            _ => Err(rider),
        }
    }

    /// Reads that got on, since the start.
    pub(super) fn n_boarded(&self) -> u64 {
        self.n_boarded.load(Ordering::Relaxed)
    }

    fn remove(&self, lane: &Arc<Lane>) {
        self.lock().retain(|it| !Arc::ptr_eq(it, lane));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Lane>>> {
        // The list is whole whatever panicked beside it.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    fn takes(&self, conditions: Conditions) -> bool {
        let Conditions { now, generation, max_lifetime, somebody_waits, .. } = conditions;
        self.generation == generation
            && now.saturating_duration_since(self.opened) < max_lifetime
            && !(somebody_waits && now.saturating_duration_since(self.begun) > self.sharing.turn)
    }

    /// Lets a read get on, or gives it back, with the cost of those before it where that is the reason.
    fn enter(
        &self,
        rider: Rider,
        now: Instant,
        budget: Option<Duration>,
    ) -> Result<(), (Rider, Option<u32>)> {
        let mut load = self.lock();
        let hesitates =
            load.n_aboard > 0 && now.saturating_duration_since(load.front_since) > self.sharing.hesitation;
        if load.is_closed || hesitates {
            return Err((rider, None));
        }
        if budget.is_some_and(|it| load.costs_more_than(it) || load.n_aboard >= DEPTH) {
            return Err((rider, Some(load.cost)));
        }
        load.n_aboard += 1;
        load.cost = load.cost.saturating_add(rider.encodable.pace.cost());
        load.waiting.push_back(rider);
        drop(load);
        self.waker.wake();
        Ok(())
    }

    fn has_room(&self) -> bool {
        let load = self.lock();
        !load.is_closed && !load.costs_more_than(self.sharing.budget) && load.n_aboard < DEPTH
    }

    /// The next read to be sent.
    fn next_waiting(&self) -> Option<Rider> {
        self.lock().waiting.pop_front()
    }

    /// Ends the lane if nobody is left, who may have got on just now.
    fn close_if_empty(&self) -> bool {
        let mut load = self.lock();
        load.is_closed |= load.n_aboard == 0;
        load.is_closed && load.waiting.is_empty()
    }

    /// Takes nobody any more, and sends elsewhere who waits.
    fn close(&self) {
        let mut load = self.lock();
        load.is_closed = true;
        let waiting = std::mem::take(&mut load.waiting);
        load.n_aboard -= waiting.len();
        drop(load);
        for rider in waiting {
            let _ = rider.reply.send(Reply::Elsewhere);
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
    pub(super) fn rider(cost: u64) -> (Rider, oneshot::Receiver<Reply>) {
        let (reply, answer) = oneshot::channel();
        let column = Column { name: "id".into(), type_oid: 23 };
        let encodable = Encodable::plain(vec![column]).unwrap();
        for _ in 0..200 {
            encodable.pace.followed(Duration::from_micros(cost), Duration::MAX);
        }
        let leavings = Leavings::default();
        (Rider { query: Arc::default(), encodable: Arc::new(encodable), leavings, reply }, answer)
    }

    static NOW: LazyLock<Instant> = LazyLock::new(Instant::now);

    fn conditions(lane: &Lane) -> Conditions {
        Conditions {
            now: lane.begun,
            generation: 0,
            max_lifetime: Duration::from_secs(60),
            is_one_free: true,
            somebody_waits: false,
        }
    }

    fn boards(lanes: &Lanes, cost: u64, conditions: Conditions) -> bool {
        lanes.board(rider(cost).0, conditions).is_ok()
    }

    #[test]
    fn nobody_boards_where_nothing_runs() {
        let lanes = Lanes::default();
        let lane = Lanes::default().open(0, *NOW);
        assert!(!boards(&lanes, 1, conditions(&lane)));
        assert_eq!(lanes.n_boarded(), 0);
    }

    #[test]
    fn costs_and_number_of_those_before_are_bounded() {
        let lanes = Lanes::default();
        let lane = lanes.open(0, *NOW);
        let n_boarded = (0..100).filter(|_| boards(&lanes, 200, conditions(&lane))).count();
        // The last one had 400 to 500 before it.
        assert_eq!(n_boarded, 3);
        let second = lanes.open(0, *NOW);
        assert_eq!((0..100).filter(|_| boards(&lanes, 1, conditions(&lane))).count(), DEPTH);
        assert_eq!((lane.lock().waiting.len(), second.lock().waiting.len()), (3, DEPTH));
        assert_eq!(lanes.n_boarded(), 3 + DEPTH as u64);
    }

    #[test]
    fn without_a_free_connection_the_least_busy_lane_takes_all() {
        let lanes = Lanes::default();
        let (busy, other) = (lanes.open(0, *NOW), lanes.open(0, *NOW));
        busy.lock().cost = 2000;
        other.lock().cost = 501;
        assert!(!boards(&lanes, 10, conditions(&busy)));
        let none_free = Conditions { is_one_free: false, ..conditions(&busy) };
        assert!(boards(&lanes, 10, none_free));
        assert_eq!((busy.lock().waiting.len(), other.lock().waiting.len()), (0, 1));
    }

    #[test]
    fn who_waits_is_taken_along_as_far_as_there_is_room() {
        let lanes = Lanes::default();
        let places: Vec<_> = (0..20).map(|_| lanes.wait(rider(1).0)).collect();
        let lane = lanes.open(0, *NOW);
        lanes.fill(&lane);
        assert_eq!((lane.lock().waiting.len(), lanes.n_boarded()), (DEPTH, DEPTH as u64));
        let n_left = places.iter().filter(|it| it.leave().is_some()).count();
        assert_eq!(n_left, 20 - DEPTH);
    }

    #[test]
    fn nobody_boards_behind_a_query_that_takes_long() {
        let lanes = Lanes::default();
        let lane = lanes.open(0, *NOW);
        lane.lock().n_aboard = 1;
        let at = |after| Conditions { now: lane.begun + after, is_one_free: false, ..conditions(&lane) };
        let hesitation = lanes.sharing().hesitation;
        assert!(boards(&lanes, 10, at(hesitation)));
        assert!(!boards(&lanes, 10, at(hesitation + Duration::from_micros(1))));
    }

    #[test]
    fn lanes_end_when_somebody_waits_or_the_connection_is_old() {
        let lanes = Lanes::default();
        let lane = lanes.open(7, *NOW);
        let usual = Conditions { generation: 7, ..conditions(&lane) };
        let later = Conditions { now: lane.begun + lanes.sharing().turn + Duration::from_millis(1), ..usual };
        assert!(boards(&lanes, 1, usual) && boards(&lanes, 1, Conditions { somebody_waits: true, ..usual }));
        lane.lock().n_aboard = 0;
        assert!(boards(&lanes, 1, later));
        lane.lock().n_aboard = 0;
        assert!(!boards(&lanes, 1, Conditions { somebody_waits: true, ..later }));
        assert!(!boards(&lanes, 1, Conditions { generation: 8, ..usual }));
        assert!(!boards(&lanes, 1, Conditions { max_lifetime: Duration::ZERO, ..usual }));
    }

    #[test]
    fn who_boards_while_a_lane_ends_is_served_or_refused() {
        let lanes = Lanes::default();
        let lane = lanes.open(0, *NOW);
        let (rider, mut answer) = rider(1);
        assert!(lanes.board(rider, conditions(&lane)).is_ok());
        assert!(!lane.close_if_empty());
        lane.close();
        assert!(matches!(answer.try_recv(), Ok(Reply::Elsewhere)));
        assert!(lane.close_if_empty());
        assert!(!boards(&lanes, 1, conditions(&lane)));
    }
}

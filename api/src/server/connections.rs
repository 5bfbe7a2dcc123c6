//! Which connections are open, what each of them waits for, and which of them has to go.
//!
//! One task looks at all of them a few times within the shortest limit; a connection only notes what it does, by the
//! hands of a clock that this task moves. So a limit costs a request next to nothing, and is kept to within an eighth of
//! the shortest, or a second.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore};

use super::limits::{Limits, RECEIVING_RATE};

/// A client that gives up this many requests more than it waits for is not listened to any more.
const GIVEN_UP: u32 = 100;
/// When the process stops, an answer has to get on within this time.
const WRITE_WHEN_STOPPING: Duration = Duration::from_secs(5);
/// A connection that is to end when it is done has this much time to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);
/// A connection that never sent anything may be made room of after this time.
const GRACE: Duration = Duration::from_millis(500);

/// Milliseconds since the server began, as of when somebody last looked; from 1 on, so that 0 can mean "never".
struct Clock {
    begun: Instant,
    hands: AtomicU64,
}

impl Clock {
    fn now(&self) -> u64 {
        self.hands.load(Relaxed)
    }

    fn set(&self) -> u64 {
        let now = 1 + millis(self.begun.elapsed());
        self.hands.store(now, Relaxed);
        now
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The connections of one listening socket.
pub(super) struct Connections {
    limits: Limits,
    clock: Arc<Clock>,
    open: Mutex<HashMap<u64, Arc<Activity>>>,
    /// A connection ended.
    ended: Notify,
    is_stopping: AtomicBool,
    next_id: AtomicU64,
}

/// What a connection does.
pub(super) struct Activity {
    limits: Limits,
    clock: Arc<Clock>,
    opened: u64,
    /// A request came on it.
    is_used: AtomicBool,
    is_http2: AtomicBool,
    /// Requests of which the head was read and the answer is not sent in full.
    n_running: AtomicU32,
    /// Of HTTP/1: one of them, whose answer has not begun.
    awaits_answer: AtomicBool,
    /// Since when there is none.
    quiet_since: AtomicU64,
    /// Since when there is part of a head; 0 when there is not.
    head_since: AtomicU64,
    /// The client does not take what there is to be sent.
    is_blocked: AtomicBool,
    n_written: AtomicU64,
    /// Answers that are sent as the client takes them.
    large: Mutex<Vec<Weak<dyn WatchedAnswer>>>,
    /// How far it was when somebody last looked at how fast it is.
    measured: Mutex<Measured>,
    /// Requests given up, less those that were waited for.
    n_given_up: AtomicU32,
    ending_since: AtomicU64,
    order: AtomicU8,
    ordered: Notify,
    /// Handlers that may run at once.
    pub(super) streams: Arc<Semaphore>,
}

/// How far an answer was.
#[derive(Default)]
struct Measured {
    since: u64,
    n_written: u64,
}

/// What a connection is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// Take no further request.
    Finish = 1,
    /// End at once.
    Cut = 2,
}

impl Connections {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        let clock = Arc::new(Clock { begun: Instant::now(), hands: AtomicU64::new(1) });
        let connections = Arc::new(Self {
            limits,
            clock,
            open: Mutex::default(),
            ended: Notify::new(),
            is_stopping: AtomicBool::new(false),
            next_id: AtomicU64::new(0),
        });
        tokio::spawn(look_forever(Arc::downgrade(&connections), tick(&limits)));
        connections
    }

    /// A connection begins.
    pub(super) fn enter(self: &Arc<Self>) -> Slot {
        let now = self.clock.set();
        let activity = Arc::new(Activity::new(self.limits, Arc::clone(&self.clock), now));
        let id = self.next_id.fetch_add(1, Relaxed);
        self.lock().insert(id, Arc::clone(&activity));
        Slot { connections: Arc::clone(self), id, activity }
    }

    /// Waits until there is room for one more, and makes some where that harms nobody: at the cost of a connection that
    /// was never used, of one that is slow with its request, or of the one that has been without for longest.
    pub(super) async fn room(&self) {
        while self.lock().len() >= self.limits.connections {
            self.make_room();
            // Looked at again also when nobody leaves: by then, somebody may be without a request.
            let _ = tokio::time::timeout(Duration::from_millis(100), self.ended.notified()).await;
        }
    }

    /// Ends the connection that is needed least, if there is one that serves nobody now.
    pub(super) fn make_room(&self) {
        let now = self.clock.set();
        let open = self.lock();
        if let Some((_, activity)) =
            open.values().filter_map(|it| Some((it.idleness(now)?, it))).max_by_key(|it| it.0)
        {
            activity.tell(match activity.is_between_requests() {
                // It may be sending a request at this moment: then it is answered first.
                true => Order::Finish,
                false => Order::Cut,
            });
        }
    }

    /// Ends all: those without a request at once, others when they are answered, and what is left when the time is over.
    pub(super) async fn stop(&self, deadline: tokio::time::Instant) {
        self.is_stopping.store(true, Relaxed);
        self.tell_all(Order::Finish);
        while !self.lock().is_empty() {
            if tokio::time::timeout_at(deadline, self.ended.notified()).await.is_err() {
                self.tell_all(Order::Cut);
                return;
            }
        }
    }

    fn tell_all(&self, order: Order) {
        for activity in self.lock().values() {
            activity.tell(order);
        }
    }

    /// Tells those whose time is over.
    fn look(&self) {
        let now = self.clock.set();
        let is_stopping = self.is_stopping.load(Relaxed);
        // Without the lock: what is freed may take its time.
        let open: Vec<_> = self.lock().values().cloned().collect();
        for activity in open {
            if let Some(order) = activity.judge(now, is_stopping) {
                activity.tell(order);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Activity>>> {
        // The map is whole whatever panicked beside it.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often it is worth looking.
fn tick(limits: &Limits) -> Duration {
    let shortest = [limits.header, limits.idle, limits.write].into_iter().min().unwrap_or_default();
    (shortest / 8).clamp(Duration::from_millis(20), Duration::from_secs(1))
}

async fn look_forever(connections: Weak<Connections>, tick: Duration) {
    let mut tick = tokio::time::interval(tick);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let Some(connections) = connections.upgrade() else { return };
        connections.look();
    }
}

/// A connection among the others, which is left with this value.
pub(super) struct Slot {
    connections: Arc<Connections>,
    id: u64,
    pub(super) activity: Arc<Activity>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connections.lock().remove(&self.id);
        self.connections.ended.notify_one();
    }
}

impl Activity {
    fn new(limits: Limits, clock: Arc<Clock>, now: u64) -> Self {
        Self {
            limits,
            clock,
            opened: now,
            is_used: AtomicBool::new(false),
            is_http2: AtomicBool::new(false),
            n_running: AtomicU32::new(0),
            awaits_answer: AtomicBool::new(false),
            quiet_since: AtomicU64::new(now),
            head_since: AtomicU64::new(0),
            is_blocked: AtomicBool::new(false),
            n_written: AtomicU64::new(0),
            large: Mutex::default(),
            measured: Mutex::default(),
            n_given_up: AtomicU32::new(0),
            ending_since: AtomicU64::new(0),
            order: AtomicU8::new(0),
            ordered: Notify::new(),
            streams: Arc::new(Semaphore::new(limits.streams)),
        }
    }

    /// Of nobody's connection, for tests.
    #[cfg(test)]
    pub(super) fn unlimited() -> Arc<Self> {
        let clock = Arc::new(Clock { begun: Instant::now(), hands: AtomicU64::new(1) });
        Arc::new(Self::new(Limits::api(&crate::config::AppConfig::default()), clock, 1))
    }

    /// Something came.
    pub(super) fn received(&self) {
        if self.n_running.load(Relaxed) == 0 && self.head_since.load(Relaxed) == 0 {
            self.head_since.store(self.clock.now(), Relaxed);
        }
    }

    /// So much was taken by the system, or nothing for now.
    pub(super) fn wrote(&self, n: Option<usize>) {
        if let Some(n) = n {
            self.n_written.fetch_add(n as u64, Relaxed);
        }
        if self.is_blocked.load(Relaxed) != n.is_none() {
            self.is_blocked.store(n.is_none(), Relaxed);
        }
    }

    /// A request begins.
    pub(super) fn begin(self: &Arc<Self>, is_http2: bool) -> Running {
        self.is_used.store(true, Relaxed);
        self.n_running.fetch_add(1, Relaxed);
        self.head_since.store(0, Relaxed);
        match is_http2 {
            true => self.is_http2.store(true, Relaxed),
            false => self.awaits_answer.store(true, Relaxed),
        }
        Running(Arc::clone(self))
    }

    /// The answer of a request begins.
    pub(super) fn answered(&self) {
        self.awaits_answer.store(false, Relaxed);
        let _ = self.n_given_up.fetch_update(Relaxed, Relaxed, |n| Some(n.saturating_sub(1)));
    }

    /// A request was given up by the client.
    pub(super) fn given_up(&self) {
        self.awaits_answer.store(false, Relaxed);
        if self.n_given_up.fetch_add(1, Relaxed) >= GIVEN_UP {
            self.tell(Order::Finish);
        }
    }

    /// An answer that is sent as the client takes it.
    pub(super) fn sends(&self, large: Weak<dyn WatchedAnswer>) {
        let mut list = self.large.lock().unwrap_or_else(PoisonError::into_inner);
        list.retain(|it| it.strong_count() > 0);
        list.push(large);
    }

    /// There is a request that is not answered in full.
    pub(super) fn is_running(&self) -> bool {
        self.n_running.load(Relaxed) > 0
    }

    /// There is something to be sent that the client does not take.
    pub(super) fn is_blocked(&self) -> bool {
        self.is_blocked.load(Relaxed)
    }

    /// It is of HTTP/1, and nothing of its answer was sent.
    pub(super) fn awaits_answer(&self) -> bool {
        self.awaits_answer.load(Relaxed)
    }

    /// The latest order, when there is one.
    pub(super) async fn ordered(&self) -> Order {
        self.ordered.notified().await;
        if self.order.load(Relaxed) == Order::Cut as u8 { Order::Cut } else { Order::Finish }
    }

    fn tell(&self, order: Order) {
        if self.order.fetch_max(order as u8, Relaxed) < order as u8 {
            self.ending_since.store(self.clock.now(), Relaxed);
            self.ordered.notify_one();
        }
    }

    /// Nothing of a request was received since the last one, if there was one.
    fn is_between_requests(&self) -> bool {
        self.head_since.load(Relaxed) == 0
    }

    /// How little this connection is needed, if it serves nobody: by its kind, then by how long it has been so.
    fn idleness(&self, now: u64) -> Option<(u8, u64)> {
        if self.is_running() || self.is_blocked() || self.order.load(Relaxed) != 0 {
            return None;
        }
        let head_since = self.head_since.load(Relaxed);
        let since = |then: u64| now.saturating_sub(then);
        let grace = millis(GRACE);
        match (head_since, self.is_used.load(Relaxed)) {
            (0, true) => Some((0, since(self.quiet_since.load(Relaxed)))),
            (0, false) => Some((1, since(self.opened))).filter(|it| it.1 >= grace),
            (head_since, _) => Some((2, since(head_since))).filter(|it| it.1 >= grace),
        }
    }

    /// What to tell it.
    fn judge(&self, now: u64, is_stopping: bool) -> Option<Order> {
        let is_over = |since: u64, limit: Duration| now.saturating_sub(since) >= millis(limit);
        let write = if is_stopping { self.limits.write.min(WRITE_WHEN_STOPPING) } else { self.limits.write };
        for large in self.large() {
            large.judge(now, millis(write));
        }
        if self.is_too_slow(now, millis(write)) {
            return Some(Order::Cut);
        }
        if self.is_running() || self.is_blocked() {
            return None;
        }
        if self.order.load(Relaxed) != 0 {
            return is_over(self.ending_since.load(Relaxed), GOODBYE).then_some(Order::Cut);
        }
        let head_since = self.head_since.load(Relaxed);
        if !self.is_used.load(Relaxed) {
            return is_over(self.opened, self.limits.header).then_some(Order::Cut);
        }
        // On HTTP/2, what came may be something else than a header.
        if head_since != 0 && !self.is_http2.load(Relaxed) && is_over(head_since, self.limits.header) {
            return Some(Order::Cut);
        }
        is_over(self.quiet_since.load(Relaxed), self.limits.idle).then_some(Order::Finish)
    }

    fn large(&self) -> Vec<Arc<dyn WatchedAnswer>> {
        self.large.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect()
    }

    /// The client has taken too little for too long of what was to be sent all the time.
    fn is_too_slow(&self, now: u64, limit: u64) -> bool {
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        let n_written = self.n_written.load(Relaxed);
        if !self.is_blocked.load(Relaxed) || measured.since == 0 {
            *measured = Measured { since: now, n_written };
            return false;
        }
        let took = now.saturating_sub(measured.since);
        if took < limit {
            return false;
        }
        let is_too_slow = n_written - measured.n_written < took.saturating_mul(RECEIVING_RATE) / 1000;
        *measured = Measured { since: now, n_written };
        is_too_slow
    }
}

/// A large answer, which its client has to take.
pub(super) trait WatchedAnswer: Send + Sync {
    /// Gives the answer up if nothing of it was sent for so long.
    fn judge(&self, now: u64, limit: u64);
}

/// A request that is not answered in full, which it is when this is dropped.
pub(super) struct Running(Arc<Activity>);

impl Running {
    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let activity = &self.0;
        activity.quiet_since.store(activity.clock.now(), Relaxed);
        activity.n_running.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AppConfig;

    /// Seconds as the clock shows them.
    const S: u64 = 1000;

    fn activity() -> Arc<Activity> {
        let activity = Activity::unlimited();
        assert_eq!(activity.limits, Limits::api(&AppConfig::default()));
        activity
    }

    fn at(activity: &Activity, now: u64) {
        activity.clock.hands.store(now, Relaxed);
    }

    #[test]
    fn each_wait_has_its_limit() {
        let order = |activity: &Activity, now| activity.judge(now, false);
        // Nothing at all, or not enough.
        let silent = activity();
        assert_eq!((order(&silent, 30 * S), order(&silent, 1 + 30 * S)), (None, Some(Order::Cut)));
        // At work for however long, then without a request.
        let used = activity();
        let running = used.begin(false);
        assert_eq!(order(&used, 3600 * S), None);
        at(&used, 3600 * S);
        drop(running);
        assert_eq!((order(&used, 3674 * S), order(&used, 3675 * S)), (None, Some(Order::Finish)));
        // Part of a further header.
        at(&used, 3610 * S);
        used.received();
        assert_eq!((order(&used, 3639 * S), order(&used, 3640 * S)), (None, Some(Order::Cut)));
        // On HTTP/2 it may be a ping.
        let second = activity();
        drop(second.begin(true));
        second.received();
        assert_eq!((order(&second, 60 * S), order(&second, 1 + 75 * S)), (None, Some(Order::Finish)));
        second.tell(Order::Finish);
        assert_eq!((order(&second, 4 * S), order(&second, 6 * S)), (None, Some(Order::Cut)));
    }

    #[test]
    fn a_reader_has_to_keep_up_a_rate() {
        let order = |activity: &Activity, now| activity.judge(now, false);
        let reader = activity();
        let _running = reader.begin(false);
        reader.wrote(None);
        assert_eq!(order(&reader, S), None);
        reader.wrote(Some(30 * 1024));
        reader.wrote(None);
        assert_eq!(order(&reader, 31 * S), None);
        reader.wrote(Some(30 * 1024 - 1));
        reader.wrote(None);
        assert_eq!((order(&reader, 60 * S), order(&reader, 61 * S)), (None, Some(Order::Cut)));
        // When the process ends, there is less time.
        let other = activity();
        let _running = other.begin(false);
        other.wrote(None);
        assert_eq!((other.judge(S, true), other.judge(6 * S, true)), (None, Some(Order::Cut)));
    }

    #[test]
    fn whoever_does_least_makes_room() {
        let now = 100 * S;
        let (silent, half, idle, idle_for_longer, working) =
            (activity(), activity(), activity(), activity(), activity());
        half.received();
        for (used, since) in [(&idle, 90 * S), (&idle_for_longer, 80 * S)] {
            let running = used.begin(false);
            at(used, since);
            drop(running);
        }
        let _running = working.begin(false);
        let rank = |it: &Activity| it.idleness(now);
        assert!(rank(&half) > rank(&silent) && rank(&silent) > rank(&idle_for_longer));
        assert!(rank(&idle_for_longer) > rank(&idle) && rank(&idle).is_some());
        assert_eq!(rank(&working), None);
        // Whoever came just now is about to ask.
        assert_eq!(silent.idleness(400), None);
    }
}

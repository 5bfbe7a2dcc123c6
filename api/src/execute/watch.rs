//! Finds out that the database has fallen silent, and that it speaks again.
//!
//! A statement that takes an hour and a database that hangs look the same on their connection: nothing comes. What tells
//! them apart is another connection. So where all have been silent for a third of `pgapp-db-hang-timeout`, a new one is
//! made, which has the rest of it to log in and answer. If it does not, and none of the others has heard anything
//! meanwhile, the database hangs: whoever waits is told so, and whoever comes is not let wait unless for a connection
//! that is there and may yet be answered, until something is heard. Any word of the server counts as an answer, a refusal as well; that nobody listens there is not silence, and
//! is told by the connections themselves.
//!
//! One session that hangs alone cannot be told from a long statement; for that there is `pgapp-db-response-timeout`.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::connector::Connector;
use super::session::Session;
use super::shapes::Shapes;
use crate::config::AppConfig;
use crate::error::DbError;
use crate::observability::{Observation, Observer};
use pg_wire_client::liveness::{Liveness, Verdict, advance_clock};

/// Pause between two looks at a database that is silent.
const PAUSE: Duration = Duration::from_secs(1);

/// What is watched for, and what was found.
pub(super) struct Watch {
    connector: Arc<Connector>,
    shapes: Arc<Shapes>,
    observer: Option<Observer>,
    hang: Option<Duration>,
    response: Option<Duration>,
    sessions: Mutex<Vec<Weak<Liveness>>>,
    /// When a new connection was answered last.
    answered: AtomicU64,
    /// A connection could not be made in time.
    is_suspected: AtomicBool,
    /// Since when the database has been silent; 0 while it is not.
    silent_since: AtomicU64,
    is_looking: AtomicBool,
}

impl Watch {
    /// Begins to watch, for as long as this value exists.
    pub(super) fn begin(
        conf: &AppConfig,
        connector: Arc<Connector>,
        shapes: Arc<Shapes>,
        observer: Option<Observer>,
    ) -> Arc<Self> {
        let limit = |seconds: u64| (seconds > 0).then(|| Duration::from_secs(seconds));
        let watch = Arc::new(Self {
            connector,
            shapes,
            observer,
            hang: limit(conf.pgapp_db_hang_timeout),
            response: limit(conf.pgapp_db_response_timeout),
            sessions: Mutex::default(),
            answered: AtomicU64::new(0),
            is_suspected: AtomicBool::new(false),
            silent_since: AtomicU64::new(0),
            is_looking: AtomicBool::new(false),
        });
        if let Some(shortest) = [watch.hang, watch.response].into_iter().flatten().min() {
            tokio::spawn(watch_forever(Arc::downgrade(&watch), tick(shortest)));
        }
        watch
    }

    /// Watches another connection.
    pub(super) fn add(&self, session: &Session) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|it| it.strong_count() > 0);
        sessions.push(Arc::downgrade(session.liveness()));
    }

    /// The database was found silent, and has not been heard since.
    pub(super) fn is_silent(&self) -> bool {
        self.silent_since.load(Relaxed) != 0
    }

    /// A connection could not be made in time, which is worth a look.
    pub(super) fn suspect(&self) {
        self.is_suspected.store(true, Relaxed);
    }

    fn patience(&self) -> Option<Duration> {
        self.hang.map(|it| it / 3)
    }

    /// Resolves when the database is silent, which is looked at as often as a request would be.
    pub(super) async fn falls_silent(&self) {
        let Some(patience) = self.patience() else { return std::future::pending().await };
        loop {
            tokio::time::sleep(patience).await;
            if self.is_silent() || !self.answers_anew().await {
                return;
            }
        }
    }

    fn sessions(&self) -> Vec<Arc<Liveness>> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.iter().filter_map(Weak::upgrade).collect()
    }

    fn look(self: &Arc<Self>) {
        let now = advance_clock();
        let millis = |it: Duration| u64::try_from(it.as_millis()).unwrap_or(u64::MAX);
        let mut is_suspect = self.is_suspected.swap(false, Relaxed) && self.hang.is_some();
        let sessions = self.sessions();
        let silent_since = self.silent_since.load(Relaxed);
        if silent_since != 0 && sessions.iter().any(|it| it.was_heard_since(silent_since)) {
            // Nobody new is answered, but those are who were there before.
            self.speaks();
        }
        // A word to anybody is one to all: while statements take long, nobody is asked more than that takes.
        let speaks = self.patience().is_some_and(|it| {
            let then = now.saturating_sub(millis(it));
            self.answered.load(Relaxed) > then || sessions.iter().any(|it| it.was_heard_since(then))
        });
        for liveness in sessions {
            if self.response.is_some_and(|it| liveness.running(now) >= millis(it)) {
                liveness.give_up(Verdict::TooLong);
            }
            if self.patience().is_some_and(|it| liveness.silence(now) >= millis(it)) {
                match self.is_silent() {
                    true => liveness.give_up(Verdict::Silent),
                    false => is_suspect = true,
                }
            }
        }
        if is_suspect && !speaks && !self.is_silent() && !self.is_looking.swap(true, Relaxed) {
            tokio::spawn(look_closer(Arc::downgrade(self)));
        }
    }

    /// A new connection is answered, or another one was meanwhile.
    async fn answers_anew(&self) -> bool {
        let Some((hang, patience)) = self.hang.zip(self.patience()) else { return true };
        let asked = advance_clock();
        // It answers nothing large.
        let room = Arc::default();
        let connected = Session::connect(&self.connector, &self.shapes, &room);
        // Whoever began to wait between two looks is told in time as well.
        let limit = hang.saturating_sub(patience + tick(hang));
        let is_heard = match tokio::time::timeout(limit, connected).await {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => !is_silence(&error),
            Err(_) => false,
        };
        if is_heard {
            self.answered.store(advance_clock(), Relaxed);
        }
        is_heard || self.sessions().iter().any(|it| it.was_heard_since(asked))
    }

    fn speaks(&self) {
        if self.silent_since.swap(0, Relaxed) != 0 {
            self.observe(&Observation::DbSpeaks);
        }
    }

    fn observe(&self, observation: &Observation<'_>) {
        if let Some(observer) = &self.observer {
            observer.observe(observation);
        }
    }
}

/// How often it is worth looking.
fn tick(limit: Duration) -> Duration {
    (limit / 15).clamp(Duration::from_millis(50), Duration::from_secs(1))
}

/// No word of the server or its host is in it.
pub(super) fn is_silence(error: &DbError) -> bool {
    const SILENCE: [&str; 5] = [
        "timeout expired",
        "does not answer",
        "No route to host",
        "Network is unreachable",
        "Connection timed out",
    ];
    match error {
        DbError::Connection { message, .. } => {
            // Several hosts may have been tried: one word suffices.
            !message.contains("FATAL") && SILENCE.iter().any(|it| message.contains(it))
        }
        _ => false,
    }
}

async fn watch_forever(watch: Weak<Watch>, tick: Duration) {
    let mut tick = tokio::time::interval(tick);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let Some(watch) = watch.upgrade() else { return };
        watch.look();
    }
}

/// Finds out whether the database is silent, and if so, stays until it is not.
async fn look_closer(watch: Weak<Watch>) {
    loop {
        let Some(watch) = watch.upgrade() else { return };
        let was_silent = watch.is_silent();
        let answers = watch.answers_anew().await;
        match (was_silent, answers) {
            (false, false) => {
                watch.silent_since.store(advance_clock(), Relaxed);
                watch.observe(&Observation::DbSilent);
                watch.look();
            }
            (true, true) => watch.speaks(),
            (false, true) | (true, false) => {}
        }
        if answers {
            watch.is_looking.store(false, Relaxed);
            return;
        }
        drop(watch);
        tokio::time::sleep(PAUSE).await;
    }
}

/// What comes of it, unless the database falls silent before.
pub(super) async fn unless_silent<T>(
    watch: &Watch,
    work: impl Future<Output = Result<T, DbError>>,
) -> Result<T, DbError> {
    let mut work = pin!(work);
    tokio::select! {
        biased;
        outcome = &mut work => outcome,
        () = watch.falls_silent() => Err(DbError::silent(true)),
    }
}

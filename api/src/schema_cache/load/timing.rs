//! How long the server took for each part of the catalog.
//!
//! Statements travel in one exchange and are answered one after the other, so the time between two
//! answers belongs to the later one.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time per part, by PostgREST's names.
pub type QueryTimings = [(&'static str, Duration); 7];

/// A part of the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Tables,
    KeyDependencies,
    Relationships,
    Functions,
    ComputedRelationships,
    Representations,
    MediaHandlers,
}

/// In the order of [`Part`].
const NAMES: [&str; 7] = ["tables", "keydeps", "rels", "funcs", "comprels", "dreps", "mhandlers"];

/// Times answers as they come.
pub(super) struct Clock(Mutex<Laps>);

struct Laps {
    last: Instant,
    parts: [Duration; 7],
}

impl Clock {
    pub(super) fn start() -> Self {
        Self(Mutex::new(Laps { last: Instant::now(), parts: [Duration::ZERO; 7] }))
    }

    /// Time until this is answered belongs to no part.
    pub(super) async fn begun<T>(&self, answer: impl Future<Output = T>) -> T {
        let answer = answer.await;
        self.lap(None);
        answer
    }

    /// Time since the answer before this one belongs to this part.
    pub(super) async fn timed<T>(&self, part: Part, answer: impl Future<Output = T>) -> T {
        let answer = answer.await;
        self.lap(Some(part));
        answer
    }

    fn lap(&self, part: Option<Part>) {
        let mut laps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let took = now - std::mem::replace(&mut laps.last, now);
        if let Some(part) = part {
            laps.parts[part as usize] += took;
        }
    }

    /// The parts so far.
    pub(super) fn timings(&self) -> QueryTimings {
        let laps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::array::from_fn(|i| (NAMES[i], laps.parts[i]))
    }
}

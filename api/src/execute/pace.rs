//! How long a query takes, as far as it is known.
//!
//! Two averages over recent runs, which answer different questions. *How long does an answer take?*
//! counts everything from sending to the last byte, and tells whether others may be kept waiting behind
//! the query at all. *How much does one more cost?* is the time between two answers on a connection that
//! has work waiting: it holds no round trip, and tells how many may wait.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Runs before a query counts as known.
const KNOWN_AFTER: u32 = 8;

/// Assumed cost of a query that never had to wait, in microseconds.
const ASSUMED_COST: u32 = 50;

/// Averages over recent runs. Racing updates may lose one another, which does averages no harm.
#[derive(Debug)]
pub(super) struct Pace {
    n_runs: AtomicU32,
    /// From sending to the last byte, in microseconds.
    answer: AtomicU32,
    /// From the answer before to the last byte, in microseconds.
    cost: AtomicU32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { n_runs: AtomicU32::new(0), answer: AtomicU32::new(0), cost: AtomicU32::new(ASSUMED_COST) }
    }
}

impl Pace {
    /// A run took this long, sent to a connection that did nothing else.
    pub(super) fn took(&self, time: Duration) {
        let n_runs = self.n_runs.load(Ordering::Relaxed);
        let micros = micros(time);
        let average = match n_runs {
            0 => micros,
            _ => averaged(self.answer.load(Ordering::Relaxed), micros),
        };
        self.answer.store(average, Ordering::Relaxed);
        self.n_runs.store(n_runs.saturating_add(1), Ordering::Relaxed);
    }

    /// A run took this long after the answer before it.
    pub(super) fn followed(&self, time: Duration, quick: Duration) {
        let micros = micros(time);
        self.cost.store(averaged(self.cost.load(Ordering::Relaxed), micros), Ordering::Relaxed);
        // Whatever takes long after another does so alone.
        if time > quick {
            self.took(time);
        }
    }

    /// It was answered often enough, and lately within this time on average.
    pub(super) fn is_quick(&self, quick: Duration) -> bool {
        let average = Duration::from_micros(self.answer.load(Ordering::Relaxed).into());
        self.n_runs.load(Ordering::Relaxed) >= KNOWN_AFTER && average <= quick
    }

    /// What one more is expected to cost, in microseconds.
    pub(super) fn cost(&self) -> u32 {
        self.cost.load(Ordering::Relaxed)
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

/// The latest run counts for an eighth.
fn averaged(average: u32, latest: u32) -> u32 {
    let (average, latest) = (u64::from(average), u64::from(latest));
    // Between the two, so it fits.
    u32::try_from((average * 7 + latest) / 8).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const QUICK: Duration = Duration::from_millis(5);

    fn after(runs: &[Duration]) -> Pace {
        let pace = Pace::default();
        for run in runs {
            pace.took(*run);
        }
        pace
    }

    #[test]
    fn a_query_is_quick_once_it_was_so_for_a_while() {
        assert!(!after(&[MS; 7]).is_quick(QUICK));
        assert!(after(&[MS; 8]).is_quick(QUICK));
        assert!(!after(&[6 * MS; 100]).is_quick(QUICK));
    }

    #[test]
    fn one_long_run_is_remembered_for_many_short_ones() {
        let pace = after(&[MS; 100]);
        pace.took(1000 * MS);
        assert!(!pace.is_quick(QUICK));
        for _ in 0..20 {
            pace.took(MS);
        }
        assert!(!pace.is_quick(QUICK));
        for _ in 0..20 {
            pace.took(MS);
        }
        assert!(pace.is_quick(QUICK));
    }

    #[test]
    fn what_is_slow_behind_others_is_slow() {
        let pace = after(&[MS; 100]);
        pace.followed(MS, QUICK);
        assert!(pace.is_quick(QUICK));
        pace.followed(1000 * MS, QUICK);
        assert!(!pace.is_quick(QUICK));
    }

    #[test]
    fn costs_are_averaged_from_an_assumption_on() {
        let pace = Pace::default();
        assert_eq!(pace.cost(), ASSUMED_COST);
        for _ in 0..100 {
            pace.followed(Duration::from_micros(200), QUICK);
        }
        assert!((190..=200).contains(&pace.cost()), "{}", pace.cost());
        pace.followed(Duration::from_secs(u64::MAX), QUICK);
        assert!(pace.cost() > 200);
    }
}

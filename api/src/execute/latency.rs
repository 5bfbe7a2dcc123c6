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
pub(super) struct Latency {
    n_runs: AtomicU32,
    /// From sending to the last byte, in microseconds.
    answer: AtomicU32,
    /// From the answer before to the last byte, in microseconds.
    cost: AtomicU32,
}

impl Default for Latency {
    fn default() -> Self {
        Self { n_runs: AtomicU32::new(0), answer: AtomicU32::new(0), cost: AtomicU32::new(ASSUMED_COST) }
    }
}

impl Latency {
    /// A run took this long, sent to a connection that did nothing else.
    ///
    /// What it would have cost behind others is forgotten slowly: a query that became cheap is to be found out.
    pub(super) fn took(&self, time: Duration) {
        let n_runs = self.n_runs.load(Ordering::Relaxed);
        let micros = micros(time);
        let average = match n_runs {
            0 => micros,
            _ => averaged(self.answer.load(Ordering::Relaxed), micros),
        };
        self.answer.store(average, Ordering::Relaxed);
        self.n_runs.store(n_runs.saturating_add(1), Ordering::Relaxed);
        let cost = self.cost();
        if cost > ASSUMED_COST {
            let forgotten = (u64::from(cost) * 63 + u64::from(ASSUMED_COST)) / 64;
            self.cost.store(u32::try_from(forgotten).unwrap_or(cost), Ordering::Relaxed);
        }
    }

    /// A run took this long after the answer before it.
    pub(super) fn followed(&self, time: Duration, quick: Duration) {
        // A process that has to wait for a processor shows as one long run, which says nothing about the query.
        let cost = self.cost();
        let micros = micros(time).min(cost.saturating_mul(2).saturating_add(ASSUMED_COST));
        self.cost.store(averaged(cost, micros), Ordering::Relaxed);
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

    /// It is expected to cost no more than this.
    pub(super) fn costs_at_most(&self, most: Duration) -> bool {
        Duration::from_micros(self.cost().into()) <= most
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

    fn after(runs: &[Duration]) -> Latency {
        let latency = Latency::default();
        for run in runs {
            latency.took(*run);
        }
        latency
    }

    #[test]
    fn a_query_is_quick_once_it_was_so_for_a_while() {
        assert!(!after(&[MS; 7]).is_quick(QUICK));
        assert!(after(&[MS; 8]).is_quick(QUICK));
        assert!(!after(&[6 * MS; 100]).is_quick(QUICK));
    }

    #[test]
    fn one_long_run_is_remembered_for_many_short_ones() {
        let latency = after(&[MS; 100]);
        latency.took(1000 * MS);
        assert!(!latency.is_quick(QUICK));
        for _ in 0..20 {
            latency.took(MS);
        }
        assert!(!latency.is_quick(QUICK));
        for _ in 0..20 {
            latency.took(MS);
        }
        assert!(latency.is_quick(QUICK));
    }

    #[test]
    fn what_is_slow_behind_others_is_slow() {
        let latency = after(&[MS; 100]);
        latency.followed(MS, QUICK);
        assert!(latency.is_quick(QUICK));
        latency.followed(1000 * MS, QUICK);
        assert!(!latency.is_quick(QUICK));
    }

    #[test]
    fn one_long_wait_does_not_make_a_query_dear() {
        let worth = Duration::from_micros(150);
        let latency = Latency::default();
        for _ in 0..100 {
            latency.followed(Duration::from_micros(25), QUICK);
        }
        latency.followed(4 * MS, QUICK);
        assert!(latency.costs_at_most(worth), "{}", latency.cost());
        // Many of them do, and that is forgotten when it has run by itself for a while.
        for _ in 0..20 {
            latency.followed(MS, QUICK);
        }
        assert!(!latency.costs_at_most(worth), "{}", latency.cost());
        let mut n_runs = 0;
        while !latency.costs_at_most(worth) {
            latency.took(MS);
            n_runs += 1;
        }
        assert!((16..256).contains(&n_runs), "{n_runs}");
    }

    #[test]
    fn costs_are_averaged_from_an_assumption_on() {
        let latency = Latency::default();
        assert_eq!(latency.cost(), ASSUMED_COST);
        for _ in 0..100 {
            latency.followed(Duration::from_micros(200), QUICK);
        }
        assert!((190..=200).contains(&latency.cost()), "{}", latency.cost());
        latency.followed(Duration::from_secs(u64::MAX), QUICK);
        assert!(latency.cost() > 200);
    }
}

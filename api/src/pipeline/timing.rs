//! The `Server-Timing` header.

use std::time::{Duration, Instant};

use http::HeaderValue;

/// Times the steps of a request.
pub(super) struct Stopwatch {
    since: Instant,
    laps: Vec<(&'static str, Duration)>,
}

impl Stopwatch {
    pub(super) fn start() -> Self {
        Self { since: Instant::now(), laps: Vec::with_capacity(5) }
    }

    /// Time until now belongs to no step.
    pub(super) fn restart(&mut self) {
        self.since = Instant::now();
    }

    /// Time since the last lap belongs to this step.
    pub(super) fn lap(&mut self, step: &'static str) {
        let now = Instant::now();
        self.laps.push((step, now - self.since));
        self.since = now;
    }

    /// `jwt;dur=0.1, parse;dur=0.1, …`, in milliseconds.
    pub(super) fn header(&self) -> HeaderValue {
        let text = self
            .laps
            .iter()
            .map(|(step, took)| format!("{step};dur={:.1}", took.as_secs_f64() * 1000.0))
            .collect::<Vec<_>>()
            .join(", ");
        HeaderValue::from_str(&text).expect("step names and decimals are ASCII")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_lists_laps_in_order_in_milliseconds() {
        let watch = Stopwatch {
            since: Instant::now(),
            laps: vec![("jwt", Duration::from_micros(140)), ("parse", Duration::from_millis(20))],
        };
        assert_eq!(watch.header(), "jwt;dur=0.1, parse;dur=20.0");
    }
}

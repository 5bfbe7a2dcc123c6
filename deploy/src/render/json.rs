//! One JSON object per event on stdout, for programs.

use std::{io::Write, sync::Mutex, time::SystemTime};

use serde::Serialize;

use super::Streams;
use crate::event::{self, Event, Sink};

/// Writes JSON lines.
pub struct Json {
    streams: Mutex<Streams>,
    clock: fn() -> SystemTime,
}

/// An event with the time at which it was told; what happened to a resource has AWS's time.
#[derive(Serialize)]
struct Line<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(flatten)]
    event: &'e Event,
}

impl Json {
    /// Writes to stdout.
    pub fn new() -> Self {
        Self::to(Box::new(std::io::stdout()))
    }

    /// Writes to a given stream.
    pub fn to(data: Box<dyn Write + Send>) -> Self {
        let streams = Mutex::new(Streams { data, messages: Box::new(std::io::sink()) });
        Self { streams, clock: SystemTime::now }
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(self, clock: fn() -> SystemTime) -> Self {
        Self { clock, ..self }
    }
}

impl Default for Json {
    fn default() -> Self {
        Self::new()
    }
}

impl Sink for Json {
    fn take(&self, event: Event) {
        let has_time = matches!(event, Event::Resource { .. });
        let time = (!has_time).then(|| event::timestamp((self.clock)()));
        let line = serde_json::to_string(&Line { time, event: &event })
            .expect("an event holds nothing that JSON does not");
        self.streams.lock().unwrap_or_else(std::sync::PoisonError::into_inner).write(&[line], &[]);
    }
}

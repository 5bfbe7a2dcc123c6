//! One JSON object per event on stdout, for programs.

use std::{io::Write, sync::Mutex};

use super::Streams;
use crate::event::{Event, Sink};

/// Writes JSON lines.
pub struct Json {
    streams: Mutex<Streams>,
}

impl Json {
    /// Writes to stdout.
    pub fn new() -> Self {
        Self::to(Box::new(std::io::stdout()))
    }

    /// Writes to a given stream.
    pub fn to(data: Box<dyn Write + Send>) -> Self {
        Self { streams: Mutex::new(Streams { data, messages: Box::new(std::io::sink()) }) }
    }
}

impl Default for Json {
    fn default() -> Self {
        Self::new()
    }
}

impl Sink for Json {
    fn take(&self, event: Event) {
        let line = serde_json::to_string(&event).expect("an event holds nothing that JSON does not");
        self.streams.lock().unwrap_or_else(std::sync::PoisonError::into_inner).write(&[line], &[]);
    }
}

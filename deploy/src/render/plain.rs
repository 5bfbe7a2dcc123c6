//! One line per event with the time since the start: for pipelines and logs.

use std::{io::Write, sync::Mutex};

use tokio::time::Instant;

use super::{Pick, Streams, nothing, text};
use crate::event::{Event, Sink};

/// Writes lines.
pub struct Plain {
    start: Instant,
    streams: Mutex<Streams>,
    data: Pick,
    /// What failed, and whether anything was written after it.
    failures: Mutex<(Vec<Event>, bool)>,
}

impl Plain {
    /// Writes to the streams of the process; colours only where a terminal shows them.
    pub fn new() -> Self {
        Self::to(Box::new(anstream::stdout()), Box::new(anstream::stderr()))
    }

    /// Writes to given streams.
    pub fn to(data: Box<dyn Write + Send>, messages: Box<dyn Write + Send>) -> Self {
        Self {
            start: Instant::now(),
            streams: Mutex::new(Streams { data, messages }),
            data: nothing,
            failures: Mutex::default(),
        }
    }

    /// What failed, once more after the end, where it is far above: a log is read from its end.
    fn again(&self, event: &Event) -> Vec<String> {
        let mut failures = self.failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match event {
            Event::Failed { .. } => failures.0.push(event.clone()),
            Event::Ended { .. } if failures.1 => {
                let failed = std::mem::take(&mut *failures).0;
                return failed.iter().flat_map(|it| text::lines(it).messages).collect();
            }
            Event::Ended { .. } => {}
            _ => failures.1 = !failures.0.is_empty(),
        }
        Vec::new()
    }

    /// Writes what is picked to stdout: it is what the user asked for.
    #[must_use]
    pub fn with_data(self, data: Pick) -> Self {
        Self { data, ..self }
    }
}

impl Default for Plain {
    fn default() -> Self {
        Self::new()
    }
}

impl Sink for Plain {
    fn take(&self, event: Event) {
        let lines = text::lines(&event).picked((self.data)(&event));
        let elapsed = text::duration(self.start.elapsed());
        let messages: Vec<String> = lines.messages.iter().map(|it| format!("{elapsed:>6} {it}")).collect();
        let again = self.again(&event);
        // A poisoned lock means that a writer panicked; the lines are still worth having.
        self.streams.lock().unwrap_or_else(std::sync::PoisonError::into_inner).write(&lines.data, &messages);
        if !again.is_empty() {
            self.streams.lock().unwrap_or_else(std::sync::PoisonError::into_inner).write(&[], &again);
        }
    }
}

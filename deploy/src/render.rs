//! Turns events into something to read: a live terminal, plain lines, or JSON lines.
//!
//! Invariant: data (outputs, JSON) goes to stdout, everything else to stderr; colour never carries meaning alone.

mod json;
mod live;
mod markdown;
mod plain;
pub mod text;

pub use json::Json;
pub use live::Live;
pub use markdown::Markdown;
pub use plain::Plain;

use std::io::Write;

use crate::event::Event;

/// Tells which events are what the user asked for, and not how the work goes.
pub type Pick = fn(&Event) -> bool;

/// Picks no event: the outputs are the only data.
fn nothing(_: &Event) -> bool {
    false
}

/// Picks what a comparison is about.
pub fn differences(event: &Event) -> bool {
    matches!(event, Event::Changes { .. } | Event::Unchanged { .. } | Event::Drifted { .. })
}

/// Picks what a prepared plan is about.
pub fn plan(event: &Event) -> bool {
    matches!(event, Event::Caller(_) | Event::Prepared { .. }) || differences(event)
}

/// Where a renderer writes: data and messages.
pub(crate) struct Streams {
    pub(crate) data: Box<dyn Write + Send>,
    pub(crate) messages: Box<dyn Write + Send>,
}

impl Streams {
    /// Writes lines. A closed pipe is nobody's failure: the work goes on without a reader.
    pub(crate) fn write(&mut self, data: &[String], messages: &[String]) {
        for line in messages {
            let _ = writeln!(self.messages, "{line}");
        }
        for line in data {
            let _ = writeln!(self.data, "{line}");
        }
        let _ = self.messages.flush();
        let _ = self.data.flush();
    }
}

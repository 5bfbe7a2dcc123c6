//! Events → text: a live table on a terminal, plain lines elsewhere, JSON lines on request. All of it on stderr,
//! but for JSON, which is data.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use local_stack::event::{Event, EventSink};
use local_stack::service::{ServiceName, ServiceState};
use owo_colors::OwoColorize;
use serde_json::json;

use crate::output;

/// How events are shown.
pub(crate) fn renderer(as_json: bool) -> std::sync::Arc<dyn EventSink> {
    if as_json {
        return std::sync::Arc::new(|event: Event| output::data(&json_line(&event)));
    }
    let is_live = std::io::stderr().is_terminal() && std::env::var_os("CI").is_none();
    if is_live { std::sync::Arc::new(Live::new()) } else { std::sync::Arc::new(Plain::new()) }
}

/// Rows that are drawn again and again, where there are such.
static ROWS: OnceLock<MultiProgress> = OnceLock::new();

/// Takes the display off the terminal for good, so that what is said next is not drawn over.
pub(crate) fn end() {
    if let Some(rows) = ROWS.get() {
        let _ = rows.clear();
        rows.set_draw_target(ProgressDrawTarget::hidden());
    }
}

/// Colours are wanted: <https://no-color.org>.
fn is_coloured() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty())
}

/// What a state is called, and the mark that goes with it. The word alone says it; the mark and its colour only help the eye.
fn word(state: ServiceState) -> (&'static str, &'static str) {
    match state {
        ServiceState::Stopped => ("stopped", "·"),
        ServiceState::Preparing => ("preparing", "…"),
        ServiceState::Starting => ("starting", "…"),
        ServiceState::Configuring => ("configuring", "…"),
        ServiceState::Running => ("running", "✓"),
        ServiceState::Stopping => ("stopping", "…"),
        ServiceState::Failed => ("failed", "✗"),
    }
}

fn is_final(state: ServiceState) -> bool {
    matches!(state, ServiceState::Stopped | ServiceState::Running | ServiceState::Failed)
}

/// One line per event, with the time since the start.
struct Plain {
    started: Instant,
}

impl Plain {
    fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl EventSink for Plain {
    fn emit(&self, event: Event) {
        let time = format!("{:>6.1}s", self.started.elapsed().as_secs_f64());
        output::note(&format!("{time}  {}", plain_text(&event)));
    }
}

/// An event as one line without colour.
fn plain_text(event: &Event) -> String {
    match event {
        Event::Backend { kind, detail } => format!("{:<9} {kind}: {detail}", "backend"),
        Event::Waiting => "another command works on this stack; waiting for it".to_owned(),
        Event::Service { service, state } => {
            format!("{service:<9} {}", word(*state).0, service = service.as_str())
        }
        Event::Step { service, text } => format!("{:<9}   {text}", service.as_str()),
        Event::Note { text } => format!("{:<9} {text}", "note"),
        Event::Output { line } => format!("{:<9}   {line}", ""),
    }
}

/// An event as a JSON object on one line.
fn json_line(event: &Event) -> String {
    let value = match event {
        Event::Backend { kind, detail } => {
            json!({"event": "backend", "backend": kind.as_str(), "detail": detail})
        }
        Event::Waiting => json!({"event": "waiting"}),
        Event::Service { service, state } => {
            json!({"event": "service", "service": service.as_str(), "state": state})
        }
        Event::Step { service, text } => json!({"event": "step", "service": service.as_str(), "text": text}),
        Event::Note { text } => json!({"event": "note", "text": text}),
        Event::Output { line } => json!({"event": "output", "line": line}),
    };
    value.to_string()
}

/// One line per service, redrawn in place.
struct Live {
    rows: MultiProgress,
    bars: Mutex<HashMap<ServiceName, ProgressBar>>,
}

impl Live {
    fn new() -> Self {
        Self { rows: ROWS.get_or_init(MultiProgress::new).clone(), bars: Mutex::default() }
    }

    fn update(&self, service: ServiceName, change: impl FnOnce(&ProgressBar)) {
        // A panic elsewhere must not take the display along.
        let mut bars = self.bars.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let bar = bars.entry(service).or_insert_with(|| {
            let bar = self.rows.add(ProgressBar::new_spinner());
            let template = if is_coloured() {
                "{spinner} {prefix:9} {msg} {elapsed:.dim}"
            } else {
                "{spinner} {prefix:9} {msg} {elapsed}"
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_prefix(service.as_str());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        change(bar);
    }
}

impl EventSink for Live {
    fn emit(&self, event: Event) {
        match &event {
            Event::Service { service, state } => self.update(*service, |bar| {
                let (name, mark) = word(*state);
                if !is_final(*state) {
                    bar.set_message(name);
                    return;
                }
                let coloured = match state {
                    ServiceState::Running if is_coloured() => name.green().to_string(),
                    ServiceState::Failed if is_coloured() => name.red().to_string(),
                    _ => name.to_owned(),
                };
                if let Ok(style) = ProgressStyle::with_template("{msg}") {
                    bar.set_style(style);
                }
                bar.finish_with_message(format!("{mark} {:<9} {coloured}", service.as_str()));
            }),
            Event::Step { service, text } => self.update(*service, |bar| bar.set_message(text.clone())),
            Event::Backend { .. } | Event::Waiting | Event::Note { .. } | Event::Output { .. } => {
                // Above the rows; an error means the terminal went away.
                let _ = self.rows.println(plain_text(&event));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_line_names_service_and_state() {
        let event = Event::Service { service: ServiceName::CustomDb, state: ServiceState::Running };
        assert_eq!(plain_text(&event), "customdb  running");
        assert_eq!(json_line(&event), r#"{"event":"service","service":"customdb","state":"running"}"#);
    }

    #[test]
    fn every_state_has_a_word_of_its_own() {
        use ServiceState::{Configuring, Failed, Preparing, Running, Starting, Stopped, Stopping};
        let all = [Stopped, Preparing, Starting, Configuring, Running, Stopping, Failed];
        let words: std::collections::HashSet<_> = all.iter().map(|state| word(*state).0).collect();
        assert_eq!(words.len(), all.len());
    }
}

//! A plan as one Markdown document on stdout, for the comment of a pull request; messages go to stderr as ever.

use std::{fmt::Write as _, io::Write, sync::Mutex};

use super::{Plain, Streams};
use crate::{
    cloud::{Change, ChangeAction, Replacement},
    event::{Event, ParameterChange, Sink},
    loss::Loss,
};

/// Collects the plan and writes it at the end.
pub struct Markdown {
    messages: Plain,
    streams: Mutex<Streams>,
    document: Mutex<String>,
}

impl Markdown {
    /// Writes to the streams of the process.
    pub fn new() -> Self {
        let messages = Plain::to(Box::new(std::io::sink()), Box::new(anstream::stderr()));
        Self::to(Box::new(std::io::stdout()), messages)
    }

    /// Writes the document to a given stream, and messages by a given writer.
    pub fn to(data: Box<dyn Write + Send>, messages: Plain) -> Self {
        let streams = Mutex::new(Streams { data, messages: Box::new(std::io::sink()) });
        Self { messages, streams, document: Mutex::new("## Plan\n".to_owned()) }
    }
}

impl Default for Markdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Sink for Markdown {
    fn take(&self, event: Event) {
        let mut document = self.document.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Writing to a text cannot fail.
        let _ = add(&mut document, &event);
        if matches!(event, Event::Ended { .. }) {
            let lines: Vec<String> = document.lines().map(str::to_owned).collect();
            self.streams.lock().unwrap_or_else(std::sync::PoisonError::into_inner).write(&lines, &[]);
        }
        drop(document);
        self.messages.take(event);
    }
}

fn add(to: &mut String, event: &Event) -> std::fmt::Result {
    match event {
        Event::Caller(it) => {
            writeln!(to, "\nAccount `{}`, region `{}`, as `{}`.", it.account, it.region, it.identity)
        }
        Event::Noted { text } => writeln!(to, "\n> {text}"),
        Event::Changes { stack, is_new, parameters, changes, losses, .. } => {
            writeln!(to, "\n### `{stack}` {}\n", if *is_new { "is made" } else { "is changed" })?;
            parameter_table(to, parameters)?;
            writeln!(to, "|   | resource | type | properties |\n|---|---|---|---|")?;
            changes.iter().try_for_each(|it| row(to, it))?;
            losses.iter().try_for_each(|it| loss(to, it))
        }
        Event::Unchanged { stack, .. } => writeln!(to, "\n### `{stack}` has nothing to change"),
        Event::Prepared { change_set, console, .. } => {
            writeln!(
                to,
                "\nPrepared as [`{change_set}`]({console}); `cargo xtask apply {change_set}` executes it."
            )
        }
        Event::Failed { stack, failure } => {
            writeln!(to, "\n### `{stack}` cannot be planned\n\n{}\n\n{}", failure.message, failure.hint)?;
            let causes = failure.cause.iter().chain(&failure.more);
            causes.into_iter().try_for_each(|it| {
                writeln!(
                    to,
                    "- `{}` {}: {}",
                    it.logical_id,
                    it.place.as_deref().unwrap_or_default(),
                    it.reason
                )
            })
        }
        Event::Skipped { stack, because_of, why } => {
            writeln!(to, "\n### `{stack}` is not planned: `{because_of}` {why}")
        }
        Event::Drifted { stack, drifts, unchecked } if !(drifts.is_empty() && unchecked.is_empty()) => {
            writeln!(to, "\n### `{stack}` and reality\n")?;
            for it in drifts {
                let what = if it.is_deleted { "is gone" } else { "differs" };
                writeln!(to, "- `{}` ({}) {what}", it.logical_id, it.kind)?;
            }
            if unchecked.is_empty() {
                Ok(())
            } else {
                writeln!(to, "- not compared: {}", unchecked.join(", "))
            }
        }
        _ => Ok(()),
    }
}

fn parameter_table(to: &mut String, parameters: &[ParameterChange]) -> std::fmt::Result {
    if parameters.is_empty() {
        return Ok(());
    }
    writeln!(to, "| parameter | before | after |\n|---|---|---|")?;
    for it in parameters {
        writeln!(to, "| {} | {} | {} |", it.name, cell(&it.before), cell(&it.after))?;
    }
    writeln!(to)
}

fn row(to: &mut String, change: &Change) -> std::fmt::Result {
    let sign = match (change.action, change.replacement) {
        (ChangeAction::Add | ChangeAction::Import, _) => "➕",
        (ChangeAction::Remove, _) => "❌ deleted",
        (ChangeAction::Dynamic, _) => "❔",
        (ChangeAction::Modify, Replacement::No) => "✏️",
        (ChangeAction::Modify, Replacement::Conditional) => "⚠️ may be replaced",
        (ChangeAction::Modify, Replacement::Yes) => "⚠️ replaced",
    };
    let value = |it: &Option<String>| it.as_deref().map_or("(unknown)".to_owned(), cell);
    let properties: Vec<String> = change
        .properties
        .iter()
        .map(|it| match (&it.before, &it.after) {
            (None, None) => it.path.clone(),
            (before, after) => format!("{}: {} → {}", it.path, value(before), value(after)),
        })
        .collect();
    writeln!(to, "| {sign} | {} | {} | {} |", change.logical_id, change.kind, properties.join("<br>"))
}

fn loss(to: &mut String, loss: &Loss) -> std::fmt::Result {
    let leave = if loss.needs_leave { " (needs `--allow-data-loss`)" } else { "" };
    writeln!(to, "\n> **{}** ({}) {}{leave}", loss.logical_id, loss.kind, loss.text)
}

/// A value in a cell of a table: one line, no sign that ends a cell.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

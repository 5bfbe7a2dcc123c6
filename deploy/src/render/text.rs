//! Events as lines of text, with colours. Pure; both text renderers use it.

use std::time::Duration;

use owo_colors::OwoColorize;

use crate::{
    cloud::{Change, ChangeAction, Drift, PropertyChange, Replacement, StackOutput},
    event::{Event, ParameterChange},
    failure::{Cause, Failure},
    loss::Loss,
    status::{Category, StackStatus},
};

/// Lines for the two streams.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// For a reader.
    pub messages: Vec<String>,
    /// For a program or a clipboard.
    pub data: Vec<String>,
}

impl Lines {
    /// The same with the messages as data, when they are what the user asked for.
    #[must_use]
    pub fn picked(mut self, is_data: bool) -> Self {
        if is_data {
            self.messages.append(&mut self.data);
            self.data = std::mem::take(&mut self.messages);
        }
        self
    }
}

/// The symbol of a category; tells it apart without colour.
pub fn symbol(category: Category) -> &'static str {
    match category {
        Category::Working => "…",
        Category::Good => "✓",
        Category::Undone => "↶",
        Category::Failed => "✗",
        Category::Gone => "∅",
    }
}

/// A status with symbol and colour.
pub fn status(status: StackStatus) -> String {
    let text = format!("{} {status}", symbol(status.category()));
    match status.category() {
        Category::Working => text.blue().to_string(),
        Category::Good => text.green().to_string(),
        Category::Undone => text.yellow().to_string(),
        Category::Failed => text.red().to_string(),
        Category::Gone => text.dimmed().to_string(),
    }
}

/// The category of a resource's status.
pub fn resource_category(status: &str) -> Category {
    match status {
        it if it.ends_with("_FAILED") => Category::Failed,
        it if it.ends_with("_IN_PROGRESS") => Category::Working,
        "DELETE_COMPLETE" | "DELETE_SKIPPED" => Category::Gone,
        it if it.contains("ROLLBACK") => Category::Undone,
        _ => Category::Good,
    }
}

fn paint(category: Category, text: &str) -> String {
    match category {
        Category::Working => text.blue().to_string(),
        Category::Good => text.green().to_string(),
        Category::Undone => text.yellow().to_string(),
        Category::Failed => text.red().to_string(),
        Category::Gone => text.dimmed().to_string(),
    }
}

/// A duration for people: `42s`, `3m05s`, `1h02m`.
pub fn duration(it: Duration) -> String {
    let seconds = it.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s:02}s"),
        (h, m, _) => format!("{h}h{m:02}m"),
    }
}

/// An event as lines.
pub fn lines(event: &Event) -> Lines {
    let said = |messages: Vec<String>| Lines { messages, data: Vec::new() };
    let say = |line: String| said(vec![line]);
    match event {
        Event::Caller(it) => {
            say(format!("account {} in {} as {}", it.account.bold(), it.region.bold(), it.identity))
        }
        Event::Noted { text } => say(format!("{} {text}", "!".yellow())),
        Event::Planned { operation, waves } => {
            let waves: Vec<String> = waves.iter().map(|it| it.join(" + ")).collect();
            say(format!("{} {}", operation.bold(), waves.join(" → ")))
        }
        Event::Found { stack, stack_name, status: None } => {
            say(format!("{} {stack_name} does not exist", stack.bold()))
        }
        Event::Found { stack, stack_name, status: Some(it) } => {
            say(format!("{} {stack_name} {}", stack.bold(), status(*it)))
        }
        Event::Explained { stack, text } => say(format!("{} {text}", stack.bold())),
        Event::Changes { stack, is_new, parameters, changes: all, losses, console } => {
            said(changes(stack, *is_new, parameters, all, losses, console))
        }
        Event::Unchanged { stack, outputs: all } => Lines {
            messages: vec![format!("{} {} nothing to change", stack.bold(), "✓".green())],
            data: outputs(stack, all),
        },
        Event::Prepared { stack, change_set, console, .. } => said(vec![
            format!("{} prepared, not executed: {change_set}", stack.bold()),
            format!("  {}", console.dimmed()),
        ]),
        Event::Started { stack, operation, n_resources, console } => {
            let what = n_resources.map(|it| format!(", {}", count(it))).unwrap_or_default();
            said(vec![
                format!("{} {operation} started{what}", stack.bold()),
                format!("  {}", console.dimmed()),
            ])
        }
        Event::Resource { stack, logical_id, kind, status, reason, .. } => {
            let category = resource_category(status);
            let reason = reason.as_ref().map(|it| format!(" {it}")).unwrap_or_default();
            let status = paint(category, &format!("{} {status}", symbol(category)));
            say(format!("{} {logical_id} ({kind}) {status}{reason}", stack.bold()))
        }
        Event::Retrying { stack, error, pause } => {
            say(format!("{} {} {error}; trying again in {}", stack.bold(), "!".yellow(), duration(*pause)))
        }
        Event::Finished { stack, status: it, took, outputs: all } => Lines {
            messages: vec![format!("{} {} in {}", stack.bold(), status(*it), duration(*took))],
            data: outputs(stack, all),
        },
        Event::Failed { stack, failure: it } => said(failure(stack, it)),
        Event::Skipped { stack, because_of, why } => {
            say(format!("{} {} not started: {because_of} {why}", stack.bold(), "-".yellow()))
        }
        Event::Drifted { stack, drifts: all, unchecked } => said(drifts(stack, all, unchecked)),
        Event::Ended { n_done, n_failed, n_skipped, took } => {
            let mut parts = vec![format!("{n_done} done")];
            parts.extend((*n_failed > 0).then(|| format!("{n_failed} failed").red().to_string()));
            parts.extend((*n_skipped > 0).then(|| format!("{n_skipped} not touched").yellow().to_string()));
            say(format!("{} in {}", parts.join(", "), duration(*took)))
        }
    }
}

/// Outputs as `stack.Key = value` lines.
pub fn outputs(stack: &str, outputs: &[StackOutput]) -> Vec<String> {
    outputs.iter().map(|it| format!("{stack}.{} = {}", it.key, it.value)).collect()
}

fn count(n_resources: usize) -> String {
    format!("{n_resources} resource{}", if n_resources == 1 { "" } else { "s" })
}

fn changes(
    stack: &str,
    is_new: bool,
    parameters: &[ParameterChange],
    changes: &[Change],
    losses: &[Loss],
    console: &str,
) -> Vec<String> {
    let mut lines = vec![format!(
        "{} {} {}",
        stack.bold(),
        if is_new { "makes" } else { "changes" },
        count(changes.len())
    )];
    let parameter = |it: &ParameterChange| format!("  = {}: {} → {}", it.name, it.before, it.after);
    lines.extend(parameters.iter().map(parameter));
    for change in changes {
        lines.push(format!("  {}", change_line(change)));
        lines.extend(change.properties.iter().map(|it| format!("      {}", property(it))));
    }
    for loss in losses {
        let text = format!("  ! {} ({}) {}", loss.logical_id, loss.kind, loss.text);
        lines.push(if loss.is_final { text.red().bold().to_string() } else { text.yellow().to_string() });
    }
    lines.extend((!console.is_empty()).then(|| format!("  {}", console.dimmed())));
    lines
}

fn change_line(change: &Change) -> String {
    let Change { logical_id, kind, .. } = change;
    match (change.action, change.replacement) {
        (ChangeAction::Add, _) => format!("+ {logical_id} ({kind})").green().to_string(),
        (ChangeAction::Import, _) => format!("> {logical_id} ({kind})").green().to_string(),
        (ChangeAction::Remove, _) => format!("- {logical_id} ({kind})").red().to_string(),
        (ChangeAction::Dynamic, _) => format!("? {logical_id} ({kind})").yellow().to_string(),
        (ChangeAction::Modify, Replacement::No) => format!("~ {logical_id} ({kind})").yellow().to_string(),
        (ChangeAction::Modify, Replacement::Conditional) => {
            format!("± {logical_id} ({kind}) may be replaced").red().to_string()
        }
        (ChangeAction::Modify, Replacement::Yes) => {
            format!("± {logical_id} ({kind}) is replaced").red().to_string()
        }
    }
}

fn property(change: &PropertyChange) -> String {
    let value = |it: &Option<String>| it.clone().unwrap_or_else(|| "(unknown)".into());
    let arrow = match (&change.before, &change.after) {
        (None, None) => String::new(),
        (before, after) => format!(": {} → {}", value(before), value(after)),
    };
    let replaces = match change.replaces {
        Replacement::No => "",
        Replacement::Conditional => " (may replace)",
        Replacement::Yes => " (replaces)",
    };
    format!("{}{arrow}{}", change.path, replaces.red())
}

/// A failure as lines.
pub fn failure(stack: &str, failure: &Failure) -> Vec<String> {
    let mut lines = vec![format!("{} {} {}", stack.bold(), "✗".red(), failure.message)];
    let mut add = |word: &str, cause: &Cause| {
        let place = cause.place.as_ref().map(|it| format!(" at {it}")).unwrap_or_default();
        lines.push(format!("  {} {} ({}){place}", word.red(), cause.logical_id.bold(), cause.kind));
        lines.push(format!("    {} {}", cause.status, cause.reason));
    };
    failure.cause.iter().for_each(|it| add("cause:", it));
    failure.more.iter().for_each(|it| add("and:", it));
    match failure.n_others {
        0 => {}
        1 => lines.push("    1 other resource failed because of it".to_owned()),
        n => lines.push(format!("    {n} other resources failed because of it")),
    }
    lines.push(format!("  {} {}", "hint:".cyan(), failure.hint));
    lines
}

fn drifts(stack: &str, drifts: &[Drift], unchecked: &[String]) -> Vec<String> {
    let mut lines = match (drifts.is_empty(), unchecked.is_empty()) {
        (true, true) => vec![format!("{} {} is as CloudFormation made it", stack.bold(), "✓".green())],
        (true, false) => vec![format!(
            "{} {} is as CloudFormation made it, as far as CloudFormation compares",
            stack.bold(),
            "✓".green()
        )],
        (false, _) => {
            vec![format!("{} {} was changed behind CloudFormation's back", stack.bold(), "!".yellow())]
        }
    };
    if !unchecked.is_empty() {
        lines.push(format!("  not compared: {}", unchecked.join(", ")).dimmed().to_string());
    }
    for drift in drifts {
        let what = if drift.is_deleted { "is gone" } else { "differs" };
        lines.push(format!("  {} ({}) {what}", drift.logical_id, drift.kind).yellow().to_string());
        lines.extend(drift.properties.iter().map(|it| format!("      {}", property(it))));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let check =
            |seconds: u64, expected: &str| assert_eq!(duration(Duration::from_secs(seconds)), expected);
        check(0, "0s");
        check(59, "59s");
        check(185, "3m05s");
        check(3725, "1h02m");
    }

    #[test]
    fn every_status_of_a_resource_has_a_category() {
        let cases = [
            ("CREATE_IN_PROGRESS", Category::Working),
            ("CREATE_FAILED", Category::Failed),
            ("UPDATE_COMPLETE", Category::Good),
            ("DELETE_COMPLETE", Category::Gone),
            ("DELETE_SKIPPED", Category::Gone),
            ("UPDATE_ROLLBACK_COMPLETE", Category::Undone),
            ("ROLLBACK_IN_PROGRESS", Category::Working),
        ];
        for (status, expected) in cases {
            assert_eq!(resource_category(status), expected, "{status}");
        }
    }
}

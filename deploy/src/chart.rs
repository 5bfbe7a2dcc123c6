//! How long each resource took in an operation, as bars on one time axis.

use std::time::{Duration, SystemTime};

use crate::{cloud::StackEvent, failure, render::text};

/// Width of the bars, in characters.
const WIDTH: usize = 40;

/// The time that a resource took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Logical id.
    pub logical_id: String,
    /// Last status.
    pub status: String,
    /// From the start of the operation to the resource's start.
    pub start: Duration,
    /// From the start of the operation to the resource's last event.
    pub end: Duration,
}

/// The spans of the last operation among the events of a stack, oldest first, in the order in which resources started.
///
/// What a rollback deletes again has a span of its own for that.
pub fn spans(events: &[StackEvent], stack_id: &str) -> Vec<Span> {
    let begin = events.iter().rposition(|it| failure::begins_operation(it, stack_id)).unwrap_or(0);
    let Some(zero) = events.get(begin).map(|it| it.time) else { return Vec::new() };
    let since = |time: SystemTime| time.duration_since(zero).unwrap_or_default();
    let mut spans: Vec<Span> = Vec::new();
    for event in events[begin..].iter().filter(|it| !failure::is_of_stack(it, stack_id)) {
        let at = since(event.time);
        let deletes = |status: &str| status.starts_with("DELETE_");
        let is_same = |it: &&mut Span| {
            it.logical_id == event.logical_id && deletes(&it.status) == deletes(&event.status)
        };
        match spans.iter_mut().find(is_same) {
            Some(span) => (span.end, span.status) = (at, event.status.clone()),
            None => spans.push(Span {
                logical_id: event.logical_id.clone(),
                status: event.status.clone(),
                start: at,
                end: at,
            }),
        }
    }
    spans
}

/// The spans as lines.
pub fn lines(spans: &[Span]) -> Vec<String> {
    let total = spans.iter().map(|it| it.end).max().unwrap_or_default().as_secs_f64().max(1.0);
    let name_width = spans.iter().map(|it| it.logical_id.chars().count()).max().unwrap_or_default();
    let column = |at: Duration| ((at.as_secs_f64() / total) * WIDTH as f64).round() as usize;
    spans
        .iter()
        .map(|span| {
            let (from, to) = (column(span.start).min(WIDTH - 1), column(span.end));
            let bar = "█".repeat(to.saturating_sub(from).max(1));
            let symbol = text::symbol(text::resource_category(&span.status));
            let took = took(span.end.saturating_sub(span.start));
            format!(
                "{:name_width$} {symbol} {:>from$}{bar:<rest$} {took}",
                span.logical_id,
                "",
                rest = WIDTH - from
            )
        })
        .collect()
}

/// Short times to a tenth: most resources take less than a second.
fn took(time: Duration) -> String {
    if time < Duration::from_secs(10) { format!("{:.1}s", time.as_secs_f64()) } else { text::duration(time) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::STACK;

    fn event(seconds: u64, logical_id: &str, kind: &str, status: &str) -> StackEvent {
        StackEvent {
            id: String::new(),
            time: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
            logical_id: logical_id.into(),
            physical_id: if kind == STACK { "arn".into() } else { String::new() },
            kind: kind.into(),
            status: status.into(),
            reason: None,
            token: None,
        }
    }

    #[test]
    fn the_last_operation_is_drawn_on_one_axis() {
        let events = [
            event(0, "app", STACK, "CREATE_IN_PROGRESS"),
            event(5, "Old", "T", "CREATE_COMPLETE"),
            event(100, "app", STACK, "UPDATE_IN_PROGRESS"),
            event(100, "Vpc", "T", "UPDATE_IN_PROGRESS"),
            event(110, "Vpc", "T", "UPDATE_COMPLETE"),
            event(110, "Database", "T", "CREATE_IN_PROGRESS"),
            event(140, "Database", "T", "CREATE_FAILED"),
            event(141, "app", STACK, "UPDATE_ROLLBACK_IN_PROGRESS"),
            event(160, "Database", "T", "DELETE_IN_PROGRESS"),
            event(180, "Database", "T", "DELETE_COMPLETE"),
        ];
        let drawn = lines(&spans(&events, "arn"));
        assert_eq!(
            drawn,
            [
                "Vpc      ✓ █████                                    10s",
                "Database ✗      ███████████████                     30s",
                "Database ∅                               ██████████ 20s",
            ]
        );
        assert_eq!(lines(&spans(&[], "arn")), Vec::<String>::new());
    }
}

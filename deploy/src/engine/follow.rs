//! Watches an operation of CloudFormation until it ends.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Engine, Failure, Spec};
use crate::{
    cloud::{Cloud, StackEvent, StackInfo},
    event::Event,
    failure::{self, STACK},
    status::{Operation, Progress, StackStatus},
};

/// An operation to watch.
pub(super) struct Watch<'s> {
    /// What was asked for; nothing when somebody else asked.
    pub(super) operation: Option<Operation>,
    /// ARN of the stack.
    pub(super) stack_id: &'s str,
    /// Token that the request carried.
    pub(super) token: Option<&'s str>,
    /// Last event before the request.
    pub(super) after: Option<String>,
}

/// An operation that ended.
pub(super) struct Ended {
    /// The stack; nothing when it is gone without a trace.
    pub(super) info: Option<StackInfo>,
    /// Events of the operation, oldest first.
    pub(super) events: Vec<StackEvent>,
    /// How long it took.
    pub(super) took: Duration,
}

impl Ended {
    pub(super) fn status(&self) -> StackStatus {
        self.info.as_ref().map_or(StackStatus::DeleteComplete, |it| it.status)
    }
}

/// How long a status may stay as it was before the request, when no event shows that the request was taken.
const GRACE: Duration = Duration::from_secs(30);

impl<C: Cloud> Engine<'_, C> {
    /// The newest event of a stack, as the place to go on from.
    pub(super) async fn last_event(&self, spec: &Spec, stack_id: &str) -> Result<Option<String>, Failure> {
        Ok(self.all_events(spec, stack_id, None).await?.pop().map(|it| it.id))
    }

    pub(super) async fn all_events(
        &self,
        spec: &Spec,
        stack_id: &str,
        after: Option<&str>,
    ) -> Result<Vec<StackEvent>, Failure> {
        self.patiently(&spec.name, || self.cloud.events(stack_id, after))
            .await
            .map_err(|err| Failure::of_call(&format!("read the events of {}", spec.stack_name), &err))
    }

    /// Whether a request was taken although its call failed: the answer of a first attempt can be lost on the way, and the
    /// second attempt is then refused.
    pub(super) async fn was_taken(
        &self,
        spec: &Spec,
        stack_id: &str,
        after: Option<&str>,
        token: &str,
    ) -> Result<bool, Failure> {
        let events = self.all_events(spec, stack_id, after).await?;
        Ok(events.iter().any(|it| it.token.as_deref() == Some(token)))
    }

    /// Tells every event of an operation and returns when it is over.
    pub(super) async fn follow(&self, spec: &Spec, mut watch: Watch<'_>) -> Result<Ended, Failure> {
        let start = Instant::now();
        let mut events: Vec<StackEvent> = Vec::new();
        let mut was_taken = watch.token.is_none();
        loop {
            // The status first: whatever happened before it was read is then among the events.
            let info = self
                .patiently(&spec.name, || self.cloud.stack(watch.stack_id))
                .await
                .map_err(|err| Failure::of_call(&format!("follow {}", spec.stack_name), &err))?;
            let status = info.as_ref().map_or(StackStatus::DeleteComplete, |it| it.status);
            // An event that is seen after this status was read does not say that the status is newer than the request.
            let is_newer = was_taken
                || status.is_working()
                || status == StackStatus::DeleteComplete
                || start.elapsed() >= GRACE;
            let n_before = events.len();
            for event in self.all_events(spec, watch.stack_id, watch.after.as_deref()).await? {
                was_taken |= event.token.is_some() && event.token.as_deref() == watch.token;
                watch.after = Some(event.id.clone());
                self.tell_event(spec, &event);
                events.push(event);
            }
            was_taken |= is_newer;
            let n_new = events.len() - n_before;
            let progress = match watch.operation {
                Some(operation) => status.progress(operation),
                None if status.is_working() => Progress::Running,
                None => Progress::Done,
            };
            if cancelled(&events).is_some() || (is_newer && progress != Progress::Running) {
                return Ok(Ended { info, events, took: start.elapsed() });
            }
            // The last event is there before anyone looks at the status again: no need to wait for it.
            let is_last = |it: &StackEvent| {
                it.kind == STACK && it.logical_id == spec.stack_name && !it.status.ends_with("_IN_PROGRESS")
            };
            if n_new == 0 || !events.last().is_some_and(is_last) {
                sleep(self.settings.poll).await;
            }
        }
    }

    fn tell_event(&self, spec: &Spec, event: &StackEvent) {
        self.tell(Event::Resource {
            stack: spec.name.clone(),
            logical_id: event.logical_id.clone(),
            kind: event.kind.clone(),
            status: event.status.clone(),
            reason: event.reason.clone(),
        });
    }

    /// Follows an operation that somebody else started, from its own beginning.
    pub(super) async fn follow_running(&self, spec: &Spec, info: &StackInfo) -> Result<Ended, Failure> {
        let events = self.all_events(spec, &info.id, None).await?;
        let begin = beginning(&events);
        let after = begin.checked_sub(1).map(|it| events[it].id.clone());
        self.follow(spec, Watch { operation: None, stack_id: &info.id, token: None, after }).await
    }

    /// The failure that an operation ended with.
    pub(super) fn failure_of(&self, spec: &Spec, doing: &str, ended: &Ended) -> Failure {
        if let Some((export, importers)) = cancelled(&ended.events) {
            return Failure::plain(
                format!(
                    "{doing} {}: CloudFormation cancelled it, because {} import its export \"{export}\"",
                    spec.stack_name,
                    importers.join(", ")
                ),
                format!("Terminate {} first, or all of them with --all.", importers.join(", ")),
            );
        }
        let (cause, n_others) = failure::cause(&ended.events, Some(&spec.template), &spec.template_path);
        let status = ended.status();
        let why = ended.info.as_ref().and_then(|it| it.status_reason.clone());
        let hint = match (&cause, &why) {
            (Some(cause), _) => failure::advice(&cause.reason),
            (None, Some(why)) => failure::advice(why),
            (None, None) => "Look at the events in the console.",
        };
        let message = match (&cause, why) {
            (None, Some(why)) => format!("{doing} {} ended in {status}: {why}", spec.stack_name),
            _ => format!("{doing} {} ended in {status}. {}", spec.stack_name, status.meaning()),
        };
        Failure { message, cause, n_others, hint: hint.to_owned() }
    }
}

/// Export and importers, when CloudFormation took a deletion and then cancelled it.
fn cancelled(events: &[StackEvent]) -> Option<(String, Vec<String>)> {
    let of_stack = events.iter().filter(|it| it.kind == STACK);
    of_stack.filter_map(|it| it.reason.as_deref()).find_map(failure::cancelled_by_importers)
}

/// Where the operation that is running now begins among all events of a stack.
fn beginning(events: &[StackEvent]) -> usize {
    let starts = ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS"];
    events.iter().rposition(|it| it.kind == STACK && starts.contains(&it.status.as_str())).unwrap_or(0)
}

//! Watches an operation of CloudFormation until it ends.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Engine, Failure, Spec};
use crate::{
    cloud::{Cloud, Since, StackEvent, StackInfo},
    event::Event,
    failure,
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
    /// What was asked for; nothing when somebody else asked.
    pub(super) operation: Option<Operation>,
    /// ARN of the stack.
    pub(super) stack_id: String,
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

/// How long a final status may be there without the event that belongs to it.
const SETTLING: Duration = Duration::from_secs(10);

/// How long nothing may happen before that is said.
const QUIET: Duration = Duration::from_mins(10);

impl<C: Cloud> Engine<'_, C> {
    /// The newest event of a stack, as the place to go on from.
    pub(super) async fn last_event(&self, spec: &Spec, stack_id: &str) -> Result<Option<String>, Failure> {
        self.patiently(&spec.name, || self.cloud.last_event(stack_id))
            .await
            .map_err(|err| Failure::of_call(&format!("read the events of {}", spec.stack_name), &err))
    }

    pub(super) async fn events(
        &self,
        spec: &Spec,
        stack_id: &str,
        since: Since<'_>,
    ) -> Result<Vec<StackEvent>, Failure> {
        self.patiently(&spec.name, || self.cloud.events(stack_id, since))
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
        let events = self.events(spec, stack_id, Since::Event(after)).await?;
        Ok(events.iter().any(|it| it.token.as_deref() == Some(token)))
    }

    /// Tells every event of an operation and returns when it is over.
    pub(super) async fn follow(&self, spec: &Spec, mut watch: Watch<'_>) -> Result<Ended, Failure> {
        let start = Instant::now();
        let mut events: Vec<StackEvent> = Vec::new();
        let mut was_taken = watch.token.is_none();
        let (mut last_news, mut settled_at) = (start, None);
        loop {
            // The status first: whatever happened before it was read is then among the events.
            let info = self
                .patiently(&spec.name, || self.cloud.stack(watch.stack_id))
                .await
                .map_err(|err| Failure::of_call(&format!("follow {}", spec.stack_name), &err))?;
            let status = info.as_ref().map_or(StackStatus::DeleteComplete, |it| it.status);
            // An event that is seen after this status was read does not say that the status is newer than the request. A
            // stack that is not found may not be visible yet.
            let is_newer = was_taken
                || status.is_working()
                || (status == StackStatus::DeleteComplete && info.is_some())
                || start.elapsed() >= GRACE;
            let n_before = events.len();
            for event in self.events(spec, watch.stack_id, Since::Event(watch.after.as_deref())).await? {
                was_taken |= event.token.is_some() && event.token.as_deref() == watch.token;
                watch.after = Some(event.id.clone());
                self.tell(Event::of_resource(&spec.name, &event));
                events.push(event);
            }
            was_taken |= is_newer;
            let n_new = events.len() - n_before;
            let progress = match watch.operation {
                Some(operation) => status.progress(operation),
                None if status.is_working() => Progress::Running,
                None => Progress::Done,
            };
            let is_over = is_newer && progress != Progress::Running;
            // A status from before can still be shown for a moment; the event that belongs to it proves that it is new.
            let is_proven = events
                .iter()
                .any(|it| failure::is_of_stack(it, watch.stack_id) && it.status == status.name());
            let since = *settled_at.get_or_insert_with(Instant::now);
            if !is_over {
                settled_at = None;
            }
            let is_cancelled = watch.operation == Some(Operation::Delete)
                && failure::cancelled(&events, watch.stack_id).is_some();
            if is_cancelled || (is_over && (is_proven || since.elapsed() >= SETTLING)) {
                self.running_stacks().remove(&spec.stack_name);
                let (operation, stack_id) = (watch.operation, watch.stack_id.to_owned());
                return Ok(Ended { operation, stack_id, info, events, took: start.elapsed() });
            }
            if n_new > 0 {
                last_news = Instant::now();
            } else if last_news.elapsed() >= QUIET {
                last_news = Instant::now();
                self.explain(spec, quiet(&events, status));
            }
            if start.elapsed() >= self.settings.deadline {
                return Err(too_long(spec, status, self.settings.deadline));
            }
            // The last event is there before anyone looks at the status again: no need to wait for it.
            let is_last = |it: &StackEvent| {
                failure::is_of_stack(it, watch.stack_id) && !it.status.ends_with("_IN_PROGRESS")
            };
            if n_new == 0 || !events.last().is_some_and(is_last) {
                sleep(self.settings.poll).await;
            }
        }
    }

    /// Follows an operation that somebody else started, from its own beginning.
    pub(super) async fn follow_running(&self, spec: &Spec, info: &StackInfo) -> Result<Ended, Failure> {
        self.started(spec, "in progress", None, &info.id);
        let mut begun = self.events(spec, &info.id, Since::LastOperation).await?;
        for event in &begun {
            self.tell(Event::of_resource(&spec.name, event));
        }
        let after = begun.last().map(|it| it.id.clone());
        let mut ended =
            self.follow(spec, Watch { operation: None, stack_id: &info.id, token: None, after }).await?;
        begun.append(&mut ended.events);
        Ok(Ended { events: begun, ..ended })
    }
}

/// What is said when nothing happens for long: what is at work, and that nothing is lost by stopping to look.
fn quiet(events: &[StackEvent], status: StackStatus) -> String {
    let mut busy: Vec<&str> = Vec::new();
    for event in events {
        busy.retain(|it| *it != event.logical_id);
        if event.status.ends_with("_IN_PROGRESS") {
            busy.push(&event.logical_id);
        }
    }
    let minutes = QUIET.as_secs() / 60;
    format!(
        "{status}, and nothing has happened for {minutes} minutes; at work: {}. CloudFormation goes on without this command, too.",
        if busy.is_empty() { "nothing that is known".to_owned() } else { busy.join(", ") }
    )
}

fn too_long(spec: &Spec, status: StackStatus, deadline: Duration) -> Failure {
    Failure::plain(
        format!("{} is still in {status} after {} minutes", spec.stack_name, deadline.as_secs() / 60),
        format!(
            "CloudFormation goes on. Follow it with: wait --stack {}; --deadline gives more time.",
            spec.name
        ),
    )
}

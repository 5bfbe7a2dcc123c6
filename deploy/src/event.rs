//! Everything that can be told about a run, as data. The engine says it once; renderers choose how it looks.
//!
//! Invariant: no event that a renderer gets holds a secret. Parameter values are never in an event, outputs are what the
//! templates promise to be free of secrets, and what AWS says in its own words goes through [`Event::mask`].

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::{
    cloud::{Caller, Change, Drift, PropertyChange, StackEvent, StackOutput},
    failure::{Cause, Failure},
    loss::Loss,
    status::StackStatus,
};

/// A parameter of a stack that gets another value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParameterChange {
    /// Name.
    pub name: String,
    /// The value that the stack has.
    pub before: String,
    /// The value that it gets.
    pub after: String,
}

/// Something worth telling. `stack` is the short name, such as `vpc`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Who works, and where.
    Caller(Caller),
    /// Something that one should know and that belongs to no stack.
    Noted {
        /// The sentence.
        text: String,
    },
    /// What will be done, wave after wave.
    Planned {
        /// `deploy` or `terminate`.
        operation: &'static str,
        /// Stacks that can run at the same time.
        waves: Vec<Vec<String>>,
    },
    /// A stack was looked at.
    Found {
        /// Stack.
        stack: String,
        /// Its name in CloudFormation.
        stack_name: String,
        /// Its status; nothing when there is no stack.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<StackStatus>,
    },
    /// A step that the user did not ask for by name, and why it is taken.
    Explained {
        /// Stack.
        stack: String,
        /// The sentence.
        text: String,
    },
    /// What a change set would do.
    Changes {
        /// Stack.
        stack: String,
        /// Whether the stack is new.
        is_new: bool,
        /// Parameters that get another value; hidden ones are left out.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        parameters: Vec<ParameterChange>,
        /// Changes.
        changes: Vec<Change>,
        /// Data and resources that would be gone.
        losses: Vec<Loss>,
        /// Where to look at it.
        console: String,
    },
    /// There is nothing to change.
    Unchanged {
        /// Stack.
        stack: String,
        /// Outputs, as after a change.
        outputs: Vec<StackOutput>,
    },
    /// A change set was left for somebody to execute.
    Prepared {
        /// Stack.
        stack: String,
        /// Its name in CloudFormation.
        stack_name: String,
        /// ARN of the change set.
        change_set: String,
        /// Where to look at it.
        console: String,
    },
    /// CloudFormation has started.
    Started {
        /// Stack.
        stack: String,
        /// What it does: `create`, `update`, `delete` or `continue rollback`.
        operation: &'static str,
        /// How many resources take part, when known.
        #[serde(skip_serializing_if = "Option::is_none")]
        n_resources: Option<usize>,
        /// Where to look at it.
        console: String,
    },
    /// Something happened to a resource.
    Resource {
        /// Stack.
        stack: String,
        /// When, by AWS's clock.
        #[serde(serialize_with = "as_timestamp")]
        time: SystemTime,
        /// Logical id.
        logical_id: String,
        /// Physical id; empty before there is one.
        physical_id: String,
        /// Type.
        kind: String,
        /// Status.
        status: String,
        /// Why.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A call did not work and is tried again.
    Retrying {
        /// Stack.
        stack: String,
        /// What went wrong.
        error: String,
        /// When it is tried again, in seconds from now.
        #[serde(rename = "in_seconds", serialize_with = "seconds")]
        pause: Duration,
    },
    /// A stack is where it should be.
    Finished {
        /// Stack.
        stack: String,
        /// Final status.
        status: StackStatus,
        /// How long it took.
        #[serde(rename = "seconds", serialize_with = "seconds")]
        took: Duration,
        /// Outputs; none after a deletion.
        outputs: Vec<StackOutput>,
    },
    /// A stack is not where it should be.
    Failed {
        /// Stack.
        stack: String,
        /// Why, and what to do.
        failure: Failure,
    },
    /// A stack was not touched because of another one.
    Skipped {
        /// Stack.
        stack: String,
        /// The other one.
        because_of: String,
        /// What the other one did: `failed`, `was declined` or `is only prepared`.
        why: &'static str,
    },
    /// What a stack and reality differ in.
    Drifted {
        /// Stack.
        stack: String,
        /// Differences; none when they agree.
        drifts: Vec<Drift>,
        /// Logical ids that CloudFormation did not compare.
        unchecked: Vec<String>,
    },
    /// The run is over.
    Ended {
        /// Stacks that are where they should be.
        n_done: usize,
        /// Stacks that are not.
        n_failed: usize,
        /// Stacks that were not touched.
        n_skipped: usize,
        /// How long it took.
        #[serde(rename = "seconds", serialize_with = "seconds")]
        took: Duration,
    },
}

/// What stands where a secret was.
const MASK: &str = "****";

/// Hides secrets in a text.
pub fn hide(text: &mut String, secrets: &[String]) {
    for secret in secrets.iter().filter(|it| text.contains(it.as_str())).collect::<Vec<_>>() {
        *text = text.replace(secret.as_str(), MASK);
    }
}

impl Event {
    /// What happened to a resource.
    pub fn of_resource(stack: &str, event: &StackEvent) -> Self {
        Self::Resource {
            stack: stack.to_owned(),
            time: event.time,
            logical_id: event.logical_id.clone(),
            physical_id: event.physical_id.clone(),
            kind: event.kind.clone(),
            status: event.status.clone(),
            reason: event.reason.clone(),
        }
    }

    /// Hides secrets wherever AWS, or a property of a resource, repeats them.
    pub fn mask(&mut self, secrets: &[String]) {
        let hide = |text: &mut String| hide(text, secrets);
        let hide_all = |properties: &mut [PropertyChange]| {
            properties.iter_mut().for_each(|it| mask_property(it, secrets));
        };
        let hide_cause = |it: &mut Cause| {
            hide(&mut it.reason);
            hide(&mut it.physical_id);
        };
        match self {
            Self::Explained { text, .. } | Self::Noted { text } => hide(text),
            Self::Resource { reason, physical_id, .. } => {
                reason.iter_mut().for_each(hide);
                hide(physical_id);
            }
            Self::Retrying { error, .. } => hide(error),
            Self::Failed { failure, .. } => {
                hide(&mut failure.message);
                hide(&mut failure.hint);
                failure.cause.iter_mut().chain(&mut failure.more).for_each(hide_cause);
            }
            Self::Finished { outputs, .. } | Self::Unchanged { outputs, .. } => {
                outputs.iter_mut().for_each(|it| hide(&mut it.value));
            }
            Self::Changes { changes, parameters, .. } => {
                changes.iter_mut().for_each(|it| hide_all(&mut it.properties));
                for it in parameters {
                    hide(&mut it.before);
                    hide(&mut it.after);
                }
            }
            Self::Drifted { drifts, .. } => drifts.iter_mut().for_each(|it| hide_all(&mut it.properties)),
            Self::Caller(_)
            | Self::Planned { .. }
            | Self::Found { .. }
            | Self::Prepared { .. }
            | Self::Started { .. }
            | Self::Skipped { .. }
            | Self::Ended { .. } => {}
        }
    }
}

/// CloudFormation masks what it knows to be a secret; the name of a property tells more.
fn mask_property(property: &mut PropertyChange, secrets: &[String]) {
    let path = property.path.to_lowercase();
    let sounds_secret = ["secretstring", "password", "loginprofile"].iter().any(|it| path.contains(it));
    for value in [&mut property.before, &mut property.after].into_iter().flatten() {
        if sounds_secret || secrets.iter().any(|it| value.contains(it.as_str())) {
            MASK.clone_into(value);
        }
    }
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 10.0).round() / 10.0)
}

/// A time as in ISO 8601, in UTC.
pub fn timestamp(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(|_| String::new(), |it| format!("{it:.3}"))
}

fn as_timestamp<S: serde::Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&timestamp(*time))
}

/// Takes events. Must not block for long: the engine waits.
pub trait Sink: Sync {
    /// Takes one event.
    fn take(&self, event: Event);
}

impl<F: Fn(Event) + Sync> Sink for F {
    fn take(&self, event: Event) {
        self(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cloud::Replacement, failure::Cause};

    const SECRET: &str = "hunter2hunter2";

    #[test]
    fn a_secret_is_hidden_wherever_aws_repeats_it() {
        let said = || format!("value {SECRET} is not valid");
        let property = PropertyChange {
            path: "Note".into(),
            before: Some(said()),
            after: None,
            replaces: Replacement::No,
        };
        let cause = Cause {
            logical_id: "Database".into(),
            kind: "AWS::RDS::DBInstance".into(),
            physical_id: String::new(),
            status: "CREATE_FAILED".into(),
            reason: said(),
            place: None,
        };
        let failure =
            Failure { cause: Some(cause.clone()), more: vec![cause], ..Failure::plain(said(), said()) };
        let output = StackOutput { key: "O".into(), value: said(), description: None, export: None };
        let drift =
            Drift { logical_id: "D".into(), kind: "T".into(), is_deleted: false, properties: vec![property] };
        let stack = || "rds".to_owned();
        let events = [
            Event::Explained { stack: stack(), text: said() },
            Event::Resource {
                stack: stack(),
                time: SystemTime::UNIX_EPOCH,
                logical_id: "Database".into(),
                physical_id: said(),
                kind: "T".into(),
                status: "CREATE_FAILED".into(),
                reason: Some(said()),
            },
            Event::Retrying { stack: stack(), error: said(), pause: Duration::ZERO },
            Event::Failed { stack: stack(), failure },
            Event::Unchanged { stack: stack(), outputs: vec![output] },
            Event::Drifted { stack: stack(), drifts: vec![drift], unchecked: Vec::new() },
            Event::Noted { text: said() },
        ];
        for mut event in events {
            event.mask(&[SECRET.to_owned()]);
            let text = serde_json::to_string(&event).unwrap();
            assert!(!text.contains(SECRET) && text.contains(MASK), "{text}");
        }
    }
}

//! Everything that can be told about a run, as data. The engine says it once; renderers choose how it looks.
//!
//! Invariant: no event holds a secret. Parameter values are never in an event, outputs are what the templates promise to be
//! free of secrets.

use std::time::Duration;

use serde::Serialize;

use crate::{
    cloud::{Change, Drift, StackOutput},
    failure::{Failure, Loss},
    status::StackStatus,
};

/// Something worth telling. `stack` is the short name, such as `vpc`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
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
        /// ARN of the change set.
        change_set: String,
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
        /// Logical id.
        logical_id: String,
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
    /// A stack was not touched because another one failed.
    Skipped {
        /// Stack.
        stack: String,
        /// The one that failed.
        because_of: String,
    },
    /// What a stack and reality differ in.
    Drifted {
        /// Stack.
        stack: String,
        /// Differences; none when they agree.
        drifts: Vec<Drift>,
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

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 10.0).round() / 10.0)
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

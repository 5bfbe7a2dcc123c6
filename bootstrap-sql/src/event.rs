//! What a run tells its caller: events while it goes, a report at the end. Nothing here prints.

use std::time::Duration;

use serde::Serialize;

use crate::target::Target;

/// Something that happened during a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepEvent {
    /// Another run holds the lock; this one waits for it.
    WaitingForLock,
    /// A step begins.
    Started {
        /// Name of the step.
        step: String,
    },
    /// A step ended well (or there was nothing to do).
    Finished(StepReport),
    /// The ledger holds a step that this build does not know: a newer build was here.
    UnknownStep {
        /// Name of the step.
        step: String,
    },
}

/// What became of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Applied for the first time.
    Applied,
    /// Applied again, since its variables changed or it could not be done in full the last time.
    Reapplied,
    /// Applied earlier, nothing to do.
    Unchanged,
}

/// One step of a finished run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepReport {
    /// Name of the step.
    pub step: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What the step could not do here, with the reason; it is tried again at the next run.
    pub notes: Vec<String>,
    /// Time spent.
    #[serde(skip)]
    pub took: Duration,
}

/// A finished run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What was set up.
    pub target: Target,
    /// All steps in their order.
    pub steps: Vec<StepReport>,
    /// Steps in the ledger that this build does not know.
    pub unknown_steps: Vec<String>,
}

impl Report {
    /// Whether the run changed the database.
    pub fn changed(&self) -> bool {
        self.steps.iter().any(|it| it.outcome != Outcome::Unchanged)
    }

    /// All notes with the step they belong to.
    pub fn notes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.steps.iter().flat_map(|it| it.notes.iter().map(|note| (it.step.as_str(), note.as_str())))
    }
}

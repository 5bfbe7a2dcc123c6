//! Why an operation did not end as asked: from the events of the stack, of the stacks inside it, and of the checks that
//! CloudFormation only points at.

use super::{Engine, Spec, follow::Ended};
use crate::{
    cloud::{Cloud, Since, Subject},
    failure::{self, Cause, Failure, STACK},
    status::{Operation, StackStatus},
};

/// How deep stacks in stacks are searched.
const DEPTH: usize = 5;

/// Most causes that are told.
const N_CAUSES: usize = 10;

impl<C: Cloud> Engine<'_, C> {
    /// The failure that an operation ended with.
    pub(super) async fn failure_of(&self, spec: &Spec, doing: &str, ended: &Ended) -> Failure {
        if ended.operation == Some(Operation::Delete)
            && let Some((export, importers)) = failure::cancelled(&ended.events, &ended.stack_id)
        {
            return Failure::plain(
                format!(
                    "{doing} {}: CloudFormation cancelled it, because {} import its export \"{export}\"",
                    spec.stack_name,
                    importers.join(", ")
                ),
                format!("Terminate {} first, or all of them with --all.", importers.join(", ")),
            );
        }
        let (causes, n_others) =
            failure::causes(&ended.events, &ended.stack_id, Some(&spec.template), &spec.template_path);
        let causes = self.descend(causes, &ended.stack_id).await;
        let mut causes = self.look_up(spec, causes, &ended.stack_id).await;
        causes.truncate(N_CAUSES);
        let status = ended.status();
        let why = ended.info.as_ref().and_then(|it| it.status_reason.clone());
        let hint = match (causes.first(), &why) {
            (Some(cause), _) => failure::advice(&cause.reason),
            (None, Some(why)) => failure::advice(why),
            (None, None) => "Look at the events in the console.",
        };
        let message = match (causes.first(), why) {
            (None, Some(why)) => format!("{doing} {} ended in {status}: {why}", spec.stack_name),
            _ => format!("{doing} {} ended in {status}. {}", spec.stack_name, status.meaning()),
        };
        let hint = format!("{hint}{}", way_out(status, &causes, &ended.stack_id));
        let mut causes = causes.into_iter();
        Failure { cause: causes.next(), more: causes.collect(), n_others, ..Failure::plain(message, hint) }
    }

    /// Puts the causes inside nested stacks in place of the nested stack, as `Nested/Bucket`.
    async fn descend(&self, causes: Vec<Cause>, stack_id: &str) -> Vec<Cause> {
        let mut waiting: Vec<(usize, Cause)> = causes.into_iter().rev().map(|it| (0, it)).collect();
        let mut found = Vec::new();
        while let Some((depth, cause)) = waiting.pop() {
            let is_nested =
                cause.kind == STACK && cause.physical_id.starts_with("arn:") && cause.physical_id != stack_id;
            if !is_nested || depth == DEPTH {
                found.push(cause);
                continue;
            }
            let id = cause.physical_id.clone();
            // Without its events the nested stack itself is what can be told.
            let events = self.cloud.events(&id, Since::LastOperation).await.unwrap_or_default();
            let (inner, _) = failure::causes(&events, &id, None, "");
            if inner.is_empty() {
                found.push(cause);
                continue;
            }
            for mut it in inner.into_iter().rev() {
                // Of the nested stack itself: only a reason of its own is told.
                it.logical_id = if it.physical_id == id {
                    cause.logical_id.clone()
                } else {
                    format!("{}/{}", cause.logical_id, it.logical_id)
                };
                it.place.clone_from(&cause.place);
                let depth = if it.physical_id == id { DEPTH } else { depth + 1 };
                waiting.push((depth, it));
            }
        }
        found
    }

    /// Puts what CloudFormation says elsewhere in place of the words that point there.
    async fn look_up(&self, spec: &Spec, causes: Vec<Cause>, stack_id: &str) -> Vec<Cause> {
        if !causes.is_empty() && !causes.iter().any(|it| failure::points_elsewhere(&it.reason)) {
            return causes;
        }
        // Not everybody may ask, and not every region answers.
        let issues = self.cloud.issues(Subject::Stack(stack_id)).await.unwrap_or_default();
        if issues.is_empty() {
            return causes;
        }
        let said = issues.iter().map(|it| failure::cause_of_issue(it, &spec.template, &spec.template_path));
        let mut all: Vec<Cause> = said.collect();
        let is_new = |it: &Cause| !issues.iter().any(|issue| issue.logical_id == it.logical_id);
        let rest = causes.into_iter().filter(|it| is_new(it) && !failure::points_elsewhere(&it.reason));
        // Only the stack's own word that something failed: it is told with what failed.
        all.extend(rest.filter(|it| it.physical_id != stack_id));
        all
    }
}

/// Flags that lead out of a status, for the resources that stand in the way.
fn way_out(status: StackStatus, causes: &[Cause], stack_id: &str) -> String {
    let ids: Vec<&str> = causes
        .iter()
        .filter(|it| it.physical_id != stack_id && !it.logical_id.contains('/'))
        .filter(|it| status != StackStatus::UpdateRollbackFailed || !it.status.starts_with("CREATE"))
        .map(|it| it.logical_id.as_str())
        .collect();
    if ids.is_empty() {
        return String::new();
    }
    let flags = |flag: &str| ids.iter().map(|it| format!("{flag} {it}")).collect::<Vec<_>>().join(" ");
    match status {
        StackStatus::UpdateRollbackFailed | StackStatus::ImportRollbackFailed => format!(
            " Where it cannot be corrected, {} leaves {} as it is when the next deployment continues the rollback.",
            flags("--rollback-skip"),
            if ids.len() == 1 { "that resource" } else { "each of them" }
        ),
        StackStatus::DeleteFailed => format!(" Or leave it behind with {}.", flags("--retain")),
        _ => String::new(),
    }
}

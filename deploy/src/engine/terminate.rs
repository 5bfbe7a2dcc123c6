//! Deletes stacks, in the reverse of the order in which they were made.
//!
//! Nothing is emptied, retained things stay, and a stack whose exports others use is refused before anything is deleted.

use tokio::time::Instant;

use super::{Engine, Outcome, Spec, Trouble, follow::Watch, unique};
use crate::{
    cloud::{Cloud, StackInfo},
    event::Event,
    failure::Failure,
    loss,
    schedule::{self, Direction},
    status::{OnTerminate, Operation, Progress, StackStatus},
    user::Answer,
};

impl<C: Cloud> Engine<'_, C> {
    /// Deletes every stack of the graph.
    pub async fn terminate(&self) -> Outcome {
        let start = Instant::now();
        if let Err(failure) = self.who().await {
            return self.refused(&failure, start);
        }
        let waves = schedule::waves(self.graph, Direction::Reverse);
        let n_stacks = waves.iter().map(Vec::len).sum();
        self.tell(Event::Planned { operation: "terminate", waves });
        let found = match self.survey().await {
            Ok(found) => found,
            Err(outcome) => return self.finish(outcome, start),
        };
        if found.is_empty() {
            return self.finish(Outcome { n_done: n_stacks, ..Outcome::default() }, start);
        }
        if self.confirm(&question(&found)).await == Answer::No {
            return self.finish(Outcome { n_declined: found.len(), ..Outcome::default() }, start);
        }
        let protected: Vec<&str> = found
            .iter()
            .filter(|(_, info)| info.termination_protection)
            .map(|(spec, _)| spec.name.as_str())
            .collect();
        let protected = &protected;
        let run = |name: String| async move {
            let spec = self.spec(&name);
            let was_protected = protected.contains(&name.as_str());
            self.report(spec, self.terminate_one(spec, was_protected).await)
        };
        let skipped =
            |stack: &str, because_of: &str, how: Option<&Trouble>| self.skipped(stack, because_of, how);
        let ended = schedule::run(self.graph, Direction::Reverse, run, skipped).await;
        self.end(&ended, start)
    }

    /// The stacks that exist; everything that forbids deleting them is told, and then nothing is deleted.
    async fn survey(&self) -> Result<Vec<(&Spec, StackInfo)>, Outcome> {
        let mut found = Vec::new();
        let mut n_failed = 0;
        for spec in self.graph_specs() {
            let looked = async {
                let info = self.look(spec).await?;
                self.found(spec, info.as_ref());
                let Some(info) = info else { return Ok(None) };
                self.refuse_protected(&info)?;
                refuse_guarded(spec, &info)?;
                self.refuse_imported(spec, &info).await?;
                Ok::<_, Trouble>(Some(info))
            };
            match self.report(spec, looked.await) {
                Ok(info) => found.extend(info.map(|it| (spec, it))),
                Err(_) => n_failed += 1,
            }
        }
        if n_failed == 0 {
            Ok(found)
        } else {
            Err(Outcome { n_failed, n_skipped: found.len(), ..Outcome::default() })
        }
    }

    /// Specs in the order in which they are deleted.
    fn graph_specs(&self) -> impl Iterator<Item = &Spec> {
        let names = schedule::waves(self.graph, Direction::Reverse).into_iter().flatten();
        names.map(|it| self.spec(&it)).collect::<Vec<_>>().into_iter()
    }

    fn refuse_protected(&self, info: &StackInfo) -> Result<(), Failure> {
        // Turning it off is part of the wish.
        if !info.termination_protection || self.settings.protect == Some(false) {
            return Ok(());
        }
        Err(Failure::plain(
            format!("{} is protected against termination", info.name),
            "Repeat the command with --termination-protection off, if it is really to go.",
        ))
    }

    async fn refuse_imported(&self, spec: &Spec, info: &StackInfo) -> Result<(), Failure> {
        let mut users = Vec::new();
        for export in info.outputs.iter().filter_map(|it| it.export.as_ref()) {
            let importers = self.patiently(&spec.name, || self.cloud.importers(export)).await;
            let importers =
                importers.map_err(|err| Failure::of_call(&format!("ask who imports {export}"), &err))?;
            users
                .extend(importers.into_iter().filter(|it| !self.is_going(it)).map(|it| (it, export.clone())));
        }
        let Some((_, export)) = users.first() else { return Ok(()) };
        let mut names: Vec<&str> = users.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        Err(Failure::plain(
            format!(
                "{} cannot go: {} import from it (\"{export}\" among others)",
                info.name,
                names.join(", ")
            ),
            format!("Terminate {} first, or all of them with --all.", names.join(", ")),
        ))
    }

    fn is_going(&self, stack_name: &str) -> bool {
        self.specs
            .iter()
            .any(|it| it.stack_name == stack_name && self.graph.waves().concat().contains(&it.name.as_str()))
    }

    /// `was_protected` is what the stack was when the question was asked: leave to turn the protection off was given for that
    /// one only.
    async fn terminate_one(&self, spec: &Spec, was_protected: bool) -> Result<(), Trouble> {
        loop {
            let Some(info) = self.look(spec).await? else { return Ok(()) };
            match info.status.on_terminate() {
                OnTerminate::Nothing => return Ok(()),
                OnTerminate::Wait => {
                    self.explain(spec, format!("{} Waiting for it to end.", info.status.meaning()));
                    self.follow_running(spec, &info).await?;
                }
                OnTerminate::Follow => {
                    self.explain(spec, info.status.meaning());
                    let ended = self.follow_running(spec, &info).await?;
                    if ended.status() == StackStatus::DeleteComplete {
                        return Ok(());
                    }
                    // It failed; the next turn deletes what is left.
                }
                OnTerminate::Delete => {
                    if info.termination_protection {
                        self.refuse_protected(&info)?;
                        if !was_protected {
                            return Err(protected_meanwhile(&info).into());
                        }
                        self.unprotect(spec, &info).await?;
                    }
                    return self.delete(spec, &info).await;
                }
            }
        }
    }

    async fn unprotect(&self, spec: &Spec, info: &StackInfo) -> Result<(), Trouble> {
        self.explain(spec, "Turning termination protection off.");
        self.patiently(&spec.name, || self.cloud.set_termination_protection(&info.id, false))
            .await
            .map_err(|err| Failure::of_call(&format!("unprotect {}", spec.stack_name), &err).into())
    }

    /// Deletes a stack and follows it to the end.
    pub(super) async fn delete(&self, spec: &Spec, info: &StackInfo) -> Result<(), Trouble> {
        let after = self.last_event(spec, &info.id).await?;
        let token = unique();
        let role = self.role(spec);
        // CloudFormation takes such a list only for a stack whose deletion failed before.
        let retain: &[String] =
            if info.status == StackStatus::DeleteFailed { &self.settings.retain } else { &[] };
        self.patiently(&spec.name, || self.cloud.delete_stack(&info.id, &token, role, retain))
            .await
            .map_err(|err| Failure::of_call(&format!("delete {}", spec.stack_name), &err))?;
        self.started(spec, "delete", None, &info.id);
        let watch =
            Watch { operation: Some(Operation::Delete), stack_id: &info.id, token: Some(&token), after };
        let ended = self.follow(spec, watch).await?;
        if ended.status().progress(Operation::Delete) != Progress::Done {
            return Err(self.failure_of(spec, "delete", &ended).await.into());
        }
        let (status, took) = (ended.status(), ended.took);
        self.tell(Event::Finished { stack: spec.name.clone(), status, took, outputs: Vec::new() });
        Ok(())
    }
}

fn protected_meanwhile(info: &StackInfo) -> Failure {
    Failure::plain(
        format!("{} was protected against termination while this command asked", info.name),
        "Ask who did that; repeat the command with --termination-protection off, if it is really to go.",
    )
}

/// Parameter of a stack whose resources AWS refuses to delete while it is "true".
const GUARD: &str = "DeletionProtection";

/// AWS would refuse in the middle, when what depends on the stack is gone already.
fn refuse_guarded(spec: &Spec, info: &StackInfo) -> Result<(), Failure> {
    let is_guarded = info.status.is_usable() && info.parameters.get(GUARD).is_some_and(|it| it == "true");
    if !is_guarded {
        return Ok(());
    }
    Err(Failure::plain(
        format!("{} protects what it holds from deletion", info.name),
        format!(
            "If it is really to go: cargo xtask deploy --stack {} --parameter {GUARD}=false, then repeat the command.",
            spec.name
        ),
    ))
}

fn question(found: &[(&Spec, StackInfo)]) -> String {
    let names: Vec<&str> = found.iter().map(|(_, info)| info.name.as_str()).collect();
    let resources = || found.iter().flat_map(|(spec, _)| &spec.template.resources);
    let kept: Vec<String> = resources()
        .filter(|(_, it)| it.deletion_policy.as_deref().is_some_and(|policy| policy != "Delete"))
        .map(|(name, it)| match it.deletion_policy.as_deref() {
            Some("Snapshot") => format!("{name} as a snapshot"),
            _ => name.clone(),
        })
        .collect();
    let lost: Vec<String> = resources()
        .filter(|(_, it)| loss::holds_data(&it.kind))
        .filter(|(_, it)| it.deletion_policy.as_deref().is_none_or(|policy| policy == "Delete"))
        .map(|(name, _)| name.clone())
        .collect();
    let sentence = |words: &str, names: Vec<String>| {
        if names.is_empty() { String::new() } else { format!(" {words}: {}.", names.join(", ")) }
    };
    format!(
        "Delete {}?{}{}",
        names.join(", "),
        sentence("These stay", kept),
        sentence("These go with their data", lost)
    )
}

//! Executes change sets that were prepared before: exactly those, or none.

use std::time::SystemTime;

use tokio::time::Instant;

use super::{Engine, Outcome, Spec, Trouble, execute::Executed, plan::Plan};
use crate::{
    cloud::{ChangeSet, ChangeSetState, Cloud, CloudError, StackInfo},
    event::{Event, timestamp},
    failure::{self, Failure},
    loss,
    schedule::{self, Direction},
    status::StackStatus,
};

/// A change set that is to be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// ARN.
    pub id: String,
    /// Short name of its stack, where the plan says it: AWS forgets it with the change set.
    pub stack: Option<String>,
}

/// A change set as it was found.
enum Found {
    Set(Box<ChangeSet>),
    Gone(String),
}

impl<C: Cloud> Engine<'_, C> {
    /// Executes prepared change sets, in the order that their stacks need. One that is stale is explained and prepared anew,
    /// and not executed: nobody has agreed to that one.
    pub async fn apply(&self, prepared: &[Prepared]) -> Outcome {
        let start = Instant::now();
        if let Err(failure) = self.who().await {
            return self.refused(&failure, start);
        }
        let mut found: Vec<(&Spec, Found)> = Vec::new();
        let mut n_failed = 0;
        for it in prepared {
            match self.find(it).await {
                Ok(one) => found.push(one),
                Err(failure) => {
                    n_failed += 1;
                    let stack = it.stack.clone().unwrap_or_else(|| name_in(&it.id).to_owned());
                    self.tell(Event::Failed { stack, failure });
                }
            }
        }
        if n_failed > 0 {
            return self.finish(Outcome { n_failed, n_skipped: found.len(), ..Outcome::default() }, start);
        }
        let names: Vec<&str> = found.iter().map(|(spec, _)| spec.name.as_str()).collect();
        let graph = self.graph.restrict(&names);
        self.tell(Event::Planned { operation: "apply", waves: schedule::waves(&graph, Direction::Forward) });
        let found = &found;
        let run = |name: String| async move {
            let mut of_stack = found.iter().filter(|(spec, _)| spec.name == name);
            let Some((spec, one)) = of_stack.next() else { return Ok(()) };
            let applied = match of_stack.next() {
                Some(_) => Err(twice(spec).into()),
                None => self.apply_one(spec, one).await,
            };
            self.report(spec, applied)
        };
        let skipped =
            |stack: &str, because_of: &str, how: Option<&Trouble>| self.skipped(stack, because_of, how);
        let ended = schedule::run(&graph, Direction::Forward, run, skipped).await;
        self.end(&ended, start)
    }

    async fn find(&self, prepared: &Prepared) -> Result<(&Spec, Found), Failure> {
        let specs = || self.graph.waves().concat().into_iter().map(|it| self.spec(it));
        match self.patiently("", || self.cloud.change_set(&prepared.id)).await {
            Ok(set) => match specs().find(|it| it.stack_name == set.stack_name) {
                Some(spec) => Ok((spec, Found::Set(Box::new(set)))),
                None => Err(Failure::plain(
                    format!(
                        "{} changes {}, which is none of the stacks of this command",
                        prepared.id, set.stack_name
                    ),
                    "Name the right stacks, and the right --prefix or --environment.",
                )),
            },
            Err(CloudError::NotFound(reason)) => {
                match prepared.stack.as_ref().and_then(|name| specs().find(|it| it.name == *name)) {
                    Some(spec) => Ok((spec, Found::Gone(reason))),
                    None => Err(Failure::plain(
                        format!("the change set {} does not exist", prepared.id),
                        "It was executed or removed, or its stack was changed by another one. Plan again: deploy --no-execute.",
                    )),
                }
            }
            Err(err) => Err(Failure::of_call(&format!("look at {}", prepared.id), &err)),
        }
    }

    async fn apply_one(&self, spec: &Spec, found: &Found) -> Result<(), Trouble> {
        let set = match found {
            Found::Gone(reason) => return self.stale(spec, reason).await,
            Found::Set(set) => set,
        };
        match &set.state {
            ChangeSetState::Ready => {}
            ChangeSetState::Stale(reason) => return self.stale(spec, reason).await,
            ChangeSetState::Pending => {
                let message = format!("CloudFormation is still comparing for {}", set.id);
                return Err(Failure::plain(message, "Repeat the command in a minute.").into());
            }
            ChangeSetState::Empty => {
                self.tell(Event::Unchanged { stack: spec.name.clone(), outputs: Vec::new() });
                return Ok(());
            }
            ChangeSetState::Refused(reason) => {
                let message = format!("CloudFormation refuses the changes of {}: {reason}", spec.stack_name);
                return Err(Failure::plain(message, failure::advice(reason)).into());
            }
        }
        let info = self.look(spec).await?;
        let is_new = info.as_ref().is_none_or(|it| it.status == StackStatus::ReviewInProgress);
        let losses = loss::losses(&set.changes, &spec.template);
        let plan = Plan { set: (**set).clone(), is_new, made_stack: is_new, losses, parameters: Vec::new() };
        if let Some(failure) = failure::not_updatable(&plan.set.changes, &spec.template_path, &spec.template)
        {
            return Err(failure.into());
        }
        let turn = self.asking.lock().await;
        self.show(spec, &plan);
        // A no leaves the change set: somebody has prepared it, and may be asked again.
        self.agree(spec, &plan).await?;
        drop(turn);
        match self.execute(spec, &plan).await? {
            Executed::Done => Ok(()),
            Executed::Stale(reason) => self.stale(spec, &reason).await,
        }
    }

    /// Says why a plan no longer holds, and makes another one.
    async fn stale(&self, spec: &Spec, reason: &str) -> Result<(), Trouble> {
        let info = self.look(spec).await?;
        let changed = info.as_ref().and_then(|it| it.updated.or(it.created));
        let when = changed.map(|it: SystemTime| format!(" It was changed last at {}.", timestamp(it)));
        let message = format!(
            "the plan of {} is stale: {reason}.{} Nothing was executed",
            spec.stack_name,
            when.unwrap_or_default()
        );
        let hint = |it: String| Trouble::from(Failure::plain(&message, it));
        if !self.user.can_agree() {
            return Err(hint("Plan again: deploy --no-execute.".to_owned()));
        }
        let existing = info.as_ref().filter(|it| it.status != StackStatus::ReviewInProgress);
        if existing.is_some_and(|it: &StackInfo| !it.status.is_usable()) {
            return Err(hint("Wait for what runs (wait), then plan again: deploy --no-execute.".to_owned()));
        }
        let request = self.request(spec, existing).await?;
        match self.prepare(spec, &request, info.as_ref()).await? {
            None => Err(hint("There is nothing left to change: what it would do is done.".to_owned())),
            Some(plan) => {
                self.show(spec, &plan);
                // A new stack is no trouble here: nothing waits for this one.
                let _ = self.leave_prepared(spec, &plan);
                Err(hint(format!("It is planned anew; look at it, then: cargo xtask apply {}", plan.set.id)))
            }
        }
    }
}

fn twice(spec: &Spec) -> Failure {
    Failure::plain(
        format!("two change sets of {} are given: the first one makes the second one stale", spec.stack_name),
        "Name one of them.",
    )
}

/// The name in an ARN such as `arn:aws:cloudformation:REGION:ACCOUNT:changeSet/NAME/ID`.
fn name_in(arn: &str) -> &str {
    arn.split('/').nth(1).unwrap_or(arn)
}

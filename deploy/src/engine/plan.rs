//! Change sets: made, shown, agreed to, removed.

use tokio::time::{Instant, sleep};

use super::{Engine, Spec, Trouble};
use crate::{
    cloud::{
        ChangeAction, ChangeSet, ChangeSetRequest, ChangeSetState, Cloud, CloudError, ParameterValue,
        StackInfo, Subject,
    },
    console,
    event::{Event, ParameterChange},
    failure::{self, Failure},
    loss::{self, Loss},
    user::Answer,
};

/// Changes that can be executed.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) set: ChangeSet,
    /// Whether the stack is new.
    pub(super) is_new: bool,
    /// Whether the empty stack was made for the change set.
    pub(super) made_stack: bool,
    pub(super) losses: Vec<Loss>,
    pub(super) parameters: Vec<ParameterChange>,
}

/// A change set that was made and neither executed nor removed.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) stack_id: String,
    /// Whether the empty stack was made for it.
    pub(super) made_stack: bool,
}

impl Plan {
    /// Whether existing resources are taken over: such a change set does nothing else.
    pub(super) fn is_import(&self) -> bool {
        let changes = &self.set.changes;
        !changes.is_empty() && changes.iter().all(|it| it.action == ChangeAction::Import)
    }

    pub(super) fn open(&self) -> Open {
        Open { stack_id: self.set.stack_id.clone(), made_stack: self.made_stack }
    }
}

impl<C: Cloud> Engine<'_, C> {
    /// A change set that can be executed; nothing when there is nothing to change.
    pub(super) async fn prepare(
        &self,
        spec: &Spec,
        request: &ChangeSetRequest,
        info: Option<&StackInfo>,
    ) -> Result<Option<Plan>, Trouble> {
        let fail = |err: &_| Failure::of_call(&format!("prepare the changes of {}", spec.stack_name), err);
        let asked = self
            .patiently(&spec.name, || self.cloud.create_change_set(request))
            .await
            .map_err(|err| fail(&err))?;
        let open = Open { stack_id: asked.stack_id.clone(), made_stack: info.is_none() };
        self.open_sets().insert(asked.id.clone(), open.clone());
        let start = Instant::now();
        loop {
            let described = self.patiently(&spec.name, || self.cloud.change_set(&asked.id)).await;
            let set = match described {
                // What was just made is not visible everywhere at once.
                Err(CloudError::NotFound(_)) if start.elapsed() < self.settings.settling => {
                    sleep(self.settings.poll).await;
                    continue;
                }
                other => other.map_err(|err| fail(&err))?,
            };
            match &set.state {
                ChangeSetState::Pending if start.elapsed() >= self.settings.planning => {
                    self.discard(spec, &asked.id, &open).await?;
                    return Err(Failure::plain(
                        format!(
                            "CloudFormation has compared {} for {} minutes without an end",
                            spec.stack_name,
                            self.settings.planning.as_secs() / 60
                        ),
                        "Run the same command again; where it stays so, look at the change set in the console.",
                    )
                    .into());
                }
                ChangeSetState::Pending => sleep(self.settings.poll).await,
                ChangeSetState::Ready => {
                    return Ok(Some(Plan {
                        is_new: request.is_new,
                        made_stack: open.made_stack,
                        losses: loss::losses(&set.changes, &spec.template),
                        parameters: parameter_changes(spec, request, info),
                        set: ChangeSet { stack_id: asked.stack_id, ..set },
                    }));
                }
                ChangeSetState::Empty => {
                    self.discard(spec, &asked.id, &open).await?;
                    return Ok(None);
                }
                ChangeSetState::Refused(reason) | ChangeSetState::Stale(reason) => {
                    let failure = self.refusal(spec, &asked.id, reason).await;
                    self.discard(spec, &asked.id, &open).await?;
                    return Err(failure.into());
                }
            }
        }
    }

    /// Why CloudFormation refuses a change set, with the checks that failed where it names some.
    async fn refusal(&self, spec: &Spec, id: &str, reason: &str) -> Failure {
        let message = format!("CloudFormation refuses the changes of {}: {reason}", spec.stack_name);
        // Not everybody may ask, and not every region answers; the reason alone has to do then.
        let issues = self.cloud.issues(Subject::ChangeSet(id)).await.unwrap_or_default();
        let mut causes =
            issues.iter().map(|it| failure::cause_of_issue(it, &spec.template, &spec.template_path));
        let cause = causes.next();
        let more = causes.collect();
        let hint = failure::advice(cause.as_ref().map_or(reason, |it| &it.reason));
        Failure { cause, more, ..Failure::plain(message, hint) }
    }

    /// Removes a change set, and the empty stack that was made for it.
    pub(super) async fn discard(&self, spec: &Spec, id: &str, open: &Open) -> Result<(), Trouble> {
        self.patiently(&spec.name, || self.remove(id, open)).await.map_err(|err| {
            Failure::of_call(&format!("remove the change set of {}", spec.stack_name), &err)
        })?;
        self.closed(id);
        Ok(())
    }

    pub(super) fn show(&self, spec: &Spec, plan: &Plan) {
        self.tell(self.shown(spec, plan));
    }

    pub(super) fn shown(&self, spec: &Spec, plan: &Plan) -> Event {
        // Only somebody who thinks about it can follow the link: the change set is gone right after.
        let console = if self.settings.execute && self.user.is_there() {
            console::change_set(self.cloud.region(), &plan.set.stack_id, &plan.set.id)
        } else {
            String::new()
        };
        Event::Changes {
            stack: spec.name.clone(),
            is_new: plan.is_new,
            parameters: plan.parameters.clone(),
            changes: plan.set.changes.clone(),
            losses: plan.losses.clone(),
            console,
        }
    }

    /// Whether the changes are wished. What loses data needs leave for each resource, by flag or by its name typed; a yes for
    /// everything is none to that.
    pub(super) async fn agree(&self, spec: &Spec, plan: &Plan) -> Result<(), Trouble> {
        let refused: Vec<&Loss> = plan
            .losses
            .iter()
            .filter(|it| it.needs_leave && !self.is_allowed(spec, &it.logical_id))
            .collect();
        let verb = match (plan.is_import(), plan.is_new) {
            (true, _) => "Import into",
            (false, true) => "Create",
            (false, false) => "Update",
        };
        if refused.is_empty() {
            let answer = self.user.confirm(&format!("{verb} {}?", spec.stack_name)).await;
            return if answer == Answer::Yes { Ok(()) } else { Err(Trouble::Declined) };
        }
        for it in &refused {
            let question = format!("{verb} {}: {} ({}) {}", spec.stack_name, it.logical_id, it.kind, it.text);
            if self.user.confirm_by_name(&question, &it.logical_id).await == Answer::Yes {
                continue;
            }
            if self.user.is_there() || !self.user.can_agree() {
                return Err(Trouble::Declined);
            }
            return Err(no_leave(spec, &refused).into());
        }
        Ok(())
    }

    fn is_allowed(&self, spec: &Spec, logical_id: &str) -> bool {
        let qualified = format!("{}.{logical_id}", spec.name);
        self.settings.allow_data_loss.iter().any(|it| it == logical_id || *it == qualified)
    }
}

fn no_leave(spec: &Spec, refused: &[&Loss]) -> Failure {
    let what: Vec<String> = refused.iter().map(|it| format!("{} {}", it.logical_id, it.text)).collect();
    let flags: Vec<String> =
        refused.iter().map(|it| format!("--allow-data-loss {}.{}", spec.name, it.logical_id)).collect();
    Failure::plain(
        format!("{} was not changed, for it would lose data: {}", spec.stack_name, what.join("; ")),
        format!("--yes is no leave for that. If it is meant: {}.", flags.join(" ")),
    )
}

/// The parameters that get another value. What CloudFormation hides stays hidden, and so it cannot be compared.
fn parameter_changes(
    spec: &Spec,
    request: &ChangeSetRequest,
    info: Option<&StackInfo>,
) -> Vec<ParameterChange> {
    let Some(info) = info else { return Vec::new() };
    let hidden: Vec<&str> = spec.template.secret_parameters().collect();
    let values = request.parameters.iter().filter(|(name, _)| !hidden.contains(&name.as_str()));
    let changed = values.filter_map(|(name, value)| {
        let before = info.parameters.get(name)?;
        match value {
            ParameterValue::Given(after) if after != before => {
                Some(ParameterChange { name: name.clone(), before: before.clone(), after: after.clone() })
            }
            _ => None,
        }
    });
    changed.collect()
}

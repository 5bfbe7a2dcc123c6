//! Makes and changes stacks.

use tokio::time::Instant;

use super::{Engine, Outcome, Spec, Trouble, execute::Executed, follow::Watch, plan::Plan, unique};
use crate::{
    cloud::{Cloud, StackInfo},
    console,
    event::Event,
    failure::{self, Failure},
    schedule::{self, Direction},
    status::{OnDeploy, Operation, Progress, StackStatus},
    user::Answer,
};

/// How often a plan is made anew when somebody else is faster.
const N_PLANS: usize = 3;

impl<C: Cloud> Engine<'_, C> {
    /// Brings every stack to its template and values. Stacks that do not wait for each other run at the same time.
    ///
    /// Where a yes cannot come from anybody, the plan is shown and nothing at all is changed.
    pub async fn deploy(&self) -> Outcome {
        let start = Instant::now();
        let caller = match self.who().await {
            Ok(caller) => caller,
            Err(failure) => return self.refused(&failure, start),
        };
        let waves = schedule::waves(self.graph, Direction::Forward);
        self.tell(Event::Planned { operation: "deploy", waves });
        if let Some(outcome) = self.look_ahead(&caller).await {
            return self.finish(outcome, start);
        }
        if !self.user.can_agree() && self.settings.execute {
            return self.show_only(start).await;
        }
        let run = |name: String| async move {
            let spec = self.spec(&name);
            self.report(spec, self.deploy_one(spec).await)
        };
        let skipped =
            |stack: &str, because_of: &str, how: Option<&Trouble>| self.skipped(stack, because_of, how);
        let ended = schedule::run(self.graph, Direction::Forward, run, skipped).await;
        self.end(&ended, start)
    }

    /// The plan for somebody who cannot say yes: as a comparison, which leaves no trace.
    async fn show_only(&self, start: Instant) -> Outcome {
        let compared = self.compare_all().await;
        let outcome = Outcome {
            n_declined: compared.n_different,
            n_done: compared.n_done - compared.n_different,
            n_different: 0,
            ..compared
        };
        self.finish(outcome, start)
    }

    async fn deploy_one(&self, spec: &Spec) -> Result<(), Trouble> {
        for _ in 0..N_PLANS {
            let info = self.make_ready(spec).await?;
            let existing = info.as_ref().filter(|it| it.status != StackStatus::ReviewInProgress);
            if self.settings.must_be_new && existing.is_some() {
                let message = format!("{} exists already", spec.stack_name);
                let hint = "Use deploy to change it, or recreate to make it anew.";
                return Err(Failure::plain(message, hint).into());
            }
            let request = self.request(spec, existing).await?;
            let Some(plan) = self.prepare(spec, &request, info.as_ref()).await? else {
                self.protect(spec, existing).await?;
                let outputs = existing.map(|it| it.outputs.clone()).unwrap_or_default();
                self.tell(Event::Unchanged { stack: spec.name.clone(), outputs });
                return Ok(());
            };
            self.refuse_not_updatable(spec, &plan).await?;
            // The changes and the question about them belong together, whatever other stacks have to say.
            let turn = self.asking.lock().await;
            self.show(spec, &plan);
            if !self.settings.execute {
                return self.leave_prepared(spec, &plan);
            }
            let agreed = self.agree(spec, &plan).await;
            drop(turn);
            if let Err(trouble) = agreed {
                self.discard(spec, &plan.set.id, &plan.open()).await?;
                return Err(trouble);
            }
            match self.execute(spec, &plan).await? {
                Executed::Done => return Ok(()),
                Executed::Stale(reason) => self.explain(
                    spec,
                    format!("Somebody changed {} meanwhile ({reason}). Planning again.", spec.stack_name),
                ),
            }
        }
        Err(Failure::plain(
            format!("{} was changed by somebody else {N_PLANS} times while this ran", spec.stack_name),
            "Wait until the other deployment is over (wait), then run the same command.",
        )
        .into())
    }

    async fn refuse_not_updatable(&self, spec: &Spec, plan: &Plan) -> Result<(), Trouble> {
        match failure::not_updatable(&plan.set.changes, &spec.template_path, &spec.template) {
            None => Ok(()),
            Some(failure) => {
                self.discard(spec, &plan.set.id, &plan.open()).await?;
                Err(failure.into())
            }
        }
    }

    /// Leaves a change set for somebody to execute. What imports from a stack that is not there yet cannot be planned.
    pub(super) fn leave_prepared(&self, spec: &Spec, plan: &Plan) -> Result<(), Trouble> {
        self.closed(&plan.set.id);
        let console = console::change_set(self.cloud.region(), &plan.set.stack_id, &plan.set.id);
        self.tell(Event::Prepared {
            stack: spec.name.clone(),
            stack_name: spec.stack_name.clone(),
            change_set: plan.set.id.clone(),
            console,
        });
        if plan.is_new { Err(Trouble::Prepared) } else { Ok(()) }
    }

    /// Brings a stack into a status from which it can be made or changed.
    pub(super) async fn make_ready(&self, spec: &Spec) -> Result<Option<StackInfo>, Trouble> {
        loop {
            let info = self.look(spec).await?;
            self.found(spec, info.as_ref());
            let Some(info) = info else { return Ok(None) };
            let is_free = matches!(info.status.on_deploy(), OnDeploy::Create | OnDeploy::Update);
            if !is_free && !self.settings.execute {
                return Err(Failure::plain(
                    format!("{} is in {}. {}", info.name, info.status, info.status.meaning()),
                    "A plan changes nothing: wait for it (wait), or deploy without --no-execute, which settles it.",
                )
                .into());
            }
            match info.status.on_deploy() {
                OnDeploy::Create | OnDeploy::Update => return Ok(Some(info)),
                OnDeploy::Wait => {
                    self.explain(spec, format!("{} Waiting for it to end.", info.status.meaning()));
                    self.follow_running(spec, &info).await?;
                }
                OnDeploy::DeleteThenCreate => self.clear_away(spec, &info).await?,
                OnDeploy::ContinueRollback => self.continue_rollback(spec, &info).await?,
            }
        }
    }

    /// Deletes a stack that can only be deleted.
    async fn clear_away(&self, spec: &Spec, info: &StackInfo) -> Result<(), Trouble> {
        self.explain(spec, format!("{} It is deleted and made anew.", info.status.meaning()));
        let question = format!("Delete what is left of {} ({})?", spec.stack_name, info.status);
        if self.confirm(&question).await == Answer::No {
            return Err(Trouble::Declined);
        }
        self.delete(spec, info).await
    }

    async fn continue_rollback(&self, spec: &Spec, info: &StackInfo) -> Result<(), Trouble> {
        self.explain(spec, format!("{} It is continued now.", info.status.meaning()));
        if self.confirm(&format!("Continue the rollback of {}?", spec.stack_name)).await == Answer::No {
            return Err(Trouble::Declined);
        }
        let after = self.last_event(spec, &info.id).await?;
        let token = unique();
        let (skip, role) = (&self.settings.rollback_skip, self.role(spec));
        let called =
            self.patiently(&spec.name, || self.cloud.continue_rollback(&info.id, &token, role, skip)).await;
        if let Err(err) = called
            && !self.was_taken(spec, &info.id, after.as_deref(), &token).await?
        {
            let doing = format!("continue the rollback of {}", spec.stack_name);
            return Err(Failure::of_call(&doing, &err).into());
        }
        self.started(spec, "continue rollback", None, &info.id);
        let operation = Some(Operation::ContinueRollback);
        let watch = Watch { operation, stack_id: &info.id, token: Some(&token), after };
        let ended = self.follow(spec, watch).await?;
        match ended.status().progress(Operation::ContinueRollback) {
            Progress::Done => Ok(()),
            _ => Err(self.failure_of(spec, "continue the rollback of", &ended).await.into()),
        }
    }
}

//! Executes what was agreed to, and follows it to its end.

use super::{Engine, Spec, Trouble, follow::Watch, plan::Plan, unique};
use crate::{
    cloud::{Cloud, CloudError, OnFailure, StackInfo},
    console,
    event::Event,
    failure::Failure,
    status::{Operation, Progress},
};

/// How an execution began.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Executed {
    /// It ran to its end.
    Done,
    /// It could not begin: somebody changed the stack meanwhile. AWS's words.
    Stale(String),
}

impl<C: Cloud> Engine<'_, C> {
    pub(super) fn started(
        &self,
        spec: &Spec,
        operation: &'static str,
        n_resources: Option<usize>,
        stack_id: &str,
    ) {
        let console = console::stack(self.cloud.region(), stack_id);
        self.running_stacks().insert(spec.stack_name.clone());
        self.tell(Event::Started { stack: spec.name.clone(), operation, n_resources, console });
    }

    pub(super) async fn execute(&self, spec: &Spec, plan: &Plan) -> Result<Executed, Trouble> {
        let (id, stack_id) = (&plan.set.id, plan.set.stack_id.as_str());
        let (operation, word) = match (plan.is_import(), plan.is_new) {
            (true, _) => (Operation::Import, "import into"),
            (false, true) => (Operation::Create, "create"),
            (false, false) => (Operation::Update, "update"),
        };
        let after = self.last_event(spec, stack_id).await?;
        let token = unique();
        // The change set of a new stack carries the choice already, and AWS refuses to hear it twice.
        let on_failure =
            if plan.is_new || plan.is_import() { OnFailure::default() } else { self.settings.on_failure };
        // From here on it may run, whatever the answer is.
        self.closed(id);
        let called =
            self.patiently(&spec.name, || self.cloud.execute_change_set(id, &token, on_failure)).await;
        if let Err(err) = called
            && !self.was_taken(spec, stack_id, after.as_deref(), &token).await?
        {
            return match err {
                CloudError::Stale(reason) | CloudError::NotFound(reason) => Ok(Executed::Stale(reason)),
                err => {
                    self.opened(plan);
                    Err(Failure::of_call(&format!("start the changes of {}", spec.stack_name), &err).into())
                }
            };
        }
        self.started(spec, word, Some(plan.set.changes.len()), stack_id);
        let watch = Watch { operation: Some(operation), stack_id, token: Some(&token), after };
        let ended = self.follow(spec, watch).await?;
        if ended.status().progress(operation) != Progress::Done {
            return Err(self.failure_of(spec, word, &ended).await.into());
        }
        self.protect(spec, ended.info.as_ref()).await?;
        self.tell(Event::Finished {
            stack: spec.name.clone(),
            status: ended.status(),
            took: ended.took,
            outputs: ended.info.map(|it| it.outputs).unwrap_or_default(),
        });
        Ok(Executed::Done)
    }

    /// Sets what a change set cannot say: the stack policy and termination protection, where they differ from what is wished.
    pub(super) async fn protect(&self, spec: &Spec, info: Option<&StackInfo>) -> Result<(), Trouble> {
        let Some(info) = info else { return Ok(()) };
        self.set_policy(spec, info).await?;
        let Some(wished) = self.settings.protect.or(spec.options.protect) else { return Ok(()) };
        if info.termination_protection == wished {
            return Ok(());
        }
        self.explain(spec, format!("Turning termination protection {}.", if wished { "on" } else { "off" }));
        self.patiently(&spec.name, || self.cloud.set_termination_protection(&info.id, wished)).await.map_err(
            |err| {
                Failure::of_call(&format!("set the termination protection of {}", spec.stack_name), &err)
                    .into()
            },
        )
    }

    async fn set_policy(&self, spec: &Spec, info: &StackInfo) -> Result<(), Failure> {
        let Some(wished) = &spec.options.policy else { return Ok(()) };
        let fail = |err: &_| Failure::of_call(&format!("set the stack policy of {}", spec.stack_name), err);
        let has = self.patiently(&spec.name, || self.cloud.stack_policy(&info.id)).await;
        let has = has.map_err(|err| fail(&err))?;
        // AWS keeps the text; only what it says counts.
        let data = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
        if has.as_deref().is_some_and(|it| it == wished || (data(it).is_some() && data(it) == data(wished))) {
            return Ok(());
        }
        self.explain(spec, "Setting the stack policy.");
        let set = self.patiently(&spec.name, || self.cloud.set_stack_policy(&info.id, wished)).await;
        set.map_err(|err| fail(&err))
    }
}

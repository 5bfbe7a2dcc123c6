//! Looks without changing: waiting for what runs, differences, drift.

use futures_util::future::join_all;
use infra_cfn::resolve::Scope;
use tokio::time::Instant;

use super::{Engine, Outcome, Spec, Trouble};
use crate::{
    cloud::{Change, ChangeAction, Cloud, DriftReport, Replacement, StackInfo},
    event::Event,
    failure::Failure,
    schedule::Ending,
    status::{Category, OnDeploy},
};

impl<C: Cloud> Engine<'_, C> {
    /// Follows whatever runs on the stacks; a stack that ends badly, or is bad already, fails.
    pub async fn wait(&self) -> Outcome {
        let start = Instant::now();
        let run = |name: &str| {
            let spec = self.spec(name);
            async move { (spec.name.clone(), self.report(spec, self.wait_one(&spec.name).await)) }
        };
        let waves = self.graph.waves().concat();
        let ended = join_all(waves.into_iter().map(run)).await;
        let ended = ended
            .into_iter()
            .map(|(name, result)| (name, result.map_or_else(Ending::Failed, Ending::Done)))
            .collect();
        self.end(&ended, start)
    }

    async fn wait_one(&self, name: &str) -> Result<(), Trouble> {
        let spec = self.spec(name);
        let info = self.look(spec).await?;
        self.found(spec, info.as_ref());
        let Some(info) = info else { return Ok(()) };
        if !info.status.is_working() {
            return settled(&info);
        }
        let ended = self.follow_running(spec, &info).await?;
        if matches!(ended.status().category(), Category::Failed | Category::Undone) {
            return Err(self.failure_of(spec, "the operation on", &ended).await.into());
        }
        let is_gone = ended.status().category() == Category::Gone;
        let outputs = ended.info.as_ref().filter(|_| !is_gone).map(|it| it.outputs.clone());
        self.tell(Event::Finished {
            stack: spec.name.clone(),
            status: ended.status(),
            took: ended.took,
            outputs: outputs.unwrap_or_default(),
        });
        Ok(())
    }

    /// Tells what a deployment would change, and what stacks and reality differ in, stack by stack in the order of a
    /// deployment. Changes nothing.
    ///
    /// What an import of a stack that does not exist yet resolves to is not known, so such a stack is told as new.
    pub async fn diff(&self, with_drift: bool) -> Outcome {
        let start = Instant::now();
        if let Err(failure) = self.who().await {
            return self.refused(&failure, start);
        }
        let mut outcome = self.compare_all().await;
        if with_drift && outcome.n_failed == 0 {
            let drifted = self.tell_in_order(async |spec| self.drift_of(spec).await).await;
            outcome = Outcome { n_different: outcome.n_different + drifted.n_different, ..drifted };
        }
        self.finish(outcome, start)
    }

    /// Tells what a deployment would change; the end is the caller's to tell.
    pub(super) async fn compare_all(&self) -> Outcome {
        self.tell_in_order(async |spec| self.compare(spec).await).await
    }

    /// Does something with every stack at once and tells the results in the order of a deployment.
    async fn tell_in_order(&self, act: impl AsyncFn(&Spec) -> Result<Compared, Trouble>) -> Outcome {
        let specs: Vec<&Spec> = self.graph.waves().concat().into_iter().map(|it| self.spec(it)).collect();
        let results = join_all(specs.iter().map(|it| act(it))).await;
        let mut outcome = Outcome::default();
        for (spec, result) in specs.into_iter().zip(results) {
            match self.report(spec, result) {
                Ok(compared) => {
                    outcome.n_done += 1;
                    outcome.n_different += usize::from(compared.is_different);
                    compared.events.into_iter().for_each(|it| self.tell(it));
                }
                Err(_) => outcome.n_failed += 1,
            }
        }
        outcome
    }

    async fn compare(&self, spec: &Spec) -> Result<Compared, Trouble> {
        let info = self.look(spec).await?;
        let found = found_event(spec, info.as_ref());
        let existing = match &info {
            Some(info) if matches!(info.status.on_deploy(), OnDeploy::Update) => info,
            Some(info) if matches!(info.status.on_deploy(), OnDeploy::Wait | OnDeploy::ContinueRollback) => {
                return Err(settle_first(info).into());
            }
            _ => return Ok(Compared { events: vec![found, new_stack(spec)], is_different: true }),
        };
        let request = self.request(spec, Some(existing)).await?;
        let Some(plan) = self.prepare(spec, &request, Some(existing)).await? else {
            let same = Event::Unchanged { stack: spec.name.clone(), outputs: Vec::new() };
            return Ok(Compared { events: vec![found, same], is_different: false });
        };
        let shown = self.shown(spec, &plan);
        self.discard(spec, &plan.set.id, &plan.open()).await?;
        Ok(Compared { events: vec![found, shown], is_different: true })
    }

    /// What a stack and reality differ in. A stack that cannot be compared now fails.
    async fn drift_of(&self, spec: &Spec) -> Result<Compared, Trouble> {
        let Some(info) = self.look(spec).await? else { return Ok(Compared::default()) };
        if !info.status.is_usable() {
            return settled(&info).map(|()| Compared::default());
        }
        let report = self
            .patiently(&spec.name, || self.cloud.drift(&info.id))
            .await
            .map_err(|err| Failure::of_call(&format!("compare {} with reality", spec.stack_name), &err))?;
        let is_different = !report.drifts.is_empty();
        let DriftReport { drifts, unchecked } = report;
        Ok(Compared {
            events: vec![Event::Drifted { stack: spec.name.clone(), drifts, unchecked }],
            is_different,
        })
    }
}

/// What a comparison found.
#[derive(Default)]
struct Compared {
    events: Vec<Event>,
    is_different: bool,
}

fn found_event(spec: &Spec, info: Option<&StackInfo>) -> Event {
    Event::Found {
        stack: spec.name.clone(),
        stack_name: spec.stack_name.clone(),
        status: info.map(|it| it.status),
    }
}

/// The changes that making a stack is: every resource that exists with the template's defaults and the values given.
fn new_stack(spec: &Spec) -> Event {
    let mut scope = Scope::new(&spec.template, &spec.stack_name);
    for (name, value) in spec.given.iter() {
        scope = scope.with(name, value);
    }
    let exists = scope.resources();
    let changes = spec
        .template
        .resources
        .iter()
        .filter(|(name, _)| exists.as_ref().map_or(true, |it| it.contains_key(*name)))
        .map(|(name, resource)| Change {
            action: ChangeAction::Add,
            logical_id: name.clone(),
            physical_id: None,
            kind: resource.kind.clone(),
            replacement: Replacement::No,
            policy: None,
            properties: Vec::new(),
        })
        .collect();
    Event::Changes {
        stack: spec.name.clone(),
        is_new: true,
        parameters: Vec::new(),
        changes,
        losses: Vec::new(),
        console: String::new(),
    }
}

fn settle_first(info: &StackInfo) -> Failure {
    let message = format!("{} is in {}. {}", info.name, info.status, info.status.meaning());
    Failure::plain(message, "Wait for it (wait), or deploy, which settles it; then compare again.")
}

/// A stack on which nothing runs is fine or is a failure to be told.
fn settled(info: &StackInfo) -> Result<(), Trouble> {
    if info.status.category() != Category::Failed {
        return Ok(());
    }
    let message = format!("{} is in {}. {}", info.name, info.status, info.status.meaning());
    Err(Failure::plain(message, "Deploy it again, or terminate it.").into())
}

//! Looks without changing: waiting for what runs, differences, drift.

use infra_cfn::resolve::Scope;
use tokio::time::Instant;

use super::{Engine, Outcome, Spec, Trouble};
use crate::{
    cloud::{Change, ChangeAction, Cloud, Replacement, StackInfo},
    event::Event,
    failure::{self, Failure},
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
        let ended = futures_util::future::join_all(waves.into_iter().map(run)).await;
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
            return Err(self.failure_of(spec, "the operation on", &ended).into());
        }
        self.tell(Event::Finished {
            stack: spec.name.clone(),
            status: ended.status(),
            took: ended.took,
            outputs: ended.info.map(|it| it.outputs).unwrap_or_default(),
        });
        Ok(())
    }

    /// Tells what a deployment would change, stack by stack, and changes nothing.
    ///
    /// What an import of a stack that does not exist yet resolves to is not known, so such a stack is told as new.
    pub async fn diff(&self) -> Outcome {
        let start = Instant::now();
        let run = |name: &str| {
            let spec = self.spec(name);
            async move { (spec.name.clone(), self.report(spec, self.diff_one(spec).await)) }
        };
        let ended = futures_util::future::join_all(self.graph.waves().concat().into_iter().map(run)).await;
        let ended = ended
            .into_iter()
            .map(|(name, result)| (name, result.map_or_else(Ending::Failed, Ending::Done)))
            .collect();
        self.end(&ended, start)
    }

    async fn diff_one(&self, spec: &Spec) -> Result<(), Trouble> {
        let info = self.look(spec).await?;
        self.found(spec, info.as_ref());
        let existing = match &info {
            Some(info) if matches!(info.status.on_deploy(), OnDeploy::Update) => info,
            Some(info) if matches!(info.status.on_deploy(), OnDeploy::Wait | OnDeploy::ContinueRollback) => {
                return Err(settle_first(info).into());
            }
            _ => {
                self.tell(new_stack(spec));
                return Ok(());
            }
        };
        let request = self.request(spec, Some(existing)).await?;
        let Some((set, stack_id)) = self.prepare(spec, &request).await? else {
            self.tell(Event::Unchanged { stack: spec.name.clone(), outputs: Vec::new() });
            return Ok(());
        };
        self.show(spec, &request, &set, &stack_id, &failure::losses(&set.changes));
        self.discard(spec, &request, &set.id).await
    }

    /// Tells what stacks and reality differ in. Stacks that cannot be compared now fail.
    pub async fn drift(&self) -> Outcome {
        let start = Instant::now();
        let run = |name: &str| {
            let spec = self.spec(name);
            async move {
                let result = async {
                    let Some(info) = self.look(spec).await? else { return Ok(()) };
                    if !info.status.is_usable() {
                        return settled(&info);
                    }
                    let drifts = self.patiently(&spec.name, || self.cloud.drift(&spec.stack_name)).await;
                    let drifts = drifts.map_err(|err| {
                        Failure::of_call(&format!("compare {} with reality", spec.stack_name), &err)
                    })?;
                    self.tell(Event::Drifted { stack: spec.name.clone(), drifts });
                    Ok::<_, Trouble>(())
                };
                (spec.name.clone(), self.report(spec, result.await))
            }
        };
        let ended = futures_util::future::join_all(self.graph.waves().concat().into_iter().map(run)).await;
        let ended = ended
            .into_iter()
            .map(|(name, result)| (name, result.map_or_else(Ending::Failed, Ending::Done)))
            .collect();
        self.end(&ended, start)
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

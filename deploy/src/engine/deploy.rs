//! Makes and changes stacks.

use std::collections::BTreeMap;

use infra_cfn::{Stack, capabilities, template::INLINE_LIMIT};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use super::{Engine, Outcome, Spec, Trouble, follow::Watch, unique};
use crate::{
    cloud::{
        ChangeSet, ChangeSetRequest, ChangeSetState, Cloud, OnFailure, ParameterValue, StackInfo,
        TemplateSource,
    },
    console,
    event::Event,
    failure::{self, Failure, Loss},
    inputs,
    schedule::{self, Direction},
    status::{OnDeploy, Operation, Progress, StackStatus},
    user::Answer,
};

/// Output of the s3 stack that names its bucket.
const BUCKET_OUTPUT: &str = "TemplateBucketName";

impl<C: Cloud> Engine<'_, C> {
    /// Brings every stack to its template and values. Stacks that do not wait for each other run at the same time.
    pub async fn deploy(&self) -> Outcome {
        let start = Instant::now();
        let waves = schedule::waves(self.graph, Direction::Forward);
        self.tell(Event::Planned { operation: "deploy", waves });
        let run = |name: String| async move {
            let spec = self.spec(&name);
            self.report(spec, self.deploy_one(spec).await)
        };
        let skipped = |stack: &str, because_of: &str| {
            self.tell(Event::Skipped { stack: stack.to_owned(), because_of: because_of.to_owned() });
        };
        let ended = schedule::run(self.graph, Direction::Forward, run, skipped).await;
        self.end(&ended, start)
    }

    async fn deploy_one(&self, spec: &Spec) -> Result<(), Trouble> {
        let info = self.make_ready(spec).await?;
        let existing = info.as_ref().filter(|it| it.status != StackStatus::ReviewInProgress);
        if self.settings.must_be_new && existing.is_some() {
            let message = format!("{} exists already", spec.stack_name);
            return Err(
                Failure::plain(message, "Use deploy to change it, or recreate to make it anew.").into()
            );
        }
        let request = self.request(spec, existing).await?;
        let Some((set, stack_id)) = self.prepare(spec, &request).await? else {
            self.protect(spec, existing).await?;
            let outputs = existing.map(|it| it.outputs.clone()).unwrap_or_default();
            self.tell(Event::Unchanged { stack: spec.name.clone(), outputs });
            return Ok(());
        };
        if let Some(failure) = failure::not_updatable(&set.changes, &spec.template_path, &spec.template) {
            self.discard(spec, &request, &set.id).await?;
            return Err(failure.into());
        }
        let losses = failure::losses(&set.changes);
        // The changes and the question about them belong together, whatever other stacks have to say.
        let turn = self.asking.lock().await;
        self.show(spec, &request, &set, &stack_id, &losses);
        if !self.settings.execute {
            let console = console::change_set(self.cloud.region(), &stack_id, &set.id);
            self.tell(Event::Prepared { stack: spec.name.clone(), change_set: set.id, console });
            return Ok(());
        }
        let answer = self.user.confirm(&question(spec, &request, &losses)).await;
        drop(turn);
        if answer == Answer::No {
            self.discard(spec, &request, &set.id).await?;
            return Err(Trouble::Declined);
        }
        self.execute(spec, &request, &set, &stack_id).await
    }

    /// Brings a stack into a status from which it can be made or changed.
    async fn make_ready(&self, spec: &Spec) -> Result<Option<StackInfo>, Trouble> {
        loop {
            let info = self.look(spec).await?;
            self.found(spec, info.as_ref());
            let Some(info) = info else { return Ok(None) };
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
        let is_empty = info.status == StackStatus::RollbackComplete;
        let question = format!("Delete what is left of {} ({})?", spec.stack_name, info.status);
        if !is_empty && self.confirm(&question).await == Answer::No {
            return Err(Trouble::Declined);
        }
        self.delete(spec, info).await
    }

    async fn continue_rollback(&self, spec: &Spec, info: &StackInfo) -> Result<(), Trouble> {
        self.explain(spec, format!("{} It is continued now.", info.status.meaning()));
        let after = self.last_event(spec, &info.id).await?;
        let token = unique();
        let skip = &self.settings.rollback_skip;
        let called =
            self.patiently(&spec.name, || self.cloud.continue_rollback(&spec.stack_name, &token, skip)).await;
        if let Err(err) = called
            && !self.was_taken(spec, &info.id, after.as_deref(), &token).await?
        {
            let doing = format!("continue the rollback of {}", spec.stack_name);
            return Err(Failure::of_call(&doing, &err).into());
        }
        self.started(spec, "continue rollback", None, &info.id);
        let operation = Some(Operation::ContinueRollback);
        let ended =
            self.follow(spec, Watch { operation, stack_id: &info.id, token: Some(&token), after }).await?;
        match ended.status().progress(Operation::ContinueRollback) {
            Progress::Done => Ok(()),
            _ => {
                let mut failure = self.failure_of(spec, "continue the rollback of", &ended);
                if let Some(cause) = &failure.cause {
                    failure.hint.push_str(&format!(
                        " Where it cannot be corrected, --rollback-skip {} leaves that resource as it is.",
                        cause.logical_id
                    ));
                }
                Err(failure.into())
            }
        }
    }

    /// Everything that CloudFormation needs to know.
    pub(super) async fn request(
        &self,
        spec: &Spec,
        existing: Option<&StackInfo>,
    ) -> Result<ChangeSetRequest, Trouble> {
        let parameters = self.values(spec, existing).await?;
        let template = self.source(spec).await?;
        self.patiently(&spec.name, || self.cloud.validate(&template))
            .await
            .map_err(|err| Failure::of_call(&format!("check {}", spec.template_path), &err))?;
        Ok(ChangeSetRequest {
            stack_name: spec.stack_name.clone(),
            name: unique(),
            is_new: existing.is_none(),
            template,
            parameters,
            tags: self.settings.tags.clone(),
            capabilities: capabilities::needed(&spec.template)
                .into_iter()
                .map(capabilities::Capability::as_str)
                .collect(),
            role_arn: self.settings.role_arn.clone(),
            on_failure: self.settings.on_failure,
        })
    }

    async fn values(
        &self,
        spec: &Spec,
        existing: Option<&StackInfo>,
    ) -> Result<BTreeMap<String, ParameterValue>, Trouble> {
        let mut inputs = inputs::resolve(&spec.template, &spec.given, existing, &self.settings.prefix);
        for name in &spec.overridden {
            let text = format!(
                "{name} is given by a flag, and {} has another value: the next deployment without the flag goes back to that.",
                spec.params_path
            );
            self.explain(spec, text);
        }
        if !inputs.problems.is_empty() {
            let problems: Vec<String> = inputs.problems.iter().map(ToString::to_string).collect();
            let hint = format!("Correct the values in {} or on the command line.", spec.params_path);
            return Err(Failure::plain(format!("{}: {}", spec.name, problems.join("; ")), hint).into());
        }
        for (name, parameter) in
            inputs::pinned(&spec.template, &spec.given, existing, self.settings.new_host_image)
        {
            let found = self.patiently(&spec.name, || self.cloud.public_parameter(&parameter)).await;
            let id = found.map_err(|err| {
                let mut failure = Failure::of_call(&format!("look up {parameter}"), &err);
                failure.hint = format!("{} Or name an image with --parameter {name}=ami-….", failure.hint);
                failure
            })?;
            inputs.values.insert(name, ParameterValue::Given(id));
        }
        let mut unknown = Vec::new();
        for name in inputs.missing {
            let _turn = self.asking.lock().await;
            match self.user.value(&name, &spec.template.parameters[&name]).await {
                Some(value) => {
                    if spec.template.parameters[&name].no_echo {
                        self.keep_secret(&value);
                    }
                    inputs.values.insert(name, ParameterValue::Given(value));
                }
                None => unknown.push(name),
            }
        }
        if unknown.is_empty() {
            return Ok(inputs.values);
        }
        let hint = format!(
            "Run \"cargo xtask params init --stack {}\", write them into {}, or give --parameter NAME=VALUE.",
            spec.name, spec.params_path
        );
        Err(Failure::plain(format!("{} needs values for {}", spec.name, unknown.join(", ")), hint).into())
    }

    /// The template itself, or where it was uploaded to when it does not fit into a request.
    async fn source(&self, spec: &Spec) -> Result<TemplateSource, Trouble> {
        let n_bytes = spec.text.len();
        if n_bytes <= INLINE_LIMIT {
            return Ok(TemplateSource::Body(spec.text.clone()));
        }
        let Some(bucket) = self.bucket(spec).await? else {
            return Err(Failure::plain(
                format!("the template {} has {n_bytes} bytes, CloudFormation takes {INLINE_LIMIT} in a request", spec.template_path),
                "Name a bucket with --template-bucket, or deploy the s3 stack, whose bucket is used by itself.",
            )
            .into());
        };
        // By content: what was uploaded before is not stored again.
        let key = format!("{}/{}.yaml", content_key(&spec.text), spec.name);
        let url = self.patiently(&spec.name, || self.cloud.upload(&bucket, &key, &spec.text)).await;
        url.map(TemplateSource::Url).map_err(|err| {
            Failure::of_call(&format!("upload {} to {bucket}", spec.template_path), &err).into()
        })
    }

    /// The bucket for large templates: the one that is named, or that of the s3 stack when there is one.
    async fn bucket(&self, spec: &Spec) -> Result<Option<String>, Failure> {
        if let Some(bucket) = &self.settings.bucket {
            return Ok(Some(bucket.clone()));
        }
        let name = Stack::S3.stack_name(&self.settings.prefix);
        let found = self
            .patiently(&spec.name, || self.cloud.stack(&name))
            .await
            .map_err(|err| Failure::of_call(&format!("look for the bucket of {name}"), &err))?;
        let outputs = found.filter(|it| it.status.is_usable()).map(|it| it.outputs).unwrap_or_default();
        Ok(outputs.into_iter().find(|it| it.key == BUCKET_OUTPUT).map(|it| it.value))
    }

    /// A change set that can be executed, with the stack's ARN; nothing when there is nothing to change.
    pub(super) async fn prepare(
        &self,
        spec: &Spec,
        request: &ChangeSetRequest,
    ) -> Result<Option<(ChangeSet, String)>, Trouble> {
        let fail = |err: &_| Failure::of_call(&format!("prepare the changes of {}", spec.stack_name), err);
        let id = self
            .patiently(&spec.name, || self.cloud.create_change_set(request))
            .await
            .map_err(|err| fail(&err))?;
        loop {
            let set = self
                .patiently(&spec.name, || self.cloud.change_set(&spec.stack_name, &id))
                .await
                .map_err(|err| fail(&err))?;
            match &set.state {
                ChangeSetState::Pending => sleep(self.settings.poll).await,
                ChangeSetState::Ready => {
                    let stack_id = self.look(spec).await?.map_or_else(|| spec.stack_name.clone(), |it| it.id);
                    return Ok(Some((set, stack_id)));
                }
                ChangeSetState::Empty => {
                    self.discard(spec, request, &id).await?;
                    return Ok(None);
                }
                ChangeSetState::Refused(reason) => {
                    self.discard(spec, request, &id).await?;
                    let message =
                        format!("CloudFormation refuses the changes of {}: {reason}", spec.stack_name);
                    return Err(Failure::plain(message, failure::advice(reason)).into());
                }
            }
        }
    }

    /// Removes a change set, and the empty stack that was made for it.
    pub(super) async fn discard(
        &self,
        spec: &Spec,
        request: &ChangeSetRequest,
        id: &str,
    ) -> Result<(), Trouble> {
        let fail = |err: &_| Failure::of_call(&format!("remove the change set of {}", spec.stack_name), err);
        if !request.is_new {
            let call = || self.cloud.delete_change_set(&spec.stack_name, id);
            return self.patiently(&spec.name, call).await.map_err(|err| fail(&err).into());
        }
        match self.look(spec).await? {
            Some(info) if info.status == StackStatus::ReviewInProgress => {
                let token = unique();
                self.patiently(&spec.name, || self.cloud.delete_stack(&spec.stack_name, &token, None, &[]))
                    .await
                    .map_err(|err| fail(&err).into())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn show(
        &self,
        spec: &Spec,
        request: &ChangeSetRequest,
        set: &ChangeSet,
        stack_id: &str,
        losses: &[Loss],
    ) {
        // Only somebody who thinks about it can follow the link: the change set is gone right after.
        let console = if self.settings.execute && self.user.is_there() {
            console::change_set(self.cloud.region(), stack_id, &set.id)
        } else {
            String::new()
        };
        self.tell(Event::Changes {
            stack: spec.name.clone(),
            is_new: request.is_new,
            changes: set.changes.clone(),
            losses: losses.to_vec(),
            console,
        });
    }

    pub(super) fn started(
        &self,
        spec: &Spec,
        operation: &'static str,
        n_resources: Option<usize>,
        stack_id: &str,
    ) {
        let console = console::stack(self.cloud.region(), stack_id);
        self.tell(Event::Started { stack: spec.name.clone(), operation, n_resources, console });
    }

    async fn execute(
        &self,
        spec: &Spec,
        request: &ChangeSetRequest,
        set: &ChangeSet,
        stack_id: &str,
    ) -> Result<(), Trouble> {
        let operation = if request.is_new { Operation::Create } else { Operation::Update };
        let word = if request.is_new { "create" } else { "update" };
        let after = self.last_event(spec, stack_id).await?;
        let token = unique();
        // The change set of a new stack carries the choice already, and AWS refuses to hear it twice.
        let on_failure = if request.is_new { OnFailure::default() } else { request.on_failure };
        let called = self
            .patiently(&spec.name, || {
                self.cloud.execute_change_set(&spec.stack_name, &set.id, &token, on_failure)
            })
            .await;
        if let Err(err) = called
            && !self.was_taken(spec, stack_id, after.as_deref(), &token).await?
        {
            return Err(Failure::of_call(&format!("start the changes of {}", spec.stack_name), &err).into());
        }
        self.started(spec, word, Some(set.changes.len()), stack_id);
        let watch = Watch { operation: Some(operation), stack_id, token: Some(&token), after };
        let ended = self.follow(spec, watch).await?;
        if ended.status().progress(operation) != Progress::Done {
            return Err(self.failure_of(spec, word, &ended).into());
        }
        self.protect(spec, ended.info.as_ref()).await?;
        self.tell(Event::Finished {
            stack: spec.name.clone(),
            status: ended.status(),
            took: ended.took,
            outputs: ended.info.map(|it| it.outputs).unwrap_or_default(),
        });
        Ok(())
    }

    /// Sets termination protection where it differs from what is wished.
    async fn protect(&self, spec: &Spec, info: Option<&StackInfo>) -> Result<(), Trouble> {
        let (Some(wished), Some(info)) = (self.settings.protect, info) else { return Ok(()) };
        if info.termination_protection == wished {
            return Ok(());
        }
        self.explain(spec, format!("Turning termination protection {}.", if wished { "on" } else { "off" }));
        self.patiently(&spec.name, || self.cloud.set_termination_protection(&spec.stack_name, wished))
            .await
            .map_err(|err| {
                Failure::of_call(&format!("set the termination protection of {}", spec.stack_name), &err)
                    .into()
            })
    }
}

/// A folder's name that only this text has.
fn content_key(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest.iter().take(16).fold(String::new(), |key, byte| format!("{key}{byte:02x}"))
}

fn question(spec: &Spec, request: &ChangeSetRequest, losses: &[Loss]) -> String {
    let verb = if request.is_new { "Create" } else { "Update" };
    let n_final = losses.iter().filter(|it| it.is_final).count();
    match n_final {
        0 => format!("{verb} {}?", spec.stack_name),
        1 => format!("{verb} {} and lose the data of 1 resource?", spec.stack_name),
        n => format!("{verb} {} and lose the data of {n} resources?", spec.stack_name),
    }
}

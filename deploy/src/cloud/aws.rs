//! CloudFormation, S3 and Systems Manager through the AWS SDK: the only module of the deploy engine that names a service SDK.
//!
//! Translates, and decides nothing: retries beyond the SDK's own, waiting and explaining are the engine's.

mod account;
mod convert;
mod drift;
mod registry;
mod signed;

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_cloudformation::{
    Client,
    types::{
        Capability, ChangeSetType, DeploymentConfig, DeploymentConfigMode, DeploymentMode, EventFilter,
        ExecutionStatus, OnStackFailure, Parameter, ResourceToImport, StackStatus, Tag, TemplateStage,
    },
};
pub use aws_session::config::Choice;
use aws_session::{
    config::{sdk_config, sdk_config_for},
    error::{code_of, sorted},
};

use super::{
    Asked, Caller, ChangeSet, ChangeSetRequest, Cloud, CloudError, CloudResult, DriftReport, Import, Issue,
    ListedChangeSet, OnFailure, ParameterValue, Since, StackEvent, StackInfo, Subject, TemplateSource,
    begins_operation,
};
use signed::Signed;

/// The real thing, or an emulator where `AWS_ENDPOINT_URL` says so.
#[derive(Debug)]
pub struct Aws {
    formation: Client,
    s3: aws_sdk_s3::Client,
    systems_manager: aws_sdk_ssm::Client,
    tokens: aws_sdk_sts::Client,
    identities: aws_sdk_iam::Client,
    signed: Signed,
    region: String,
    endpoint: Option<String>,
}

impl Aws {
    /// Connects as every AWS tool does: environment, profile, SSO, instance role.
    ///
    /// # Errors
    /// [`CloudError::Refused`] when no region is configured.
    pub async fn connect() -> CloudResult<Self> {
        Self::new(&sdk_config().await?)
    }

    /// The same with a profile and a region over those of the environment.
    ///
    /// # Errors
    /// [`CloudError::Refused`] when no region is configured.
    pub async fn connect_as(choice: &Choice) -> CloudResult<Self> {
        Self::new(&sdk_config_for(choice).await?)
    }

    /// With a configuration that was loaded already.
    ///
    /// # Errors
    /// [`CloudError::Refused`] when no region is configured.
    pub fn new(config: &SdkConfig) -> CloudResult<Self> {
        let Some(region) = config.region().map(ToString::to_string) else {
            return Err(CloudError::Refused(
                "no region is configured; set AWS_REGION, or a region in the profile".into(),
            ));
        };
        let endpoint = config.endpoint_url().map(str::to_owned);
        // An emulator does not resolve names of buckets.
        let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(endpoint.is_some()).build();
        Ok(Self {
            formation: Client::new(config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            systems_manager: aws_sdk_ssm::Client::new(config),
            tokens: aws_sdk_sts::Client::new(config),
            identities: aws_sdk_iam::Client::new(config),
            signed: Signed::new(config, &region),
            region,
            endpoint,
        })
    }
}

fn split(template: &TemplateSource) -> (Option<String>, Option<String>) {
    match template {
        TemplateSource::Body(body) => (Some(body.clone()), None),
        TemplateSource::Url(url) => (None, Some(url.clone())),
    }
}

fn parameters(values: &BTreeMap<String, ParameterValue>) -> Vec<Parameter> {
    let one = |(name, value): (&String, &ParameterValue)| {
        let builder = Parameter::builder().parameter_key(name);
        match value {
            ParameterValue::Previous => builder.use_previous_value(true),
            ParameterValue::Given(value) => builder.parameter_value(value),
        }
        .build()
    };
    values.iter().map(one).collect()
}

fn tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn imports(imports: &[Import]) -> Option<Vec<ResourceToImport>> {
    let one = |it: &Import| {
        ResourceToImport::builder()
            .logical_resource_id(&it.logical_id)
            .resource_type(&it.kind)
            .set_resource_identifier(Some(it.identifier.clone().into_iter().collect()))
            .build()
    };
    (!imports.is_empty()).then(|| imports.iter().map(one).collect())
}

impl Cloud for Aws {
    async fn caller(&self) -> CloudResult<Caller> {
        let answer = self.tokens.get_caller_identity().send().await.map_err(sorted)?;
        Ok(Caller {
            account: answer.account.unwrap_or_default(),
            region: self.region.clone(),
            identity: answer.arn.unwrap_or_default(),
        })
    }

    async fn stack(&self, name_or_id: &str) -> CloudResult<Option<StackInfo>> {
        match self.formation.describe_stacks().stack_name(name_or_id).send().await.map_err(sorted) {
            Ok(answer) => answer.stacks().first().map(convert::stack).transpose(),
            Err(CloudError::NotFound(_)) => Ok(None),
            Err(err) => Err(err),
        }
    }

    async fn deleted_stack(&self, name: &str) -> CloudResult<Option<StackInfo>> {
        let call = self.formation.list_stacks().stack_status_filter(StackStatus::DeleteComplete);
        let mut pages = call.into_paginator().items().send();
        let mut last = None;
        while let Some(it) = pages.next().await {
            let it = it.map_err(sorted)?;
            let deleted = it.deletion_time().map(aws_sdk_cloudformation::primitives::DateTime::secs);
            if it.stack_name() == Some(name) && last.as_ref().is_none_or(|(when, _)| deleted > *when) {
                last = Some((deleted, it.stack_id().unwrap_or_default().to_owned()));
            }
        }
        match last {
            Some((_, id)) => self.stack(&id).await,
            None => Ok(None),
        }
    }

    async fn stacks(&self, name_prefix: &str) -> CloudResult<Vec<StackInfo>> {
        let mut pages = self.formation.describe_stacks().into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(stack) = pages.next().await {
            let stack = stack.map_err(sorted)?;
            if stack.stack_name().is_some_and(|it| it.starts_with(name_prefix)) {
                found.push(convert::stack(&stack)?);
            }
        }
        Ok(found)
    }

    async fn events(&self, stack_id: &str, since: Since<'_>) -> CloudResult<Vec<StackEvent>> {
        let mut pages = self.formation.describe_stack_events().stack_name(stack_id).into_paginator().send();
        let mut newest_first = Vec::new();
        'pages: while let Some(page) = pages.next().await {
            let page = match page.map_err(sorted) {
                Err(CloudError::NotFound(_)) => break,
                other => other?,
            };
            for event in page.stack_events() {
                if matches!(since, Since::Event(Some(known)) if event.event_id() == Some(known)) {
                    break 'pages;
                }
                let event = convert::event(event);
                let is_first = since == Since::LastOperation && begins_operation(&event, stack_id);
                newest_first.push(event);
                if is_first {
                    break 'pages;
                }
            }
        }
        newest_first.reverse();
        Ok(newest_first)
    }

    async fn last_event(&self, stack_id: &str) -> CloudResult<Option<String>> {
        let answer = self.formation.describe_stack_events().stack_name(stack_id).send().await;
        match answer.map_err(sorted) {
            Err(CloudError::NotFound(_)) => Ok(None),
            other => Ok(other?.stack_events().first().and_then(|it| it.event_id().map(str::to_owned))),
        }
    }

    async fn issues(&self, subject: Subject<'_>) -> CloudResult<Vec<Issue>> {
        let failed = EventFilter::builder().failed_events(true).build();
        let call = self.formation.describe_events().filters(failed);
        let call = match subject {
            Subject::ChangeSet(id) => call.change_set_name(id),
            Subject::Stack(id) => {
                let stack = self.formation.describe_stacks().stack_name(id).send().await.map_err(sorted)?;
                let operation = stack.stacks().first().and_then(|it| {
                    it.last_operations().iter().find_map(|it| it.operation_id().map(str::to_owned))
                });
                // AWS takes one of them: the operation of a stack, or else everything of the stack.
                match operation {
                    Some(operation) => call.operation_id(operation),
                    None => call.stack_name(id),
                }
            }
        };
        let mut pages = call.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            found.extend(page.map_err(sorted)?.operation_events().iter().filter_map(convert::issue));
        }
        Ok(found)
    }

    async fn importers(&self, export: &str) -> CloudResult<Vec<String>> {
        let mut pages = self.formation.list_imports().export_name(export).into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(name) = pages.next().await {
            match name.map_err(sorted) {
                Ok(name) => found.push(name),
                // "Export 'x' is not imported by any stack."
                Err(CloudError::Refused(reason)) if reason.contains("not imported") => break,
                Err(CloudError::NotFound(_)) => break,
                Err(err) => return Err(err),
            }
        }
        Ok(found)
    }

    async fn template(&self, stack_name: &str) -> CloudResult<String> {
        // As written: by default CloudFormation gives what its transforms made of it.
        let call =
            self.formation.get_template().stack_name(stack_name).template_stage(TemplateStage::Original);
        let answer = call.send().await.map_err(sorted)?;
        answer
            .template_body
            .ok_or_else(|| CloudError::NotFound(format!("the template of {stack_name} does not exist")))
    }

    async fn validate(&self, template: &TemplateSource) -> CloudResult<()> {
        let (body, url) = split(template);
        let call = self.formation.validate_template().set_template_body(body).set_template_url(url);
        call.send().await.map(drop).map_err(sorted)
    }

    async fn create_change_set(&self, request: &ChangeSetRequest) -> CloudResult<Asked> {
        let (body, url) = split(&request.template);
        let kind = match (request.imports.is_empty(), request.is_new) {
            (false, _) => ChangeSetType::Import,
            (true, true) => ChangeSetType::Create,
            (true, false) => ChangeSetType::Update,
        };
        let on_failure = (kind == ChangeSetType::Create).then_some(match request.on_failure {
            OnFailure::Rollback => OnStackFailure::Rollback,
            OnFailure::Keep => OnStackFailure::DoNothing,
            OnFailure::Delete => OnStackFailure::Delete,
        });
        let express = request
            .mode
            .is_express
            .then(|| DeploymentConfig::builder().mode(DeploymentConfigMode::Express).build());
        let answer = self
            .formation
            .create_change_set()
            .stack_name(&request.stack_name)
            .change_set_name(&request.name)
            // The same call again, after an answer was lost, finds the change set of the first.
            .client_token(&request.name)
            .change_set_type(kind)
            .set_resources_to_import(imports(&request.imports))
            .set_notification_arns(request.notifications.clone())
            .set_template_body(body)
            .set_template_url(url)
            .set_parameters(Some(parameters(&request.parameters)))
            .set_tags((!request.tags.is_empty()).then(|| tags(&request.tags)))
            .set_capabilities(Some(request.capabilities.iter().map(|it| Capability::from(*it)).collect()))
            .set_role_arn(request.role_arn.clone())
            .set_on_stack_failure(on_failure)
            .set_deployment_mode(request.mode.reverts_drift.then_some(DeploymentMode::RevertDrift))
            .set_deployment_config(express)
            .send()
            .await;
        let (id, stack_id) = match answer {
            Ok(answer) => (answer.id, answer.stack_id),
            // The names are ours alone: the answer of the first attempt was lost on its way.
            Err(err) if code_of(&err) == Some("AlreadyExistsException") => {
                let made = self
                    .formation
                    .describe_change_set()
                    .stack_name(&request.stack_name)
                    .change_set_name(&request.name)
                    .send()
                    .await
                    .map_err(sorted)?;
                (made.change_set_id, made.stack_id)
            }
            Err(err) => return Err(sorted(err)),
        };
        match (id, stack_id) {
            (Some(id), Some(stack_id)) => Ok(Asked { id, stack_id }),
            _ => Err(CloudError::Refused("CloudFormation made a change set without an id".into())),
        }
    }

    async fn change_set(&self, id: &str) -> CloudResult<ChangeSet> {
        let describe =
            || self.formation.describe_change_set().change_set_name(id).include_property_values(true);
        let mut answer = describe().send().await.map_err(sorted)?;
        let state = convert::change_set_state(&answer);
        let (stack_id, stack_name) =
            (answer.stack_id.take().unwrap_or_default(), answer.stack_name.take().unwrap_or_default());
        let mut changes = Vec::new();
        loop {
            changes.extend(answer.changes().iter().filter_map(convert::change));
            let Some(token) = answer.next_token().map(str::to_owned) else { break };
            answer = describe().next_token(token).send().await.map_err(sorted)?;
        }
        Ok(ChangeSet { id: id.to_owned(), stack_id, stack_name, state, changes })
    }

    async fn change_sets(&self, stack_id: &str) -> CloudResult<Vec<ListedChangeSet>> {
        let mut pages =
            self.formation.list_change_sets().stack_name(stack_id).into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(it) = pages.next().await {
            let it = match it.map_err(sorted) {
                Err(CloudError::NotFound(_)) => break,
                other => other?,
            };
            let was_executed = matches!(
                it.execution_status(),
                Some(ExecutionStatus::ExecuteComplete | ExecutionStatus::Obsolete)
            );
            if !was_executed && let (Some(id), Some(name)) = (it.change_set_id(), it.change_set_name()) {
                found.push(ListedChangeSet { id: id.to_owned(), name: name.to_owned() });
            }
        }
        Ok(found)
    }

    async fn execute_change_set(&self, id: &str, token: &str, on_failure: OnFailure) -> CloudResult<()> {
        let call = self.formation.execute_change_set().change_set_name(id).client_request_token(token);
        let keep = (on_failure == OnFailure::Keep).then_some(true);
        call.set_disable_rollback(keep).send().await.map(drop).map_err(sorted)
    }

    async fn delete_change_set(&self, id: &str) -> CloudResult<()> {
        match self.formation.delete_change_set().change_set_name(id).send().await.map_err(sorted) {
            // It is gone already.
            Ok(_) | Err(CloudError::NotFound(_)) => Ok(()),
            Err(err) => Err(err),
        }
    }

    async fn delete_stack(
        &self,
        stack_id: &str,
        token: &str,
        role_arn: Option<&str>,
        retain: &[String],
    ) -> CloudResult<()> {
        let call = self.formation.delete_stack().stack_name(stack_id).client_request_token(token);
        let call = call.set_retain_resources((!retain.is_empty()).then(|| retain.to_vec()));
        call.set_role_arn(role_arn.map(str::to_owned)).send().await.map(drop).map_err(sorted)
    }

    async fn continue_rollback(
        &self,
        stack_id: &str,
        token: &str,
        role_arn: Option<&str>,
        skip: &[String],
    ) -> CloudResult<()> {
        let call = self.formation.continue_update_rollback().stack_name(stack_id).client_request_token(token);
        let call = call.set_role_arn(role_arn.map(str::to_owned));
        let skip = (!skip.is_empty()).then(|| skip.to_vec());
        call.set_resources_to_skip(skip).send().await.map(drop).map_err(sorted)
    }

    async fn set_termination_protection(&self, stack_id: &str, enabled: bool) -> CloudResult<()> {
        let call = self.formation.update_termination_protection().stack_name(stack_id);
        call.enable_termination_protection(enabled).send().await.map(drop).map_err(sorted)
    }

    async fn stack_policy(&self, stack_id: &str) -> CloudResult<Option<String>> {
        let answer = self.formation.get_stack_policy().stack_name(stack_id).send().await.map_err(sorted)?;
        Ok(answer.stack_policy_body.filter(|it| !it.is_empty()))
    }

    async fn set_stack_policy(&self, stack_id: &str, policy: &str) -> CloudResult<()> {
        let call = self.formation.set_stack_policy().stack_name(stack_id).stack_policy_body(policy);
        call.send().await.map(drop).map_err(sorted)
    }

    async fn drift(&self, stack_id: &str) -> CloudResult<DriftReport> {
        drift::report(&self.formation, stack_id).await
    }

    async fn upload(&self, bucket: &str, key: &str, body: &str) -> CloudResult<String> {
        let body = aws_sdk_s3::primitives::ByteStream::from(body.as_bytes().to_vec());
        self.s3
            .put_object()
            .bucket(bucket)
            .key(key)
            .content_type("application/yaml")
            .body(body)
            .send()
            .await
            .map_err(sorted)?;
        Ok(match &self.endpoint {
            Some(endpoint) => format!("{}/{bucket}/{key}", endpoint.trim_end_matches('/')),
            None => format!("https://{bucket}.s3.{}.amazonaws.com/{key}", self.region),
        })
    }

    async fn public_parameter(&self, name: &str) -> CloudResult<String> {
        let answer = self.systems_manager.get_parameter().name(name).send().await.map_err(sorted)?;
        let value = answer.parameter.and_then(|it| it.value);
        value.ok_or_else(|| CloudError::NotFound(format!("the parameter {name} has no value")))
    }

    fn region(&self) -> &str {
        &self.region
    }
}

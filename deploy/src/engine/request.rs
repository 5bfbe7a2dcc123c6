//! What CloudFormation is asked for: values, template, tags.

use std::collections::BTreeMap;

use infra_cfn::{capabilities, template::INLINE_LIMIT};
use sha2::{Digest, Sha256};

use super::{Engine, Spec, Trouble, unique};
use crate::{
    cloud::{ChangeSetRequest, Cloud, Import, ParameterValue, StackInfo, TemplateSource},
    failure::Failure,
    inputs,
};

impl<C: Cloud> Engine<'_, C> {
    /// Everything that CloudFormation needs to know.
    pub(super) async fn request(
        &self,
        spec: &Spec,
        existing: Option<&StackInfo>,
    ) -> Result<ChangeSetRequest, Trouble> {
        let imports = self.imports(spec)?;
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
            tags: self.tags(spec, existing),
            capabilities: capabilities::needed(&spec.template)
                .into_iter()
                .map(capabilities::Capability::as_str)
                .collect(),
            role_arn: self.role(spec).map(str::to_owned),
            on_failure: self.settings.on_failure,
            mode: self.settings.mode,
            notifications: spec.options.notifications.clone(),
            imports,
        })
    }

    /// The role that CloudFormation acts with on a stack.
    pub(super) fn role<'s>(&'s self, spec: &'s Spec) -> Option<&'s str> {
        self.settings.role_arn.as_deref().or(spec.options.role_arn.as_deref())
    }

    /// What is to be taken over, with what the template says about it.
    fn imports(&self, spec: &Spec) -> Result<Vec<Import>, Failure> {
        let mut imports: Vec<Import> = Vec::new();
        for wanted in &self.settings.imports {
            let id = &wanted.logical_id;
            let Some(resource) = spec.template.resources.get(id) else {
                let text = format!("{} has no resource \"{id}\" to import", spec.template_path);
                return Err(Failure::plain(
                    text,
                    "Write it into the template first, as it is now in the account.",
                ));
            };
            if resource.deletion_policy.is_none() {
                let text =
                    format!("{id} at {}:{} has no DeletionPolicy", spec.template_path, resource.place.line);
                return Err(Failure::plain(
                    text,
                    "CloudFormation imports only what says what happens to it later: write DeletionPolicy: Retain, \
                     import, and change it afterwards.",
                ));
            }
            let (key, value) = (wanted.key.clone(), wanted.value.clone());
            match imports.iter_mut().find(|it| it.logical_id == *id) {
                Some(known) => drop(known.identifier.insert(key, value)),
                None => imports.push(Import {
                    logical_id: id.clone(),
                    kind: resource.kind.clone(),
                    identifier: BTreeMap::from([(key, value)]),
                }),
            }
        }
        Ok(imports)
    }

    async fn values(
        &self,
        spec: &Spec,
        existing: Option<&StackInfo>,
    ) -> Result<BTreeMap<String, ParameterValue>, Trouble> {
        let prefix = spec.prefix(&self.settings.prefix);
        let mut inputs = inputs::resolve(&spec.template, &spec.given, existing, prefix);
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

    /// The tags of the file, or else those that the stack has, and those of the flags over them; nothing to say leaves them
    /// as they are.
    fn tags(&self, spec: &Spec, existing: Option<&StackInfo>) -> BTreeMap<String, String> {
        let (said, flags) = (&spec.options.tags, &self.settings.tags);
        let mut tags = match said {
            Some(said) => said.clone(),
            None if flags.is_empty() => return BTreeMap::new(),
            None => existing.map(|it| it.tags.clone()).unwrap_or_default(),
        };
        // AWS sets these itself and takes them from nobody.
        tags.retain(|key, _| !key.starts_with("aws:"));
        tags.extend(flags.clone());
        tags
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
                match &self.settings.bucket_stack {
                    Some((stack, _)) => format!(
                        "Name a bucket with --template-bucket, or deploy {stack} first, whose bucket is used by itself."
                    ),
                    None => "Name a bucket with --template-bucket, or with template-bucket in the file.".to_owned(),
                },
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

    /// The bucket for large templates: the one that is named, or that of the stack which has one.
    async fn bucket(&self, spec: &Spec) -> Result<Option<String>, Failure> {
        if let Some(bucket) = &self.settings.bucket {
            return Ok(Some(bucket.clone()));
        }
        let Some((name, output)) = &self.settings.bucket_stack else { return Ok(None) };
        let found = self
            .patiently(&spec.name, || self.cloud.stack(name))
            .await
            .map_err(|err| Failure::of_call(&format!("look for the bucket of {name}"), &err))?;
        let outputs = found.filter(|it| it.status.is_usable()).map(|it| it.outputs).unwrap_or_default();
        Ok(outputs.into_iter().find(|it| it.key == *output).map(|it| it.value))
    }
}

/// A folder's name that only this text has.
fn content_key(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest.iter().take(16).fold(String::new(), |key, byte| format!("{key}{byte:02x}"))
}

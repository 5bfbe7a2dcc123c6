//! Takes out of the templates what other tools check: shell scripts in user data, and IAM policies as JSON.

use indexmap::IndexMap;
use serde_json::Value;

use crate::resolve::{ResolveError, ResolvedResource, Scope};

/// A shell script that a template hands to an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Logical id of the resource with the script.
    pub logical_id: String,
    /// The script, with stand-ins for what only a deployment knows.
    pub text: String,
}

/// An IAM policy document.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Logical id of the resource with the policy.
    pub logical_id: String,
    /// Name within that resource, such as `attach-volume` or `trust`.
    pub name: String,
    /// The document.
    pub document: Value,
    /// Whether it says who may assume a role or use a resource, rather than what a principal may do.
    pub is_resource_policy: bool,
}

/// Every user data script of a template.
///
/// # Errors
/// When the template cannot be evaluated.
pub fn scripts(scope: &Scope<'_>) -> Result<Vec<Script>, ResolveError> {
    Ok(scripts_of(&scope.resources()?))
}

/// The same of resources that were evaluated already.
pub(crate) fn scripts_of(resources: &IndexMap<String, ResolvedResource>) -> Vec<Script> {
    let mut found = Vec::new();
    for (logical_id, resource) in resources {
        collect(&resource.properties, &mut |key, value| {
            if key == "UserData"
                && let Some(text) = value.as_str()
            {
                found.push(Script { logical_id: logical_id.clone(), text: text.to_owned() });
            }
        });
    }
    found
}

/// Every IAM policy document of a template.
///
/// # Errors
/// When the template cannot be evaluated.
pub fn policies(scope: &Scope<'_>) -> Result<Vec<Policy>, ResolveError> {
    Ok(policies_of(&scope.resources()?))
}

/// The same of resources that were evaluated already.
pub(crate) fn policies_of(resources: &IndexMap<String, ResolvedResource>) -> Vec<Policy> {
    let mut found = Vec::new();
    for (logical_id, resource) in resources {
        let properties = &resource.properties;
        let mut add = |name: &str, document: &Value, is_resource_policy| {
            let (logical_id, name, document) = (logical_id.clone(), name.to_owned(), document.clone());
            found.push(Policy { logical_id, name, document, is_resource_policy });
        };
        if let Some(document) = properties.get("AssumeRolePolicyDocument") {
            add("trust", document, true);
        }
        if let Some(document) = properties.get("PolicyDocument") {
            add("policy", document, !resource.kind.starts_with("AWS::IAM::"));
        }
        for inline in properties.get("Policies").and_then(Value::as_array).into_iter().flatten() {
            if let (Some(name), Some(document)) =
                (inline["PolicyName"].as_str(), inline.get("PolicyDocument"))
            {
                add(name, document, false);
            }
        }
    }
    found
}

/// Calls `visit` for every key of every object in a value.
pub(crate) fn collect(value: &Value, visit: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, it)| {
            visit(key, it);
            collect(it, visit);
        }),
        Value::Array(elements) => elements.iter().for_each(|it| collect(it, visit)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Template;

    #[test]
    fn scripts_and_policies_are_found_wherever_they_stand() {
        let template = Template::parse(
            "Resources:
  Host:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateData:
        UserData: { 'Fn::Base64': !Sub 'echo ${AWS::StackName}' }
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: { Statement: [1] }
      Policies: [{ PolicyName: p, PolicyDocument: { Statement: [2] } }]
  Access:
    Type: AWS::S3::BucketPolicy
    Properties: { PolicyDocument: { Statement: [3] } }
",
        )
        .unwrap();
        let scope = Scope::new(&template, "app-x");
        assert_eq!(
            scripts(&scope).unwrap(),
            [Script { logical_id: "Host".into(), text: "echo app-x".into() }]
        );
        let policies: Vec<_> = policies(&scope)
            .unwrap()
            .into_iter()
            .map(|it| (it.logical_id, it.name, it.is_resource_policy))
            .collect();
        assert_eq!(
            policies,
            [
                ("Role".into(), "trust".into(), true),
                ("Role".into(), "p".into(), false),
                ("Access".into(), "policy".into(), true)
            ]
        );
    }
}

//! What templates and values would make that depends on the account. Pure.

use std::collections::{BTreeMap, BTreeSet};

use infra_cfn::{
    Template,
    resolve::{MARK, ResolveError, ResolvedResource, Scope},
};
use serde_json::Value;

use super::{Problem, Quota};
use crate::{
    cloud::{Caller, StackInfo},
    inputs::Spec,
};

/// A name that a resource would take for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// Short name of the stack.
    pub stack: String,
    /// Logical id.
    pub logical_id: String,
    /// Type.
    pub kind: String,
    /// The name.
    pub name: String,
    /// Template and line.
    pub place: String,
    /// Parameter that is a part of the name, other than the prefix.
    pub parameter: Option<String>,
}

impl Name {
    /// What has the name, in a word: `User`, `LogGroup`.
    pub fn word(&self) -> String {
        self.kind.split("::").skip(1).collect::<Vec<_>>().join(" ")
    }
}

/// An image that would be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Short name of the stack.
    pub stack: String,
    /// Logical id of what starts it.
    pub logical_id: String,
    /// Template and line.
    pub place: String,
    /// The image with its tag.
    pub reference: String,
    /// Architecture that the template states.
    pub architecture: Option<String>,
    /// Type of instance of the template, where it has one.
    pub instance_type: Option<String>,
}

/// Everything that depends on the account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// What is wrong already, without asking anybody.
    pub problems: Vec<Problem>,
    /// Names that must be free.
    pub names: Vec<Name>,
    /// Images that must exist.
    pub images: Vec<Image>,
    /// Types of instances, each with the stack that wants it.
    pub instance_types: BTreeMap<String, String>,
    /// Zones that are named by a value.
    pub zones: BTreeSet<String>,
    /// How much more of a quota is needed, with the first stack that needs it.
    pub counts: BTreeMap<Quota, (String, usize)>,
    /// Service-linked roles that are needed, with their services.
    pub service_roles: BTreeMap<&'static str, &'static str>,
}

/// Types that take a name of one's own, and the property that has it.
const NAMED: &[(&str, &str)] = &[
    ("AWS::Backup::BackupVault", "BackupVaultName"),
    ("AWS::DynamoDB::Table", "TableName"),
    ("AWS::ECR::Repository", "RepositoryName"),
    ("AWS::ECS::Cluster", "ClusterName"),
    ("AWS::IAM::Group", "GroupName"),
    ("AWS::IAM::InstanceProfile", "InstanceProfileName"),
    ("AWS::IAM::Role", "RoleName"),
    ("AWS::IAM::User", "UserName"),
    ("AWS::Lambda::Function", "FunctionName"),
    ("AWS::Logs::LogGroup", "LogGroupName"),
    ("AWS::RDS::DBCluster", "DBClusterIdentifier"),
    ("AWS::RDS::DBInstance", "DBInstanceIdentifier"),
    ("AWS::S3::Bucket", "BucketName"),
    ("AWS::SSM::Parameter", "Name"),
];

/// Types that need a role which AWS makes once per account.
const SERVICE_ROLES: &[(&str, &str, &str)] = &[
    ("AWS::AutoScaling::AutoScalingGroup", "AWSServiceRoleForAutoScaling", "autoscaling.amazonaws.com"),
    ("AWS::ECS::Cluster", "AWSServiceRoleForECS", "ecs.amazonaws.com"),
    (
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "AWSServiceRoleForElasticLoadBalancing",
        "elasticloadbalancing.amazonaws.com",
    ),
    ("AWS::RDS::DBInstance", "AWSServiceRoleForRDS", "rds.amazonaws.com"),
];

impl Wishes {
    /// Adds what a stack would make. Names and counts are wishes of a new stack only: an existing one has them.
    pub fn add(&mut self, spec: &Spec, existing: Option<&StackInfo>, caller: &Caller, prefix: &str) {
        let values = values(spec, existing, prefix);
        for (name, value) in values.iter().filter(|(name, _)| spec.template.parameters.contains_key(*name)) {
            if is_foreign_region(value, &caller.region) {
                self.problems.push(Problem {
                    stack: spec.name.clone(),
                    message: format!("{name} is of another region than {}: {value}", caller.region),
                    hint: format!("Give one of {}, or work in its region with --region.", caller.region),
                });
            }
        }
        let resources = match scope(&spec.template, &spec.stack_name, &values, caller).resources() {
            Ok(resources) => resources,
            Err(err) => return self.problems.extend(unreadable(spec, &err)),
        };
        let instance_type = resources.values().find_map(instance_type);
        for (id, it) in &resources {
            let place = format!("{}:{}", spec.template_path, it.place.line);
            if existing.is_none() {
                self.names.extend(name(spec, id, it, &place));
                self.count(&spec.name, it);
            }
            if let Some(zone) = known(&it.properties["AvailabilityZone"]) {
                self.zones.insert(zone.to_owned());
            }
            self.images.extend(images(it).map(|(reference, architecture)| Image {
                stack: spec.name.clone(),
                logical_id: id.clone(),
                place: place.clone(),
                reference,
                instance_type: architecture.is_none().then(|| instance_type.clone()).flatten(),
                architecture,
            }));
            let role = SERVICE_ROLES.iter().filter(|(kind, ..)| *kind == it.kind && existing.is_none());
            self.service_roles.extend(role.map(|(_, role, service)| (*role, *service)));
        }
        self.instance_types.extend(instance_type.map(|it| (it, spec.name.clone())));
        self.images.dedup_by(|a, b| a.reference == b.reference && a.stack == b.stack);
    }

    fn count(&mut self, stack: &str, resource: &ResolvedResource) {
        let quota = match resource.kind.as_str() {
            "AWS::EC2::VPC" => Quota::Vpcs,
            "AWS::EC2::EIP" => Quota::Addresses,
            _ => return,
        };
        self.counts.entry(quota).or_insert_with(|| (stack.to_owned(), 0)).1 += 1;
    }
}

/// A reference that leads nowhere. What else cannot be evaluated here is CloudFormation's to check.
fn unreadable(spec: &Spec, err: &ResolveError) -> Option<Problem> {
    err.reason.starts_with("unknown").then(|| Problem {
        stack: spec.name.clone(),
        message: format!("{}:{}: {}", spec.template_path, err.place.line, err.reason),
        hint: "Correct the template; lint tells the same without AWS.".to_owned(),
    })
}

/// The values that a stack would have, as far as they are known before it is made.
fn values(spec: &Spec, existing: Option<&StackInfo>, prefix: &str) -> BTreeMap<String, String> {
    let mut values = existing.map(|it| it.parameters.clone()).unwrap_or_default();
    values.extend(spec.given.iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
    values.insert(infra_cfn::params::PREFIX.to_owned(), prefix.to_owned());
    values.retain(|name, _| spec.template.parameters.get(name).is_some_and(|it| !it.no_echo));
    values
}

fn scope<'t>(
    template: &'t Template,
    stack_name: &str,
    values: &BTreeMap<String, String>,
    caller: &Caller,
) -> Scope<'t> {
    let scope = Scope::new(template, stack_name).marking().at(&caller.region, &caller.account);
    values.iter().fold(scope, |scope, (name, value)| scope.with(name, value))
}

/// A text without anything that only a deployment knows.
fn known(value: &Value) -> Option<&str> {
    value.as_str().filter(|it| !it.is_empty() && !it.contains(MARK))
}

fn name(spec: &Spec, id: &str, resource: &ResolvedResource, place: &str) -> Option<Name> {
    let (_, property) = NAMED.iter().find(|(kind, _)| *kind == resource.kind)?;
    let name = known(&resource.properties[property])?;
    let takes_part = |(parameter, value): &(&str, &str)| {
        *parameter != infra_cfn::params::PREFIX && value.len() > 2 && name.contains(value)
    };
    let defaults = spec.template.parameters.iter().filter(|(it, _)| spec.given.get(it).is_none());
    let defaults = defaults.filter_map(|(name, it)| Some((name.as_str(), it.default.as_deref()?)));
    Some(Name {
        stack: spec.name.clone(),
        logical_id: id.to_owned(),
        kind: resource.kind.clone(),
        name: name.to_owned(),
        place: place.to_owned(),
        parameter: spec.given.iter().chain(defaults).find(takes_part).map(|(name, _)| name.to_owned()),
    })
}

fn instance_type(resource: &ResolvedResource) -> Option<String> {
    let properties = &resource.properties;
    let value = match resource.kind.as_str() {
        "AWS::EC2::Instance" | "AWS::AutoScaling::LaunchConfiguration" => &properties["InstanceType"],
        "AWS::EC2::LaunchTemplate" => &properties["LaunchTemplateData"]["InstanceType"],
        _ => return None,
    };
    known(value).map(str::to_owned)
}

/// The images that a resource starts, with the architecture that it states.
fn images(resource: &ResolvedResource) -> impl Iterator<Item = (String, Option<String>)> {
    let properties = &resource.properties;
    let (references, architecture): (Vec<&Value>, _) = match resource.kind.as_str() {
        "AWS::ECS::TaskDefinition" => {
            let all = properties["ContainerDefinitions"].as_array().into_iter().flatten();
            let stated = known(&properties["RuntimePlatform"]["CpuArchitecture"]);
            let needs = properties["RequiresCompatibilities"].as_array().into_iter().flatten();
            let on_fargate = needs.into_iter().any(|it| it == "FARGATE");
            (all.map(|it| &it["Image"]).collect(), stated.or(on_fargate.then_some("X86_64")))
        }
        "AWS::Lambda::Function" => {
            let stated = known(&properties["Architectures"][0]).unwrap_or("x86_64");
            (vec![&properties["Code"]["ImageUri"]], Some(stated))
        }
        _ => (Vec::new(), None),
    };
    let architecture = architecture.map(str::to_owned);
    let known: Vec<String> = references.into_iter().filter_map(known).map(str::to_owned).collect();
    known.into_iter().map(move |it| (it, architecture.clone()))
}

/// Whether a value names a thing that has to be in the stack's own region, and is in another one: certificates, keys, log
/// groups and images of a private registry are found in their region only.
pub fn is_foreign_region(value: &str, region: &str) -> bool {
    let mut parts = value.split(':');
    if parts.next() != Some("arn") {
        return false;
    }
    let (service, of) = (parts.nth(1).unwrap_or_default(), parts.next().unwrap_or_default());
    ["acm", "kms", "logs", "rds", "ec2", "secretsmanager"].contains(&service)
        && !of.is_empty()
        && of != region
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_of_another_region_is_told() {
        let region = "eu-west-1";
        assert!(is_foreign_region("arn:aws:acm:us-east-1:123456789012:certificate/1", region));
        assert!(!is_foreign_region("arn:aws:acm:eu-west-1:123456789012:certificate/1", region));
        assert!(!is_foreign_region("arn:aws:iam::123456789012:role/x", region));
        assert!(!is_foreign_region("arn:aws:s3:::bucket", region));
        assert!(!is_foreign_region("plain", region));
    }
}

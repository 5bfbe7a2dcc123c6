//! Promises to the reader of a template: described, grouped, tagged, small enough to be sent.

use serde_json::Value;

use super::{Report, Rule, Subject};
use crate::template::{INLINE_AIM, INLINE_LIMIT, Parameter};

pub(super) const PARAMETERS_DOCUMENTED: Rule = Rule {
    code: "CFN101",
    title: "every parameter is described, constrained, and says what a wrong value should have been",
    check: parameters_documented,
};

fn parameters_documented(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (name, parameter) in &subject.template.parameters {
        let line = parameter.place.map_or(1, |it| it.line);
        if parameter.description.as_deref().unwrap_or_default().is_empty() {
            report.add(line, format!("parameter \"{name}\" has no Description"));
        }
        if !is_constrained(parameter) {
            report.add(
                line,
                format!("parameter \"{name}\" takes anything; constrain it by values, a pattern or a range"),
            );
        }
        if parameter.allowed_pattern.is_some() && parameter.constraint_description.is_none() {
            report.add(
                line,
                format!("parameter \"{name}\" has an AllowedPattern but no ConstraintDescription"),
            );
        }
        // "" can be told from a missing value by CloudFormation only.
        if let Some(default) = &parameter.default
            && !parameter.kind.starts_with("AWS::SSM::")
            && let Err(violation) = parameter.check(default)
        {
            report.add(line, format!("the default of parameter \"{name}\" {violation}"));
        }
    }
}

fn is_constrained(parameter: &Parameter) -> bool {
    let numbers = parameter.min_value.is_some() && parameter.max_value.is_some();
    let checked_by_aws = parameter.kind.starts_with("AWS::");
    checked_by_aws || numbers || !parameter.allowed_values.is_empty() || parameter.allowed_pattern.is_some()
}

pub(super) const PARAMETERS_GROUPED: Rule = Rule {
    code: "CFN102",
    title: "every parameter is in exactly one group of the interface",
    check: parameters_grouped,
};

fn parameters_grouped(subject: &Subject<'_>, report: &mut Report<'_>) {
    let grouped: Vec<&String> =
        subject.template.parameter_groups.iter().flat_map(|(_, names)| names).collect();
    for (name, parameter) in &subject.template.parameters {
        let n_groups = grouped.iter().filter(|it| **it == name).count();
        if n_groups != 1 {
            report.add(
                parameter.place.map_or(1, |it| it.line),
                format!("parameter \"{name}\" is in {n_groups} groups of AWS::CloudFormation::Interface"),
            );
        }
    }
    for name in grouped.iter().filter(|it| !subject.template.parameters.contains_key(**it)) {
        report.add(1, format!("AWS::CloudFormation::Interface names \"{name}\", which is no parameter"));
    }
}

pub(super) const OUTPUTS_DOCUMENTED: Rule = Rule {
    code: "CFN103",
    title: "the template and every output of it are described",
    check: outputs_documented,
};

fn outputs_documented(subject: &Subject<'_>, report: &mut Report<'_>) {
    if subject.template.description.as_deref().unwrap_or_default().is_empty() {
        report.add(1, "the template has no Description");
    }
    for (name, output) in &subject.template.outputs {
        if output.description.as_deref().unwrap_or_default().is_empty() {
            report.add(output.place.line, format!("output \"{name}\" has no Description"));
        }
    }
}

pub(super) const FITS_INLINE: Rule = Rule {
    code: "CFN104",
    title: "a template fits into a request with a tenth to spare, so that no bucket is needed to deploy it",
    check: fits_inline,
};

fn fits_inline(subject: &Subject<'_>, report: &mut Report<'_>) {
    let n_bytes = subject.template.n_bytes;
    if n_bytes > INLINE_AIM {
        report.add(
            1,
            format!(
                "the template is sent in {n_bytes} bytes; at most {INLINE_AIM} leave room below the {INLINE_LIMIT} that CloudFormation takes without S3"
            ),
        );
    }
}

pub(super) const TAGGED: Rule = Rule {
    code: "CFN105",
    title: "whatever costs money or can be searched for carries Name and Application",
    check: tagged,
};

/// Types whose tags are a list of Key and Value under `Tags`.
const TAGGED_TYPES: &[&str] = &[
    "AWS::AutoScaling::AutoScalingGroup",
    "AWS::CloudWatch::Alarm",
    "AWS::EC2::EIP",
    "AWS::EC2::FlowLog",
    "AWS::EC2::InternetGateway",
    "AWS::EC2::NatGateway",
    "AWS::EC2::RouteTable",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::Subnet",
    "AWS::EC2::VPC",
    "AWS::EC2::VPCEndpoint",
    "AWS::EC2::Volume",
    "AWS::ECS::Cluster",
    "AWS::ECS::Service",
    "AWS::ECS::TaskDefinition",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::ElasticLoadBalancingV2::TargetGroup",
    "AWS::IAM::Role",
    "AWS::IAM::User",
    "AWS::Logs::LogGroup",
    "AWS::RDS::DBInstance",
    "AWS::RDS::DBParameterGroup",
    "AWS::RDS::DBSubnetGroup",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",
    "AWS::SecretsManager::Secret",
    "AWS::ServiceDiscovery::PrivateDnsNamespace",
    "AWS::ServiceDiscovery::Service",
];

fn tagged(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (name, resource) in &subject.resources {
        if !TAGGED_TYPES.contains(&resource.kind.as_str()) {
            continue;
        }
        let tags = resource.properties["Tags"].as_array();
        let has = |key: &str| {
            tags.into_iter().flatten().any(|tag| tag["Key"] == key && tag["Value"] != Value::Null)
        };
        for key in ["Name", "Application"].into_iter().filter(|key| !has(key)) {
            report.add(resource.place.line, format!("resource \"{name}\" has no tag \"{key}\""));
        }
    }
}

//! Promises about permissions: real actions, named resources, MFA for the administrator.

use serde_json::Value;

use super::{Report, Rule, Subject};
use crate::extract::{self, Policy};

pub(super) const NO_WILDCARD_ACTION: Rule =
    Rule { code: "CFN601", title: "no policy allows an action by wildcard", check: no_wildcard_action };

fn no_wildcard_action(subject: &Subject<'_>, report: &mut Report<'_>) {
    for_each_allow(subject, |line, policy, statement| {
        let named = || format!("policy \"{}\" of resource \"{}\"", policy.name, policy.logical_id);
        for action in strings(&statement["Action"]).into_iter().filter(|it| it.contains('*')) {
            report.add(line, format!("{} allows \"{action}\"; name the actions", named()));
        }
        if statement.get("NotAction").is_some() {
            report.add(line, format!("{} allows everything but some actions; name the actions", named()));
        }
    });
}

pub(super) const NO_WILDCARD_RESOURCE: Rule = Rule {
    code: "CFN602",
    title: "a policy allows all resources only for actions that know no other way",
    check: no_wildcard_resource,
};

/// Actions that AWS does not let anyone limit to a resource
/// (<https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>).
const WITHOUT_RESOURCE: &[&str] = &[
    "autoscaling:DescribeAutoScalingInstances",
    "cloudwatch:PutMetricData",
    "ec2:DescribeVolumes",
    "ecr:GetAuthorizationToken",
    "ecs:DiscoverPollEndpoint",
    "iam:GetAccountPasswordPolicy",
    "iam:GetAccountSummary",
    "iam:ListVirtualMFADevices",
];

fn no_wildcard_resource(subject: &Subject<'_>, report: &mut Report<'_>) {
    for_each_allow(subject, |line, policy, statement| {
        if !strings(&statement["Resource"]).contains(&"*") {
            return;
        }
        for action in strings(&statement["Action"]).into_iter().filter(|it| !WITHOUT_RESOURCE.contains(it)) {
            report.add(
                line,
                format!(
                    "policy \"{}\" of resource \"{}\" allows \"{action}\" on every resource",
                    policy.name, policy.logical_id
                ),
            );
        }
    });
}

pub(super) const MFA_FOR_ADMINISTRATOR: Rule =
    Rule { code: "CFN603", title: "a role that people assume asks for MFA", check: mfa_for_administrator };

fn mfa_for_administrator(subject: &Subject<'_>, report: &mut Report<'_>) {
    for_each_allow(subject, |line, policy, statement| {
        let by_people = policy.name == "trust" && statement["Principal"].get("AWS").is_some();
        if by_people && statement["Condition"]["Bool"]["aws:MultiFactorAuthPresent"] != "true" {
            report.add(line, format!("role \"{}\" can be assumed without MFA", policy.logical_id));
        }
    });
}

pub(super) const NOTHING_WITHOUT_MFA: Rule = Rule {
    code: "CFN604",
    title: "without MFA one may look and choose a password, and do nothing that leads to MFA",
    check: nothing_without_mfa,
};

/// What a statement that denies everything without MFA may leave out. A key that was stolen can do it.
const WITHOUT_MFA: &[&str] = &[
    "iam:ChangePassword",
    "iam:GetAccountPasswordPolicy",
    "iam:GetMFADevice",
    "iam:GetUser",
    "iam:ListMFADevices",
    "iam:ListVirtualMFADevices",
    "sts:GetSessionToken",
];

fn nothing_without_mfa(subject: &Subject<'_>, report: &mut Report<'_>) {
    for_each(subject, "Deny", |line, policy, statement| {
        if !statement["Condition"].to_string().contains("MultiFactorAuthPresent") {
            return;
        }
        for action in strings(&statement["NotAction"]).into_iter().filter(|it| !WITHOUT_MFA.contains(it)) {
            report.add(
                line,
                format!(
                    "policy \"{}\" of resource \"{}\" leaves \"{action}\" open without MFA",
                    policy.name, policy.logical_id
                ),
            );
        }
    });
}

/// Calls `visit` with line, policy and statement for everything that a template allows.
fn for_each_allow(subject: &Subject<'_>, visit: impl FnMut(usize, &Policy, &Value)) {
    for_each(subject, "Allow", visit);
}

fn for_each(subject: &Subject<'_>, effect: &str, mut visit: impl FnMut(usize, &Policy, &Value)) {
    // The resources were evaluated before, so this cannot fail.
    for policy in extract::policies(&subject.scope).unwrap_or_default() {
        let line = subject.template.line_of(&policy.logical_id).unwrap_or(1);
        for statement in policy.document["Statement"].as_array().into_iter().flatten() {
            if statement["Effect"] == effect {
                visit(line, &policy, statement);
            }
        }
    }
}

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(elements) => elements.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

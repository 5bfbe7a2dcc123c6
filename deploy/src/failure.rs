//! Why a stack is not where it should be: the first cause among many events, its place in the template, and a way out.
//!
//! Pure. CloudFormation reports a failure as a cascade, newest first; the resource that a person has to look at is the one
//! that failed first and for a reason of its own. Where a rollback fails as well, each reason of its own is to be mended.

use infra_cfn::{Template, update};
use serde::Serialize;

use crate::cloud::{Change, ChangeAction, CloudError, Issue, StackEvent};
pub use crate::cloud::{STACK, begins_operation, is_of_stack};

/// A failure as a user needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What failed.
    pub message: String,
    /// The resource that failed first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Others that failed for a reason of their own, in the order in which they failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<Cause>,
    /// How many other resources failed because of it.
    pub n_others: usize,
    /// What to do, in a sentence.
    pub hint: String,
}

/// The resource that failed first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// Logical id.
    pub logical_id: String,
    /// Type.
    pub kind: String,
    /// Physical id, when there is one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub physical_id: String,
    /// Status, such as `CREATE_FAILED`, or the check that failed.
    pub status: String,
    /// AWS's words.
    pub reason: String,
    /// Template and line, such as `infra-cfn/templates/vpc.yaml:42`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

impl Failure {
    /// A failure without a resource behind it.
    pub fn plain(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), cause: None, more: Vec::new(), n_others: 0, hint: hint.into() }
    }

    /// The failure that a call to AWS is.
    pub fn of_call(doing: &str, error: &CloudError) -> Self {
        let hint = match error {
            CloudError::Credentials(_) => {
                "Sign in again (aws sso login, or cargo xtask login), then run the same command: it goes on from where the stack is then."
            }
            CloudError::Unreachable(_) => {
                "Check the network, AWS_REGION and AWS_ENDPOINT_URL, then run the same command: CloudFormation went on without us."
            }
            CloudError::Throttled(_) => {
                "Wait a minute, then run the same command: it goes on from where the stack is then."
            }
            CloudError::Denied(_) => {
                "Use credentials that may do this, or name a role for CloudFormation with --role-arn."
            }
            CloudError::Stale(_) => "Somebody changed it meanwhile: run the same command, which plans anew.",
            CloudError::NotFound(_) | CloudError::Refused(_) => {
                "Correct what AWS names, then run the same command."
            }
        };
        Self::plain(format!("{doing}: {error}"), hint)
    }
}

/// Statuses of a resource that did not do what it should.
fn is_failed(event: &StackEvent) -> bool {
    event.status.ends_with("_FAILED")
}

/// Reasons that only say that another resource failed.
const CASCADE: [&str; 5] = [
    "resource creation cancelled",
    "resource update cancelled",
    "resource deletion cancelled",
    "the following resource(s) failed to",
    "resource creation was cancelled",
];

fn is_cascade(event: &StackEvent) -> bool {
    let reason = event.reason.as_deref().unwrap_or_default().to_lowercase();
    CASCADE.iter().any(|it| reason.starts_with(it))
}

/// Whether an event of the stack itself says why it does not go on.
fn is_reason_of_stack(event: &StackEvent, stack_id: &str) -> bool {
    is_of_stack(event, stack_id)
        && (is_failed(event) || event.status.ends_with("ROLLBACK_IN_PROGRESS"))
        && event.reason.is_some()
        && !is_cascade(event)
}

/// The causes among the events of an operation, oldest first, and how many other resources failed.
pub fn causes(
    events: &[StackEvent],
    stack_id: &str,
    template: Option<&Template>,
    template_path: &str,
) -> (Vec<Cause>, usize) {
    let failed = || events.iter().filter(|it| is_failed(it) && !is_of_stack(it, stack_id));
    let own = events.iter().filter(|it| {
        is_reason_of_stack(it, stack_id) || (is_failed(it) && !is_of_stack(it, stack_id) && !is_cascade(it))
    });
    let mut found: Vec<Cause> = Vec::new();
    for event in own {
        let reason = event.reason.as_deref().unwrap_or("AWS gives no reason");
        if !found.iter().any(|it| it.logical_id == event.logical_id && it.reason == reason) {
            found.push(cause_of(event, template, template_path));
        }
    }
    if found.is_empty() {
        let any = failed().next().or_else(|| events.iter().find(|it| is_failed(it)));
        found.extend(any.map(|it| cause_of(it, template, template_path)));
    }
    let mut others: Vec<&str> = failed()
        .map(|it| it.logical_id.as_str())
        .filter(|id| !found.iter().any(|it| it.logical_id == *id))
        .collect();
    others.sort_unstable();
    others.dedup();
    (found, others.len())
}

fn cause_of(event: &StackEvent, template: Option<&Template>, template_path: &str) -> Cause {
    Cause {
        logical_id: event.logical_id.clone(),
        kind: event.kind.clone(),
        physical_id: event.physical_id.clone(),
        status: event.status.clone(),
        reason: event.reason.clone().unwrap_or_else(|| "AWS gives no reason".to_owned()),
        place: template
            .and_then(|it| it.line_of(&event.logical_id))
            .map(|it| format!("{template_path}:{it}")),
    }
}

/// The cause that a failed check is, with its place in the template as exactly as AWS says it.
pub fn cause_of_issue(issue: &Issue, template: &Template, template_path: &str) -> Cause {
    let line = issue.path.as_deref().and_then(|it| template.line_at(it));
    let line = line.or_else(|| template.line_of(&issue.logical_id));
    let property = issue.path.as_deref().and_then(|it| it.split_once("/Properties/"));
    let property = property.map(|(_, it)| format!(" {}", it.replace('/', "."))).unwrap_or_default();
    Cause {
        logical_id: issue.logical_id.clone(),
        kind: issue.kind.clone(),
        physical_id: String::new(),
        status: format!("{}{property}", issue.check),
        reason: issue.reason.clone(),
        place: line.map(|it| format!("{template_path}:{it}")),
    }
}

/// Whether a reason only points at what `DescribeEvents` tells.
pub fn points_elsewhere(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    ["describeevents", "failed event for details", "hook"].iter().any(|it| reason.contains(it))
}

/// Words in a reason, and what to do about it. The first match counts, so the special ones stand first.
const ADVICE: &[(&[&str], &str)] = &[
    (&["no export named"], "Deploy the stacks that it imports from first, or all of them with --all."),
    (
        &["in use by", "cannot delete export"],
        "Terminate the stacks that import it first, or all of them with --all.",
    ),
    (
        &["bucket you tried to delete is not empty"],
        "Empty the bucket by hand, after looking at what is in it; then terminate again.",
    ),
    (
        &["deletion protection", "deletionprotection", "cannot delete protected"],
        "Set DeletionProtection to false, deploy, then terminate again.",
    ),
    (
        &["dependencyviolation", "has a dependent object", "has dependencies"],
        "Something outside of the stack still uses it; remove that, then terminate again.",
    ),
    (
        &["free tier", "freetier"],
        "Give rds --parameter BackupRetentionDays=1, which the account's free plan allows, or change the plan in the console.",
    ),
    (
        &["allowmajorversionupgrade"],
        "Take a snapshot, then give --parameter AllowMajorVersionUpgrade=true with the new PostgresMajorVersion.",
    ),
    (
        &["already exists", "alreadyexists"],
        "Delete the resource that has the name, import it, or choose another --prefix.",
    ),
    (
        &["not authorized", "accessdenied", "access denied", "unauthorized"],
        "Give the caller, or the role of --role-arn, the permission that the reason names.",
    ),
    (
        &["limit", "quota", "maximum number"],
        "Raise the quota in the console under Service Quotas, or delete what is no longer needed.",
    ),
    (
        &["insufficient capacity", "insufficientinstancecapacity"],
        "Try another instance type, or another Availability Zone in the vpc stack.",
    ),
    (
        &["did not receive", "failed to receive", "resource signal", "timed out"],
        "Read the log of the host (/var/log/cloud-init-output.log through Session Manager): its start script says what it waited for.",
    ),
    (
        &["circuit breaker", "did not stabilize", "unable to place a task"],
        "Read the log group of the service: the task's last lines say why it stopped.",
    ),
    (
        &["invalid request", "validation", "model validation failed", "invalidparameter"],
        "Correct the property at the place above.",
    ),
];

/// What CloudFormation would refuse while it changes a resource that it can neither change nor replace.
pub fn not_updatable(changes: &[Change], template_path: &str, template: &Template) -> Option<Failure> {
    let (change, property) =
        changes.iter().filter(|it| it.action == ChangeAction::Modify).find_map(|change| {
            let fixed = update::not_updatable(&change.kind);
            let property = change.properties.iter().find_map(|it| {
                let path = it.path.strip_prefix("Properties.").unwrap_or(&it.path);
                let path = path.trim_start_matches("/Properties/");
                fixed.iter().find(|fixed| path.split(['.', '/']).next() == Some(**fixed))
            })?;
            Some((change, *property))
        })?;
    let line = template.line_of(&change.logical_id).map(|it| format!(":{it}")).unwrap_or_default();
    let message = format!(
        "{property} of {} ({}) at {template_path}{line} cannot be changed: CloudFormation neither changes it nor replaces the resource",
        change.logical_id, change.kind
    );
    let hint = match change.kind.as_str() {
        "AWS::EC2::Volume" => {
            "Leave it as it is. To use another volume, such as one made of a snapshot, name it: --parameter ExistingVolumeId=vol-…."
        }
        _ => "Leave it as it is, or make the stack anew.",
    };
    Some(Failure::plain(message, hint))
}

/// What to do about a reason.
pub fn advice(reason: &str) -> &'static str {
    let reason = reason.to_lowercase();
    let found = ADVICE.iter().find(|(words, _)| words.iter().any(|it| reason.contains(it)));
    found.map_or("Correct the cause, then run the same command: it goes on from there.", |(_, advice)| advice)
}

/// Export and importers, when CloudFormation took a deletion of a stack and then cancelled it.
pub fn cancelled(events: &[StackEvent], stack_id: &str) -> Option<(String, Vec<String>)> {
    let of_stack = events.iter().filter(|it| is_of_stack(it, stack_id));
    of_stack.filter_map(|it| it.reason.as_deref()).find_map(cancelled_by_importers)
}

/// The stacks named in the reason of a deletion that CloudFormation cancelled, with the export.
///
/// CloudFormation takes such a deletion, puts the status back and leaves an event: "Delete canceled. Cannot delete export
/// NAME as it is in use by STACK-1, STACK-2".
pub fn cancelled_by_importers(reason: &str) -> Option<(String, Vec<String>)> {
    let (_, rest) = split_ignoring_case(reason, "cannot delete export ")?;
    let (export, users) = split_ignoring_case(rest, " as it is in use by ")?;
    let users = users.trim_end_matches('.').replace(" and ", ",");
    Some((
        export.trim().to_owned(),
        users.split(',').map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect(),
    ))
}

fn split_ignoring_case<'a>(text: &'a str, at: &str) -> Option<(&'a str, &'a str)> {
    let position = text.to_ascii_lowercase().find(at)?;
    Some((&text[..position], &text[position + at.len()..]))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::cloud::{PropertyChange, Replacement};

    const ID: &str = "arn:app";

    fn event(logical_id: &str, kind: &str, status: &str, reason: &str) -> StackEvent {
        StackEvent {
            id: String::new(),
            time: SystemTime::UNIX_EPOCH,
            logical_id: logical_id.into(),
            physical_id: if kind == STACK { ID.into() } else { String::new() },
            kind: kind.into(),
            status: status.into(),
            reason: (!reason.is_empty()).then(|| reason.into()),
            token: None,
        }
    }

    #[test]
    fn the_cause_is_the_first_failure_with_a_reason_of_its_own() {
        let template = Template::parse("Resources:\n  Bucket: { Type: AWS::S3::Bucket }\n").unwrap();
        let events = [
            event("app", STACK, "CREATE_IN_PROGRESS", ""),
            event("Topic", "AWS::SNS::Topic", "CREATE_FAILED", "Resource creation cancelled"),
            event("Bucket", "AWS::S3::Bucket", "CREATE_FAILED", "name already exists"),
            event("Queue", "AWS::SQS::Queue", "CREATE_FAILED", "Resource creation cancelled"),
            event(
                "app",
                STACK,
                "ROLLBACK_IN_PROGRESS",
                "The following resource(s) failed to create: [Topic, Bucket]",
            ),
        ];
        let (causes, n_others) = causes(&events, ID, Some(&template), "t.yaml");
        assert_eq!(causes.len(), 1);
        let cause = &causes[0];
        assert_eq!(
            (cause.logical_id.as_str(), cause.place.as_deref(), n_others),
            ("Bucket", Some("t.yaml:2"), 2)
        );
        assert!(advice(&cause.reason).contains("--prefix"));
    }

    fn all(events: &[StackEvent]) -> Vec<(String, String)> {
        causes(events, ID, None, "").0.into_iter().map(|it| (it.logical_id, it.reason)).collect()
    }

    fn pair(id: &str, reason: &str) -> (String, String) {
        (id.to_owned(), reason.to_owned())
    }

    #[test]
    fn a_cascade_without_a_cause_names_what_there_is() {
        let events = [event("Topic", "AWS::SNS::Topic", "CREATE_FAILED", "Resource creation cancelled")];
        assert_eq!(all(&events), [pair("Topic", "Resource creation cancelled")]);
        assert_eq!(all(&[event("app", STACK, "DELETE_FAILED", "")]), [pair("app", "AWS gives no reason")]);
        assert_eq!(all(&[]), []);
    }

    #[test]
    fn a_reason_of_the_stack_itself_counts_and_every_own_reason_of_a_rollback() {
        let export = "Cannot update export app-vpc as it is in use by app-rds";
        let events = [
            event("app", STACK, "UPDATE_IN_PROGRESS", "User Initiated"),
            event("app", STACK, "UPDATE_ROLLBACK_IN_PROGRESS", export),
            event("A", "T", "UPDATE_FAILED", "Resource update cancelled"),
            event("B", "T", "UPDATE_FAILED", "B is gone"),
            event("C", "T", "UPDATE_FAILED", "C is locked"),
            event(
                "app",
                STACK,
                "UPDATE_ROLLBACK_FAILED",
                "The following resource(s) failed to update: [B, C].",
            ),
        ];
        assert_eq!(all(&events), [pair("app", export), pair("B", "B is gone"), pair("C", "C is locked")]);
        assert_eq!(causes(&events, ID, None, "").1, 1, "A only failed because of others");
    }

    #[test]
    fn a_nested_stack_is_not_the_stack_itself() {
        let mut nested = event("Nested", STACK, "CREATE_IN_PROGRESS", "");
        nested.physical_id = "arn:nested".into();
        assert!(!begins_operation(&nested, ID));
        assert!(begins_operation(&event("app", STACK, "CREATE_IN_PROGRESS", ""), ID));
        nested.status = "CREATE_FAILED".into();
        nested.reason = Some("Embedded stack arn:nested was not successfully created".into());
        assert_eq!(all(&[nested])[0].0, "Nested");
    }

    #[test]
    fn a_failed_check_names_the_property_and_its_line() {
        let text =
            "Resources:\n  Bucket:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketName: taken\n";
        let template = Template::parse(text).unwrap();
        let issue = Issue {
            logical_id: "Bucket".into(),
            kind: "AWS::S3::Bucket".into(),
            check: "NAME_CONFLICT_VALIDATION".into(),
            path: Some("/Resources/Bucket/Properties/BucketName".into()),
            reason: "the name is taken".into(),
        };
        let cause = cause_of_issue(&issue, &template, "t.yaml");
        assert_eq!(cause.place.as_deref(), Some("t.yaml:5"));
        assert_eq!(cause.status, "NAME_CONFLICT_VALIDATION BucketName");
        assert!(points_elsewhere("Validation failed. Call DescribeEvents to retrieve the full list"));
    }

    #[test]
    fn a_cancelled_deletion_names_export_and_importers() {
        let reason = "Delete canceled. Cannot delete export app-vpc-vpc as it is in use by app-rds, app-persist and app-compute.";
        let expected = (
            "app-vpc-vpc".to_owned(),
            vec!["app-rds".to_owned(), "app-persist".into(), "app-compute".into()],
        );
        assert_eq!(cancelled_by_importers(reason), Some(expected));
        assert_eq!(cancelled_by_importers("Export app-vpc-vpc is fine"), None);
    }

    fn change(action: ChangeAction, kind: &str, replacement: Replacement, policy: Option<&str>) -> Change {
        Change {
            action,
            logical_id: "X".into(),
            physical_id: None,
            kind: kind.into(),
            replacement,
            policy: policy.map(str::to_owned),
            properties: Vec::new(),
        }
    }

    #[test]
    fn what_cannot_be_updated_is_refused_with_the_way_out() {
        let template = Template::parse("Resources:\n  X: { Type: AWS::EC2::Volume }\n").unwrap();
        let with = |kind: &str, path: &str| {
            let mut it = change(ChangeAction::Modify, kind, Replacement::No, None);
            it.properties = vec![PropertyChange {
                path: path.into(),
                before: None,
                after: Some("snap-1".into()),
                replaces: Replacement::No,
            }];
            not_updatable(&[it], "t.yaml", &template)
        };
        for path in ["Properties.SnapshotId", "/Properties/SnapshotId", "SnapshotId"] {
            let failure = with("AWS::EC2::Volume", path).unwrap();
            assert!(
                failure.message.starts_with("SnapshotId of X (AWS::EC2::Volume) at t.yaml:2"),
                "{failure:?}"
            );
            assert!(failure.hint.contains("ExistingVolumeId"), "{failure:?}");
        }
        assert_eq!(with("AWS::EC2::Volume", "Properties.Size"), None);
        assert_eq!(with("AWS::SNS::Topic", "Properties.SnapshotId"), None);
        let added = change(ChangeAction::Add, "AWS::EC2::Volume", Replacement::No, None);
        assert_eq!(not_updatable(&[added], "t.yaml", &template), None);
    }

    #[test]
    fn advice_names_the_parameter() {
        let plan =
            "The specified backup retention period exceeds the maximum available to free tier customers.";
        assert!(advice(plan).contains("BackupRetentionDays=1"));
        let major =
            "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version.";
        assert!(advice(major).contains("AllowMajorVersionUpgrade=true"));
    }
}

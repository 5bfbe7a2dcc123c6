//! Why a stack is not where it should be: the first cause among many events, its place in the template, and a way out.
//!
//! Pure. CloudFormation reports a failure as a cascade, newest first; the resource that a person has to look at is the one
//! that failed first and for a reason of its own.

use infra_cfn::{Template, update};
use serde::Serialize;

use crate::cloud::{Change, ChangeAction, CloudError, Replacement, StackEvent};

/// A failure as a user needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What failed.
    pub message: String,
    /// The resource that failed first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
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
    /// Status, such as `CREATE_FAILED`.
    pub status: String,
    /// AWS's words.
    pub reason: String,
    /// Template and line, such as `infra-cfn/templates/vpc.yaml:42`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// What a change set would take away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// Logical id.
    pub logical_id: String,
    /// Type.
    pub kind: String,
    /// What happens, in a sentence.
    pub text: String,
    /// Whether data is gone for good.
    pub is_final: bool,
}

impl Failure {
    /// A failure without a resource behind it.
    pub fn plain(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), cause: None, n_others: 0, hint: hint.into() }
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

/// Finds the cause among the events of an operation, oldest first, and how many other resources failed.
pub fn cause(
    events: &[StackEvent],
    template: Option<&Template>,
    template_path: &str,
) -> (Option<Cause>, usize) {
    let mut failed = events.iter().filter(|it| is_failed(it));
    let first = failed.clone().find(|it| !is_cascade(it) && it.kind != STACK).or_else(|| failed.next());
    let Some(first) = first else { return (None, 0) };
    let mut others: Vec<&str> = events
        .iter()
        .filter(|it| is_failed(it) && it.kind != STACK && it.logical_id != first.logical_id)
        .map(|it| it.logical_id.as_str())
        .collect();
    others.sort_unstable();
    others.dedup();
    let line = template.and_then(|it| it.line_of(&first.logical_id));
    let found = Cause {
        logical_id: first.logical_id.clone(),
        kind: first.kind.clone(),
        status: first.status.clone(),
        reason: first.reason.clone().unwrap_or_else(|| "AWS gives no reason".to_owned()),
        place: line.map(|it| format!("{template_path}:{it}")),
    };
    (Some(found), others.len())
}

/// Type of the stack itself among its events.
pub const STACK: &str = "AWS::CloudFormation::Stack";

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

/// Types whose deletion can take data with it.
const DATA_TYPES: &[&str] = &[
    "AWS::Backup::BackupVault",
    "AWS::DynamoDB::Table",
    "AWS::EC2::Volume",
    "AWS::EFS::FileSystem",
    "AWS::Logs::LogGroup",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
];

/// What a change set would take away: data for good, data kept elsewhere, and whatever is replaced.
pub fn losses(changes: &[Change]) -> Vec<Loss> {
    changes.iter().filter_map(loss).collect()
}

fn loss(change: &Change) -> Option<Loss> {
    let is_removed = change.action == ChangeAction::Remove;
    let replaced = match (change.action, change.replacement) {
        (ChangeAction::Modify, Replacement::Yes) => "is replaced",
        (ChangeAction::Modify, Replacement::Conditional) => "may be replaced",
        _ if is_removed => "is deleted",
        _ => return None,
    };
    let has_data = DATA_TYPES.contains(&change.kind.as_str());
    // Its line among the changes says the same; many resources only hang on the name of another one.
    if !has_data && change.replacement == Replacement::Conditional {
        return None;
    }
    let policy = change.policy.as_deref().unwrap_or_default();
    let (text, is_final) = if !has_data {
        (replaced.to_owned(), false)
    } else if policy.contains("Retain") {
        (format!("{replaced}; the old one stays, outside of the stack"), false)
    } else if policy.contains("Snapshot") {
        (format!("{replaced}; a snapshot of the old one stays"), false)
    } else {
        (format!("{replaced}, and its data is gone"), true)
    };
    Some(Loss { logical_id: change.logical_id.clone(), kind: change.kind.clone(), text, is_final })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::cloud::PropertyChange;

    fn event(logical_id: &str, kind: &str, status: &str, reason: &str) -> StackEvent {
        StackEvent {
            id: String::new(),
            time: SystemTime::UNIX_EPOCH,
            logical_id: logical_id.into(),
            physical_id: String::new(),
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
        let (cause, n_others) = cause(&events, Some(&template), "t.yaml");
        let cause = cause.unwrap();
        assert_eq!(
            (cause.logical_id.as_str(), cause.place.as_deref(), n_others),
            ("Bucket", Some("t.yaml:2"), 2)
        );
        assert!(advice(&cause.reason).contains("--prefix"));
    }

    #[test]
    fn a_cascade_without_a_cause_names_what_there_is() {
        let events = [event("Topic", "AWS::SNS::Topic", "CREATE_FAILED", "Resource creation cancelled")];
        assert_eq!(cause(&events, None, "").0.unwrap().logical_id, "Topic");
        let events = [event("app", STACK, "DELETE_FAILED", "")];
        assert_eq!(cause(&events, None, "").0.unwrap().reason, "AWS gives no reason");
        assert_eq!(cause(&[], None, ""), (None, 0));
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

    #[test]
    fn losses_say_what_happens_to_data() {
        use ChangeAction::{Add, Modify, Remove};
        use Replacement::{Conditional, No, Yes};
        let db = "AWS::RDS::DBInstance";
        let texts = |change: Change| losses(&[change]).into_iter().map(|it| (it.text, it.is_final)).next();
        assert_eq!(texts(change(Add, db, No, None)), None);
        assert_eq!(texts(change(Modify, db, No, None)), None);
        assert_eq!(
            texts(change(Remove, db, No, Some("Delete"))),
            Some(("is deleted, and its data is gone".into(), true))
        );
        assert_eq!(
            texts(change(Modify, db, Yes, Some("ReplaceAndSnapshot"))),
            Some(("is replaced; a snapshot of the old one stays".into(), false))
        );
        assert_eq!(
            texts(change(Modify, db, Conditional, Some("ReplaceAndRetain"))),
            Some(("may be replaced; the old one stays, outside of the stack".into(), false))
        );
        assert_eq!(texts(change(Modify, "AWS::SNS::Topic", Yes, None)), Some(("is replaced".into(), false)));
        assert_eq!(texts(change(Modify, "AWS::SNS::Topic", Conditional, None)), None);
    }
}

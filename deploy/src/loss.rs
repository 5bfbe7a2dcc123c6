//! What a change set would take away: which data, whether it is gone for good, and what needs leave by name. Pure.

use infra_cfn::{Template, facts::facts};
use serde::Serialize;

use crate::cloud::{Change, ChangeAction, Replacement};

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
    /// Whether the stack would work without the data that it has now, so that the change needs leave by name: a snapshot
    /// keeps data, and what takes its place is empty all the same.
    pub needs_leave: bool,
}

/// Types that hold data, or without which data cannot be read.
const DATA_TYPES: &[&str] = &[
    "AWS::Backup::BackupVault",
    "AWS::CloudFormation::Stack",
    "AWS::Cognito::UserPool",
    "AWS::DocDB::DBCluster",
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::EC2::Volume",
    "AWS::ECR::Repository",
    "AWS::EFS::FileSystem",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::FSx::FileSystem",
    "AWS::KMS::Key",
    "AWS::Kinesis::Stream",
    "AWS::Logs::LogGroup",
    "AWS::MSK::Cluster",
    "AWS::MemoryDB::Cluster",
    "AWS::Neptune::DBCluster",
    "AWS::OpenSearchService::Domain",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::Redshift::Cluster",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
];

/// What a change set would take away: data for good, data kept elsewhere, and whatever is replaced. The template says what
/// happens to an old resource where CloudFormation does not.
pub fn losses(changes: &[Change], template: &Template) -> Vec<Loss> {
    changes.iter().filter_map(|it| loss(it, template)).collect()
}

/// Whether a type holds data.
pub fn holds_data(kind: &str) -> bool {
    DATA_TYPES.contains(&kind)
}

/// Whether CloudFormation's "may be replaced" can come true: for a type that is known, only a property that is fixed once the
/// resource is made does that. Of any other one CloudFormation says so merely because its new value is not known yet.
fn can_replace(change: &Change) -> bool {
    let Some(described) = facts().of(&change.kind).filter(|_| !change.properties.is_empty()) else {
        return true;
    };
    change.properties.iter().any(|it| {
        let path = it.path.trim_start_matches("Properties.");
        described.replaces.contains(path.split('.').next().unwrap_or_default())
    })
}

/// What the template does with an old resource.
fn policy_of(change: &Change, template: &Template, is_removed: bool) -> Option<String> {
    let resource = template.resources.get(&change.logical_id)?;
    if is_removed { resource.deletion_policy.clone() } else { resource.update_replace_policy.clone() }
}

fn loss(change: &Change, template: &Template) -> Option<Loss> {
    let is_removed = change.action == ChangeAction::Remove;
    let replaced = match (change.action, change.replacement) {
        (ChangeAction::Modify, Replacement::Yes) => "is replaced",
        (ChangeAction::Modify, Replacement::Conditional) => "may be replaced",
        _ if is_removed => "is deleted",
        _ => return None,
    };
    let has_data = holds_data(&change.kind);
    // Its line among the changes says the same; many resources only hang on the name of another one.
    let is_open = change.action == ChangeAction::Modify && change.replacement == Replacement::Conditional;
    if is_open && (!has_data || !can_replace(change)) {
        return None;
    }
    let policy =
        change.policy.clone().or_else(|| policy_of(change, template, is_removed)).unwrap_or_default();
    let (text, is_final, needs_leave) = if !has_data {
        (replaced.to_owned(), false, false)
    } else if policy.contains("Retain") {
        (format!("{replaced}; the old one stays, outside of the stack"), false, false)
    } else if policy.contains("Snapshot") {
        (format!("{replaced}; a snapshot of the old one stays"), false, true)
    } else if change.kind == "AWS::SecretsManager::Secret" {
        (format!("{replaced}; Secrets Manager keeps the old one for 30 days"), false, false)
    } else {
        (format!("{replaced}, and its data is gone"), true, true)
    };
    Some(Loss {
        logical_id: change.logical_id.clone(),
        kind: change.kind.clone(),
        text,
        is_final,
        needs_leave,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn losses_say_what_happens_to_data() {
        use ChangeAction::{Add, Modify, Remove};
        use Replacement::{Conditional, No, Yes};
        let db = "AWS::RDS::DBInstance";
        let template = Template::parse("Resources:\n  Other: { Type: T }\n").unwrap();
        let texts = |change: Change| {
            losses(&[change], &template).into_iter().map(|it| (it.text, it.is_final, it.needs_leave)).next()
        };
        assert_eq!(texts(change(Add, db, No, None)), None);
        assert_eq!(texts(change(Modify, db, No, None)), None);
        assert_eq!(
            texts(change(Remove, db, No, Some("Delete"))),
            Some(("is deleted, and its data is gone".into(), true, true))
        );
        assert_eq!(
            texts(change(Modify, db, Yes, Some("ReplaceAndSnapshot"))),
            Some(("is replaced; a snapshot of the old one stays".into(), false, true))
        );
        assert_eq!(
            texts(change(Modify, db, Conditional, Some("ReplaceAndRetain"))),
            Some(("may be replaced; the old one stays, outside of the stack".into(), false, false))
        );
        assert_eq!(
            texts(change(Modify, "AWS::SNS::Topic", Yes, None)),
            Some(("is replaced".into(), false, false))
        );
        assert_eq!(texts(change(Modify, "AWS::SNS::Topic", Conditional, None)), None);
    }

    #[test]
    fn what_may_be_replaced_counts_when_a_fixed_property_changes() {
        let template =
            Template::parse("Resources:\n  X: { Type: T, UpdateReplacePolicy: Retain }\n").unwrap();
        let changed = |kind: &str, property: &str| {
            let mut it =
                change(ChangeAction::Modify, kind, Replacement::Conditional, Some("ReplaceAndDelete"));
            it.properties.push(crate::cloud::PropertyChange {
                path: property.into(),
                before: None,
                after: None,
                replaces: Replacement::Conditional,
            });
            it
        };
        let n_leaves = |it: &Change| {
            losses(std::slice::from_ref(it), &template).iter().filter(|it| it.needs_leave).count()
        };
        assert_eq!(n_leaves(&changed("AWS::RDS::DBInstance", "DBParameterGroupName")), 0);
        assert_eq!(n_leaves(&changed("AWS::RDS::DBInstance", "Properties.DBName")), 1);
        assert_eq!(
            n_leaves(&changed("AWS::DynamoDB::Table", "Anything")),
            1,
            "of an unknown type anything may"
        );
        // The template says what CloudFormation does not.
        let unsaid = Change { policy: None, ..changed("AWS::DynamoDB::Table", "TableName") };
        assert_eq!(n_leaves(&unsaid), 0);
    }
}

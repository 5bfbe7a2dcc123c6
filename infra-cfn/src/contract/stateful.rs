//! The promise that nothing is lost by accident: policies are stated, data is kept and encrypted.

use serde_json::Value;

use super::{Report, Rule, Subject};

pub(super) const POLICIES_STATED: Rule = Rule {
    code: "CFN401",
    title: "whatever holds state says what happens to it when it is deleted or replaced",
    check: policies_stated,
};

/// Types that hold state, and whether it is data that cannot be made again.
const STATEFUL_TYPES: &[(&str, bool)] = &[
    ("AWS::Backup::BackupVault", true),
    ("AWS::DynamoDB::Table", true),
    ("AWS::EC2::Volume", true),
    ("AWS::EFS::FileSystem", true),
    ("AWS::Logs::LogGroup", false),
    ("AWS::RDS::DBCluster", true),
    ("AWS::RDS::DBInstance", true),
    ("AWS::S3::Bucket", true),
    ("AWS::SecretsManager::Secret", false),
];

fn policies_stated(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (name, resource) in &subject.template.resources {
        if !STATEFUL_TYPES.iter().any(|(kind, _)| *kind == resource.kind) {
            continue;
        }
        for (attribute, value) in [
            ("DeletionPolicy", &resource.deletion_policy),
            ("UpdateReplacePolicy", &resource.update_replace_policy),
        ] {
            if value.is_none() {
                report.add(
                    resource.place.line,
                    format!("resource \"{name}\" holds state and states no {attribute}"),
                );
            }
        }
    }
}

pub(super) const DATA_KEPT: Rule =
    Rule { code: "CFN402", title: "data outlives its stack, retained or as a snapshot", check: data_kept };

fn data_kept(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (name, resource) in &subject.template.resources {
        let is_data = STATEFUL_TYPES.iter().any(|(kind, is_data)| *is_data && *kind == resource.kind);
        // A replica is a copy: its source has the data.
        let is_copy = resource.properties.get("SourceDBInstanceIdentifier").is_some();
        if !is_data || is_copy {
            continue;
        }
        for (attribute, value) in [
            ("DeletionPolicy", &resource.deletion_policy),
            ("UpdateReplacePolicy", &resource.update_replace_policy),
        ] {
            if value.as_deref() == Some("Delete") {
                report.add(
                    resource.place.line,
                    format!("resource \"{name}\" loses data by {attribute}: Delete; use Retain or Snapshot"),
                );
            }
        }
    }
}

pub(super) const ENCRYPTED: Rule =
    Rule { code: "CFN403", title: "data at rest is encrypted", check: encrypted };

fn encrypted(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (name, resource) in &subject.resources {
        let properties = &resource.properties;
        let is_encrypted = match resource.kind.as_str() {
            "AWS::EC2::Volume" | "AWS::EFS::FileSystem" => properties["Encrypted"] == true,
            "AWS::RDS::DBInstance" => {
                properties["StorageEncrypted"] == true
                    || properties.get("SourceDBInstanceIdentifier").is_some()
            }
            "AWS::RDS::DBCluster" => properties["StorageEncrypted"] == true,
            "AWS::S3::Bucket" => properties.get("BucketEncryption").is_some(),
            "AWS::EC2::LaunchTemplate" => {
                let disks = properties["LaunchTemplateData"]["BlockDeviceMappings"].as_array();
                disks.is_some_and(|it| it.iter().all(|disk| disk["Ebs"]["Encrypted"] == Value::Bool(true)))
            }
            _ => true,
        };
        if !is_encrypted {
            report.add(resource.place.line, format!("resource \"{name}\" is not encrypted"));
        }
    }
}

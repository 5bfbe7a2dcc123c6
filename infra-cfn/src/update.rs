//! What an update does to a resource, beside what the registry's schemas say.

/// Types with properties that CloudFormation can neither change nor replace the resource for: such an update fails
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/>, "Updates are not supported").
const NOT_UPDATABLE: &[(&str, &[&str])] = &[
    ("AWS::EC2::Volume", &["AvailabilityZone", "Encrypted", "KmsKeyId", "OutpostArn", "SnapshotId"]),
    ("AWS::EC2::VolumeAttachment", &["Device", "InstanceId", "VolumeId"]),
];

/// The properties of a type whose change CloudFormation refuses.
pub fn not_updatable(kind: &str) -> &'static [&'static str] {
    NOT_UPDATABLE.iter().find(|(it, _)| *it == kind).map_or(&[], |(_, properties)| properties)
}

//! Which capabilities a caller of CloudFormation has to acknowledge for a template.

use crate::Template;

/// A capability, as the API spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// The stack makes IAM resources with generated names.
    Iam,
    /// The stack makes IAM resources with names of its own; includes [`Capability::Iam`].
    NamedIam,
    /// The template runs a macro.
    AutoExpand,
}

impl Capability {
    /// The word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Iam => "CAPABILITY_IAM",
            Self::NamedIam => "CAPABILITY_NAMED_IAM",
            Self::AutoExpand => "CAPABILITY_AUTO_EXPAND",
        }
    }
}

/// Resource types that need an IAM capability, with the property that names them, where they can be named
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html>, `Capabilities`).
const IAM_TYPES: &[(&str, Option<&str>)] = &[
    ("AWS::IAM::AccessKey", None),
    ("AWS::IAM::Group", Some("GroupName")),
    ("AWS::IAM::InstanceProfile", Some("InstanceProfileName")),
    ("AWS::IAM::ManagedPolicy", Some("ManagedPolicyName")),
    ("AWS::IAM::Policy", None),
    ("AWS::IAM::Role", Some("RoleName")),
    ("AWS::IAM::User", Some("UserName")),
    ("AWS::IAM::UserToGroupAddition", None),
];

/// The capabilities that a template needs, in the order of the API's documentation.
pub fn needed(template: &Template) -> Vec<Capability> {
    let iam = template.resources.values().filter_map(|resource| {
        let (_, name) = IAM_TYPES.iter().find(|(kind, _)| *kind == resource.kind)?;
        let named = name.is_some_and(|it| resource.properties.get(it).is_some());
        Some(if named { Capability::NamedIam } else { Capability::Iam })
    });
    let auto_expand = (!template.transforms.is_empty()).then_some(Capability::AutoExpand);
    iam.max().into_iter().chain(auto_expand).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[Capability]) {
        assert_eq!(needed(&Template::parse(text).unwrap()), expected, "{text}");
    }

    #[test]
    fn capabilities_follow_from_types_names_and_macros() {
        check("Resources: { A: { Type: 'AWS::SNS::Topic' } }", &[]);
        check("Resources: { A: { Type: 'AWS::IAM::Role' } }", &[Capability::Iam]);
        check(
            "Resources: { A: { Type: 'AWS::IAM::Role' }, B: { Type: 'AWS::IAM::User', Properties: { UserName: x } } }",
            &[Capability::NamedIam],
        );
        check(
            "Transform: AWS::LanguageExtensions\nResources: { A: { Type: 'AWS::IAM::Policy' } }",
            &[Capability::Iam, Capability::AutoExpand],
        );
    }
}

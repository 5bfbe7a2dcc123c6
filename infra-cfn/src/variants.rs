//! The ways in which a template may be used: its defaults, each other choice alone, and everything at its longest.
//!
//! A promise that holds for the defaults only is none: what a condition leaves out by default is looked at in the variant that
//! brings it in.

use crate::{Template, catalog::PREFIX_LENGTH, resolve::Scope, template::Parameter};

/// Values of parameters that take free text and are empty by default.
const SAMPLES: &[(&str, &str)] = &[
    ("AccessLogBucket", "access-logs"),
    ("AlarmEmail", "somebody@example.com"),
    ("APIDomainName", "api.example.com"),
    ("AvailabilityZoneA", "us-east-1a"),
    ("AvailabilityZoneB", "us-east-1b"),
    ("CertificateArn", "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555"),
    ("ClientCidr", "203.0.113.7/32"),
    ("DatabasePassword", "a-password-of-somebody"),
    ("EC2KeyPair", "somebody"),
    ("ExistingVolumeId", "vol-0123456789abcdef0"),
    ("KmsKeyArn", "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"),
    ("LogKmsKeyArn", "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"),
    ("SnapshotId", "snap-0123456789abcdef0"),
    ("SSHCidr", "203.0.113.7/32"),
];

/// Parameters that become a part of names.
const NAMING: [&str; 2] = ["Prefix", "IAMNamespace"];

/// A way to use a template.
#[derive(Debug)]
pub struct Variant<'a> {
    /// What is chosen, such as `MultiAZ=true`.
    pub label: String,
    /// The template with these values.
    pub scope: Scope<'a>,
}

/// Every variant of a template, all with the longest names that prefix and parameters allow.
pub fn variants<'a>(template: &'a Template, stack: &str) -> Vec<Variant<'a>> {
    let base = || {
        let naming = NAMING.iter().filter_map(|name| Some((*name, template.parameters.get(*name)?)));
        let scope = Scope::new(template, format!("{}-{stack}", "a".repeat(PREFIX_LENGTH))).marking();
        naming.fold(scope, |scope, (name, it)| scope.with(name, longest(it)))
    };
    let mut all = vec![Variant { label: "the defaults".to_owned(), scope: base() }];
    let samples = || SAMPLES.iter().filter(|(name, _)| template.parameters.contains_key(*name));
    let everything = samples().fold(base(), |scope, (name, value)| scope.with(*name, *value));
    all.push(Variant { label: "everything given".to_owned(), scope: everything });
    for (name, it) in &template.parameters {
        for value in it.allowed_values.iter().filter(|value| it.default.as_ref() != Some(value)) {
            all.push(Variant { label: format!("{name}={value}"), scope: base().with(name, value) });
        }
    }
    for (name, value) in samples() {
        all.push(Variant { label: format!("{name}={value}"), scope: base().with(*name, *value) });
    }
    all
}

/// The longest run of one letter that a parameter takes.
pub fn longest(parameter: &Parameter) -> String {
    let most = parameter.max_length.unwrap_or(255).min(255);
    (1..=most).rev().map(|n| "a".repeat(n)).find(|it| parameter.check(it).is_ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
Parameters:
  Prefix: { Type: String, Default: app, AllowedPattern: '^[a-z]{1,7}$' }
  MultiAZ: { Type: String, AllowedValues: ['true', 'false'], Default: 'false' }
  AlarmEmail: { Type: String, Default: '' }
Resources: { A: { Type: T, Properties: { P: !Ref Prefix, N: !Ref AWS::StackName, M: !Ref MultiAZ, E: !Ref AlarmEmail } } }
";

    #[test]
    fn each_choice_comes_alone_and_names_are_long() {
        let template = Template::parse(TEXT).unwrap();
        let all = variants(&template, "x");
        let seen: Vec<_> = all
            .iter()
            .map(|it| {
                let value = it.scope.resources().unwrap()["A"].properties.clone();
                (
                    it.label.as_str(),
                    [value["P"].clone(), value["N"].clone(), value["M"].clone(), value["E"].clone()],
                )
            })
            .collect();
        let name = format!("{}-x", "a".repeat(PREFIX_LENGTH));
        let row = |m: &str, e: &str| ["aaaaaaa", &name, m, e].map(serde_json::Value::from);
        assert_eq!(
            seen,
            [
                ("the defaults", row("false", "")),
                ("everything given", row("false", "somebody@example.com")),
                ("MultiAZ=true", row("true", "")),
                ("AlarmEmail=somebody@example.com", row("false", "somebody@example.com")),
            ]
        );
    }
}

//! Promises to users of earlier stacks: the names that they wrote into files and other stacks stay.

use super::{Report, Rule, Subject};

pub(super) const PARAMETERS_KEPT: Rule = Rule {
    code: "CFN201",
    title: "parameters of the earlier stacks keep their names",
    check: parameters_kept,
};

/// Parameters by stack that must exist.
const KEPT_PARAMETERS: &[(&str, &[&str])] = &[
    ("iam", &["IAMNamespace", "IAMPassword"]),
    (
        "rds",
        &["DatabaseUsername", "DatabasePassword", "DBAllocatedStorage", "DatabaseClass", "PostgresDBName"],
    ),
    ("persist", &["DatabaseUsername", "DatabasePassword", "PostgresDBName"]),
    (
        "compute",
        &[
            "EC2KeyPair",
            "EC2HostInstanceType",
            "CustomDBImageName",
            "CustomDBImageTag",
            "APIImageName",
            "APIImageTag",
            "DesiredCapacity",
            "MaxCapacity",
        ],
    ),
];

fn parameters_kept(subject: &Subject<'_>, report: &mut Report<'_>) {
    for name in kept(KEPT_PARAMETERS, subject.stack) {
        if !subject.template.parameters.contains_key(*name) {
            report.add(1, format!("parameter \"{name}\" is gone; parameter files of earlier stacks set it"));
        }
    }
}

pub(super) const EXPORTS_KEPT: Rule =
    Rule { code: "CFN202", title: "exports of the earlier stacks keep their names", check: exports_kept };

/// Exports by stack that must exist, without the stack name in front.
const KEPT_EXPORTS: &[(&str, &[&str])] = &[
    ("vpc", &["-vpc", "-vpc-cidr", "-subnet-a", "-subnet-b"]),
    ("rds", &["-rds-psql-conn", "-rds-jdbc-conn"]),
    ("compute", &["-customdb-psql-conn"]),
];

fn exports_kept(subject: &Subject<'_>, report: &mut Report<'_>) {
    let exports: Vec<String> = subject
        .template
        .outputs
        .values()
        .filter_map(|it| it.export.as_ref())
        .map(ToString::to_string)
        .collect();
    for suffix in kept(KEPT_EXPORTS, subject.stack) {
        let name = format!("${{AWS::StackName}}{suffix}");
        if !exports.contains(&name) {
            report.add(1, format!("export \"{name}\" is gone; stacks of users import it"));
        }
    }
}

fn kept(table: &'static [(&str, &[&str])], stack: &str) -> &'static [&'static str] {
    table.iter().find(|(name, _)| *name == stack).map_or(&[], |(_, names)| names)
}

pub(super) const EXPORTS_PREFIXED: Rule = Rule {
    code: "CFN203",
    title: "every export starts with the stack name, so that installations do not collide",
    check: exports_prefixed,
};

fn exports_prefixed(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (name, output) in &subject.template.outputs {
        if let Some(export) = &output.export
            && !export.to_string().starts_with("${AWS::StackName}-")
        {
            report.add(
                output.place.line,
                format!("the export of output \"{name}\" does not start with \"${{AWS::StackName}}-\""),
            );
        }
    }
}

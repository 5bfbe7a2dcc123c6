//! What the CI roles are granted, against what is asked for: the difference has a reason in a file. Pure.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::Value;

/// What is granted, and that no plan, apply or destruction here asks for: each with its reason.
pub(super) const UNASKED: &str = "modules/github_oidc/unasked.md";

/// The actions that the policies of the CI roles grant, patterns as they stand.
pub(super) fn granted(resources: &[Value]) -> Result<BTreeSet<String>> {
    let mut actions = BTreeSet::new();
    for it in resources.iter().filter(|it| it["type"] == "aws_iam_policy") {
        let is_ci = it["values"]["name"].as_str().is_some_and(|it| it.contains("-ci-"));
        let Some(text) = it["values"]["policy"].as_str().filter(|_| is_ci) else { continue };
        let policy: Value = serde_json::from_str(text).context("read a policy")?;
        for statement in
            policy["Statement"].as_array().into_iter().flatten().filter(|it| it["Effect"] == "Allow")
        {
            let list = &statement["Action"];
            let list = list.as_array().map_or_else(|| std::slice::from_ref(list), Vec::as_slice);
            actions.extend(list.iter().filter_map(Value::as_str).map(ToOwned::to_owned));
        }
    }
    Ok(actions)
}

/// The first column of the table in the file, and whether it says why.
pub(super) fn reasons(text: &str) -> Vec<(String, bool)> {
    let rows = text.lines().filter_map(|it| it.strip_prefix("| `")?.split_once("` | "));
    rows.map(|(action, why)| (action.to_owned(), why.trim_end_matches(['|', ' ']).len() > 3)).collect()
}

/// What is granted beside what is asked for, unless a reason stands in the file; and reasons that have become untrue.
pub(super) fn beside(
    granted: &BTreeSet<String>,
    asked: &BTreeSet<String>,
    reasons: &[(String, bool)],
) -> Vec<String> {
    let is_asked = |pattern: &str| asked.iter().any(|it| matches(pattern, it));
    let reason = |action: &str| reasons.iter().find(|(it, _)| it == action);
    let mut found = Vec::new();
    for action in granted.iter().filter(|it| !is_asked(it)) {
        if !reason(action).is_some_and(|(_, is_told)| *is_told) {
            found.push(format!("{action} is granted and never asked for, and {UNASKED} does not say why"));
        }
    }
    for (action, _) in reasons {
        if !granted.contains(action) {
            found.push(format!("{UNASKED} tells of {action}, which is not granted"));
        } else if is_asked(action) {
            found.push(format!("{UNASKED} tells of {action}, which is asked for"));
        }
    }
    found
}

/// Whether an action is one of a pattern with a star at its end, or of none.
fn matches(pattern: &str, action: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => action.to_lowercase().starts_with(&start.to_lowercase()),
        None => action.eq_ignore_ascii_case(pattern),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(all: &[&str]) -> BTreeSet<String> {
        all.iter().map(|&it| it.to_owned()).collect()
    }

    #[test]
    fn grants_that_nobody_asks_for_need_a_reason_that_is_true() {
        let granted = set(&["ec2:Describe*", "lambda:UpdateAlias", "rds:Fly", "sns:Unsubscribe"]);
        let asked = set(&["ec2:DescribeVpcs", "lambda:UpdateAlias"]);
        let table = "| action | why |\n|---|---|\n| `sns:Unsubscribe` | an address is taken off |\n";
        let found = beside(&granted, &asked, &reasons(table));
        assert!(found.len() == 1 && found[0].starts_with("rds:Fly is granted"), "{found:?}");
        for (row, what) in [
            ("| `rds:Fly` | |", "does not say why"),
            ("| `rds:Swim` | it is warm |", "which is not granted"),
            ("| `lambda:UpdateAlias` | for the script |", "which is asked for"),
        ] {
            let all = [table, "| `rds:Fly` | sometimes |\n", row, "\n"].concat();
            let rows = if row.contains("Fly") { reasons(&[table, row].concat()) } else { reasons(&all) };
            let found = beside(&granted, &asked, &rows);
            assert!(found.len() == 1 && found[0].contains(what), "{found:?}");
        }
    }

    #[test]
    fn grants_are_those_of_the_ci_policies_and_no_denial() {
        let policy = |name: &str, effect: &str, action: Value| {
            let text = json!({"Statement": [{"Effect": effect, "Action": action}]}).to_string();
            json!({"type": "aws_iam_policy", "values": {"name": name, "policy": text}})
        };
        let resources = [
            policy("x-ci-a", "Allow", json!("a:B")),
            policy("x-ci-b", "Allow", json!(["c:D", "e:*"])),
            policy("x-ci-c", "Deny", json!("f:G")),
            policy("x-workload-boundary", "Allow", json!("h:I")),
        ];
        assert_eq!(granted(&resources).expect("policies"), set(&["a:B", "c:D", "e:*"]));
        assert!(
            matches("ec2:Describe*", "ec2:DescribeVpcs") && !matches("ec2:Describe*", "ec2:RunInstances")
        );
        assert!(matches("iam:PassRole", "iam:passrole") && !matches("iam:PassRole", "iam:PassRoles"));
    }
}

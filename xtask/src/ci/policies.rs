//! The IAM policies that Terraform makes: each action exists, and the resources it is granted on are of its kind.
//!
//! IAM takes a policy with an invented action, or with a resource that the action does not know, and grants nothing.
//! parliament knows both; it looks at one statement at a time, so the statements of an action are joined for it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use xshell::{Shell, cmd};

use crate::tf::life::Life;
use crate::{python, workspace};

/// Granting on "*" where a resource could be named: checkov says that, too, and knows the reasons given.
const LEFT_TO_CHECKOV: &str = "RESOURCE_STAR";

/// An IAM policy of a configuration.
#[derive(Debug, PartialEq)]
struct Policy {
    /// `module.lambda.data.aws_iam_policy_document.this`.
    address: String,
    document: Value,
}

/// The policies that a configuration renders.
fn of(life: &Life) -> Result<Vec<Policy>> {
    let documents = life.resources.iter().filter(|it| it["type"] == "aws_iam_policy_document");
    documents
        .map(|it| {
            let address = it["address"].as_str().context("a policy without an address")?.to_owned();
            let text =
                it["values"]["json"].as_str().with_context(|| format!("{address} renders no policy"))?;
            let document = serde_json::from_str(text).with_context(|| format!("{address} is no JSON"))?;
            Ok(Policy { address, document })
        })
        .collect()
}

/// Checks every policy and returns the count as a line.
pub(super) fn check(sh: &Shell, lives: &[Life]) -> Result<String> {
    let folder = workspace::target_dir().join("terraform").join("policies");
    sh.remove_path(&folder)?;
    sh.create_dir(&folder)?;
    let mut seen = BTreeSet::new();
    for life in lives {
        for policy in of(life)? {
            let text = joined(&policy)?.to_string();
            if seen.insert(text.clone()) {
                sh.write_file(folder.join(file_name(&life.name, &policy.address)), text)?;
            }
        }
    }
    if seen.is_empty() {
        bail!("no policy was made, so none was checked");
    }
    let parliament = python::tool(sh, "parliament")?;
    let report = cmd!(sh, "{parliament} --directory {folder} --include_policy_extension json --json")
        .quiet()
        .ignore_status()
        .read()
        .context("start parliament")?;
    let findings = findings(&report)?;
    if !findings.is_empty() {
        bail!("parliament\n{}", findings.join("\n"));
    }
    Ok(format!("parliament: {} policies, no findings", seen.len()))
}

fn file_name(life: &str, address: &str) -> String {
    let plain = |it: char| if it.is_ascii_alphanumeric() || it == '_' || it == '.' { it } else { '-' };
    format!("{life}--{address}.json").chars().map(plain).collect()
}

/// Policies that IAM would not take, a line each: it counts characters without white space.
pub(super) fn too_large(life: &Life) -> Vec<String> {
    const MANAGED: usize = 6_144;
    const TRUST: usize = 2_048;
    const INLINE_OF_A_ROLE: usize = 10_240;
    const ATTACHED_TO_A_ROLE: usize = 10;
    let size = |it: &Value| {
        let document: Value = serde_json::from_str(it.as_str().unwrap_or_default()).unwrap_or_default();
        document.to_string().chars().count()
    };
    let mut found = Vec::new();
    let mut inline: BTreeMap<&str, usize> = BTreeMap::new();
    let mut attached: BTreeMap<&str, usize> = BTreeMap::new();
    for it in life.resources.iter().filter(|it| it["mode"] == "managed") {
        let values = &it["values"];
        let role = values["role"].as_str().unwrap_or_default();
        let (n, most) = match it["type"].as_str() {
            Some("aws_iam_policy") => (size(&values["policy"]), MANAGED),
            Some("aws_iam_role") => (size(&values["assume_role_policy"]), TRUST),
            Some("aws_iam_role_policy") => {
                *inline.entry(role).or_default() += size(&values["policy"]);
                continue;
            }
            Some("aws_iam_role_policy_attachment") => {
                *attached.entry(role).or_default() += 1;
                continue;
            }
            _ => continue,
        };
        if n > most {
            found.push(format!("{}: {} has {n} characters, IAM takes {most}", life.name, it["address"]));
        }
    }
    let of_roles = [
        (inline, INLINE_OF_A_ROLE, "characters in inline policies"),
        (attached, ATTACHED_TO_A_ROLE, "policies attached"),
    ];
    for (roles, most, what) in of_roles {
        let over = roles.iter().filter(|(_, n)| **n > most);
        found.extend(
            over.map(|(role, n)| format!("{}: role {role} has {n} {what}, IAM takes {most}", life.name)),
        );
    }
    found
}

/// A policy that grants each action on all the resources that the statements of this one name for it.
///
/// Conditions and principals are left out. A denial and the trust of a role only count for the names of actions.
fn joined(policy: &Policy) -> Result<Value> {
    let strings = |it: &Value| -> Vec<String> {
        let list = it.as_array().map_or_else(|| std::slice::from_ref(it), Vec::as_slice);
        list.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
    };
    let statements = &policy.document["Statement"];
    let statements = statements.as_array().map_or_else(|| std::slice::from_ref(statements), Vec::as_slice);
    let mut resources: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for statement in statements {
        let actions = strings(&statement["Action"]);
        if actions.is_empty() {
            bail!("{} has a statement without actions", policy.address);
        }
        let is_grant = statement["Effect"] == "Allow" && !statement["Resource"].is_null();
        for action in actions {
            let on = if is_grant { strings(&statement["Resource"]) } else { vec!["*".to_owned()] };
            resources.entry(action).or_default().extend(on);
        }
    }
    let statements: Vec<Value> = resources
        .into_iter()
        .map(|(action, on)| json!({"Effect": "Allow", "Action": action, "Resource": on}))
        .collect();
    Ok(json!({"Version": "2012-10-17", "Statement": statements}))
}

/// What parliament found, a line each.
fn findings(report: &str) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for line in report.lines().filter(|it| !it.trim().is_empty()) {
        let finding: Value = serde_json::from_str(line).context("read parliament's report")?;
        if finding["issue"] == LEFT_TO_CHECKOV {
            continue;
        }
        let text = |it: &Value| it.as_str().map_or_else(|| it.to_string(), ToOwned::to_owned);
        let file = text(&finding["location"]["filepath"]);
        let file = file.rsplit('/').next().unwrap_or_default();
        lines.push(format!("{file}: {}: {}", text(&finding["title"]), text(&finding["detail"])));
    }
    lines.sort();
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(statements: &Value) -> Policy {
        let document = json!({"Version": "2012-10-17", "Statement": statements});
        Policy { address: "data.aws_iam_policy_document.this".to_owned(), document }
    }

    #[test]
    fn policies_are_taken_out_of_what_was_made() {
        let data = json!({"mode": "data", "type": "aws_iam_policy_document", "address": "module.a.data.x",
            "values": {"json": "{\"Version\":\"x\"}"}});
        let life = Life::of("x", vec![json!({"type": "aws_vpc"}), data]);
        let document = json!({"Version": "x"});
        assert_eq!(of(&life).expect("one"), [Policy { address: "module.a.data.x".to_owned(), document }]);
    }

    #[test]
    fn policies_that_iam_would_not_take() {
        let made = |kind: &str, values: Value| json!({"mode": "managed", "type": kind, "address": kind, "values": values});
        let policy = |n: usize| format!("{{ \"Statement\": [\"{}\"] }}", "x".repeat(n));
        // {"Statement":["…"]} has 18 characters beside.
        let found = |resources: Vec<Value>| too_large(&Life::of("x", resources)).len();
        for (n, expected) in [(6_126, 0), (6_127, 1)] {
            assert_eq!(found(vec![made("aws_iam_policy", json!({"policy": policy(n)}))]), expected, "{n}");
        }
        for (n, expected) in [(2_030, 0), (2_031, 1)] {
            let role = json!({"assume_role_policy": policy(n)});
            assert_eq!(found(vec![made("aws_iam_role", role)]), expected, "{n}");
        }
        let inline = |n: usize| made("aws_iam_role_policy", json!({"role": "r", "policy": policy(n)}));
        assert_eq!(found(vec![inline(5_000), inline(5_204)]), 0);
        assert_eq!(found(vec![inline(5_000), inline(5_205)]), 1);
        let attached = |n: usize| vec![made("aws_iam_role_policy_attachment", json!({"role": "r"})); n];
        assert_eq!((found(attached(10)), found(attached(11))), (0, 1));
    }

    #[test]
    fn statements_of_an_action_are_joined() {
        let joined = joined(&policy(&json!([
            {"Effect": "Allow", "Action": ["ec2:RunInstances", "ec2:StopInstances"], "Resource": "a"},
            {"Effect": "Allow", "Action": "ec2:RunInstances", "Resource": ["b", "c"], "Condition": {"x": {}}},
        ])));
        let expected = json!([
            {"Effect": "Allow", "Action": "ec2:RunInstances", "Resource": ["a", "b", "c"]},
            {"Effect": "Allow", "Action": "ec2:StopInstances", "Resource": ["a"]},
        ]);
        assert_eq!(joined.expect("a policy")["Statement"], expected);
    }

    #[test]
    fn denials_and_trust_only_name_actions() {
        for statement in [
            json!({"Effect": "Deny", "Action": "iam:PassRole", "Resource": "arn:aws:s3:::x"}),
            json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}),
        ] {
            let joined = joined(&policy(&statement)).expect("a policy");
            assert_eq!(joined["Statement"][0]["Resource"], json!(["*"]), "{statement}");
        }
        assert!(joined(&policy(&json!([{"Effect": "Allow", "NotAction": "iam:*"}]))).is_err());
    }

    #[test]
    fn findings_name_the_policy_and_leave_wide_resources_to_checkov() {
        let report = r#"{"issue":"RESOURCE_STAR","title":"t","detail":[],"location":{"filepath":"a.json"}}
{"issue":"UNKNOWN_ACTION","title":"Unknown action","detail":"no such rds:Fly","location":{"filepath":"/p/root--x.json"}}"#;
        assert_eq!(findings(report).expect("a report"), ["root--x.json: Unknown action: no such rds:Fly"]);
        assert!(findings("Traceback").is_err());
    }
}

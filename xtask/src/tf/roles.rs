//! The CI roles prove themselves: they may do all that Terraform asks AWS for, and little else.
//!
//! The root module is planned, changed and destroyed under each role's own policies and boundary, with providers that
//! pretend and decide each call as IAM would. A second time it is done by a role that may do nothing, whose refusals are
//! the list of all that is asked for: what is granted beside that has a reason in a file.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::life::{self, Account};
use super::terraform::{Ended, Terraform};
use crate::output;

/// The variables that all of it starts from.
const VARIABLES: &str = "-var-file=tests/ci.tfvars";
/// What is granted, and that no plan, apply or destruction here asks for: each with its reason.
const UNASKED: &str = "modules/github_oidc/unasked.md";

/// Changes in turn, one apply each. The second of two brings back what the first took away.
const CHANGES: &[(&str, &[&str])] = &[
    (
        "what can be off is off",
        &[
            "waf_enabled=false",
            "backup_enabled=false",
            "bastion_enabled=false",
            "database_proxy_enabled=false",
            "database_min_capacity=0",
            "dashboard_enabled=false",
            "alarms_enabled=false",
            "tracing_enabled=false",
            "log_queries_enabled=false",
            "vpc_flow_logs_enabled=false",
        ],
    ),
    ("and on again", &[]),
    (
        "settings change, and what costs more comes",
        &[
            "lambda_architecture=x86_64",
            "lambda_memory_mb=512",
            "lambda_provisioned_concurrency=1",
            "lambda_reserved_concurrency=5",
            "log_retention_days=30",
            "alarm_latency_threshold_ms=1000",
            "trace_sampling_rate=1",
            "waf_rate_limit=500",
            "backup_daily_retention_days=14",
            "database_secret_rotation_days=30",
            "database_reader_count=2",
            "database_max_capacity=8",
            "database_performance_insights_retention_days=93",
            "bastion_instance_type=t4g.micro",
            "api_cache_enabled=true",
            "api_authorization=AWS_IAM",
            "nat_mode=single",
            "availability_zone_count=3",
            "deployment_strategy=canary",
            "alarm_emails=[]",
        ],
    ),
    ("and back", &[]),
    ("a tag on everything", &["tags={Team=\"a\"}"]),
    (
        "a major upgrade, and a new version of the functions",
        &[
            "tags={Team=\"a\"}",
            "lambda_log_level=DEBUG",
            "database_engine_version=18",
            "database_allow_major_version_upgrade=true",
        ],
    ),
];

/// What the destruction of everything is refused: the fence around the roles, the key, and what belongs to the account.
const KEPT_FROM_CI: &[&str] = &[
    "apigateway:PATCH",
    "iam:DeleteOpenIDConnectProvider",
    "iam:DeletePolicy",
    "iam:DeleteRole",
    "iam:DetachRolePolicy",
    "kms:DeleteAlias",
    "kms:ScheduleKeyDeletion",
];

/// Tries both roles on an initialised copy; returns what they lack or have too much, a line each.
pub(super) fn prove(terraform: &Terraform, base: &Path) -> Result<Vec<String>> {
    let begun = Instant::now();
    let terraform = life::without_credentials(&terraform.within(base));
    let mut broken = Vec::new();

    let account = Account::new(base, "roles")?;
    let stage = Stage { terraform: account.enter(&terraform, true), account };
    stage.apply(None, &[])?;
    let resources = stage.resources()?;
    let (deploying, testing) = (name_of(&resources, "-github-actions")?, name_of(&resources, "-ci-tester")?);
    for role in [&deploying, &testing] {
        let (ended, denied) = stage.run(Some(role), &["plan", "-detailed-exitcode"], &[])?;
        let denied: Vec<String> = denied.iter().map(ToString::to_string).collect();
        let found = stage.account.findings()?;
        if ended != Ended::Well || !denied.is_empty() || !found.is_empty() {
            broken.push(format!("{role} cannot plan: {}", [denied, found].concat().join(", ")));
        }
    }
    for (what, variables) in CHANGES {
        for call in stage.apply(Some(&deploying), variables)? {
            broken.push(format!("{deploying}, {what}: may not {call}"));
        }
    }
    let (ended, denied) = stage.run(Some(&deploying), &["destroy", "-auto-approve"], &[])?;
    if ended != Ended::Well {
        bail!("the deployment of the roles cannot be destroyed");
    }
    let lacking = denied.iter().filter(|it| !KEPT_FROM_CI.contains(&it.action.as_str()));
    broken.extend(lacking.map(|it| format!("{deploying}, destroy: may not {it}")));
    let refused: BTreeSet<&str> = denied.iter().map(|it| it.action.as_str()).collect();
    let open = KEPT_FROM_CI.iter().filter(|it| !refused.contains(**it));
    broken.extend(open.map(|it| format!("{deploying} was to be kept from {it}, and was not")));

    // The same by a role that may do next to nothing.
    let account = Account::new(base, "nobody")?;
    let stage = Stage { terraform: account.enter(&terraform, true), account };
    stage.apply(None, &[])?;
    let nobody = name_of(&resources, "-lambda-role")?;
    let mut asked: BTreeSet<String> = BTreeSet::new();
    let (_, calls) = stage.run(Some(&nobody), &["plan"], &[])?;
    asked.extend(calls.into_iter().map(|it| it.action));
    for (_, variables) in CHANGES {
        asked.extend(stage.apply(Some(&nobody), variables)?.into_iter().map(|it| it.action));
    }
    let (_, calls) = stage.run(Some(&nobody), &["destroy", "-auto-approve"], &[])?;
    asked.extend(calls.into_iter().map(|it| it.action));

    let file = base.join(UNASKED);
    let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    let granted = granted(&resources)?;
    broken.extend(beside(&granted, &asked, &reasons(&text)));
    if broken.is_empty() {
        output::note(&format!(
            "   CI roles: {} actions granted, {} asked for in {} changes and a destruction  {:>5.1} s",
            granted.len(),
            asked.len(),
            CHANGES.len(),
            begun.elapsed().as_secs_f64()
        ));
    }
    Ok(broken)
}

/// A deployment in an account.
struct Stage {
    terraform: Terraform,
    account: Account,
}

/// A call that was refused.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    action: String,
    resource: String,
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on {}", self.action, self.resource)
    }
}

impl Stage {
    /// Runs a command, as a role or as an administrator; refusals are noted, and the command goes on.
    fn run(
        &self,
        role: Option<&str>,
        command: &[&str],
        variables: &[&str],
    ) -> Result<(Ended, BTreeSet<Call>)> {
        self.account.forget()?;
        let mut terraform = self.terraform.clone();
        if let Some(role) = role {
            terraform = terraform
                .with_env("TERRAFORM_OFFLINE_AS_ROLE", role)
                .with_env("TERRAFORM_OFFLINE_DENY", "record");
        }
        let mut args: Vec<OsString> = command.iter().map(OsString::from).collect();
        args.extend(["-input=false".into(), VARIABLES.into()]);
        args.extend(variables.iter().map(|it| OsString::from(format!("-var={it}"))));
        let (ended, text) = terraform.keep(&args)?;
        match ended {
            Ended::Interrupted => bail!("interrupted"),
            Ended::Badly if !command.contains(&"-detailed-exitcode") => {
                bail!("terraform {} {}\n{text}", command.join(" "), variables.join(" "))
            }
            _ => {}
        }
        let calls = self.account.lines("calls.jsonl")?;
        let field = |it: &Value, name: &str| it[name].as_str().unwrap_or_default().to_owned();
        let calls =
            calls.iter().map(|it| Call { action: field(it, "action"), resource: field(it, "resource") });
        Ok((ended, calls.collect()))
    }

    fn apply(&self, role: Option<&str>, variables: &[&str]) -> Result<BTreeSet<Call>> {
        Ok(self.run(role, &["apply", "-auto-approve"], variables)?.1)
    }

    fn resources(&self) -> Result<Vec<Value>> {
        let state: Value = serde_json::from_str(&self.terraform.read(["show", "-json"])?)
            .context("read what was applied")?;
        let mut resources = Vec::new();
        life::collect(&state["values"]["root_module"], &mut resources);
        Ok(resources)
    }
}

/// The full name of the role that ends so.
fn name_of(resources: &[Value], end: &str) -> Result<String> {
    let roles = resources.iter().filter(|it| it["type"] == "aws_iam_role");
    let mut names = roles.filter_map(|it| it["values"]["name"].as_str());
    let name = names.find(|it| it.ends_with(end));
    name.map(ToOwned::to_owned).with_context(|| format!("no role ends in {end}"))
}

/// The actions that the policies of the CI roles grant, patterns as they stand.
fn granted(resources: &[Value]) -> Result<BTreeSet<String>> {
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
fn reasons(text: &str) -> Vec<(String, bool)> {
    let rows = text.lines().filter_map(|it| it.strip_prefix("| `")?.split_once("` | "));
    rows.map(|(action, why)| (action.to_owned(), why.trim_end_matches(['|', ' ']).len() > 3)).collect()
}

/// What is granted beside what is asked for, unless a reason stands in the file; and reasons that have become untrue.
fn beside(granted: &BTreeSet<String>, asked: &BTreeSet<String>, reasons: &[(String, bool)]) -> Vec<String> {
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

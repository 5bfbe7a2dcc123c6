//! The CI roles prove themselves: they may do all that Terraform asks AWS for, and little else.
//!
//! The root module is planned, changed and destroyed under each role's own policies and boundary, with providers that
//! pretend and decide each call as IAM would. A second time it is done by a role that may do nothing, whose refusals are
//! the list of all that is asked for: what is granted beside that has a reason in a file.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::grants::{UNASKED, beside, granted, reasons};
use super::stage::Stage;
use super::terraform::{Ended, Terraform};
use crate::output;

/// The variables that all of it starts from.
const VARIABLES: &str = "var-file=tests/ci.tfvars";

/// Changes in turn, one apply each. The second of two brings back what the first took away.
const CHANGES: &[(&str, &[&str])] = &[
    (
        "what can be off is off, and the cluster pauses",
        &[
            "waf_enabled=false",
            "backup_enabled=false",
            "bastion_enabled=false",
            "vpc_interface_endpoints=[]",
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

/// The cluster is taken away, with all that depends on it, and the next apply makes it anew; as a restore does.
const WITHOUT_CLUSTER: &[&str] =
    &["destroy", "-auto-approve", "-target=module.database.terraform_data.final_snapshot"];

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
    let (proved, asked) = std::thread::scope(|scope| {
        let asked = scope.spawn(|| everything_asked(terraform, base));
        let proved = both(terraform, base);
        (proved, asked.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let ((mut broken, granted), asked) = (proved?, asked?);
    let file = base.join(UNASKED);
    let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
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

/// Both roles at work: what they are refused, and what is granted to them.
fn both(terraform: &Terraform, base: &Path) -> Result<(Vec<String>, BTreeSet<String>)> {
    let mut broken = Vec::new();
    let (stage, resources) = deployed(terraform, base, "roles")?;
    let (deploying, testing) = (name_of(&resources, "-github-actions")?, name_of(&resources, "-ci-tester")?);
    for role in [&deploying, &testing] {
        let (ended, denied) = stage.run_as(role, &["plan", "-detailed-exitcode"], &[VARIABLES])?;
        let denied: Vec<String> = denied.iter().map(ToString::to_string).collect();
        let found = stage.findings()?;
        if ended != Ended::Well || !denied.is_empty() || !found.is_empty() {
            broken.push(format!("{role} cannot plan: {}", [denied, found].concat().join(", ")));
        }
    }
    for (what, variables) in CHANGES {
        let (_, denied) = stage.run_as(&deploying, &["apply", "-auto-approve"], &all(variables))?;
        broken.extend(denied.iter().map(|call| format!("{deploying}, {what}: may not {call}")));
    }
    for command in [WITHOUT_CLUSTER, &["apply", "-auto-approve"]] {
        let (_, denied) = stage.run_as(&deploying, command, &[VARIABLES])?;
        broken.extend(denied.iter().map(|call| format!("{deploying}, the cluster anew: may not {call}")));
    }
    let (_, denied) = stage.run_as(&deploying, &["destroy", "-auto-approve"], &[VARIABLES])?;
    let lacking = denied.iter().filter(|it| !KEPT_FROM_CI.contains(&it.action.as_str()));
    broken.extend(lacking.map(|it| format!("{deploying}, destroy: may not {it}")));
    let refused: BTreeSet<&str> = denied.iter().map(|it| it.action.as_str()).collect();
    let open = KEPT_FROM_CI.iter().filter(|it| !refused.contains(**it));
    broken.extend(open.map(|it| format!("{deploying} was to be kept from {it}, and was not")));
    Ok((broken, granted(&resources)?))
}

/// The actions that the same changes ask for, as they are refused to a role that may do next to nothing.
fn everything_asked(terraform: &Terraform, base: &Path) -> Result<BTreeSet<String>> {
    let (stage, resources) = deployed(terraform, base, "nobody")?;
    let nobody = name_of(&resources, "-lambda-role")?;
    let mut asked = BTreeSet::new();
    let mut note = |command: &[&str], variables: &[String]| -> Result<()> {
        asked.extend(stage.run_as(&nobody, command, variables)?.1.into_iter().map(|it| it.action));
        Ok(())
    };
    note(&["plan"], &all(&[]))?;
    for (_, variables) in CHANGES {
        note(&["apply", "-auto-approve"], &all(variables))?;
    }
    for command in [WITHOUT_CLUSTER, &["apply", "-auto-approve"], &["destroy", "-auto-approve"]] {
        note(command, &all(&[]))?;
    }
    Ok(asked)
}

/// An administrator's first apply, and what it made.
fn deployed(terraform: &Terraform, base: &Path, name: &str) -> Result<(Stage, Vec<Value>)> {
    let stage = Stage::new(terraform, base, name)?;
    let (ended, text) = stage.run(&["apply", "-auto-approve"], &[VARIABLES])?;
    if ended != Ended::Well {
        bail!("the deployment of the roles cannot be applied\n{text}");
    }
    let resources = stage.resources()?;
    Ok((stage, resources))
}

fn all(variables: &[&str]) -> Vec<String> {
    let further = variables.iter().map(|it| format!("var={it}"));
    std::iter::once(VARIABLES.to_owned()).chain(further).collect()
}

/// The full name of the role that ends so.
fn name_of(resources: &[Value], end: &str) -> Result<String> {
    let roles = resources.iter().filter(|it| it["type"] == "aws_iam_role");
    let mut names = roles.filter_map(|it| it["values"]["name"].as_str());
    let name = names.find(|it| it.ends_with(end));
    name.map(ToOwned::to_owned).with_context(|| format!("no role ends in {end}"))
}

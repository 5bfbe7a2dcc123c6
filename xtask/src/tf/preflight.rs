//! What a plan wants that the account would refuse late, found before anything is made.
//!
//! The plan says what is to be made, the AWS command line what the account has; nothing is asked that the plan gives no
//! reason for. What cannot be asked, for want of a permission or of the command line, is said and stops nothing.

mod account;
mod names;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use self::names::Names;
use crate::{output, workspace};

/// What a function may use of the account's concurrency: this much has to stay for all others.
const UNRESERVED: i64 = 100;

/// How the account answered.
#[derive(Debug)]
pub(super) enum Answer {
    Said(Value),
    /// AWS's own words.
    Refused(String),
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// What would fail, and what to do.
    problems: Vec<String>,
    /// What could not be looked at, and who one is.
    notes: Vec<String>,
}

/// Looks at a plan, as `terraform show -json` prints it, and at the account; fails where it would fail.
pub(super) fn look(plan: &str) -> Result<()> {
    let plan: Value = serde_json::from_str(plan).context("read the plan")?;
    let wishes = Wishes::of(&plan);
    let problems = [wishes.upgrade(), names::met_by_themselves(&plan)].concat();
    let mut found = Found { problems, notes: Vec::new() };
    if let Some(program) = workspace::find_program(&["aws"]) {
        let asked = wishes.ask(|args| call(&program, &wishes.region, args));
        found.problems.extend(asked.problems);
        found.notes.extend(asked.notes);
    } else if wishes.is_anything() {
        found.notes.push("the AWS command line is not installed, so the account was not asked".to_owned());
    }
    for note in &found.notes {
        output::note(note);
    }
    if found.problems.is_empty() {
        return Ok(());
    }
    bail!(
        "the account would refuse this\n{}\n--no-preflight plans without a look at it",
        found.problems.join("\n")
    )
}

/// Who one is, by the AWS command line; `None` where it is not installed.
pub(super) fn identity() -> Option<Answer> {
    let program = workspace::find_program(&["aws"])?;
    Some(call(&program, "us-east-1", &["sts", "get-caller-identity"]))
}

/// Asks the AWS command line, and does not wait for a network that is not there.
fn call(program: &Path, region: &str, args: &[&str]) -> Answer {
    // What an account has agreed with AWS is known in one region only.
    let region = if args.first() == Some(&"freetier") { "us-east-1" } else { region };
    let output = Command::new(program)
        .args(args)
        .args([
            "--region",
            region,
            "--output",
            "json",
            "--cli-connect-timeout",
            "5",
            "--cli-read-timeout",
            "20",
        ])
        .env("AWS_PAGER", "")
        .env("AWS_MAX_ATTEMPTS", "1")
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => match serde_json::from_slice(&output.stdout) {
            Ok(said) => Answer::Said(said),
            Err(error) => Answer::Refused(format!("no JSON: {error}")),
        },
        Ok(output) => Answer::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Answer::Refused(error.to_string()),
    }
}

/// What a plan would make that depends on the account.
#[derive(Debug, Default)]
struct Wishes {
    region: String,
    /// Concurrency that is taken from the account's, beside what it gives already.
    reserved: i64,
    provisioned: i64,
    makes_provider: bool,
    makes_logging_role: bool,
    makes_database: bool,
    makes_cluster: bool,
    /// Names of what would be made.
    names: Names,
    instance_types: BTreeSet<String>,
    /// Zones, by name, of new subnets.
    zones: BTreeSet<String>,
    /// Versions before and after, and whether a new major is admitted.
    versions: Option<(String, String, bool)>,
}

impl Wishes {
    fn of(plan: &Value) -> Self {
        let region = plan["variables"]["region"]["value"].as_str().unwrap_or("us-east-1").to_owned();
        let mut wishes = Self { region, names: Names::of(plan), ..Self::default() };
        let number = |value: &Value| value.as_i64().unwrap_or_default().max(0);
        for it in plan["resource_changes"].as_array().into_iter().flatten() {
            let (before, after) = (&it["change"]["before"], &it["change"]["after"]);
            let actions: Vec<&str> =
                it["change"]["actions"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let is_new = actions.contains(&"create");
            let text = |name: &str| after[name].as_str().map(ToOwned::to_owned);
            match it["type"].as_str().unwrap_or_default() {
                "aws_lambda_function" if !after.is_null() => {
                    let name = "reserved_concurrent_executions";
                    wishes.reserved += number(&after[name]) - number(&before[name]);
                }
                "aws_lambda_provisioned_concurrency_config" if !after.is_null() => {
                    let name = "provisioned_concurrent_executions";
                    wishes.provisioned += number(&after[name]) - number(&before[name]);
                }
                "aws_iam_openid_connect_provider" => wishes.makes_provider |= is_new,
                "aws_api_gateway_account" => wishes.makes_logging_role |= is_new,
                "aws_db_subnet_group" => wishes.makes_database |= is_new,
                "aws_instance" if is_new => wishes.instance_types.extend(text("instance_type")),
                "aws_subnet" if is_new => wishes.zones.extend(text("availability_zone")),
                "aws_rds_cluster" => {
                    wishes.makes_cluster |= is_new;
                    let is_admitted = after["allow_major_version_upgrade"] == true;
                    if let (Some(old), Some(new)) =
                        (before["engine_version"].as_str(), text("engine_version"))
                    {
                        wishes.versions = Some((old.to_owned(), new, is_admitted));
                    }
                }
                _ => {}
            }
        }
        wishes
    }

    /// Whether the account has to be asked for anything.
    fn is_anything(&self) -> bool {
        self.reserved > 0
            || self.provisioned > 0
            || self.makes_provider
            || self.makes_logging_role
            || self.makes_database
            || self.makes_cluster
            || !self.names.is_empty()
            || !self.zones.is_empty()
    }

    /// A new major that nobody admitted; the plan alone says it.
    fn upgrade(&self) -> Vec<String> {
        let Some((old, new, is_admitted)) = &self.versions else { return Vec::new() };
        let major = |version: &str| version.split('.').next().and_then(|it| it.parse::<u32>().ok());
        match (major(old), major(new)) {
            (Some(from), Some(to)) if to < from => {
                vec![format!("Aurora does not go back from {old} to {new}: restore a snapshot instead")]
            }
            (Some(from), Some(to)) if to > from && !is_admitted => vec![format!(
                "from {old} to {new} is a major upgrade: database_allow_major_version_upgrade = true says that it is meant"
            )],
            _ => Vec::new(),
        }
    }
}

fn said(answer: Answer) -> Result<Value, String> {
    match answer {
        Answer::Said(said) => Ok(said),
        Answer::Refused(why) => Err(why),
    }
}

/// The first line of what AWS says.
pub(super) fn short(why: &str) -> &str {
    why.lines().find(|it| !it.trim().is_empty()).unwrap_or("no answer")
}

#[cfg(test)]
mod tests;

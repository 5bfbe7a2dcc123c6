//! What a plan wants that the account would refuse late, found before anything is made.
//!
//! The plan says what is to be made, the AWS command line what the account has; nothing is asked that the plan gives no
//! reason for. What cannot be asked, for want of a permission or of the command line, is said and stops nothing.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{output, workspace};

/// What a function may use of the account's concurrency: this much has to stay for all others.
const UNRESERVED: i64 = 100;

/// How the account answered.
#[derive(Debug)]
enum Answer {
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
    let mut found = Found { problems: wishes.upgrade(), notes: Vec::new() };
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

/// Asks the AWS command line, and does not wait for a network that is not there.
fn call(program: &Path, region: &str, args: &[&str]) -> Answer {
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
    instance_types: BTreeSet<String>,
    /// Zones, by name, of new subnets.
    zones: BTreeSet<String>,
    /// Versions before and after, and whether a new major is admitted.
    versions: Option<(String, String, bool)>,
}

impl Wishes {
    fn of(plan: &Value) -> Self {
        let region = plan["variables"]["region"]["value"].as_str().unwrap_or("us-east-1").to_owned();
        let mut wishes = Self { region, ..Self::default() };
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

    fn ask(&self, ask: impl Fn(&[&str]) -> Answer) -> Found {
        let mut found = Found::default();
        if !self.is_anything() {
            return found;
        }
        match ask(&["sts", "get-caller-identity"]) {
            Answer::Said(said) => found.notes.push(format!(
                "in account {} ({}) as {}",
                said["Account"].as_str().unwrap_or_default(),
                self.region,
                said["Arn"].as_str().unwrap_or_default()
            )),
            Answer::Refused(why) => {
                found.notes.push(format!("the account was not asked: {}", short(&why)));
                return found;
            }
        }
        let checks = [
            ("concurrency of Lambda", self.concurrency(&ask)),
            ("GitHub's OIDC provider", self.provider(&ask)),
            ("logging role of API Gateway", self.logging_role(&ask)),
            ("service-linked role of RDS", self.service_role(&ask)),
            ("instance types by zone", self.instances(&ask)),
        ];
        for (what, checked) in checks {
            match checked {
                Ok(problem) => found.problems.extend(problem),
                Err(why) => found.notes.push(format!("{what}: could not be looked at: {}", short(&why))),
            }
        }
        found
    }

    fn concurrency(&self, ask: &impl Fn(&[&str]) -> Answer) -> Result<Option<String>, String> {
        if self.reserved <= 0 && self.provisioned <= 0 {
            return Ok(None);
        }
        let said = said(ask(&["lambda", "get-account-settings"]))?;
        let limit = &said["AccountLimit"];
        let n = |name: &str| limit[name].as_i64().ok_or_else(|| format!("no {name}"));
        let (all, free) = (n("ConcurrentExecutions")?, n("UnreservedConcurrentExecutions")?);
        let room = free - UNRESERVED.min(all);
        // What is provisioned beside a reservation comes out of the same.
        let wanted = self.reserved.max(self.provisioned);
        Ok((wanted > room).then(|| {
            format!(
                "lambda_reserved_concurrency and lambda_provisioned_concurrency want {wanted} of the account's {all}, of \
                 which {} can be had: ask for a higher quota (aws service-quotas request-service-quota-increase \
                 --service-code lambda --quota-code L-B99A9384 --desired-value 1000), or leave them out",
                room.max(0)
            )
        }))
    }

    fn provider(&self, ask: &impl Fn(&[&str]) -> Answer) -> Result<Option<String>, String> {
        if !self.makes_provider {
            return Ok(None);
        }
        let said = said(ask(&["iam", "list-open-id-connect-providers"]))?;
        let mut all = said["OpenIDConnectProviderList"].as_array().into_iter().flatten();
        let is_there = all.any(|it| {
            it["Arn"].as_str().is_some_and(|it| it.ends_with("/token.actions.githubusercontent.com"))
        });
        Ok(is_there.then(|| {
            "the account has GitHub's OIDC provider, and there is one for all: github_create_oidc_provider = false".to_owned()
        }))
    }

    fn logging_role(&self, ask: &impl Fn(&[&str]) -> Answer) -> Result<Option<String>, String> {
        if !self.makes_logging_role {
            return Ok(None);
        }
        let said = said(ask(&["apigateway", "get-account"]))?;
        let role = said["cloudwatchRoleArn"].as_str().filter(|it| !it.is_empty());
        Ok(role.map(|role| {
            format!(
                "API Gateway writes its logs by {role} in this account and region, and another environment would lose that: \
                 api_manage_account_logging = false"
            )
        }))
    }

    fn service_role(&self, ask: &impl Fn(&[&str]) -> Answer) -> Result<Option<String>, String> {
        if !self.makes_database {
            return Ok(None);
        }
        match ask(&["iam", "get-role", "--role-name", "AWSServiceRoleForRDS"]) {
            Answer::Said(_) => Ok(None),
            Answer::Refused(why) if why.contains("NoSuchEntity") => Ok(Some(
                "RDS has no service-linked role in this account, and the first database can fail for it: \
                 aws iam create-service-linked-role --aws-service-name rds.amazonaws.com"
                    .to_owned(),
            )),
            Answer::Refused(why) => Err(why),
        }
    }

    fn instances(&self, ask: &impl Fn(&[&str]) -> Answer) -> Result<Option<String>, String> {
        for kind in self.instance_types.iter().filter(|_| !self.zones.is_empty()) {
            let filter = format!("Name=instance-type,Values={kind}");
            let args = ["ec2", "describe-instance-type-offerings", "--location-type", "availability-zone"];
            let said = said(ask(&[&args[..], &["--filters", &filter]].concat()))?;
            let offered = said["InstanceTypeOfferings"].as_array().into_iter().flatten();
            let offered: BTreeSet<&str> = offered.filter_map(|it| it["Location"].as_str()).collect();
            let lacking: Vec<&str> =
                self.zones.iter().map(String::as_str).filter(|it| !offered.contains(it)).collect();
            if !lacking.is_empty() {
                return Ok(Some(format!(
                    "{kind} is not to be had in {}: name the zone's id in exclude_zone_ids (aws ec2 \
                     describe-availability-zones shows it)",
                    lacking.join(", ")
                )));
            }
        }
        Ok(None)
    }
}

fn said(answer: Answer) -> Result<Value, String> {
    match answer {
        Answer::Said(said) => Ok(said),
        Answer::Refused(why) => Err(why),
    }
}

/// The first line of what AWS says.
fn short(why: &str) -> &str {
    why.lines().find(|it| !it.trim().is_empty()).unwrap_or("no answer")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan(resources: &[(&str, Value, Value)]) -> Value {
        let changes = resources.iter().map(|(kind, before, after)| {
            let action = if before.is_null() { "create" } else { "update" };
            json!({"type": kind, "change": {"actions": [action], "before": before, "after": after}})
        });
        json!({"variables": {"region": {"value": "eu-west-1"}}, "resource_changes": changes.collect::<Vec<_>>()})
    }

    /// An account that has everything, but for what a test says.
    fn found(resources: &[(&str, Value, Value)], differs: &[(&str, Answer)]) -> Found {
        Wishes::of(&plan(resources)).ask(|args| {
            let usual = match args[..2] {
                ["sts", _] => json!({"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/me"}),
                ["lambda", _] => {
                    json!({"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}})
                }
                ["iam", "list-open-id-connect-providers"] => json!({"OpenIDConnectProviderList": []}),
                ["ec2", _] => json!({"InstanceTypeOfferings": [{"Location": "eu-west-1a"}, {"Location": "eu-west-1b"}]}),
                _ => json!({}),
            };
            let other = differs.iter().find(|(command, _)| args[..2].join(" ") == *command);
            match other.map(|(_, answer)| answer) {
                Some(Answer::Said(said)) => Answer::Said(said.clone()),
                Some(Answer::Refused(why)) => Answer::Refused(why.clone()),
                None => Answer::Said(usual),
            }
        })
    }

    #[track_caller]
    fn finds(resources: &[(&str, Value, Value)], differs: &[(&str, Answer)], what: &str) {
        assert_eq!(found(resources, &[]).problems, Vec::<String>::new(), "an account that has everything");
        let found = found(resources, differs);
        assert!(found.problems.len() == 1 && found.problems[0].contains(what), "{found:?}");
    }

    #[test]
    fn new_accounts_have_no_concurrency_to_give() {
        let limit = |all: i64, free: i64| {
            let limit = json!({"AccountLimit": {"ConcurrentExecutions": all, "UnreservedConcurrentExecutions": free}});
            [("lambda get-account-settings", Answer::Said(limit))]
        };
        let function =
            |n: i64| ("aws_lambda_function", Value::Null, json!({"reserved_concurrent_executions": n}));
        finds(&[function(5)], &limit(10, 10), "want 5 of the account's 10, of which 0");
        finds(&[function(5), function(5)], &limit(1000, 109), "want 10 of the account's 1000, of which 9");
        let warm = (
            "aws_lambda_provisioned_concurrency_config",
            Value::Null,
            json!({"provisioned_concurrent_executions": 1}),
        );
        finds(&[warm], &limit(10, 10), "want 1");
        assert_eq!(
            found(&[function(-1)], &limit(10, 10)),
            Found::default(),
            "nothing is wanted, nothing asked"
        );
        let had = (
            "aws_lambda_function",
            json!({"reserved_concurrent_executions": 5}),
            json!({"reserved_concurrent_executions": 5}),
        );
        assert_eq!(found(&[had], &limit(10, 5)), Found::default());
    }

    #[test]
    fn a_second_environment_does_not_take_over_what_the_account_has_once() {
        let provider = json!({"OpenIDConnectProviderList": [{"Arn": "arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com"}]});
        finds(
            &[("aws_iam_openid_connect_provider", Value::Null, json!({}))],
            &[("iam list-open-id-connect-providers", Answer::Said(provider))],
            "github_create_oidc_provider = false",
        );
        let role = json!({"cloudwatchRoleArn": "arn:aws:iam::1:role/x-dev-api-gateway-logs"});
        finds(
            &[("aws_api_gateway_account", Value::Null, json!({}))],
            &[("apigateway get-account", Answer::Said(role))],
            "api_manage_account_logging = false",
        );
    }

    #[test]
    fn an_empty_account_and_a_zone_that_lacks_a_type() {
        let none = "An error occurred (NoSuchEntity) when calling the GetRole operation";
        finds(
            &[("aws_db_subnet_group", Value::Null, json!({}))],
            &[("iam get-role", Answer::Refused(none.to_owned()))],
            "create-service-linked-role --aws-service-name rds.amazonaws.com",
        );
        let only_b = json!({"InstanceTypeOfferings": [{"Location": "eu-west-1b"}]});
        finds(
            &[
                ("aws_subnet", Value::Null, json!({"availability_zone": "eu-west-1a"})),
                ("aws_instance", Value::Null, json!({"instance_type": "t4g.nano"})),
            ],
            &[("ec2 describe-instance-type-offerings", Answer::Said(only_b))],
            "t4g.nano is not to be had in eu-west-1a",
        );
    }

    #[test]
    fn what_may_not_be_asked_stops_nothing() {
        let database = [("aws_db_subnet_group", Value::Null, json!({}))];
        let denied = "An error occurred (AccessDenied) when calling the GetRole operation\nmore";
        let asked = found(&database, &[("iam get-role", Answer::Refused(denied.to_owned()))]);
        assert_eq!(asked.problems, Vec::<String>::new());
        assert!(asked.notes[0].starts_with("in account 123456789012 (eu-west-1) as arn:"), "{asked:?}");
        assert!(asked.notes[1].ends_with("calling the GetRole operation"), "{asked:?}");
        let offline =
            found(&database, &[("sts get-caller-identity", Answer::Refused("no network".to_owned()))]);
        assert_eq!(offline.notes, ["the account was not asked: no network"]);
    }

    #[test]
    fn a_major_upgrade_has_to_be_meant() {
        let cluster = |old: &str, new: &str, admitted: bool| {
            let after = json!({"engine_version": new, "allow_major_version_upgrade": admitted});
            Wishes::of(&plan(&[("aws_rds_cluster", json!({"engine_version": old}), after)])).upgrade()
        };
        assert!(cluster("17.9", "18", false)[0].contains("database_allow_major_version_upgrade = true"));
        assert!(cluster("18.3", "17", true)[0].contains("does not go back"));
        for (old, new, admitted) in [("17.9", "18.3", true), ("17", "17.9", false), ("17.6", "17", false)] {
            assert_eq!(cluster(old, new, admitted), Vec::<String>::new(), "{old} {new}");
        }
    }
}

//! Plans and accounts that do not fit together.

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
        let limit =
            json!({"AccountLimit": {"ConcurrentExecutions": all, "UnreservedConcurrentExecutions": free}});
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
    assert_eq!(found(&[function(-1)], &limit(10, 10)), Found::default(), "nothing is wanted, nothing asked");
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
        "t4g.nano is not offered in eu-west-1a",
    );
}

#[test]
fn the_free_plan_has_no_such_cluster() {
    let cluster = [("aws_rds_cluster", Value::Null, json!({"engine_version": "17.7"}))];
    let plan = |kind: &str| Answer::Said(json!({"accountPlanType": kind, "accountPlanStatus": "ACTIVE"}));
    finds(&cluster, &[("freetier get-account-plan-state", plan("FREE"))], "upgrade-account-plan");
    assert_eq!(
        found(&cluster, &[("freetier get-account-plan-state", plan("PAID"))]).problems,
        Vec::<String>::new()
    );
    let none = Answer::Refused("An error occurred (ResourceNotFoundException)".to_owned());
    let found = found(&cluster, &[("freetier get-account-plan-state", none)]);
    assert!(found.problems.is_empty() && found.notes.len() == 1, "{found:?}");
}

#[test]
fn what_may_not_be_asked_stops_nothing() {
    let database = [("aws_db_subnet_group", Value::Null, json!({}))];
    let denied = "An error occurred (AccessDenied) when calling the GetRole operation\nmore";
    let asked = found(&database, &[("iam get-role", Answer::Refused(denied.to_owned()))]);
    assert_eq!(asked.problems, Vec::<String>::new());
    assert!(asked.notes[0].starts_with("in account 123456789012 (eu-west-1) as arn:"), "{asked:?}");
    assert!(asked.notes[1].ends_with("calling the GetRole operation"), "{asked:?}");
    let offline = found(&database, &[("sts get-caller-identity", Answer::Refused("no network".to_owned()))]);
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

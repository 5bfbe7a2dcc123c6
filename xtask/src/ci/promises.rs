//! What every configuration of the serverless deployment promises, looked up in what was applied.
//!
//! A test of one module sees that module; these hold wherever a resource comes from, the next module included.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::tf::life::Life;

/// Broken promises, a line each.
pub(super) fn broken(life: &Life) -> Vec<String> {
    let resources: Vec<Resource> = life.resources.iter().map(Resource).collect();
    let groups: BTreeSet<&str> =
        resources.iter().filter(|it| it.is("aws_cloudwatch_log_group")).map(|it| it.text("name")).collect();
    let has_boundaries =
        resources.iter().any(|it| it.is("aws_iam_role") && it.is_set("permissions_boundary"));
    let mut found = Vec::new();
    for resource in &resources {
        found.extend(provider(resource));
        found.extend(traffic(resource));
        found.extend(logs(resource, &groups));
        found.extend(database(resource));
        found.extend(name(resource));
        found.extend(alarms(resource));
        if has_boundaries {
            found.extend(boundary(resource));
        }
    }
    found.iter().map(|it| format!("{}: {it}", life.name)).collect()
}

/// A resource of a state.
struct Resource<'a>(&'a Value);

impl Resource<'_> {
    fn is(&self, kind: &str) -> bool {
        self.0["mode"] == "managed" && self.0["type"] == kind
    }

    fn value(&self, name: &str) -> &Value {
        &self.0["values"][name]
    }

    fn text(&self, name: &str) -> &str {
        self.value(name).as_str().unwrap_or_default()
    }

    fn is_set(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }

    fn says(&self, what: &str) -> String {
        format!("{} {what}", self.0["address"].as_str().unwrap_or_default())
    }
}

/// Nothing talks to the database while Terraform runs: tables, users and grants come after it, in an order that works.
fn provider(it: &Resource) -> Option<String> {
    let provider = it.0["provider_name"].as_str().unwrap_or_default();
    // What Terraform brings itself makes nothing.
    let is_known = provider.ends_with("/hashicorp/aws") || provider == "terraform.io/builtin/terraform";
    (!is_known).then(|| it.says(&format!("is made by {provider}; only AWS is known here")))
}

/// Nobody comes in from everywhere, and nothing gets out to everywhere but by HTTPS. Rules inside of groups would take
/// turns with those beside them, and a group without a rule of its own is closed.
fn traffic(it: &Resource) -> Option<String> {
    if it.is("aws_security_group") || it.is("aws_default_security_group") {
        let has_rules = |name: &str| it.value(name).as_array().is_some_and(|it| !it.is_empty());
        let is_open = has_rules("ingress") || has_rules("egress");
        return is_open.then(|| it.says("has rules of its own; they belong beside it, one resource each"));
    }
    if it.is("aws_security_group_rule") {
        return Some(it.says("is a rule of the old kind, which cannot be tagged"));
    }
    let is_everywhere = it.text("cidr_ipv4") == "0.0.0.0/0" || it.text("cidr_ipv6") == "::/0";
    if it.is("aws_vpc_security_group_ingress_rule") && is_everywhere {
        return Some(it.says("lets everybody in"));
    }
    let is_https =
        it.text("ip_protocol") == "tcp" && it.value("from_port") == 443 && it.value("to_port") == 443;
    let is_leak = it.is("aws_vpc_security_group_egress_rule") && is_everywhere && !is_https;
    is_leak.then(|| it.says("lets traffic out to everywhere"))
}

/// A log group that AWS has to make by itself is kept for ever.
fn logs(it: &Resource, groups: &BTreeSet<&str>) -> Option<String> {
    if it.is("aws_cloudwatch_log_group") {
        let is_kept = it.value("retention_in_days").as_u64().is_none_or(|days| days == 0);
        return is_kept.then(|| it.says("is kept for ever"));
    }
    let written = if it.is("aws_lambda_function") {
        vec![it.value("logging_config")[0]["log_group"].as_str().unwrap_or_default().to_owned()]
    } else if it.is("aws_api_gateway_stage") {
        vec![format!("API-Gateway-Execution-Logs_{}/{}", it.text("rest_api_id"), it.text("stage_name"))]
    } else if it.is("aws_db_proxy") {
        vec![format!("/aws/rds/proxy/{}", it.text("name"))]
    } else if it.is("aws_rds_cluster") {
        let exports = it.value("enabled_cloudwatch_logs_exports").as_array().into_iter().flatten();
        let cluster = it.text("cluster_identifier");
        exports
            .filter_map(Value::as_str)
            .map(|export| format!("/aws/rds/cluster/{cluster}/{export}"))
            .collect()
    } else {
        Vec::new()
    };
    let missing = written.iter().find(|name| !groups.contains(name.as_str()))?;
    Some(it.says(&format!("writes to the log group '{missing}', which is not declared")))
}

/// No password to copy, nothing in plain text, and no statement in the proxy's log.
fn database(it: &Resource) -> Option<String> {
    if it.is("aws_rds_cluster") {
        if it.value("manage_master_user_password") != true || it.is_set("master_password") {
            return Some(it.says("has a password that somebody has to know"));
        }
        let is_encrypted = it.value("storage_encrypted") == true;
        return (!is_encrypted).then(|| it.says("is not encrypted"));
    }
    if it.is("aws_db_proxy") {
        if it.value("debug_logging") != false {
            return Some(it.says("logs statements with their values"));
        }
        let is_safe = it.value("require_tls") == true && it.text("default_auth_scheme") == "IAM_AUTH";
        return (!is_safe).then(|| it.says("takes logins without TLS or without IAM"));
    }
    None
}

/// How long a name may be: type, attribute, characters. From the API references of the services.
const NAMES: &[(&str, &str, usize)] = &[
    ("aws_api_gateway_stage", "stage_name", 128),
    ("aws_backup_selection", "name", 50),
    ("aws_backup_vault", "name", 50),
    ("aws_cloudwatch_dashboard", "dashboard_name", 255),
    ("aws_cloudwatch_log_group", "name", 512),
    ("aws_cloudwatch_metric_alarm", "alarm_name", 255),
    ("aws_codedeploy_app", "name", 100),
    ("aws_codedeploy_deployment_group", "deployment_group_name", 100),
    ("aws_db_proxy", "name", 63),
    ("aws_db_subnet_group", "name", 255),
    ("aws_iam_instance_profile", "name", 128),
    ("aws_iam_policy", "name", 128),
    ("aws_iam_role", "name", 64),
    ("aws_iam_role_policy", "name", 128),
    ("aws_kms_alias", "name", 256),
    ("aws_lambda_alias", "name", 128),
    ("aws_lambda_function", "function_name", 64),
    ("aws_lambda_permission", "statement_id", 100),
    ("aws_rds_cluster", "cluster_identifier", 63),
    ("aws_rds_cluster", "final_snapshot_identifier", 255),
    ("aws_rds_cluster_instance", "identifier", 63),
    ("aws_rds_cluster_parameter_group", "name", 255),
    ("aws_s3_bucket", "bucket", 63),
    ("aws_security_group", "description", 255),
    ("aws_security_group", "name", 255),
    ("aws_sns_topic", "name", 256),
    ("aws_wafv2_web_acl", "name", 128),
    ("aws_xray_group", "group_name", 32),
    ("aws_xray_sampling_rule", "rule_name", 32),
    ("aws_xray_sampling_rule", "service_name", 64),
];

/// Names that a service would not take. `tests/longest.tfvars` has the longest that the variables let through.
fn name(it: &Resource) -> Option<String> {
    let too_long = NAMES.iter().filter(|(kind, ..)| it.is(kind)).find_map(|(_, attribute, most)| {
        let n = it.text(attribute).chars().count();
        (n > *most).then(|| format!("has {n} characters in {attribute}, and {most} is all it takes"))
    });
    too_long.map(|what| it.says(&what))
}

/// CloudWatch may not use the key that AWS manages for SNS: the alarm would be lost without a word.
fn alarms(it: &Resource) -> Option<String> {
    let is_lost = it.is("aws_sns_topic") && it.text("kms_master_key_id").ends_with("alias/aws/sns");
    is_lost.then(|| it.says("is encrypted with a key that no alarm can use"))
}

/// CI may only make roles inside the boundary, so one without it stops the pipeline. CI's own roles come from an
/// administrator.
fn boundary(it: &Resource) -> Option<String> {
    let is_ci = ["-github-actions", "-ci-tester"].iter().any(|end| it.text("name").ends_with(end));
    let is_outside = it.is("aws_iam_role") && !is_ci && !it.is_set("permissions_boundary");
    is_outside.then(|| it.says("has no permissions boundary, though others have one"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(resources: &[(&str, Value)]) -> Vec<String> {
        let resources = resources.iter().map(|(kind, values)| {
            json!({"mode": "managed", "type": kind, "address": format!("{kind}.x"), "values": values,
                "provider_name": "registry.terraform.io/hashicorp/aws"})
        });
        broken(&Life::of("test", resources.collect()))
    }

    #[track_caller]
    fn finds(kind: &str, values: Value, what: &str) {
        let found = found(&[(kind, values)]);
        assert!(found.len() == 1 && found[0].starts_with("test: ") && found[0].contains(what), "{found:?}");
    }

    #[test]
    fn traffic_to_and_from_everywhere() {
        let egress = "aws_vpc_security_group_egress_rule";
        finds(egress, json!({"cidr_ipv4": "0.0.0.0/0", "ip_protocol": "-1"}), "out to everywhere");
        let https = json!({"cidr_ipv4": "0.0.0.0/0", "ip_protocol": "tcp", "from_port": 443, "to_port": 443});
        assert_eq!(found(&[(egress, https.clone())]), Vec::<String>::new());
        finds("aws_vpc_security_group_ingress_rule", https, "everybody in");
        finds("aws_vpc_security_group_ingress_rule", json!({"cidr_ipv6": "::/0"}), "everybody in");
        finds("aws_security_group", json!({"egress": [{"protocol": "-1"}]}), "rules of its own");
        finds("aws_security_group_rule", json!({}), "old kind");
        assert_eq!(found(&[("aws_security_group", json!({"egress": []}))]), Vec::<String>::new());
    }

    #[test]
    fn logs_that_are_kept_for_ever() {
        finds("aws_cloudwatch_log_group", json!({"retention_in_days": 0}), "for ever");
        finds("aws_cloudwatch_log_group", json!({"retention_in_days": null}), "for ever");
        let function = ("aws_lambda_function", json!({"logging_config": [{"log_group": "/aws/lambda/x"}]}));
        finds(function.0, function.1.clone(), "'/aws/lambda/x', which is not declared");
        let group = ("aws_cloudwatch_log_group", json!({"name": "/aws/lambda/x", "retention_in_days": 30}));
        assert_eq!(found(&[function, group]), Vec::<String>::new());
        let stage = json!({"rest_api_id": "abc", "stage_name": "v1"});
        finds("aws_api_gateway_stage", stage, "API-Gateway-Execution-Logs_abc/v1");
    }

    #[test]
    fn databases_with_passwords_and_proxies_that_tell() {
        let cluster = |managed: bool, password: &str| json!({"manage_master_user_password": managed, "master_password": password, "storage_encrypted": true});
        finds("aws_rds_cluster", cluster(false, ""), "a password");
        finds("aws_rds_cluster", cluster(true, "secret"), "a password");
        assert_eq!(found(&[("aws_rds_cluster", cluster(true, ""))]), Vec::<String>::new());
        let group = ("aws_cloudwatch_log_group", json!({"name": "/aws/rds/proxy/x", "retention_in_days": 1}));
        let proxy = |debug: bool, scheme: &str| json!({"name": "x", "debug_logging": debug, "require_tls": true, "default_auth_scheme": scheme});
        for (debug, scheme, n) in [(true, "IAM_AUTH", 1), (false, "NONE", 1), (false, "IAM_AUTH", 0)] {
            assert_eq!(found(&[group.clone(), ("aws_db_proxy", proxy(debug, scheme))]).len(), n, "{scheme}");
        }
    }

    #[test]
    fn names_that_are_too_long_and_alarms_that_are_lost() {
        finds("aws_xray_group", json!({"group_name": "x".repeat(33)}), "33 characters in group_name");
        finds(
            "aws_xray_sampling_rule",
            json!({"rule_name": "x", "service_name": "x".repeat(65)}),
            "service_name",
        );
        finds("aws_s3_bucket", json!({"bucket": "x".repeat(64)}), "64 characters");
        assert_eq!(found(&[("aws_s3_bucket", json!({"bucket": "x".repeat(63)}))]), Vec::<String>::new());
        finds("aws_sns_topic", json!({"kms_master_key_id": "alias/aws/sns"}), "no alarm can use");
        assert_eq!(found(&[("aws_sns_topic", json!({"kms_master_key_id": null}))]), Vec::<String>::new());
    }

    #[test]
    fn the_longest_names_are_tried() {
        let infra = crate::workspace::root().join("infra-tf");
        let read = |name: &str| std::fs::read_to_string(infra.join(name)).expect("a file");
        let (variables, longest) = (read("variables.tf"), read("tests/longest.tfvars"));
        for (variable, most) in [("project", 24), ("environment", 12), ("api_stage_name", 128)] {
            let line = longest.lines().find(|it| it.split_whitespace().next() == Some(variable));
            let value = line.and_then(|it| it.split('"').nth(1)).expect("a value");
            assert_eq!(value.len(), most, "{variable} in tests/longest.tfvars");
            let block = variables.split_once(&format!("variable \"{variable}\" {{")).expect("the variable").1;
            let block = block.split("\n}\n").next().expect("its text");
            let limits = [format!("<= {most}"), format!("{{1,{most}}}")];
            assert!(limits.iter().any(|it| block.contains(it)), "{variable} takes no more than {most}");
        }
    }

    #[test]
    fn roles_that_ci_could_not_make_and_strange_providers() {
        let role = |name: &str, boundary: Option<&str>| {
            ("aws_iam_role", json!({"name": name, "permissions_boundary": boundary}))
        };
        let in_bounds = role("x-lambda", Some("arn"));
        let found_roles = found(&[in_bounds.clone(), role("x-github-actions", None), role("x-backup", None)]);
        assert_eq!(found_roles.len(), 1, "{found_roles:?}");
        assert_eq!(found(&[role("x-backup", None)]), Vec::<String>::new());
        let grant = json!({"mode": "managed", "type": "postgresql_grant", "address": "postgresql_grant.x",
            "values": {}, "provider_name": "registry.terraform.io/cyrilgdn/postgresql"});
        assert_eq!(broken(&Life::of("test", vec![grant])).len(), 1);
    }
}

//! The six templates as this crate sees them: one snapshot each of everything that a user or another stack depends on.

use std::fmt::Write;

use infra_cfn::{Stack, Template, capabilities, contract, resolve::Scope, yaml};
use serde_json::{Value, json};

#[test]
fn the_templates_keep_every_promise() {
    let findings: Vec<String> = contract::check_all().iter().map(ToString::to_string).collect();
    assert_eq!(findings, Vec::<String>::new());
}

/// Parameters, exports, imports, resources and capabilities: a change here is a change that users notice.
fn interface(template: &Template) -> String {
    let mut text = String::new();
    let capabilities: Vec<_> =
        capabilities::needed(template).into_iter().map(capabilities::Capability::as_str).collect();
    writeln!(text, "capabilities: {}", capabilities.join(" ")).unwrap();
    for (name, it) in &template.parameters {
        let default = match (&it.default, it.no_echo) {
            (None, _) => "required".to_owned(),
            (Some(value), _) => format!("default {value:?}"),
        };
        writeln!(text, "parameter {name}: {} {default}{}", it.kind, if it.no_echo { " hidden" } else { "" })
            .unwrap();
    }
    let mut imports: Vec<_> = template.imports.iter().map(|it| it.name.to_string()).collect();
    imports.sort();
    imports.dedup();
    imports.iter().for_each(|it| writeln!(text, "import {it}").unwrap());
    for (name, it) in &template.outputs {
        let export = it.export.as_ref().map(|it| format!(" export {it}")).unwrap_or_default();
        writeln!(text, "output {name}{export}").unwrap();
    }
    for (name, it) in &template.resources {
        let policies = [&it.deletion_policy, &it.update_replace_policy];
        let policies: String =
            policies.iter().filter_map(|it| it.as_ref()).map(|it| format!(" {it}")).collect();
        let condition = it.condition.as_ref().map(|it| format!(" if {it}")).unwrap_or_default();
        writeln!(text, "resource {name}: {}{condition}{policies}", it.kind).unwrap();
    }
    text
}

#[test]
fn the_interface_of_every_template_is_as_reviewed() {
    for stack in Stack::ALL {
        let template = Template::parse(stack.template_text()).unwrap();
        insta::assert_snapshot!(stack.name(), interface(&template));
    }
}

#[test]
fn every_resource_knows_the_line_it_stands_in() {
    for stack in Stack::ALL {
        let lines: Vec<&str> = stack.template_text().lines().collect();
        let template = Template::parse(stack.template_text()).unwrap();
        for (name, resource) in &template.resources {
            let line = lines[resource.place.line - 1].trim_start();
            // A resource that a loop makes stands where the loop's body stands.
            assert!(
                line.starts_with(&format!("{name}:")) || line.contains("&{Service}:"),
                "{stack} {name}: {line}"
            );
        }
    }
}

fn template(stack: Stack) -> Template {
    Template::parse(stack.template_text()).unwrap()
}

/// Properties of a resource with some values given.
fn properties(stack: Stack, resource: &str, given: &[(&str, &str)]) -> Value {
    let template = template(stack);
    let scope = Scope::new(&template, stack.stack_name("app"));
    let scope = given.iter().fold(scope, |scope, (name, value)| scope.with(*name, *value));
    scope.resources().unwrap()[resource].properties.clone()
}

/// Whether the values pass a rule of the template.
fn passes(stack: Stack, rule: &str, given: &[(&str, &str)]) -> bool {
    let template = template(stack);
    let root = yaml::parse(stack.template_text()).unwrap();
    let scope =
        given.iter().fold(Scope::new(&template, "app-x"), |scope, (name, value)| scope.with(*name, *value));
    let holds = |node: &yaml::Node| scope.value(node).unwrap() == Some(Value::Bool(true));
    let rule = root.at(&["Rules", rule]).unwrap();
    let assertions = rule.get("Assertions").and_then(yaml::Node::as_list).unwrap();
    !holds(rule.get("RuleCondition").unwrap()) || assertions.iter().all(|it| holds(it.get("Assert").unwrap()))
}

#[test]
fn a_replica_needs_a_password_of_ones_own() {
    let check = |replica, password| {
        passes(
            Stack::Rds,
            "ReplicaNeedsPassword",
            &[("ReadReplica", replica), ("DatabasePassword", password)],
        )
    };
    assert!(!check("true", ""));
    assert!(check("true", "a-password") && check("false", "") && check("false", "a-password"));
}

#[test]
fn a_major_upgrade_is_allowed_by_a_parameter_and_not_by_default() {
    let allowed = |given: &[(&str, &str)]| {
        properties(Stack::Rds, "Database", given)["AllowMajorVersionUpgrade"].clone()
    };
    assert_eq!(allowed(&[]), "false");
    assert_eq!(allowed(&[("AllowMajorVersionUpgrade", "true")]), "true");
}

#[test]
fn the_password_of_the_instance_is_the_parameter() {
    let password = |given: &str| {
        properties(Stack::Rds, "Database", &[("DatabasePassword", given)])["MasterUserPassword"].clone()
    };
    assert_eq!((password("first-one"), password("second-one")), ("first-one".into(), "second-one".into()));
    assert_eq!(password(""), Value::Null);
}

#[test]
fn a_volume_is_made_or_adopted_and_never_exported() {
    let published =
        |given: &[(&str, &str)]| properties(Stack::Persist, "VolumeParameter", given)["Value"].clone();
    let adopted = [("ExistingVolumeId", "vol-0aaaaaaaaaaaaaaaa")];
    assert_eq!(published(&[]), "vol-0123456789abcdef0", "the stack's own");
    assert_eq!(published(&adopted), "vol-0aaaaaaaaaaaaaaaa");
    let saved = properties(Stack::Persist, "BackupSelection", &adopted)["BackupSelection"].clone();
    assert!(saved["Resources"][0].as_str().unwrap().ends_with(":volume/vol-0aaaaaaaaaaaaaaaa"), "{saved}");
    let persist = template(Stack::Persist);
    assert_eq!(persist.resources["Volume"].condition.as_deref(), Some("MakesVolume"));
    assert_eq!(persist.resources["Volume"].deletion_policy.as_deref(), Some("RetainExceptOnCreate"));
    assert!(persist.outputs["VolumeId"].export.is_none(), "an import would forbid another volume");
    // What the host may attach carries the tags that its permission asks for.
    let role = properties(Stack::Compute, "HostRole", &[]);
    let condition = &role["Policies"][0]["PolicyDocument"]["Statement"][2]["Condition"]["StringEquals"];
    let tags = properties(Stack::Persist, "Volume", &[])["Tags"].clone();
    for tag in ["Application", "Prefix"] {
        let wanted = &condition[format!("ec2:ResourceTag/{tag}")];
        assert!(wanted.is_string(), "{condition}");
        assert!(tags.as_array().unwrap().contains(&json!({ "Key": tag, "Value": wanted })), "{tags}");
    }
}

#[test]
fn services_start_where_they_should_and_stay_in_their_zone() {
    let count = |of: usize| {
        properties(Stack::Compute, "ApiService", &[("DesiredCapacity", &of.to_string())])["DesiredCount"]
            .clone()
    };
    let most = template(Stack::Compute).parameters["DesiredCapacity"].max_value.unwrap();
    (1..=most as usize).for_each(|of| assert_eq!(count(of), of));
    let database = properties(Stack::Compute, "CustomDBService", &[]);
    assert_eq!(database["AvailabilityZoneRebalancing"], "DISABLED");
    let rolling = &database["DeploymentConfiguration"];
    assert_eq!((&rolling["MinimumHealthyPercent"], &rolling["MaximumPercent"]), (&0.into(), &100.into()));
}

#[test]
fn tasks_have_a_share_room_and_time() {
    let container =
        |task: &str, at: usize| properties(Stack::Compute, task, &[])["ContainerDefinitions"][at].clone();
    let (api, database, roles) =
        (container("ApiTask", 0), container("CustomDBTask", 0), container("CustomDBTask", 1));
    assert_eq!(
        (&api["Cpu"], &database["Cpu"]),
        (&"256".into(), &512.into()),
        "what scaling is a percentage of"
    );
    // Memory of a task counts against its limit, so large answers wait on disk.
    assert!(api["LinuxParameters"].get("Tmpfs").is_none(), "{api}");
    assert_eq!(api["MountPoints"], json!([{ "SourceVolume": "spool", "ContainerPath": "/tmp" }]));
    let volumes = properties(Stack::Compute, "ApiTask", &[])["Volumes"].clone();
    assert_eq!(volumes, json!([{ "Name": "spool", "Host": { "SourcePath": "/mnt/spool" } }]));
    // A database that recovers answers and refuses; it is left alone, and what comes after it waits.
    assert_eq!(database["HealthCheck"]["StartPeriod"], 300);
    assert!(database["HealthCheck"]["Command"][1].as_str().unwrap().ends_with("|| [ $? -eq 1 ]"));
    assert!(roles["Command"][0].as_str().unwrap().starts_with("until pg_isready -q; do"), "{roles}");
    assert_eq!(database["StopTimeout"], 110);
}

#[test]
fn nothing_that_costs_is_on_without_a_wish() {
    let insights = |given: &[(&str, &str)]| {
        properties(Stack::Compute, "Cluster", given)["ClusterSettings"][0]["Value"].clone()
    };
    assert_eq!(insights(&[]), "disabled");
    assert_eq!(insights(&[("ContainerInsights", "true")]), "enabled");
    let details = |given: &[(&str, &str)]| {
        properties(Stack::Compute, "HostTemplate", given)["LaunchTemplateData"]["Monitoring"]["Enabled"]
            .clone()
    };
    assert_eq!((details(&[]), details(&[("DetailedMonitoring", "true")])), (false.into(), true.into()));
    let subnets = |zones: &str| {
        let given = [("InterfaceEndpoints", "true"), ("InterfaceEndpointZones", zones)];
        properties(Stack::Vpc, "Endpointssm", &given)["SubnetIds"].clone()
    };
    assert_eq!(subnets("1"), json!(["PrivateSubnetA"]), "the zone of the host");
    assert_eq!(subnets("2"), json!(["PrivateSubnetA", "PrivateSubnetB"]));
}

#[test]
fn the_alarm_of_memory_does_not_count_what_the_kernel_may_take_back() {
    let alarm = properties(Stack::Compute, "MemoryAlarm", &[]);
    assert_eq!(
        (&alarm["Namespace"], &alarm["MetricName"]),
        (&"PostgresAsApp".into(), &"MemoryUsedPercent".into())
    );
}

#[test]
fn a_host_that_goes_has_time_to_stop_its_containers() {
    let hooks = properties(Stack::Compute, "HostGroup", &[])["LifecycleHookSpecificationList"].clone();
    assert_eq!(hooks[0]["LifecycleTransition"], "autoscaling:EC2_INSTANCE_TERMINATING");
    let stop =
        properties(Stack::Compute, "CustomDBTask", &[])["ContainerDefinitions"][0]["StopTimeout"].clone();
    assert!(hooks[0]["HeartbeatTimeout"].as_u64() > stop.as_u64(), "{hooks}");
}

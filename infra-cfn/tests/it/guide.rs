//! What the guide says of costs, and of what stays after the end, is what the templates make.

use std::{fs, path::Path};

use infra_cfn::{Stack, Template};

/// A section of the guide, up to the next heading.
fn section(heading: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/deploy-hybrid.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, rest) = text.split_once(&format!("\n## {heading}\n")).unwrap();
    rest.split("\n## ").next().unwrap().to_owned()
}

/// How many resources of a type all templates have.
fn count(kind: &str) -> usize {
    let templates = Stack::ALL.iter().map(|it| Template::parse(it.template_text()).unwrap());
    templates.map(|it| it.resources.values().filter(|it| it.kind == kind).count()).sum()
}

#[test]
fn costs_are_of_what_there_is_and_add_up() {
    let costs = section("What it costs");
    let rows = costs.lines().filter_map(|it| it.strip_prefix("| ")?.strip_suffix(" |"));
    let rows: Vec<Vec<&str>> = rows.map(|it| it.split(" | ").collect()).collect();
    let end = rows.iter().position(|it| it[0].starts_with("**sum**")).unwrap();
    let sum: u32 = rows[1..end].iter().map(|it| it[2].parse::<u32>().unwrap()).sum();
    assert!(rows[end].last().unwrap().contains(&format!("about {sum}")), "{sum}: {:?}", rows[end]);

    for (number, what) in
        [(count("AWS::SecretsManager::Secret"), "secrets"), (count("AWS::CloudWatch::Alarm"), "alarms")]
    {
        assert!(costs.contains(&format!("| {number} {what}")), "{number} {what}");
    }
    // What costs and is off stands there with its parameter.
    for parameter in [
        "InterfaceEndpoints",
        "InterfaceEndpointZones",
        "MultiAZ",
        "ReadReplica",
        "NatGateways",
        "ContainerInsights",
        "DetailedMonitoring",
    ] {
        assert!(costs.contains(&format!("`{parameter}`")), "{parameter}");
    }
    assert!(costs.contains("free plan") && costs.contains("BackupRetentionDays=1"));
}

#[test]
fn what_outlives_its_stack_is_named_with_the_way_to_remove_it() {
    let removal = section("Remove everything");
    // What a template keeps, and how the guide calls it.
    let names = [
        ("AWS::EC2::Volume", "volume of the custom database"),
        ("AWS::Backup::BackupVault", "and their vault"),
        ("AWS::SecretsManager::Secret", "secret of the custom database"),
        ("AWS::RDS::DBInstance", "last snapshot of RDS"),
        ("AWS::S3::Bucket", "bucket of templates"),
    ];
    let mut kept = 0;
    for stack in Stack::ALL {
        for (name, it) in &Template::parse(stack.template_text()).unwrap().resources {
            if it.deletion_policy.as_deref().is_none_or(|it| it == "Delete") {
                continue;
            }
            kept += 1;
            let called = names.iter().find(|(kind, _)| *kind == it.kind);
            let called = called.unwrap_or_else(|| panic!("{name} ({}) stays and has no name", it.kind)).1;
            assert!(removal.contains(called), "{called}");
        }
    }
    assert!(kept >= 4, "{kept}");
    // What AWS makes beside the stacks, and nobody takes along.
    for made in [
        "/aws/rds/instance/",
        "RDSOSMetrics",
        "/aws/ecs/containerinsights/",
        "automated backups of RDS",
        "images",
    ] {
        assert!(removal.contains(made), "{made}");
    }
}

#[test]
fn the_first_way_in_is_kept_until_the_own_one_has_worked() {
    let user = section("2. Your own user, with MFA");
    assert!(user.contains("Keep the first credentials until `cargo xtask login` has worked once"));
}

//! What the guides say of the serverless deployment and no plan can refuse; and that each known fault has a guard that is
//! there.

use std::collections::BTreeSet;
use std::path::Path;

use crate::workspace;

const GUIDE: &str = "docs/deploy-serverless.md";
const FAULTS: &str = "infra-tf/README.md";

fn read(name: impl AsRef<Path>) -> String {
    let path = workspace::root().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A section of a page, up to the next heading.
fn section(heading: &str) -> String {
    let text = read(GUIDE);
    let (_, rest) = text.split_once(&format!("\n## {heading}\n")).expect("the section is there");
    rest.split("\n## ").next().expect("a part").to_owned()
}

/// The rows of the first table of a text, without its head.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let table = text.lines().skip_while(|it| !it.starts_with('|')).take_while(|it| it.starts_with('|'));
    table.skip(2).map(|it| it.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// The parts in backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn each_known_fault_has_a_guard_that_exists() {
    let text = read(FAULTS);
    let (_, faults) = text.split_once("Faults that setups like this one have had").expect("the table");
    let mut numbers = BTreeSet::new();
    for row in rows(faults) {
        let [of_row, fault, guards] = row[..] else { panic!("not three columns: {row:?}") };
        numbers.extend(of_row.split(", ").filter_map(|it| it.parse::<u32>().ok()));
        let links = guards.split("](").skip(1).filter_map(|it| it.split(')').next());
        let files: Vec<String> = links.map(|it| read(Path::new("infra-tf").join(it))).collect();
        for guard in quoted(guards) {
            let is_there = |it: &String| {
                it.contains(&format!("run \"{guard}\"")) || it.contains(&format!("fn {guard}("))
            };
            assert!(files.iter().any(is_there), "{fault}: no file of the row has {guard}");
        }
    }
    assert_eq!(numbers, (1..=27).collect(), "each finding has a guard");
}

#[test]
fn costs_add_up_and_leave_nothing_out() {
    let costs = section("What it costs");
    let rows = rows(&costs);
    let end = rows.iter().position(|it| it[0] == "**sum**").expect("a sum");
    let (mut least, mut most) = (0, 0);
    for row in &rows[..end] {
        let cell = row.last().expect("a cell");
        let (from, to) = cell.split_once(" to ").unwrap_or((cell, cell));
        least += from.parse::<i32>().expect("a number");
        most += to.parse::<i32>().expect("a number");
    }
    let about = rows[end].last().expect("a cell").trim_matches('*').trim_start_matches("about ");
    let about: i32 = about.parse().expect("a number");
    assert!((least - 5..=most + 5).contains(&about), "{least} to {most} is not about {about}");
    for what in
        ["interface endpoints", "KMS keys", "alarms", "metrics: of each method", "bastion's by the minute"]
    {
        assert!(rows[..end].iter().any(|it| it[0].contains(what)), "{what}");
    }
    // Whatever a row names as its switch is a variable.
    let variables = read("infra-tf/variables.tf");
    for name in rows[..end].iter().flat_map(|it| quoted(it[1])) {
        assert!(variables.contains(&format!("variable \"{name}\"")), "{name}");
    }
}

#[test]
fn what_stays_after_a_removal_is_said() {
    let removal = section("Remove everything");
    for what in [
        "a vault that is not empty is not deleted",
        "are billed, until they expire",
        "empty every version in both buckets",
        "teardown_override.tf",
        "stays, and is billed by its size",
        "AWS deletes it after 30 days",
        "RDSOSMetrics",
        "service-linked role",
    ] {
        assert!(removal.contains(what), "{what}");
    }
    assert!(workspace::root().join("infra-tf/bootstrap/teardown_override.tf.example").is_file());
}

#[test]
fn the_lock_of_the_providers_is_made_and_committed() {
    let plan = section("4. Plan and apply");
    assert!(plan.contains("terraform -chdir=infra-tf providers lock -platform=linux_amd64 -platform="));
    assert!(plan.contains(".terraform.lock.hcl") && plan.contains("and commit it"));
    let ignored = read(".gitignore");
    assert!(!ignored.lines().any(|it| it.contains(".terraform.lock.hcl")), "git would leave it out");
}

#[test]
fn credentials_are_handed_over() {
    let first = section("1. Prepare");
    assert!(first.contains("eval \"$(aws configure export-credentials --format env)\""));
    assert!(first.contains("aws iam create-service-linked-role --aws-service-name rds.amazonaws.com"));
}

#[test]
fn what_could_not_be_tried_is_said() {
    let first_run = section("On the first real run");
    assert!(first_run.contains("aws:SourceAccount") && first_run.contains("Performance Insights"));
}

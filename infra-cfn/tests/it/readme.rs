//! The README's list of faults names guards; each of them exists.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use infra_cfn::contract::{OF_ALL, RULES};

/// Where guards may be.
const SOURCES: [&str; 6] =
    ["infra-cfn/src", "infra-cfn/tests", "deploy/src", "deploy/tests", "e2e/tests", "bootstrap-sql/tests"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
}

/// Names of functions that carry a test's attribute.
fn tests() -> BTreeSet<String> {
    let mut files = Vec::new();
    SOURCES.iter().for_each(|it| sources(&root().join(it), &mut files));
    let mut found = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            let line = line.trim_start_matches("async ");
            let Some(name) = line.strip_prefix("fn ").and_then(|it| it.split(['(', '<']).next()) else {
                continue;
            };
            let mut before =
                lines[..at].iter().rev().take_while(|it| it.starts_with('#') || it.starts_with("//"));
            if before.any(|it| it.starts_with("#[test]") || it.starts_with("#[tokio::test")) {
                found.insert(name.to_owned());
            }
        }
    }
    found
}

#[test]
fn every_fault_has_a_guard_that_exists() {
    let text = fs::read_to_string(root().join("infra-cfn/README.md")).unwrap();
    let (_, faults) = text.split_once("## Faults").unwrap();
    let codes: BTreeSet<&str> =
        RULES.iter().map(|it| it.code).chain(OF_ALL.iter().map(|(code, _)| *code)).collect();
    let tests = tests();
    assert!(tests.contains("every_fault_has_a_guard_that_exists"), "the search finds nothing");
    let rows: Vec<&str> = faults.lines().filter(|it| it.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 20, "{} rows", rows.len());
    let mut numbers = BTreeSet::new();
    for row in rows {
        let of_row = row.split('|').nth(1).unwrap().split(',').filter_map(|it| it.trim().parse::<u32>().ok());
        numbers.extend(of_row);
        let guards: Vec<&str> = row.split('|').nth(3).unwrap().split('`').skip(1).step_by(2).collect();
        assert!(!guards.is_empty(), "no guard: {row}");
        for guard in guards {
            assert!(codes.contains(guard) || tests.contains(guard), "nothing is called {guard}: {row}");
        }
    }
    assert_eq!(numbers, (1..=20).collect::<BTreeSet<u32>>(), "each finding has a guard");
    assert!(tests.contains("the_faults_of_earlier_templates_are_found"));
}

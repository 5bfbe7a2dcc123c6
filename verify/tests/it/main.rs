//! Checks of deployments: a good server passes all of them, and each of them fails on a server that is broken for it.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![allow(clippy::print_stderr, reason = "a skipped or failed test says why")]

mod animals;
mod closed;
mod emulated;
mod program;
mod rest;
mod server;
mod stack;
mod tls;

use std::{collections::BTreeSet, future::pending, time::Duration};

use verify::{Outcome, Report, Subject, http::Http};

/// Runs every check without an end from outside.
pub(crate) async fn verify(subject: &Subject) -> Report {
    let http = Http::new(subject).unwrap();
    verify::run(subject, http, pending(), |_| {}).await
}

/// Names of the checks that ended in one way.
pub(crate) fn names(report: &Report, is_wanted: fn(&Outcome) -> bool) -> BTreeSet<&'static str> {
    report.entries.iter().filter(|it| is_wanted(&it.outcome)).map(|it| it.name).collect()
}

pub(crate) fn failed(report: &Report) -> BTreeSet<&'static str> {
    names(report, |it| matches!(it, Outcome::Failed(_)))
}

pub(crate) fn skipped(report: &Report) -> BTreeSet<&'static str> {
    names(report, |it| matches!(it, Outcome::Skipped(_)))
}

/// A subject at an address of this machine, with little patience: nothing here has to wake up.
pub(crate) fn subject(target: verify::Target, url: String) -> Subject {
    Subject { target, url, patience: Duration::from_millis(300), ..Subject::default() }
}

/// Breaks a server in one way after the other: the check must fail, and with it only those that stand on it.
#[track_caller]
pub(crate) fn assert_failed(report: &Report, check: &str) {
    assert!(failed(report).contains(check), "\"{check}\" did not fail:\n{}", lines(report));
    assert!(!report.is_good());
}

pub(crate) fn lines(report: &Report) -> String {
    let entries: Vec<String> = report.entries.iter().map(verify::report::Entry::line).collect();
    format!("{}\n{}", entries.join("\n"), report.summary())
}

#[test]
fn names_are_unique_within_a_target() {
    for target in [verify::Target::Local, verify::Target::Hybrid, verify::Target::Serverless] {
        let names: Vec<&str> = verify::run::checks(target).iter().map(|it| it.name).collect();
        let unique: BTreeSet<&&str> = names.iter().collect();
        assert_eq!(unique.len(), names.len(), "{target}: {names:?}");
    }
}

/// Every check of every target is broken somewhere in these tests.
#[test]
fn every_check_is_shown_to_be_able_to_fail() {
    let mut broken: BTreeSet<&str> = BTreeSet::new();
    broken.extend(rest::FAULTS.iter().map(|it| it.check));
    broken.extend(animals::FAULTS.iter().map(|it| it.check));
    broken.extend(closed::BROKEN);
    broken.extend(tls::BROKEN);
    broken.extend(stack::BROKEN);
    for target in [verify::Target::Local, verify::Target::Hybrid, verify::Target::Serverless] {
        for check in verify::run::checks(target) {
            assert!(broken.contains(check.name), "no test breaks the check \"{}\" of {target}", check.name);
        }
    }
}

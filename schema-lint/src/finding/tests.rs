//! Places, and what comments allow.

use super::*;
use crate::script::MigrationFile;

fn leak(rule: Rule, oid: u32, object: &str) -> Leak {
    Leak {
        rule,
        key: (oid, 0),
        object: object.to_owned(),
        schema: "api".to_owned(),
        does: format!("`{object}` leaks"),
        known: vec![("table", object.to_owned())],
    }
}

fn scripts(texts: &[&str]) -> Vec<Script> {
    let parse = |(at, text): (usize, &&str)| {
        Script::parse(MigrationFile { path: format!("{at}.sql"), text: (*text).to_owned() })
    };
    texts.iter().enumerate().map(parse).collect()
}

fn places(scripts: &[Script], moments: Vec<Moment>) -> Vec<(String, usize)> {
    let replay = Replay { moments, ..Replay::default() };
    findings(scripts, &replay).into_iter().map(|it| (it.file, it.line)).collect()
}

fn moment(after: Option<(usize, usize)>, leaks: &[&Leak]) -> Moment {
    Moment { after, leaks: leaks.iter().copied().cloned().collect() }
}

#[test]
fn a_leak_is_told_where_it_came_up_for_the_last_time() {
    let scripts = scripts(&["a;\nb;\nc", "d;\ne"]);
    let (stays, returns, mended, ours) = (
        leak(Rule::RlsOff, 1, "api.a"),
        leak(Rule::RlsOff, 2, "api.b"),
        leak(Rule::RlsOff, 3, "api.c"),
        leak(Rule::RlsOff, 4, "public.d"),
    );
    let moments = vec![
        moment(None, &[&ours]),
        moment(Some((0, 0)), &[&ours, &stays, &returns]),
        moment(Some((0, 2)), &[&ours, &stays, &mended]),
        moment(Some((1, 1)), &[&ours, &stays, &returns]),
    ];
    assert_eq!(places(&scripts, moments), [("0.sql".to_owned(), 1), ("1.sql".to_owned(), 2)]);
}

#[test]
fn allow_silences_its_code_on_its_statement() {
    let moments = || {
        let (one, two) = (leak(Rule::RlsOff, 1, "api.a"), leak(Rule::RlsOff, 2, "api.b"));
        vec![moment(None, &[]), moment(Some((0, 0)), &[&one]), moment(Some((0, 1)), &[&one, &two])]
    };
    let allowed = scripts(&["-- pgapp: allow rls-off public data\na;\nb"]);
    assert_eq!(places(&allowed, moments()), [("0.sql".to_owned(), 3)]);
    let other = scripts(&["-- pgapp: allow grant-to-public public data\na;\nb"]);
    assert_eq!(places(&other, moments()).len(), 2);
}

#[test]
fn what_one_grant_reaches_is_one_finding() {
    let scripts = scripts(&["grant select on all tables in schema api to public"]);
    let (one, two) = (leak(Rule::GrantToPublic, 1, "api.a"), leak(Rule::GrantToPublic, 2, "api.b"));
    let replay =
        Replay { moments: vec![moment(None, &[]), moment(Some((0, 0)), &[&one, &two])], ..Replay::default() };
    let found = findings(&scripts, &replay);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].object, "api.*");
    assert!(found[0].reason.starts_with("`api.a` leaks, and so on 1 more; "), "{}", found[0].reason);
}

#[test]
fn a_grant_of_a_routine_counts_while_public_may_run_it() {
    let scripts = scripts(&["grant execute on function api.F(int) to public"]);
    let with = |names: &[&str]| {
        let public_routines = names.iter().map(|it| (*it).to_owned()).collect();
        findings(
            &scripts,
            &Replay { seen: vec![vec![Default::default()]], public_routines, ..Replay::default() },
        )
        .len()
    };
    assert_eq!(with(&["api.f"]), 1);
    assert_eq!(with(&["api.g"]), 0);
    assert!(is_public("f", &HashSet::from(["api.f".to_owned()])));
    assert!(is_public("api.*", &HashSet::from(["api.f".to_owned()])));
    assert!(!is_public("ap.*", &HashSet::from(["api.f".to_owned()])));
}

#[test]
fn json_has_the_promised_members() {
    let scripts = scripts(&["a"]);
    let one = leak(Rule::RlsOff, 1, "api.a");
    let replay =
        Replay { moments: vec![moment(None, &[]), moment(Some((0, 0)), &[&one])], ..Replay::default() };
    let json = serde_json::to_value(findings(&scripts, &replay)).unwrap();
    let members: Vec<&str> = json[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["code", "file", "line", "object", "reason", "fix"]);
    assert_eq!(json[0]["fix"].as_str().unwrap().matches("api.a").count(), 1);
}

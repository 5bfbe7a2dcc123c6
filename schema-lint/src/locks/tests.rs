//! Each rule about locks, with and without what makes it one.

use super::*;
use crate::script::MigrationFile;

const OLD: &str = "old";

fn relation(name: &str) -> Relation {
    Relation {
        oid: 1,
        name: format!("public.{name}"),
        kind: 'r',
        is_old: name == OLD,
        is_populated: true,
        ..Relation::default()
    }
}

fn rewrite() -> Event {
    Event::Rewrite { table: OLD.to_owned() }
}

fn verify() -> Event {
    Event::Verify { table: OLD.to_owned() }
}

fn build() -> Event {
    Event::Build { table: OLD.to_owned() }
}

/// The codes of a migration whose statements each name the relation `old` and see the same events.
fn codes_of(sql: &str, events: &[Event], relation: &Relation) -> Vec<&'static str> {
    let script = Script::parse(MigrationFile { path: "m.sql".to_owned(), text: sql.to_owned() });
    let seen: Vec<Seen> = script
        .statements
        .iter()
        .map(|it| Seen {
            relations: it
                .actions
                .iter()
                .filter_map(|it| it.target.clone())
                .map(|it| (it, relation.clone()))
                .collect(),
            events: events.to_vec(),
        })
        .collect();
    check(&script, &seen).into_iter().map(|(_, it)| it.rule.code()).collect()
}

/// A finding on a table that was there; none on a new one, and none when the server does nothing.
#[track_caller]
fn case(sql: &str, event: Option<Event>, code: &str) {
    let events: Vec<Event> = event.into_iter().collect();
    assert_eq!(codes_of(sql, &events, &relation(OLD)), [code], "{sql}");
    assert_eq!(codes_of(sql, &[], &relation("fresh")), [""; 0], "{sql} on a new table");
    if !events.is_empty() {
        assert_eq!(codes_of(sql, &[], &relation(OLD)), [""; 0], "{sql} without effect");
    }
}

#[test]
fn rules_that_need_an_effect() {
    case("create index on old (a)", Some(build()), "index-not-concurrent");
    case("alter table old alter a type bigint", Some(rewrite()), "column-type-rewrite");
    case("alter table old alter a type text collate \"C\"", Some(build()), "column-type-rewrite");
    case("alter table old add a uuid default f()", Some(rewrite()), "column-volatile-default");
    case(
        "alter table old add a int generated always as (1) stored",
        Some(rewrite()),
        "column-generated-stored",
    );
    case("alter table old add a serial", Some(rewrite()), "column-sequence");
    case("alter table old add a int not null", Some(verify()), "column-required");
    case("alter table old alter a set not null", Some(verify()), "set-not-null");
    case("alter table old add check (a > 0)", Some(verify()), "check-validated-at-once");
    case(
        "alter table old add foreign key (a) references b",
        Some(Event::ValidateForeignKey),
        "foreign-key-validated-at-once",
    );
    case("alter table old add unique (a)", Some(build()), "unique-builds-index");
    case("alter table old add exclude using gist (a with &&)", Some(build()), "exclusion-constraint");
    case("alter table old set unlogged", Some(rewrite()), "persistence-rewrite");
    case("alter table old set access method x", Some(rewrite()), "storage-rewrite");
    case("alter table p attach partition old default", Some(verify()), "attach-partition-scan");
}

#[test]
fn rules_that_need_none() {
    case("reindex table old", None, "reindex-not-concurrent");
    case("refresh materialized view old", None, "refresh-not-concurrent");
    case("vacuum full old", None, "vacuum-full");
    case("lock table old", None, "explicit-lock");
    case("update old set a = 1", None, "every-row");
    case("alter table old set tablespace x", None, "storage-rewrite");
    case("alter table old detach partition x", None, "detach-partition-not-concurrent");
}

#[test]
fn what_the_relation_is_decides() {
    let index = Relation { kind: 'i', ..relation(OLD) };
    assert_eq!(codes_of("drop index old", &[], &index), ["drop-index-not-concurrent"]);
    let of_constraint = Relation { is_of_constraint: true, ..index.clone() };
    let partitioned = Relation { kind: 'I', ..index };
    let empty_view = Relation { is_populated: false, ..relation(OLD) };
    let beside_default = Relation { has_default_partition: true, ..relation(OLD) };
    let unused = Relation { kind: 'd', ..relation(OLD) };
    for (sql, relation) in [
        ("drop index old", &of_constraint),
        ("drop index old", &partitioned),
        ("refresh materialized view old", &empty_view),
        ("alter table old detach partition x", &beside_default),
        ("alter domain old set not null", &unused),
    ] {
        assert_eq!(codes_of(sql, &[], relation), [""; 0], "{sql}");
    }
    let used = Relation { is_used: true, ..unused };
    assert_eq!(codes_of("alter domain old set not null", &[], &used), ["domain-constraint"]);
}

#[test]
fn one_rewrite_is_told_once_at_its_first_column() {
    let sql = "alter table old alter a type bigint,\n alter b type bigint";
    assert_eq!(codes_of(sql, &[rewrite(), build()], &relation(OLD)), ["column-type-rewrite"]);
}

#[test]
fn an_effect_without_a_known_cause_is_told_all_the_same() {
    assert_eq!(codes_of("do $$ begin end $$", &[rewrite(), build()], &relation(OLD)), ["table-rewrite"]);
    assert_eq!(codes_of("do $$ begin end $$", &[build()], &relation(OLD)), ["index-not-concurrent"]);
    assert_eq!(codes_of("select f()", &[verify()], &relation(OLD)), ["table-scan"]);
    assert_eq!(
        codes_of("call p()", &[Event::ValidateForeignKey], &relation(OLD)),
        ["foreign-key-validated-at-once"]
    );
    assert_eq!(
        codes_of("alter type t alter attribute a type int cascade", &[rewrite()], &relation(OLD)),
        ["table-rewrite"]
    );
    // A check constraint that is checked anew, and an index built beside the old one.
    assert_eq!(codes_of("alter table old alter a type text", &[verify()], &relation(OLD)), [""; 0]);
    assert_eq!(codes_of("reindex table concurrently old", &[build()], &relation(OLD)), [""; 0]);
}

#[test]
fn validating_in_the_transaction_that_added_it_keeps_the_lock() {
    let sql =
        "alter table old add constraint \"k\" check (true) not valid; alter table old validate constraint K;";
    assert_eq!(codes_of(sql, &[], &relation(OLD)), ["validate-in-same-transaction"]);
    let apart = format!("-- pgapp: no-transaction\n{sql}");
    assert_eq!(codes_of(&apart, &[verify()], &relation(OLD)), [""; 0]);
    assert_eq!(codes_of("alter table old validate constraint k", &[verify()], &relation(OLD)), [""; 0]);
}

#[test]
fn a_relation_that_is_not_there_has_no_finding() {
    let script =
        Script::parse(MigrationFile { path: "m.sql".to_owned(), text: "drop index if exists i".to_owned() });
    assert_eq!(check(&script, &[Seen::default()]), []);
}

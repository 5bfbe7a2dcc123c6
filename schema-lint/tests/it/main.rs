//! Migrations run against a real Postgres: what it does with them decides.
#![allow(clippy::unwrap_used, reason = "helpers outside of #[test] functions are tests all the same")]

mod clean;
mod failures;
mod leaks;
mod locks;
mod places;

use local_stack::testing::{TestCluster, TestDb};
use schema_lint::{Error, Finding, MigrationFile};

/// Tables that were there for long, protected as they should be.
pub(crate) const BASE: &str = "
    create schema api;
    create schema private;
    create table api.org (id int primary key, name text not null);
    alter table api.org enable row level security;
    create policy own on api.org using (id = current_setting('app.org', true)::int);
    create table api.big (
        id int primary key, org int not null references api.org, a int, b text, c varchar(20), d timestamptz,
        e numeric(8, 2), r tsrange, n int not null default 0, f varchar(20) check (f <> ''));
    create index big_org on api.big (org);
    create index big_b on api.big (b);
    create unique index big_a_key on api.big (a);
    alter table api.big enable row level security;
    create policy own on api.big using (org = current_setting('app.org', true)::int);
    create domain private.positive as int check (value > 0);
    create domain private.label as text;
    create table private.plain (id int primary key, l private.label, ref int);
    create materialized view private.totals as select org, count(*) as n from api.big group by org;
    create unique index totals_org on private.totals (org);
    create table private.parts (at date not null, v int) partition by range (at);
    create table private.parts_1 partition of private.parts for values from ('2026-01-01') to ('2026-02-01');
    create table private.parts_2 (at date not null, v int);
    create procedure private.rewrite() language plpgsql as
        $$ begin alter table api.big alter a type bigint; end $$;
";

/// A database of one's own, which no other test sees.
pub(crate) async fn database() -> (tokio_postgres::Config, TestDb) {
    let cluster = TestCluster::shared().await.unwrap();
    let db = cluster.create_db(None).await.unwrap();
    (cluster.config(db.name()), db)
}

/// All findings of these migrations, named `0.sql`, `1.sql` and so on, with `api` exposed.
pub(crate) async fn try_lint(texts: &[&str]) -> Result<Vec<Finding>, Error> {
    let (config, _db) = database().await;
    let file =
        |(at, text): (usize, &&str)| MigrationFile { path: format!("{at}.sql"), text: (*text).to_owned() };
    schema_lint::lint(&config, texts.iter().enumerate().map(file).collect(), &["api".to_owned()]).await
}

/// Code and line of the findings of one migration after [`BASE`], which has none.
pub(crate) async fn lint(text: &str) -> Vec<(&'static str, usize)> {
    let found = try_lint(&[BASE, text]).await.unwrap();
    assert!(found.iter().all(|it| it.file == "1.sql"), "{found:?}");
    found.into_iter().map(|it| (it.code, it.line)).collect()
}

/// Runs each case, so that all that fail are told at once.
pub(crate) async fn check(cases: &[(&str, &[(&str, usize)])]) {
    let mut wrong = Vec::new();
    for (sql, expected) in cases {
        let found = lint(sql).await;
        if found != *expected {
            wrong.push(format!("{sql}\n  found {found:?}\n  expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

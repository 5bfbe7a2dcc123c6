//! What is written as it should be has no finding.

use crate::{BASE, check, database, try_lint};

#[tokio::test]
async fn the_safe_way_of_each_change() {
    check(&[
        ("-- pgapp: no-transaction\ncreate index concurrently x on api.big (d);\ndrop index concurrently api.big_b", &[]),
        ("-- pgapp: no-transaction\nreindex index concurrently api.big_b;\nreindex (concurrently) table api.big", &[]),
        ("refresh materialized view concurrently private.totals", &[]),
        ("alter table api.big add n1 int not null default 0, add n2 timestamptz default now(), add n3 text", &[]),
        ("alter table api.big add constraint x check (a > 0) not valid", &[]),
        ("alter table api.big add x int;\nalter table api.big add foreign key (x) references api.org not valid;\n\
          -- pgapp: allow index-not-concurrent the column is new\ncreate index on api.big (x)", &[]),
        ("alter table api.big add constraint big_a_key unique using index big_a_key", &[]),
        ("alter table api.big alter c type varchar(40);\nalter table api.big alter c type text, alter e type numeric(12, 2)", &[]),
        ("alter table api.big alter f type varchar(30)", &[]),
        ("alter table api.big alter a set default 5, alter d drop default, alter n drop not null", &[]),
        ("update api.big set a = 1 where a is null;\nupdate api.big x set a = 1 from api.org", &[]),
        ("-- pgapp: no-transaction\nvacuum analyze api.big;\nanalyze", &[]),
        ("lock table api.big in row exclusive mode", &[]),
        ("alter domain private.label add check (value <> '') not valid", &[]),
        ("drop index if exists private.not_there", &[]),
    ])
    .await;
}

#[tokio::test]
async fn changes_in_two_migrations() {
    let added = "alter table api.big add constraint there check (b is not null) not valid;
        alter table api.big add constraint org foreign key (a) references api.org not valid;
        alter table private.parts_2 add constraint bounds
            check (at >= '2026-02-01' and at < '2026-03-01') not valid;";
    let validated = "alter table api.big validate constraint there, validate constraint org;
        alter table private.parts_2 validate constraint bounds;";
    let used = "alter table api.big alter b set not null;
        alter table api.big drop constraint there;
        alter table private.parts attach partition private.parts_2 for values from ('2026-02-01') to ('2026-03-01');";
    assert_eq!(try_lint(&[BASE, added, validated, used]).await.unwrap(), []);
}

#[tokio::test]
async fn new_tables_are_built_in_any_way() {
    check(&[
        ("create table private.t (id int primary key, a int unique, b int not null, o int references api.org);\n\
          create index on private.t (b);\ncreate index on private.t (o);\ninsert into private.t values (1, 1, 1);\n\
          alter table private.t alter a set not null, add check (b > 0), alter b type bigint, add u serial;\n\
          update private.t set b = 2;\nreindex table private.t", &[]),
        ("create temp table t as select * from api.big;\ncreate index on t (a);\ndelete from t", &[]),
        ("create materialized view private.m as select 1 as a;\nrefresh materialized view private.m", &[]),
    ])
    .await;
}

#[tokio::test]
async fn schemas_that_protect_their_rows() {
    check(&[
        ("create table api.t (id int primary key);\nalter table api.t enable row level security;\n\
          create policy p on api.t using (id = current_setting('app.id', true)::int) with check (id > 0)", &[]),
        ("create table api.t (o int not null, at date) partition by range (at);\n\
          create table api.t1 partition of api.t default;\nalter table api.t enable row level security", &[]),
        ("create view api.v with (security_invoker = true) as select id from api.big;\n\
          create view api.w as select g from generate_series(1, 3) g;\n\
          create view private.x as select id from api.big", &[]),
        ("create materialized view api.m as select 1 as a;\ngrant select on api.m to pg_monitor", &[]),
        ("create function api.f() returns bigint language sql security definer set search_path = pg_catalog, pg_temp\n\
          as 'select count(*) from api.big'", &[]),
        ("create function api.f() returns bigint language sql security definer as 'select 1';\n\
          alter function api.f() set search_path from current", &[]),
        ("create table private.t (o int references api.org, n int, primary key (o, n))", &[]),
        ("create table private.t (n int, o int references api.org);\ncreate index on private.t using hash (o)", &[]),
        ("create table private.t (o int references api.org);\ncreate index on private.t (o) where o is not null", &[]),
        ("create table private.t (id int primary key);\ngrant select on private.t to pg_monitor", &[]),
        ("grant select on private.plain to public;\nrevoke all on private.plain from public", &[]),
        ("revoke all on schema private from public;\nrevoke execute on all functions in schema api from public", &[]),
        ("create extension pg_trgm schema private", &[]),
    ])
    .await;
}

#[tokio::test]
async fn words_are_not_statements() {
    check(&[(
        "-- create index on api.big(a); vacuum full\n/* alter table api.big alter a type bigint; */\n\
         comment on table api.big is 'security definer; using (true); grant all to public';\n\
         select $$alter table api.big set unlogged$$, 'reindex table api.big'",
        &[],
    )])
    .await;
}

#[tokio::test]
async fn a_public_database_without_grants_is_left_in_peace() {
    let schema = "create schema api; create table api.film (id int primary key, title text not null);
        create view api.films as select title from api.film;
        create function api.n() returns bigint language sql stable as 'select count(*) from api.film';";
    assert_eq!(try_lint(&[schema]).await.unwrap(), []);
}

#[tokio::test]
async fn what_default_privileges_of_the_surroundings_give_is_no_grant() {
    let (config, db) = database().await;
    let client = db.connect().await.unwrap();
    client
        .batch_execute("alter default privileges in schema public grant select on tables to pg_monitor")
        .await
        .unwrap();
    let file =
        |text: &str| vec![schema_lint::MigrationFile { path: "0.sql".to_owned(), text: text.to_owned() }];
    let exposed = ["public".to_owned()];
    let given =
        schema_lint::lint(&config, file("create table film (id int primary key)"), &exposed).await.unwrap();
    assert_eq!(given, []);
    let granted = "create table actor (id int primary key); grant insert on actor to pg_monitor";
    let found = schema_lint::lint(&config, file(granted), &exposed).await.unwrap();
    assert_eq!(found.iter().map(|it| it.object.as_str()).collect::<Vec<_>>(), ["public.actor"]);
}

#[tokio::test]
async fn each_migration_begins_with_a_fresh_session() {
    let first =
        "create schema s; set search_path = s; create table t (id int primary key); create temp table u ();";
    let second = "create table t (id int primary key); create temp table u ();";
    assert_eq!(try_lint(&[first, second]).await.unwrap(), []);
}

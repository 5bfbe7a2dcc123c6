//! What leaks in the schema that migrations make.

use crate::check;

#[tokio::test]
async fn tables_without_row_level_security() {
    check(&[
        ("create table api.naked (id int primary key)", &[("rls-off", 1)]),
        ("select 1;\ncreate table api.naked as select 1 as id", &[("rls-off", 2)]),
        (
            "create table api.half (id int primary key);\ncreate policy p on api.half using (id = 1)",
            &[("rls-off", 1)],
        ),
        (
            "create table api.t (id int primary key);\nalter table api.t enable row level security;\n\
             alter table api.big disable row level security",
            &[("rls-off", 3)],
        ),
        ("do $$ begin\nexecute 'create table api.naked (id int primary key)'; end $$", &[("rls-off", 1)]),
        (
            "create table private.t (id int primary key);\nselect 1;\nalter table private.t set schema api",
            &[("rls-off", 3)],
        ),
    ])
    .await;
}

#[tokio::test]
async fn views_that_read_as_their_owner() {
    let code = "view-bypasses-rls";
    check(&[
        ("create view api.v as select id from api.big", &[(code, 1)]),
        ("create view api.v with (security_invoker = off) as select id from api.big", &[(code, 1)]),
        (
            "create view private.m with (security_invoker) as select id from api.big;\n\
             create view api.v as select id from private.m",
            &[(code, 2)],
        ),
        (
            "create view private.m as select id from api.big;\n\
             create view api.v with (security_invoker = true) as select id from private.m",
            &[(code, 2)],
        ),
        (
            "create view api.v with (security_invoker = true) as select id from api.big;\n\
             alter view api.v reset (security_invoker)",
            &[(code, 2)],
        ),
        (
            "create view api.v with (security_invoker = true) as select id from api.big;\n\
             create or replace view api.v as select id from api.big",
            &[(code, 2)],
        ),
        ("create view api.v as select (select count(*) from api.big) as n", &[(code, 1)]),
        (
            "create materialized view api.m as select id from api.big;\ngrant select on api.m to pg_monitor",
            &[(code, 2)],
        ),
    ])
    .await;
}

#[tokio::test]
async fn definers_without_search_path() {
    let code = "definer-without-search-path";
    check(&[
        ("create function api.f() returns int\nlanguage sql security definer as 'select 1'", &[(code, 1)]),
        ("create procedure private.p() language sql security definer as 'select 1'", &[(code, 1)]),
        (
            "create function api.f() returns int language sql security definer set search_path = '' as 'select 1';\n\
             alter function api.f() reset all",
            &[(code, 2)],
        ),
        (
            "create function api.f() returns int language sql as 'select 1';\n\
             alter function api.f() security definer",
            &[(code, 2)],
        ),
    ])
    .await;
}

#[tokio::test]
async fn policies_that_always_hold() {
    let expected: &[(&str, usize)] = &[("policy-always-true", 1)];
    check(&[
        ("create policy p on api.big using (true)", expected),
        ("create policy p on api.big for select using (1 = 1)", expected),
        ("create policy p on api.big using (org = 1 or true)", expected),
        ("create policy p on api.big using (not false and length('a') = 1)", expected),
        ("create policy p on api.big using (coalesce(true, org = 1))", expected),
        ("create policy p on api.big using (id = id)", expected),
        ("create policy p on api.big using (org is not null)", expected),
        ("create policy p on api.big for insert with check (true)", expected),
        ("create policy p on api.big for update using (org = 1) with check (true)", expected),
        ("create policy p on private.parts using (true)", expected),
        ("select 1;\nalter policy own on api.big using (true)", &[("policy-always-true", 2)]),
    ])
    .await;
}

#[tokio::test]
async fn foreign_keys_without_index() {
    let code = "foreign-key-without-index";
    check(&[
        ("create table private.t (id int primary key, o int references api.org)", &[(code, 1)]),
        (
            "create table private.two (a int, b int, primary key (a, b));\n\
             create table private.t (a int, b int, z int, foreign key (a, b) references private.two);\n\
             create index on private.t (z, a, b)",
            &[(code, 2)],
        ),
        (
            "create table private.t (o int references api.org);\ncreate index i on private.t (o) where o > 5",
            &[(code, 1)],
        ),
        (
            "create table private.t (o int references api.org);\ncreate index i on private.t (o);\n\
             drop index private.i",
            &[(code, 3)],
        ),
    ])
    .await;
}

#[tokio::test]
async fn grants_to_public() {
    let code = "grant-to-public";
    check(&[
        ("grant select on private.plain to public", &[(code, 1)]),
        ("grant select (id) on private.plain to pg_monitor, PUBLIC", &[(code, 1)]),
        ("grant select, insert on all tables in schema api to public", &[(code, 1)]),
        ("grant usage on schema api to public", &[(code, 1)]),
        ("create sequence private.s;\ngrant usage on sequence private.s to public", &[(code, 2)]),
        ("alter default privileges in schema api grant select on tables to public", &[(code, 1)]),
        (
            "alter default privileges in schema private grant select on tables to public;\n\
             create table private.t (id int primary key)",
            &[(code, 1)],
        ),
        (
            "create function api.f() returns int language sql as 'select 1';\n\
             revoke execute on function api.f() from public;\ngrant execute on function api.f() to public",
            &[(code, 3)],
        ),
        ("do $$ begin execute 'grant select on private.plain to public'; end $$", &[(code, 1)]),
    ])
    .await;
}

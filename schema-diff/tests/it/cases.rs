//! What random schemas do not reach.

use schema_diff::{Note, Stage};

use crate::support::{becomes, leads, made, major};

fn lost(found: &schema_diff::Difference) -> Vec<String> {
    let notes = found.statements.iter().flat_map(|it| &it.notes);
    notes.filter_map(|it| if let Note::Destructive(text) = it { Some(text.clone()) } else { None }).collect()
}

#[tokio::test]
async fn foreign_keys_in_a_circle() {
    let b =
        "create table a (id int primary key, b int); create table b (id int primary key, a int references a);
        alter table a add foreign key (b) references b on delete set null deferrable;";
    leads("", b).await;
    let gone = leads(b, "drop table a cascade; drop table b;").await;
    assert_eq!(lost(&gone).len(), 2);
}

#[tokio::test]
async fn labels_are_committed_before_they_are_used() {
    let mut want = made("create type e as enum ('b', 'd'); create table t (v e default 'b');").await;
    want.run("alter type e add value 'a' before 'b'; alter type e add value 'c' after 'b'; alter type e add value 'z'").await;
    want.run("alter table t alter v set default 'a'").await;
    let mut start = made("create type e as enum ('b', 'd'); create table t (v e default 'b');").await;
    let found = becomes(&mut start, &mut want).await;
    assert_eq!(found.statements.iter().filter(|it| it.stage == Stage::Labels).count(), 3);
}

#[tokio::test]
async fn a_type_is_replaced_below_all_that_uses_it() {
    let a = "create type e as enum ('a', 'b', 'c'); create domain d as int; create type pair as (l e, n int);
        create table t (id int primary key, v e default 'a', w e[], x d, y pair);
        create index i on t (v) where v = 'a'; create view over as select v, x from t where v <> 'c';
        create function f(e) returns e language sql as 'select $1'; alter table t add check (v <> 'c');
        create function g(over) returns int language sql as 'select 1';";
    let b = "drop function g; drop view over; drop function f; alter table t drop constraint t_v_check; drop index i; alter table t alter v drop default;
        alter table t drop y; drop type pair; alter table t alter v type text, alter w type text[], alter x type bigint; drop type e; drop domain d;
        create type e as enum ('a', 'b'); create domain d as bigint; create type pair as (l e, n int);
        alter table t alter v type e using v::e, alter w type e[] using w::e[], alter x type d; alter table t alter v set default 'a'; alter table t add y pair;
        create index i on t (v) where v = 'a'; create view over as select v, x from t where v <> 'b';
        create function f(e) returns e language sql as 'select $1'; alter table t add check (v <> 'b');
        create function g(over) returns int language sql as 'select 1';";
    let mut start = made(a).await;
    start.run("insert into t values (1, 'a', '{a,b}', 7, row('a', 3))").await;
    let mut want = made(a).await;
    want.run(b).await;
    becomes(&mut start, &mut want).await;
    assert_eq!(start.one("select concat_ws(' ', v, w, x, (y).n) from t").await, "a {a,b} 7 3");
}

#[tokio::test]
async fn a_default_calls_a_function_of_its_own_table() {
    leads("", "create table t (id int); create function f(t) returns int language sql as 'select 1'; alter table t add v int default 1;
        create function n() returns bigint language sql as 'select count(*) from t'; alter table t alter v set default n();").await;
}

#[tokio::test]
async fn tables_become_views_and_partitions() {
    let a = "create table t (id int, v text); create view v as select id from t; create table p (id int not null);";
    let b = "drop view v; drop table t; create view t as select 1 as id, 'x'::text as v; create table v (id int);
        drop table p; create table p (id int not null) partition by list (id); create table p1 partition of p for values in (1);";
    let found = leads(a, b).await;
    assert_eq!(
        lost(&found),
        [
            "table public.p is made anew and its rows are lost",
            "table public.t is made anew and its rows are lost"
        ]
    );
}

#[tokio::test]
async fn rights_that_were_passed_on() {
    let a = "create table t (a int, b int); grant select on t to diff_r1 with grant option; grant select (a), update (b) on t to diff_r2;
        grant usage on schema public to diff_r1; set role diff_r1; grant select on t to diff_r2; reset role;";
    leads(
        "create table t (a int, b int); grant usage on schema public to diff_r1;",
        a.split_once(';').unwrap().1,
    )
    .await;
    leads(a, "set role diff_r1; revoke select on t from diff_r2; reset role; revoke grant option for select on t from diff_r1;
        grant select (a) on t to diff_r2; revoke insert on t from current_user; grant insert (b) on t to public;").await;
}

#[tokio::test]
async fn default_privileges_reach_nothing_that_is_made() {
    let a = "create schema x; alter default privileges in schema x grant all on tables to diff_r1; alter default privileges revoke execute on functions from public;";
    leads(a, "create table x.t (a int); revoke all on x.t from diff_r1; create function x.f() returns int language sql as 'select 1'; grant execute on function x.f() to public;
        alter default privileges in schema x revoke all on tables from diff_r1; alter default privileges for role diff_r2 grant usage on schemas to diff_r1;").await;
}

#[tokio::test]
async fn partitions_with_keys_indexes_and_checks() {
    let a = "create table p (id int not null, at int not null, v text) partition by range (at);
        create table p1 partition of p for values from (0) to (10); create table p2 partition of p for values from (10) to (20); create table lone (id int not null, at int not null, v text);
        create index own_name on p (v);";
    let b = "alter table p detach partition p2; alter table p attach partition lone for values from (20) to (30); alter table p add constraint pk primary key (id, at);
        alter table p add more int default 3; alter table p add constraint positive check (at >= 0); drop index own_name; create index other on p (v, at);
        create table p3 partition of p for values from (30) to (maxvalue) partition by list (id); create table p3a partition of p3 for values in (1, 2); create table pd partition of p default;
        alter table p1 alter more set default 5; create table c (id int, at int, foreign key (id, at) references p);";
    let mut start = made(a).await;
    start.run("insert into p values (1, 1), (2, 12)").await;
    let mut want = made(a).await;
    want.run(b).await;
    becomes(&mut start, &mut want).await;
    assert_eq!(start.one("select (select count(*) from p) || ' ' || (select count(*) from p2)").await, "1 1");
}

#[tokio::test]
async fn sequences_go_on_after_the_numbers_in_use() {
    let a = "create table t (id int not null); create table u (id int not null); create sequence q;";
    let mut start = made(a).await;
    start.run("insert into t values (41); insert into u values (7); select setval('q', 20)").await;
    let mut want = made(a).await;
    want.run("alter table t alter id add generated by default as identity; create sequence u_id_seq as integer owned by u.id;
        alter table u alter id set default nextval('u_id_seq'); alter sequence q maxvalue 10").await;
    becomes(&mut start, &mut want).await;
    start.run("insert into t default values; insert into u default values").await;
    assert_eq!(start.one("select (select max(id) from t) || ' ' || (select max(id) from u) || ' ' || (select last_value from q)").await, "42 8 10");
}

#[tokio::test]
async fn changes_on_a_running_system_do_not_hold_locks_for_long() {
    let a = "create table p (id int primary key); create table t (id int primary key, n int, v text);";
    let found = leads(a, "alter table t add constraint low check (n > 0); alter table t add foreign key (n) references p; alter table t alter v set not null; create index i on t (v);").await;
    let at =
        |stage: Stage| found.statements.iter().filter(move |it| it.stage == stage).map(|it| it.sql.as_str());
    assert!(at(Stage::Main).all(|it| it.ends_with("not valid")));
    assert_eq!(at(Stage::Validate).filter(|it| it.contains("validate constraint")).count(), 3);
    assert!(at(Stage::Concurrent).any(|it| it.contains("INDEX CONCURRENTLY")));
    assert_eq!(lost(&found), Vec::<String>::new());
}

#[tokio::test]
async fn objects_of_extensions_and_of_the_project_are_left_alone() {
    let mut want = made("create extension hstore; create table t (h hstore); create schema pgapp; create table pgapp.more (id int)").await;
    let mut start = made("create schema pgapp; create table pgapp.ledger (id int)").await;
    let target = want.catalog().await;
    let found = schema_diff::difference(&start.catalog().await, &target);
    start.apply(&found).await;
    assert!(schema_diff::difference(&start.catalog().await, &target).is_empty());
    let sql: Vec<&str> = found.statements.iter().map(|it| it.sql.as_str()).collect();
    assert_eq!(sql.len(), 2, "{sql:?}");
    assert!(sql[0].starts_with("create extension hstore"), "{sql:?}");
}

#[tokio::test]
async fn foreign_servers_tables_and_mappings() {
    let a = "create extension postgres_fdw; create server s foreign data wrapper postgres_fdw options (host 'a', port '1'); create foreign table f (a int, b text options (column_name 'bb')) server s options (table_name 'x');";
    leads(a, "alter server s options (set host 'b', drop port, add dbname 'x'); create user mapping for diff_r1 server s options (user 'u', password 'p''w');
        alter foreign table f add c date, alter a type bigint, alter b options (set column_name 'b2'); alter foreign table f options (set table_name 'y', add schema_name 'z'); grant usage on foreign server s to diff_r2;").await;
}

#[tokio::test]
async fn virtual_columns_and_periods() {
    if major() < 18 {
        return;
    }
    let a = "create extension btree_gist; create table t (id int, n int);";
    leads(a, "alter table t add g int generated always as (n * 2) virtual; create table r (id int, at daterange, primary key (id, at without overlaps));
        alter table t add constraint c check (n > 0) not enforced;").await;
}

#[tokio::test]
async fn names_of_all_kinds() {
    leads("", r#"create schema "Ä b"; create table "Ä b"."order" ("select" int primary key, "we""ird" text default 'a', "%I" int references "Ä b"."order");
        create type "Ä b"."E" as enum ('A b', 'c''d'); create function "Ä b"."F n"("a b" int, e "Ä b"."E" default 'A b') returns int language sql as $x$ select 1 $x$;
        create index "i x" on "Ä b"."order" ("%I"); create policy "p ü" on "Ä b"."order" to "Diff R3" using ("select" > 0);
        create view "Ä b"."v " as select "we""ird" as "as" from "Ä b"."order"; comment on column "Ä b"."order"."%I" is E'two\nlines \\ ''';
        create trigger "t r" before update of "%I" on "Ä b"."order" for each row execute function suppress_redundant_updates_trigger();"#).await;
}

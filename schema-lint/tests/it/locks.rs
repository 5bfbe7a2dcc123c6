//! What locks or rewrites a table that was there before.

use crate::{check, try_lint};

#[tokio::test]
async fn indexes() {
    check(&[
        ("select 1;\ncreate index x on api.big (d);", &[("index-not-concurrent", 2)]),
        ("set search_path = api;\ncreate unique index x on big (a, b)", &[("index-not-concurrent", 2)]),
        ("create index x on private.parts (v)", &[("index-not-concurrent", 1)]),
        ("create index x on private.totals (n)", &[("index-not-concurrent", 1)]),
        ("drop index api.big_b", &[("drop-index-not-concurrent", 1)]),
        ("reindex table api.big", &[("reindex-not-concurrent", 1)]),
        ("reindex index api.big_b", &[("reindex-not-concurrent", 1)]),
        ("refresh materialized view private.totals", &[("refresh-not-concurrent", 1)]),
    ])
    .await;
}

#[tokio::test]
async fn columns() {
    check(&[
        ("alter table api.big\n  alter column a type bigint", &[("column-type-rewrite", 2)]),
        ("alter table api.big alter c type varchar(10)", &[("column-type-rewrite", 1)]),
        ("alter table api.big alter e type numeric(12, 4)", &[("column-type-rewrite", 1)]),
        ("alter table api.big alter b type text collate \"C\"", &[("column-type-rewrite", 1)]),
        ("alter table api.big alter n type private.positive", &[("column-type-rewrite", 1)]),
        ("alter table api.big add u uuid default gen_random_uuid()", &[("column-volatile-default", 1)]),
        (
            "alter table api.big add t timestamptz default clock_timestamp()",
            &[("column-volatile-default", 1)],
        ),
        (
            "alter table api.big add g text generated always as (b || c) stored",
            &[("column-generated-stored", 1)],
        ),
        ("alter table api.big add s bigserial", &[("column-sequence", 1)]),
        ("alter table api.big add s int generated always as identity", &[("column-sequence", 1)]),
        ("alter table api.big add x int not null", &[("column-required", 1)]),
        ("alter table api.big add x int check (x > 0)", &[("check-validated-at-once", 1)]),
        ("alter table api.big add x int unique", &[("unique-builds-index", 1)]),
        ("alter table api.big alter b set not null", &[("set-not-null", 1)]),
    ])
    .await;
}

#[tokio::test]
async fn constraints() {
    check(&[
        ("alter table api.big add constraint x check (a > 0)", &[("check-validated-at-once", 1)]),
        (
            "create table private.kinds (id int primary key);\n\
             alter table api.big add constraint x foreign key (a) references private.kinds",
            &[("foreign-key-validated-at-once", 2)],
        ),
        ("alter table api.big add constraint x unique (c)", &[("unique-builds-index", 1)]),
        ("alter table private.parts_2 add primary key (at)", &[("unique-builds-index", 1)]),
        (
            "alter table api.big add constraint x exclude using gist (r with &&)",
            &[("exclusion-constraint", 1)],
        ),
        (
            "alter table api.big add constraint x check (a > 0) not valid;\n\
             alter table api.big validate constraint x",
            &[("validate-in-same-transaction", 2)],
        ),
        ("alter domain private.label add check (value <> '')", &[("domain-constraint", 1)]),
    ])
    .await;
}

#[tokio::test]
async fn whole_tables() {
    check(&[
        ("-- pgapp: no-transaction\nvacuum full api.big", &[("vacuum-full", 2)]),
        ("-- pgapp: no-transaction\nvacuum (full, analyze) api.big", &[("vacuum-full", 2)]),
        ("cluster api.big using big_b", &[("vacuum-full", 1)]),
        ("alter table private.plain set unlogged", &[("persistence-rewrite", 1)]),
        ("lock table api.big in share mode", &[("explicit-lock", 1)]),
        ("update api.big set a = 1", &[("every-row", 1)]),
        ("delete from only api.big", &[("every-row", 1)]),
        (
            "alter table private.parts attach partition private.parts_2\n\
             for values from ('2026-02-01') to ('2026-03-01')",
            &[("attach-partition-scan", 1)],
        ),
        (
            "alter table private.parts detach partition private.parts_1",
            &[("detach-partition-not-concurrent", 1)],
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_code_does_is_seen() {
    check(&[
        ("do $$ begin\n execute 'alter table api.big alter a type bigint';\nend $$", &[("table-rewrite", 1)]),
        ("call private.rewrite()", &[("table-rewrite", 1)]),
        ("do $$ begin create index x on api.big (d); end $$", &[("index-not-concurrent", 1)]),
        (
            "set client_min_messages = error;\ndo $$ begin alter table api.big alter b set not null; end $$",
            &[("table-scan", 2)],
        ),
    ])
    .await;
}

#[tokio::test]
async fn findings_name_table_lock_and_way_out() {
    let found = try_lint(&[crate::BASE, "alter table api.big alter b set not null"]).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].object, "api.big");
    assert_eq!(found[0].reason, "`b` on `api.big`; reads and writes wait until the whole table is read");
    assert!(found[0].fix.contains("check (b is not null) not valid"), "{}", found[0].fix);
}

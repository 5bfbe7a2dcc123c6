//! Where findings are told, and what comments allow.

use schema_lint::render;

use crate::{BASE, check, lint, try_lint};

#[tokio::test]
async fn allow_silences_one_statement() {
    check(&[
        (
            "-- pgapp: allow index-not-concurrent it is small\ncreate index x1 on api.big (d);\n\
             create index x2 on api.big (e);",
            &[("index-not-concurrent", 3)],
        ),
        ("-- pgapp: allow rls-off public\ncreate table api.t (id int primary key);", &[]),
        (
            "-- pgapp: allow rls-off public\n-- pgapp: allow foreign-key-without-index never joined\n\
             create table api.t (id int primary key, o int references api.org);",
            &[],
        ),
        (
            "-- pgapp: allow grant-to-public no\ncreate index x on api.big (d);",
            &[("index-not-concurrent", 2)],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_leak_that_a_later_migration_mends_is_none() {
    let made = "create table api.t (id int primary key);";
    let mended = "alter table api.t enable row level security;";
    assert_eq!(try_lint(&[BASE, made, mended]).await.unwrap(), []);
}

#[tokio::test]
async fn a_file_with_several_leaks_tells_each_at_its_statement() {
    let text = "create table api.t (id int primary key);\ngrant select on private.plain to public;\n\
                create view api.v as\n select id from api.big;";
    assert_eq!(lint(text).await, [("rls-off", 1), ("grant-to-public", 2), ("view-bypasses-rls", 3)]);
}

#[tokio::test]
async fn text_shows_code_place_line_and_fix() {
    let text = "select 1;\ncreate index x on api.big (d);\n";
    let found = try_lint(&[BASE, text]).await.unwrap();
    let shown = render::text(&found, |path| (path == "1.sql").then(|| text.to_owned()), false);
    for part in [
        "error[index-not-concurrent]: `x` on `api.big`; writes to the table wait until the index is built",
        "--> 1.sql:2:1",
        "2 | create index x on api.big (d);",
        "lock: SHARE",
        "help: `create index concurrently …`",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
}

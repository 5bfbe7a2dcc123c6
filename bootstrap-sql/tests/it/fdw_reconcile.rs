//! Imports follow the origin, and keep what is local.

use bootstrap_sql::fdw::{self, ImportReport};
use tokio_postgres::Client;

use crate::cluster::{Cluster, text, texts};
use crate::fdw_wire::wired;
use crate::targets::{anonymous, chain, refused};

pub(crate) async fn import(cluster: &Cluster, custom: &mut Client) -> ImportReport {
    fdw::import(custom, &cluster.fdw_config()).await.unwrap_or_else(|it| panic!("{}", chain(&it)))
}

pub(crate) fn skipped(report: &ImportReport) -> Vec<(&str, &str)> {
    report.skipped.iter().map(|it| (it.table.as_str(), it.reason.as_str())).collect()
}

pub(crate) fn changes<'a>(report: &'a ImportReport, table: &str) -> Vec<&'a str> {
    let of_table = report.changed.iter().find(|it| it.table == table);
    of_table.map(|it| it.changes.iter().map(String::as_str).collect()).unwrap_or_default()
}

/// `name type [not null]` of every column of a relation.
pub(crate) async fn columns(client: &Client, relation: &str) -> Vec<String> {
    texts(
        client,
        &format!(
            "SELECT attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END
             FROM pg_attribute WHERE attrelid = '{relation}'::regclass AND attnum > 0 AND NOT attisdropped
             ORDER BY attnum"
        ),
    )
    .await
}

#[tokio::test]
async fn second_import_writes_nothing() {
    let cluster = Cluster::start().await;
    let (_origin, mut custom) = wired(&cluster).await;
    let report = import(&cluster, &mut custom).await;
    assert_eq!((report.added.len(), report.unchanged), (1, 0));
    let state = "SELECT xmin::text || oid FROM pg_class WHERE relname = 'todos'";
    let before = text(&custom, state).await;
    let report = import(&cluster, &mut custom).await;
    assert_eq!(report, ImportReport { unchanged: 1, ..ImportReport::default() });
    assert_eq!(text(&custom, state).await, before);
    assert_eq!(
        texts(&custom, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgapp_%'").await,
        [""; 0]
    );
}

#[tokio::test]
async fn tables_follow_the_origin() {
    let cluster = Cluster::start().await;
    let (origin, mut custom) = wired(&cluster).await;
    origin
        .batch_execute(
            "CREATE TABLE a (x int); CREATE TABLE b (x int); CREATE VIEW v AS SELECT * FROM a;
             CREATE MATERIALIZED VIEW m AS SELECT * FROM a;
             CREATE TABLE p (x int) PARTITION BY LIST (x); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)",
        )
        .await
        .unwrap();
    let report = import(&cluster, &mut custom).await;
    assert_eq!(report.added, ["a", "b", "m", "p", "todos", "v"]);

    origin
        .batch_execute("DROP TABLE b; ALTER TABLE todos RENAME TO tasks; CREATE TABLE c (x int)")
        .await
        .unwrap();
    let report = import(&cluster, &mut custom).await;
    assert_eq!(report.added, ["c", "tasks"]);
    assert_eq!(report.dropped, ["b", "todos"]);
    assert_eq!(report.unchanged, 4);
    let api = anonymous(&cluster).await;
    assert_eq!(text(&api, "SELECT col1 FROM public.tasks").await, "cat");
}

#[tokio::test]
async fn columns_are_altered_in_place() {
    let cluster = Cluster::start().await;
    let (origin, mut custom) = wired(&cluster).await;
    origin
        .batch_execute(
            "CREATE TABLE t (id int PRIMARY KEY, gone text, grows varchar(10), strict text, lax text NOT NULL,
                             \"Old name\" numeric(6,2), collated text)",
        )
        .await
        .unwrap();
    import(&cluster, &mut custom).await;
    custom
        .batch_execute(
            "CREATE ROLE reader; GRANT SELECT (id, grows) ON t TO reader; REVOKE DELETE ON t FROM web_anon;
             COMMENT ON FOREIGN TABLE t IS 'mine'; COMMENT ON COLUMN t.grows IS 'also mine';
             ALTER FOREIGN TABLE t RENAME COLUMN strict TO renamed_here;
             CREATE VIEW v AS SELECT id FROM t",
        )
        .await
        .unwrap();
    let oid = text(&custom, "SELECT 't'::regclass::oid").await;
    origin
        .batch_execute(
            "ALTER TABLE t DROP COLUMN gone; ALTER TABLE t ALTER grows TYPE varchar(20); ALTER TABLE t ADD fresh int[] NOT NULL;
             ALTER TABLE t ALTER strict SET NOT NULL; ALTER TABLE t ALTER lax DROP NOT NULL;
             ALTER TABLE t RENAME \"Old name\" TO \"New \"\"name\"\"\"; ALTER TABLE t ALTER collated TYPE text COLLATE \"C\"",
        )
        .await
        .unwrap();
    let report = import(&cluster, &mut custom).await;
    assert_eq!(skipped(&report), []);
    assert_eq!(
        changes(&report, "t"),
        [
            r#"column "gone" removed"#,
            r#"column "Old name" removed"#,
            r#"column "grows" has type character varying(20) instead of character varying(10)"#,
            r#"column "renamed_here" is not nullable now"#,
            r#"column "lax" is nullable now"#,
            r#"column "New "name"" added"#,
            r#"column "collated" has type text COLLATE pg_catalog."C" instead of text"#,
            r#"column "fresh" added"#,
        ]
    );
    assert_eq!(
        columns(&custom, "t").await,
        [
            "id integer not null",
            "grows character varying(20)",
            "renamed_here text not null",
            "lax text",
            "collated text",
            "New \"name\" numeric(6,2)",
            "fresh integer[] not null",
        ]
    );
    assert_eq!(text(&custom, "SELECT 't'::regclass::oid").await, oid);
    assert_eq!(
        text(&custom, "SELECT obj_description('t'::regclass) || col_description('t'::regclass, 3)").await,
        "minealso mine"
    );
    assert_eq!(text(&custom, "SELECT has_column_privilege('reader', 't', 'grows', 'SELECT')").await, "t");
    assert_eq!(text(&custom, "SELECT has_table_privilege('web_anon', 't', 'DELETE')").await, "f");
    custom
        .batch_execute("INSERT INTO t VALUES (1, 'g', 's', 'l', 'c', 1.5, '{1}'); SELECT * FROM v")
        .await
        .unwrap();
    assert_eq!(text(&origin, "SELECT strict || \"New \"\"name\"\"\" FROM t").await, "s1.50");
    assert_eq!(import(&cluster, &mut custom).await.unchanged, 2);
}

#[tokio::test]
async fn what_a_view_needs_stays_and_is_reported_while_the_rest_follows() {
    let cluster = Cluster::start().await;
    let (origin, mut custom) = wired(&cluster).await;
    origin.batch_execute("CREATE TABLE t (a int, b int, c int); CREATE TABLE u (a int)").await.unwrap();
    import(&cluster, &mut custom).await;
    custom
        .batch_execute("CREATE VIEW v AS SELECT a, b FROM t; CREATE VIEW w AS SELECT * FROM u")
        .await
        .unwrap();
    origin
        .batch_execute(
            "ALTER TABLE t DROP a, ALTER b TYPE bigint, ALTER c TYPE bigint, ADD d int; DROP TABLE u",
        )
        .await
        .unwrap();
    let report = import(&cluster, &mut custom).await;
    assert_eq!(columns(&custom, "t").await, ["a integer", "b integer", "c bigint", "d integer"]);
    assert_eq!(report.changed.len(), 1);
    let skipped = skipped(&report);
    assert_eq!(skipped.iter().map(|it| it.0).collect::<Vec<_>>(), ["u", "t", "t"], "{skipped:?}");
    assert!(skipped[0].1.contains("view public.w depends on foreign table public.u"), "{skipped:?}");
    assert!(
        skipped[1].1.contains("column \"a\" removed") && skipped[1].1.contains("view public.v"),
        "{skipped:?}"
    );
    assert!(skipped[2].1.contains("used by a view"), "{skipped:?}");

    custom.batch_execute("DROP VIEW v, w").await.unwrap();
    let report = import(&cluster, &mut custom).await;
    assert_eq!(report.skipped, []);
    assert_eq!(report.dropped, ["u"]);
    assert_eq!(columns(&custom, "t").await, ["b bigint", "c bigint", "d integer"]);
}

#[tokio::test]
async fn local_relations_of_the_same_name_are_left_alone() {
    let cluster = Cluster::start().await;
    let (origin, mut custom) = wired(&cluster).await;
    origin
        .batch_execute(
            "CREATE TABLE a (x int); CREATE TABLE b (x int); CREATE TABLE c (x int); CREATE TABLE d (x int)",
        )
        .await
        .unwrap();
    custom
        .batch_execute(&format!(
            "CREATE TABLE a (mine text); CREATE VIEW b AS SELECT 1 AS mine;
             CREATE SERVER byhand FOREIGN DATA WRAPPER postgres_fdw
                 OPTIONS (host '127.0.0.1', port '{}', dbname 'somedb');
             CREATE FOREIGN TABLE c (mine int) SERVER byhand OPTIONS (schema_name 'public', table_name 'c');
             CREATE FOREIGN TABLE byhand (mine int) SERVER byhand OPTIONS (table_name 'nowhere');
             CREATE FOREIGN TABLE alias (x int) SERVER origin OPTIONS (schema_name 'public', table_name 'd');",
            cluster.port
        ))
        .await
        .unwrap();
    let report = import(&cluster, &mut custom).await;
    assert_eq!(report.added, ["d", "todos"]);
    assert_eq!(
        skipped(&report),
        [
            ("a", r#""public"."a" is a table already, which is left as it is"#),
            ("b", r#""public"."b" is a view already, which is left as it is"#),
            (
                "c",
                r#""public"."c" is a foreign table of the server "byhand" already, which is left as it is"#
            ),
        ]
    );
    origin.batch_execute("DROP TABLE c; DROP TABLE d").await.unwrap();
    assert_eq!(import(&cluster, &mut custom).await.dropped, ["d"]);
    for (table, expected) in [
        ("a", "mine text"),
        ("b", "mine integer"),
        ("c", "mine integer"),
        ("byhand", "mine integer"),
        ("alias", "x integer"),
    ] {
        assert_eq!(columns(&custom, table).await, [expected], "{table}");
    }
}

#[tokio::test]
async fn names_that_need_quotes_work() {
    let cluster = Cluster::start().await;
    let (origin, mut custom) = wired(&cluster).await;
    origin
        .batch_execute(
            r#"CREATE TABLE "Sélect; DROP TABLE ""x""" ("a b" int PRIMARY KEY, "it's" text, "back\slash" int);
               CREATE TABLE "100%" ("Ref ""x""" int CONSTRAINT "the 'key'" REFERENCES "Sélect; DROP TABLE ""x""")"#,
        )
        .await
        .unwrap();
    let report = import(&cluster, &mut custom).await;
    assert_eq!(report.added, ["100%", r#"Sélect; DROP TABLE "x""#, "todos"]);
    assert_eq!(
        texts(
            &custom,
            "SELECT concat_ws('|', kind, table_name, constraint_name, columns[1], ref_schema, ref_table, ref_columns[1])
             FROM pgapp.origin_key ORDER BY 1"
        )
        .await,
        [
            r#"f|100%|the 'key'|Ref "x"|public|Sélect; DROP TABLE "x"|a b"#,
            r#"p|Sélect; DROP TABLE "x"|Sélect; DROP TABLE "x"_pkey|a b"#,
        ]
    );
    origin
        .batch_execute(
            r#"ALTER TABLE "Sélect; DROP TABLE ""x""" DROP "it's", ADD "new 'one'" text, ALTER "back\slash" TYPE bigint"#,
        )
        .await
        .unwrap();
    import(&cluster, &mut custom).await;
    custom
        .batch_execute(
            r#"INSERT INTO "Sélect; DROP TABLE ""x""" ("a b", "back\slash", "new 'one'") VALUES (1, 2, 'x')"#,
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn keys_are_recorded_by_local_names_and_follow_the_origin() {
    let cluster = Cluster::start().await;
    let (origin, mut custom) = wired(&cluster).await;
    origin
        .batch_execute(
            "CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.far (id int PRIMARY KEY);
             CREATE TABLE films (id int PRIMARY KEY, title text, year int, far int REFERENCES elsewhere.far, UNIQUE (year, title));
             CREATE TABLE roles (film int REFERENCES films, actor int, PRIMARY KEY (film, actor));
             CREATE TABLE hidden (id int PRIMARY KEY, film int REFERENCES films)",
        )
        .await
        .unwrap();
    custom.batch_execute("CREATE TABLE hidden (id int)").await.unwrap();
    let keys =
        "SELECT concat_ws(' ', kind, table_schema, table_name, columns, ref_schema, ref_table, ref_columns)
                FROM pgapp.origin_key ORDER BY 1";
    let report = import(&cluster, &mut custom).await;
    let recorded = texts(&custom, keys).await;
    assert_eq!(
        recorded,
        [
            "f public roles {film} public films {id}",
            "p public films {id}",
            "p public roles {film,actor}",
            "u public films {year,title}",
        ]
    );
    assert_eq!(report.keys, 4);

    custom.batch_execute("ALTER FOREIGN TABLE films RENAME COLUMN id TO film_id").await.unwrap();
    origin.batch_execute("ALTER TABLE films DROP CONSTRAINT films_year_title_key").await.unwrap();
    import(&cluster, &mut custom).await;
    assert_eq!(
        texts(&custom, keys).await,
        [
            "f public roles {film} public films {film_id}",
            "p public films {film_id}",
            "p public roles {film,actor}"
        ]
    );
    origin.batch_execute("DROP TABLE roles").await.unwrap();
    import(&cluster, &mut custom).await;
    assert_eq!(texts(&custom, keys).await, ["p public films {film_id}"]);
    let api = anonymous(&cluster).await;
    assert_eq!(text(&api, "SELECT count(*) FROM pgapp.origin_key").await, "1");
    assert_eq!(refused(&api, "DELETE FROM pgapp.origin_key").await, "42501");
}

#[tokio::test]
async fn import_that_fails_leaves_nothing() {
    let cluster = Cluster::start().await;
    let (origin, mut custom) = wired(&cluster).await;
    origin.batch_execute("CREATE TABLE a (id int PRIMARY KEY)").await.unwrap();
    // The import gets as far as writing the keys, and is stopped there.
    custom
        .batch_execute("ALTER TABLE pgapp.origin_key ADD CONSTRAINT stop CHECK (table_name <> 'a')")
        .await
        .unwrap();
    let error = fdw::import(&mut custom, &cluster.fdw_config()).await.unwrap_err();
    assert!(chain(&error).contains("record the origin's keys"), "{}", chain(&error));
    assert_eq!(text(&custom, "SELECT count(*) FROM pg_foreign_table").await, "0");
    custom.batch_execute("ALTER TABLE pgapp.origin_key DROP CONSTRAINT stop").await.unwrap();
    assert_eq!(import(&cluster, &mut custom).await.added, ["a", "todos"]);
}

#[tokio::test]
async fn two_imports_at_once_take_turns() {
    let cluster = Cluster::start().await;
    let (_origin, mut custom) = wired(&cluster).await;
    let mut other = cluster.custom().await;
    let config = cluster.fdw_config();
    let (one, two) = tokio::join!(fdw::import(&mut custom, &config), fdw::import(&mut other, &config));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.added.len() + two.added.len(), 1);
    assert_eq!(one.unchanged + two.unchanged, 1);
}

#[tokio::test]
async fn comments_are_taken_over_where_there_is_none() {
    let cluster = Cluster::start().await;
    let (origin, mut custom) = wired(&cluster).await;
    origin
        .batch_execute(
            r"CREATE TABLE t (a int, b int); COMMENT ON TABLE t IS 'it''s\theirs'; COMMENT ON COLUMN t.a IS 'a of theirs';
              COMMENT ON COLUMN t.b IS 'b of theirs'",
        )
        .await
        .unwrap();
    let comments = "SELECT concat_ws('|', obj_description('t'::regclass), col_description('t'::regclass, 1),
                                     col_description('t'::regclass, 2))";
    assert_eq!(import(&cluster, &mut custom).await.comments, 3);
    assert_eq!(text(&custom, comments).await, r"it's\theirs|a of theirs|b of theirs");

    custom
        .batch_execute("COMMENT ON COLUMN t.a IS 'a of mine'; COMMENT ON COLUMN t.b IS NULL")
        .await
        .unwrap();
    origin.batch_execute("COMMENT ON COLUMN t.b IS 'new'").await.unwrap();
    assert_eq!(import(&cluster, &mut custom).await.comments, 1);
    assert_eq!(text(&custom, comments).await, r"it's\theirs|a of mine|new");
    assert_eq!(import(&cluster, &mut custom).await.comments, 0);
}

#[tokio::test]
async fn table_in_use_is_reported_and_followed_later() {
    let cluster = Cluster::start().await;
    let (origin, mut custom) = wired(&cluster).await;
    origin.batch_execute("CREATE TABLE t (a int)").await.unwrap();
    import(&cluster, &mut custom).await;
    origin.batch_execute("ALTER TABLE t ADD b int; CREATE TABLE u (a int)").await.unwrap();
    let reader = cluster.custom().await;
    reader.batch_execute("BEGIN; SELECT * FROM t").await.unwrap();
    let report = import(&cluster, &mut custom).await;
    assert_eq!(report.added, ["u"]);
    let skipped = skipped(&report);
    assert!(matches!(skipped[..], [("t", reason)] if reason.contains("lock timeout")), "{skipped:?}");
    reader.batch_execute("COMMIT").await.unwrap();
    assert_eq!(changes(&import(&cluster, &mut custom).await, "t"), ["column \"b\" added"]);
}

#[tokio::test]
async fn table_made_by_hand_through_the_same_server_is_followed() {
    let cluster = Cluster::start().await;
    let (origin, mut custom) = wired(&cluster).await;
    origin.batch_execute("CREATE TABLE t (a int, b int)").await.unwrap();
    custom.batch_execute("CREATE FOREIGN TABLE t (a int) SERVER origin").await.unwrap();
    let report = import(&cluster, &mut custom).await;
    assert_eq!(changes(&report, "t"), ["column \"b\" added"]);
}

//! Types of the origin that are missing here.

use bootstrap_sql::fdw::ImportReport;

use crate::cluster::{Cluster, text, texts};
use crate::fdw_reconcile::{columns, import, skipped};
use crate::fdw_wire::wired;
use crate::targets::refused;

#[tokio::test]
async fn enums_and_domains_are_made_and_follow_the_origin() {
    let cluster = Cluster::start().await;
    let (origin, mut custom) = wired(&cluster).await;
    origin
        .batch_execute(
            r#"CREATE TYPE "Mo'od" AS ENUM ('s''ad', 'ok'); CREATE TYPE unused AS ENUM ('x');
               CREATE DOMAIN short AS varchar(5) CHECK (value <> ''); CREATE DOMAIN shorter AS short;
               CREATE DOMAIN moods AS "Mo'od"[];
               CREATE TABLE t (a "Mo'od" DEFAULT 'ok', b "Mo'od"[], c shorter, d moods);
               INSERT INTO t VALUES ('s''ad', '{ok}', 'abc', '{ok}')"#,
        )
        .await
        .unwrap();
    let report = import(&cluster, &mut custom).await;
    assert_eq!(skipped(&report), []);
    assert_eq!(
        report.types,
        [
            r#"enum "public"."Mo'od" made"#,
            r#"domain "public"."short" made"#,
            r#"domain "public"."shorter" made"#,
            r#"domain "public"."moods" made"#,
        ]
    );
    assert_eq!(columns(&custom, "t").await, ["a \"Mo'od\"", "b \"Mo'od\"[]", "c shorter", "d moods"]);
    assert_eq!(text(&custom, "SELECT concat_ws('|', a, b, c, d) FROM t").await, "s'ad|{ok}|abc|{ok}");
    assert_eq!(text(&custom, "INSERT INTO t (c) VALUES ('abc') RETURNING a").await, "ok");
    assert_eq!(refused(&custom, "INSERT INTO t (c) VALUES ('')").await, "23514", "the origin keeps watch");
    assert_eq!(import(&cluster, &mut custom).await, ImportReport { unchanged: 2, ..ImportReport::default() });

    origin
        .batch_execute(
            r#"ALTER TYPE "Mo'od" ADD VALUE 'best'; ALTER TYPE "Mo'od" ADD VALUE 'worst' BEFORE 's''ad';
               ALTER TYPE "Mo'od" ADD VALUE 'so-so' AFTER 's''ad'; ALTER TABLE t DROP c;"#,
        )
        .await
        .unwrap();
    let report = import(&cluster, &mut custom).await;
    assert_eq!(skipped(&report), []);
    assert_eq!(
        texts(&custom, r#"SELECT unnest(enum_range(NULL::"Mo'od"))"#).await,
        ["worst", "s'ad", "so-so", "ok", "best"]
    );
    assert_eq!(report.types.len(), 5, "{:?}", report.types);
    assert_eq!(
        texts(&custom, "SELECT type_name FROM pgapp.origin_type ORDER BY 1").await,
        ["Mo'od", "moods"]
    );
    assert_eq!(text(&custom, "SELECT to_regtype('short')").await, "NULL");
}

#[tokio::test]
async fn type_that_somebody_else_made_is_left_alone() {
    let cluster = Cluster::start().await;
    let (origin, mut custom) = wired(&cluster).await;
    origin.batch_execute("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE t (a mood)").await.unwrap();
    custom.batch_execute("CREATE TYPE mood AS ENUM ('ok')").await.unwrap();
    let report = import(&cluster, &mut custom).await;
    assert_eq!(report.added, ["t", "todos"]);
    let skipped = skipped(&report);
    assert!(
        matches!(skipped[..], [("mood", reason)] if reason.contains("lacks the label 'sad'")),
        "{skipped:?}"
    );
    origin.batch_execute("DROP TABLE t").await.unwrap();
    import(&cluster, &mut custom).await;
    assert_eq!(texts(&custom, "SELECT unnest(enum_range(NULL::mood))").await, ["ok"]);
}

#[tokio::test]
async fn table_with_a_type_that_cannot_be_made_is_reported_and_the_others_come() {
    let cluster = Cluster::start().await;
    let (origin, mut custom) = wired(&cluster).await;
    let superuser = cluster.origin_as_superuser().await;
    superuser.batch_execute("CREATE EXTENSION citext").await.unwrap();
    origin
        .batch_execute(
            r#"CREATE TYPE span AS RANGE (subtype = int4); CREATE COLLATION odd (provider = libc, locale = 'C');
               CREATE TABLE with_span (a span); CREATE TABLE with_citext (a citext[]); CREATE TABLE plain (a int);
               CREATE TABLE with_collation (a text COLLATE odd);
               CREATE FUNCTION twice(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2';
               CREATE TABLE with_function (a int, b int GENERATED ALWAYS AS (twice(a)) STORED)"#,
        )
        .await
        .unwrap();
    let report = import(&cluster, &mut custom).await;
    assert_eq!(report.added, ["plain", "todos", "with_collation", "with_function"]);
    let reasons: std::collections::BTreeMap<_, _> = skipped(&report).into_iter().collect();
    assert_eq!(reasons.len(), 4, "{reasons:?}");
    assert!(reasons["with_span"].contains("type \"public.span\" does not exist"), "{reasons:?}");
    let next = |table: &str| report.skipped.iter().find(|it| it.table == table).map(|it| it.next.as_str());
    let extension = next("with_citext").unwrap();
    assert!(extension.contains("create the extension \"citext\" in schema \"public\""), "{extension}");
    assert!(report.skipped.iter().all(|it| !it.next.is_empty()), "{report:?}");
    assert!(reasons["with_collation"].starts_with("imported without collations"), "{reasons:?}");
    assert!(reasons["with_function"].starts_with("imported without the expressions"), "{reasons:?}");

    custom
        .batch_execute("CREATE EXTENSION citext; CREATE TYPE span AS RANGE (subtype = int4)")
        .await
        .unwrap();
    let report = import(&cluster, &mut custom).await;
    assert_eq!(report.added, ["with_citext", "with_span"]);
}

#[tokio::test]
async fn composite_types_are_made_with_what_they_are_made_of() {
    let cluster = Cluster::start().await;
    let (origin, mut custom) = wired(&cluster).await;
    origin
        .batch_execute(
            r#"CREATE TYPE unit AS ENUM ('kg', 'lb'); CREATE TYPE "Weight" AS (amount numeric(6,2), unit unit);
               CREATE TYPE parcel AS (weight "Weight", "size (cm)" int[], label varchar(9));
               CREATE TABLE sent (id int, parcel parcel, more parcel[]);
               INSERT INTO sent VALUES (1, (((1.5, 'kg')), '{1,2}', 'x'), array[row((2, 'lb'), null, 'y')::parcel])"#,
        )
        .await
        .unwrap();
    let report = import(&cluster, &mut custom).await;
    assert_eq!((report.added, report.skipped), (vec!["sent".to_owned(), "todos".to_owned()], Vec::new()));
    assert_eq!(
        report.types,
        [
            r#"enum "public"."unit" made"#,
            r#"composite type "public"."Weight" made"#,
            r#"composite type "public"."parcel" made"#,
        ]
    );
    let read =
        "SELECT concat_ws(' ', ((parcel).weight).amount, (parcel).\"size (cm)\", (more[1]).label) FROM sent";
    assert_eq!(text(&custom, read).await, "1.50 {1,2} y");
    custom.batch_execute("INSERT INTO sent SELECT 2, parcel, more FROM sent").await.unwrap();
    assert_eq!(text(&origin, "SELECT count(DISTINCT parcel)::text FROM sent").await, "1");

    origin.batch_execute("DROP TABLE sent").await.unwrap();
    let report = import(&cluster, &mut custom).await;
    assert_eq!(report.types.len(), 3, "{report:?}");
    assert!(report.types.iter().all(|it| it.ends_with("dropped")), "{report:?}");
}

#[tokio::test]
async fn shared_extension_is_evaluated_by_the_origin() {
    let cluster = Cluster::start().await;
    let (origin, mut custom) = wired(&cluster).await;
    for client in [&cluster.origin_as_superuser().await, &custom] {
        client
            .batch_execute("CREATE EXTENSION citext SCHEMA public; CREATE EXTENSION pg_trgm")
            .await
            .unwrap();
    }
    origin.batch_execute("CREATE TABLE t (a citext); INSERT INTO t VALUES ('Cat')").await.unwrap();
    let report = import(&cluster, &mut custom).await;
    assert_eq!(report.shipped_extensions, ["citext", "pg_trgm"]);
    let plan = texts(&custom, "EXPLAIN (VERBOSE) SELECT * FROM t WHERE a = 'cat'").await;
    let remote = plan.iter().find(|it| it.contains("Remote SQL")).unwrap();
    assert!(remote.contains("WHERE ((a OPERATOR(public.=) 'cat'))"), "{remote}");
    assert_eq!(text(&custom, "SELECT a FROM t WHERE a = 'cAT'").await, "Cat");

    custom
        .batch_execute("ALTER SERVER origin OPTIONS (SET extensions 'seg, citext'); CREATE EXTENSION seg")
        .await
        .unwrap();
    let report = import(&cluster, &mut custom).await;
    assert_eq!(report.shipped_extensions, ["pg_trgm"]);
    let options = texts(&custom, "SELECT unnest(srvoptions) FROM pg_foreign_server").await;
    assert!(options.contains(&"extensions=seg, citext, pg_trgm".to_owned()), "{options:?}");
}

//! Which columns of views are proven never to be null; and that no row shows one there.

use std::collections::BTreeMap;

use api::types::{Flavour, Language};
use local_stack::testing::TestDb;
use serde_json::Value;

use super::{database, types};

const TABLES: &str = "
CREATE SCHEMA n;
CREATE TABLE n.a (id int PRIMARY KEY, n int NOT NULL, x int, t text NOT NULL, u text, f boolean, at timestamptz NOT NULL DEFAULT 'infinity');
CREATE TABLE n.b (id int PRIMARY KEY, a_id int NOT NULL REFERENCES n.a, m int NOT NULL, y int);
CREATE TABLE n.c (id int PRIMARY KEY, a_id int REFERENCES n.a, k text NOT NULL);
CREATE TABLE n.tree (id int PRIMARY KEY, parent int, label text NOT NULL);
CREATE FUNCTION n.maybe(int) RETURNS int IMMUTABLE STRICT LANGUAGE sql AS 'SELECT nullif($1, 10)';
CREATE FUNCTION n.filled(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT coalesce($1, 0)';
CREATE TYPE n.pair AS (l int, r int);
INSERT INTO n.a VALUES (1, 10, NULL, 'tt', 'u', TRUE), (2, 20, 5, 'zz', NULL, NULL), (3, 30, 6, 'zz', 'u', FALSE), (4, 40, NULL, 'tt', NULL, TRUE);
INSERT INTO n.b VALUES (1, 1, 7, NULL), (2, 1, 8, 3), (3, 3, 9, NULL);
INSERT INTO n.c VALUES (1, 1, 'k'), (2, NULL, 'k2'), (9, NULL, 'k9');
INSERT INTO n.tree VALUES (1, NULL, 'root'), (2, 1, 'leaf');
";

/// Name, query, and the columns that are proven.
const VIEWS: &[(&str, &str, &str)] = &[
    ("plain", "SELECT id, n, x, t, u FROM n.a", "id n t"),
    ("whole_row", "SELECT a, a.tableoid FROM n.a", ""),
    ("inner_join", "SELECT a.id, b.m, b.y FROM n.a JOIN n.b ON b.a_id = a.id", "id m"),
    ("left_join", "SELECT a.id, b.m, b.id AS b_id FROM n.a LEFT JOIN n.b ON b.a_id = a.id", "id"),
    ("right_join", "SELECT a.n, b.m FROM n.b RIGHT JOIN n.a ON b.a_id = a.id", "n"),
    ("full_join", "SELECT a.n, c.k FROM n.a FULL JOIN n.c ON c.a_id = a.id", ""),
    ("full_using", "SELECT id, a.n, c.k FROM n.a FULL JOIN n.c USING (id)", "id"),
    ("full_using_null", "SELECT a_id, b.m FROM n.b FULL JOIN n.c USING (a_id)", ""),
    (
        "full_in_left",
        "SELECT t.id, j.id AS jid FROM n.tree t LEFT JOIN (n.a FULL JOIN n.c USING (id)) j ON j.id = t.id + 3",
        "id",
    ),
    ("left_using", "SELECT id, b.m FROM n.a LEFT JOIN n.b USING (id)", "id"),
    ("right_using", "SELECT id, b.m FROM n.b RIGHT JOIN n.a USING (id)", "id"),
    ("named_join", "SELECT j.n, j.m FROM (n.a LEFT JOIN n.b ON b.a_id = a.id) AS j (id, n)", "n"),
    ("left_where", "SELECT b.m, b.y FROM n.a LEFT JOIN n.b ON b.a_id = a.id WHERE b.id IS NOT NULL", "m"),
    (
        "left_where_other",
        "SELECT b.m, c.k FROM n.a LEFT JOIN (n.b JOIN n.c ON c.id = b.id) ON b.a_id = a.id WHERE b.m > 0",
        "m k",
    ),
    ("left_or", "SELECT b.m FROM n.a LEFT JOIN n.b ON b.a_id = a.id WHERE b.id IS NOT NULL OR a.n = 20", ""),
    (
        "left_anti",
        "SELECT a.id, b.id AS b_id FROM n.a LEFT JOIN n.b ON b.a_id = a.id WHERE b.id IS NULL",
        "id",
    ),
    (
        "left_of_left",
        "SELECT a.id, b.m, c.k FROM n.a LEFT JOIN (n.b LEFT JOIN n.c ON c.id = b.id + 1) ON b.a_id = a.id WHERE b.m = 9",
        "id m",
    ),
    ("left_on_fact", "SELECT a.x, b.y FROM n.a LEFT JOIN n.b ON b.a_id = a.id AND a.x > 1 AND b.y > 1", ""),
    ("inner_after_left", "SELECT b.m FROM n.a LEFT JOIN n.b ON b.a_id = a.id JOIN n.c ON c.id = b.id", "m"),
    (
        "lateral_left",
        "SELECT a.id, l.m FROM n.a LEFT JOIN LATERAL (SELECT m FROM n.b WHERE b.a_id = a.id ORDER BY m LIMIT 1) l ON TRUE",
        "id",
    ),
    ("lateral_outer", "SELECT l.x, l.n FROM n.a, LATERAL (SELECT a.x, a.n) l", "n"),
    (
        "coalesced",
        "SELECT coalesce(x, 0) AS zero, coalesce(x, n) AS other, coalesce(x, NULL::int) AS none FROM n.a",
        "zero other",
    ),
    (
        "constants",
        "SELECT 1 AS one, 'a' AS word, NULL::int AS nothing, TRUE AS yes, '{1}'::int[] AS list FROM n.a",
        "one word yes list",
    ),
    (
        "all_rows",
        "SELECT count(*) AS c, sum(n) AS s, coalesce(sum(n), 0) AS s0, array_agg(n) AS l FROM n.a WHERE id > 100",
        "c s0",
    ),
    (
        "grouped",
        "SELECT n, count(*) AS c, sum(x) AS sx, max(n) AS mx, array_agg(x) AS l, string_agg(t, ',') AS st FROM n.a GROUP BY n",
        "n c mx l st",
    ),
    (
        "grouped_filter",
        "SELECT t, max(n) FILTER (WHERE n > 100) AS m, count(*) FILTER (WHERE n > 100) AS c FROM n.a GROUP BY t",
        "t c",
    ),
    ("grouped_nothing", "SELECT sum(n) AS s FROM n.a WHERE n > 100 GROUP BY ()", ""),
    (
        "grouped_expression",
        "SELECT coalesce(x, 0) AS g, count(*) AS c FROM n.a GROUP BY coalesce(x, 0)",
        "g c",
    ),
    (
        "rolled_up",
        "SELECT t, coalesce(t, 'all') AS named, count(*) AS c, grouping(t) AS g FROM n.a GROUP BY ROLLUP (t)",
        "named c g",
    ),
    (
        "rolled_expression",
        "SELECT coalesce(x, 0) AS g, coalesce(x, 0) + 1 AS g1, count(*) AS c FROM n.a GROUP BY ROLLUP (coalesce(x, 0))",
        "c",
    ),
    ("rolled_constant", "SELECT 'k' AS k, max(n) AS m FROM n.a GROUP BY GROUPING SETS ((), (1))", ""),
    (
        "rolled_sublink",
        "SELECT (SELECT count(*) + length(a.t) FROM n.b) AS s, t FROM n.a GROUP BY CUBE (t)",
        "",
    ),
    ("united", "SELECT n AS v, t AS w, 'a' AS kind FROM n.a UNION ALL SELECT x, u, 'b' FROM n.a", "kind"),
    ("united_not_null", "SELECT n AS v FROM n.a UNION SELECT m FROM n.b UNION SELECT 5", "v"),
    ("excepted", "SELECT n FROM n.a EXCEPT SELECT 10", "n"),
    ("intersected", "SELECT x AS v FROM n.a INTERSECT SELECT n FROM n.a", "v"),
    ("intersected_null", "SELECT x AS v FROM n.a INTERSECT SELECT y FROM n.b", ""),
    (
        "sub_selects",
        "SELECT (SELECT m FROM n.b WHERE b.a_id = a.id ORDER BY m LIMIT 1) AS m, (SELECT count(*) FROM n.b WHERE b.a_id = a.id) AS c, \
        (SELECT count(*) FROM n.b HAVING count(*) > 9) AS h, (SELECT count(*) FROM n.b OFFSET 1) AS o, (SELECT 1) AS one, \
        (SELECT 1 WHERE a.id > 2) AS some, ARRAY(SELECT m FROM n.b WHERE FALSE) AS l, (SELECT count(*) FROM n.b GROUP BY b.a_id HAVING b.a_id = a.id) AS g FROM n.a",
        "c one l",
    ),
    (
        "tests",
        "SELECT x IS NULL AS i, EXISTS (SELECT FROM n.b WHERE b.a_id = a.id) AS e, x IS DISTINCT FROM 5 AS d, f IS TRUE AS r, x IN (5, 6) AS inside, n IN (5, 6) AS within, n = ANY (ARRAY[5, x]) AS anyx, \
        n IN (SELECT y FROM n.b) AS sub FROM n.a",
        "i e d r within",
    ),
    ("where_not_null", "SELECT x, u FROM n.a WHERE x IS NOT NULL", "x"),
    ("where_operator", "SELECT x, u FROM n.a WHERE x + 1 > 1 AND lower(u) LIKE 'u%'", "x u"),
    ("where_or", "SELECT x, u FROM n.a WHERE x IS NOT NULL OR u IS NOT NULL", ""),
    ("where_or_both", "SELECT x FROM n.a WHERE x = 5 OR x > 5", "x"),
    ("where_not", "SELECT x, u FROM n.a WHERE NOT (x IS NULL) AND NOT (u = 'q')", "x u"),
    ("where_not_in", "SELECT x, u FROM n.a WHERE x NOT IN (1, 2) AND u <> ALL ('{}'::text[])", "x"),
    ("where_flag", "SELECT f FROM n.a WHERE f", "f"),
    ("where_unknown", "SELECT f FROM n.a WHERE f IS NOT UNKNOWN", "f"),
    ("where_unknown_not", "SELECT f FROM n.a WHERE f IS NOT TRUE", ""),
    ("where_called", "SELECT x FROM n.a WHERE n.filled(x) = 0", ""),
    ("where_strict", "SELECT x FROM n.a WHERE n.maybe(x) > 0", "x"),
    ("where_coalesce", "SELECT x FROM n.a WHERE coalesce(x, 1) = 1", ""),
    ("where_in_select", "SELECT x FROM n.a WHERE x IN (SELECT m - 2 FROM n.b)", "x"),
    ("where_distinct", "SELECT x FROM n.a WHERE x IS DISTINCT FROM 5", ""),
    (
        "cases",
        "SELECT CASE WHEN n > 15 THEN 1 ELSE 2 END AS both, CASE WHEN n > 15 THEN 1 END AS one, CASE WHEN n > 15 THEN t ELSE u END AS uu, CASE n WHEN 10 THEN NULL ELSE 5 END AS hidden FROM n.a",
        "both",
    ),
    (
        "casts",
        "SELECT n::bigint AS b, n::text AS s, x::text AS xs, t::varchar(1) AS short, n::numeric(10,2) AS num, at::time AS clock, at::date AS day FROM n.a",
        "b s short num day",
    ),
    (
        "operators",
        "SELECT n + 1 AS n1, t || 'x' AS tx, x + 1 AS x1, t || u AS tu, -n AS neg, n = 10 AS eq, x = 5 AS xeq, n > 1 AND x > 1 AS both FROM n.a",
        "n1 tx neg eq",
    ),
    (
        "may_be_null",
        "SELECT nullif(n, 10) AS ni, substring(t FROM 'z+') AS sub, (ARRAY[n])[2] AS elem, to_jsonb(a) -> 'k' AS jk, n.maybe(n) AS f, (regexp_match(t, 'z'))[1] AS rx, \
        to_char(at, 'YYYY') AS ch, upper(int4range(n, NULL)) AS up, lag(n) OVER () AS lag, array_length('{}'::int[], 1) AS len, \
        (ROW(n, x)::n.pair).r AS field, concat_ws(u, t, t) AS ws, extract(hour FROM at) AS hour FROM n.a",
        "",
    ),
    (
        "never_null",
        "SELECT upper(t) AS up, concat(x, u) AS co, greatest(x, n) AS gr, current_date AS cd, now() AS nw, row_number() OVER () AS rn, \
        ARRAY[x] AS ar, left(t, 1) AS le, concat_ws(',', x, u) AS ws, format('%s', x) AS fo, length(t) AS ln FROM n.a",
        "up co gr cd nw rn ar le ws fo ln",
    ),
    (
        "variadic",
        "SELECT concat(VARIADIC NULL::text[]) AS c, jsonb_build_array(VARIADIC NULL::text[])::text AS j",
        "",
    ),
    (
        "window_frames",
        "SELECT sum(n) OVER (ORDER BY id ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING) AS s, count(*) OVER (ORDER BY id ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING) AS c FROM n.a",
        "c",
    ),
    (
        "with_query",
        "WITH q AS (SELECT id, n, x FROM n.a WHERE n > 0) SELECT q.id, q.x, p.n FROM q LEFT JOIN q AS p ON p.id = q.id + 1",
        "id",
    ),
    (
        "recursive",
        "WITH RECURSIVE r AS (SELECT id, label, parent, 0 AS depth FROM n.tree WHERE parent IS NULL UNION ALL SELECT t.id, t.label, t.parent, r.depth + 1 FROM n.tree t JOIN r ON r.id = t.parent) SELECT * FROM r",
        "id label depth",
    ),
    (
        "recursive_null",
        "WITH RECURSIVE r(a, b, c) AS (SELECT 1, 2, 3 UNION ALL SELECT b, c, NULL FROM r WHERE a < 3) SELECT * FROM r",
        "",
    ),
    ("value_lists", "SELECT i, s FROM (VALUES (1, 'a'), (2, NULL)) AS v (i, s)", "i"),
    ("series", "SELECT g, o FROM generate_series(1, 3) WITH ORDINALITY AS s (g, o)", "g o"),
    (
        "series_together",
        "SELECT g, h FROM ROWS FROM (generate_series(1, 3), generate_series(1, 2)) AS s (g, h)",
        "",
    ),
    ("unnested", "SELECT e, o FROM unnest('{1,null}'::int[]) WITH ORDINALITY AS u (e, o)", "o"),
    ("sets", "SELECT n, unnest(ARRAY[x]) AS e, generate_series(1, 2) AS g FROM n.a", "n"),
    ("over_views", "SELECT p.n, p.x, l.m FROM n.plain p JOIN n.left_join l ON l.id = p.id", "n"),
    ("distinct_on", "SELECT DISTINCT ON (t) t, n, u FROM n.a ORDER BY t, id LIMIT 10", "t n"),
    ("ordered_aside", "SELECT n, x FROM n.a ORDER BY u, coalesce(x, 3)", "n"),
    ("odd_names", "SELECT n AS \":resno\", x AS \"a } :b (\", t AS \"é \\ {\" FROM n.a", ":resno é \\ {"),
    ("comma_join", "SELECT a.n, c.k, b.y FROM n.a CROSS JOIN n.c, n.b", "n k"),
    ("only_table", "SELECT n FROM ONLY n.a TABLESAMPLE BERNOULLI (100)", "n"),
    (
        "json_tables",
        "SELECT e.value AS v, k FROM json_each_text('{\"a\": null}') e, jsonb_object_keys('{\"a\": 1}') k",
        "k",
    ),
    ("catalog", "SELECT relname::text, relacl::text AS acl, c.oid FROM pg_class c", "relname oid"),
];

/// For each relation of a schema, its columns that may be null.
pub(super) async fn nullable_columns(db: &TestDb, schema: &str) -> BTreeMap<String, Vec<String>> {
    columns(db, schema).await.into_iter().map(|(name, columns)| (name, names(&columns, true))).collect()
}

fn names(columns: &[(String, bool)], nullable: bool) -> Vec<String> {
    columns.iter().filter(|it| it.1 == nullable).map(|it| it.0.clone()).collect()
}

/// Columns of each relation, and whether they may be null: what has no type (JSON) may.
async fn columns(db: &TestDb, schema: &str) -> BTreeMap<String, Vec<(String, bool)>> {
    let text = types(db, &[schema], Language::Openapi, Flavour::Plain).await;
    let document: Value = serde_json::from_str(&text).unwrap();
    let null = Value::from("null");
    let may_be_null = |schema: &Value| {
        schema["type"].as_array().is_some_and(|it| it.contains(&null))
            || schema["anyOf"].as_array().is_some_and(|it| it.iter().any(|it| it["type"] == null))
            || schema.get("type").is_none() && schema.get("anyOf").is_none() && schema.get("$ref").is_none()
    };
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let relations = schemas.iter().filter_map(|(name, it)| {
        let name = name.strip_prefix(&format!("{schema}."))?;
        let properties = it["properties"].as_object()?;
        let columns = properties.iter().map(|(name, it)| (name.clone(), may_be_null(it)));
        Some((name.to_owned(), columns.collect()))
    });
    relations.collect()
}

#[tokio::test]
async fn proofs_are_as_complete_as_listed_and_no_row_breaks_them() {
    let mut sql = TABLES.to_owned();
    for (name, query, _) in VIEWS {
        sql.push_str(&format!("CREATE VIEW n.{name} AS {query};\n"));
    }
    let db = database(&sql).await;
    let client = db.connect().await.unwrap();
    let found = columns(&db, "n").await;
    let mut wrong = Vec::new();
    for (name, query, expected) in VIEWS {
        let proven = names(&found[*name], false);
        if proven.join(" ") != *expected {
            wrong.push(format!("{name}: proven {proven:?}, expected {expected:?}: {query}"));
        }
        for column in proven {
            let count = format!("SELECT count(*) FROM n.{name} AS v WHERE v.\"{column}\" IS NULL");
            let nulls: i64 = client.query_one(&count, &[]).await.unwrap().get(0);
            assert_eq!(nulls, 0, "{name}.{column} is null: {query}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_deep_expression_proves_nothing_and_breaks_nothing() {
    let deep = "1 + ".repeat(3000) + "1";
    let db = database(&format!("CREATE SCHEMA n; CREATE VIEW n.deep AS SELECT {deep} AS v;")).await;
    let found = columns(&db, "n").await;
    assert_eq!(names(&found["deep"], true), ["v"]);
}

#[tokio::test]
async fn a_constraint_that_was_not_validated_proves_nothing() {
    let db = database(
        "CREATE SCHEMA n; CREATE TABLE n.t (a int, b int NOT NULL); INSERT INTO n.t VALUES (NULL, 1);",
    )
    .await;
    let client = db.connect().await.unwrap();
    let version: String = client.query_one("SHOW server_version_num", &[]).await.unwrap().get(0);
    // Older servers have no such constraint.
    if version.parse::<u32>().unwrap() >= 180_000 {
        client.batch_execute("ALTER TABLE n.t ADD CONSTRAINT a_filled NOT NULL a NOT VALID").await.unwrap();
    }
    client.batch_execute("CREATE VIEW n.v AS SELECT a, b FROM n.t").await.unwrap();
    let found = columns(&db, "n").await;
    for relation in ["t", "v"] {
        assert_eq!(names(&found[relation], false), ["b"], "{relation}");
    }
}

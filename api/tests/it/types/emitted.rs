//! The text itself, of a small schema in every language.

use api::types::{Flavour, Language};

use super::{database, types};

const SHOP: &str = include_str!("../fixtures/types.sql");

#[tokio::test]
async fn the_text_is_as_recorded() {
    let db = database(SHOP).await;
    for (name, language, flavour) in [
        ("typescript", Language::Typescript, Flavour::Plain),
        ("rust", Language::Rust, Flavour::Plain),
        ("python", Language::Python, Flavour::Plain),
        ("pydantic", Language::Python, Flavour::Pydantic),
        ("openapi", Language::Openapi, Flavour::Plain),
    ] {
        let text = types(&db, &["shop"], language, flavour).await;
        assert_eq!(types(&db, &["shop"], language, flavour).await, text, "the same every time");
        insta::assert_snapshot!(format!("types_{name}"), text);
    }
}

#[tokio::test]
async fn what_a_view_takes_is_what_its_table_takes() {
    let db = database(
        "CREATE SCHEMA v;
         CREATE TABLE v.base (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, needed int NOT NULL, free int, \
           twice int GENERATED ALWAYS AS (free * 2) STORED);
         CREATE VIEW v.simple AS SELECT id, needed, free, twice, needed + 1 AS more FROM v.base;
         CREATE VIEW v.chained AS SELECT needed AS other FROM v.simple;
         ALTER VIEW v.chained ALTER other SET DEFAULT 5;
         CREATE VIEW v.joined AS SELECT a.needed FROM v.base a JOIN v.base b USING (id);
         CREATE MATERIALIZED VIEW v.kept AS SELECT needed FROM v.base;
         CREATE VIEW v.triggered AS SELECT DISTINCT needed FROM v.base;
         CREATE FUNCTION v.take() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER take INSTEAD OF INSERT ON v.triggered FOR EACH ROW EXECUTE FUNCTION v.take();",
    )
    .await;
    let document = types(&db, &["v"], Language::Openapi, Flavour::Plain).await;
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let schemas = &document["components"]["schemas"];
    let described = |name: &str| {
        let schema = &schemas[name];
        let keys: Vec<&str> = schema["properties"].as_object()?.keys().map(String::as_str).collect();
        Some((keys.join(" "), schema["required"].as_array().map_or(0, Vec::len)))
    };
    let some = |keys: &str, required| Some((keys.to_owned(), required));
    assert_eq!(described("v.base.insert"), some("needed free", 1));
    assert_eq!(described("v.simple.insert"), some("needed free", 1));
    assert_eq!(described("v.chained.insert"), some("other", 0));
    assert_eq!(described("v.triggered.insert"), some("needed", 0));
    for name in ["v.joined.insert", "v.kept.insert", "v.triggered.update", "v.joined.update"] {
        assert_eq!(described(name), None, "{name}");
    }
}

#[tokio::test]
async fn what_is_declared_and_not_held_may_be_null() {
    let db = database(
        "CREATE SCHEMA t;
         CREATE DOMAIN t.filled AS int NOT NULL;
         CREATE TABLE t.parent (a int NOT NULL, b int);
         CREATE TABLE t.child (c int NOT NULL) INHERITS (t.parent);
         ALTER TABLE ONLY t.parent ALTER b SET NOT NULL;
         ALTER TABLE t.child ALTER b DROP NOT NULL;
         CREATE EXTENSION postgres_fdw;
         CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;
         CREATE FOREIGN TABLE t.far (id int NOT NULL) SERVER s;
         CREATE TABLE t.domains (d t.filled);
         CREATE VIEW t.of_parent AS SELECT a, b FROM t.parent;
         CREATE VIEW t.of_far AS SELECT id FROM t.far;
         CREATE VIEW t.of_domains AS SELECT d FROM t.domains;
         CREATE MATERIALIZED VIEW t.of_child AS SELECT c, 1 AS one, count(*) AS n FROM t.child GROUP BY c;
         CREATE VIEW t.of_materialized AS SELECT c, one FROM t.of_child;",
    )
    .await;
    let nullable = super::nullability::nullable_columns(&db, "t").await;
    let of = |name: &str| nullable[name].join(" ");
    assert_eq!(of("of_far"), "id");
    assert_eq!(of("far"), "", "the table's own declaration is taken at its word");
    assert_eq!(of("of_domains"), "d");
    assert_eq!(of("of_child"), "c", "the rows may be older than the constraint");
    assert_eq!(of("of_materialized"), "c");
    assert_eq!(of("child"), "b");
    assert!(!nullable["of_parent"].contains(&"a".to_owned()));
    assert_eq!(of("parent"), of("of_parent"));
    assert_eq!(of("parent"), "b", "a table that inherits holds nulls there");
}

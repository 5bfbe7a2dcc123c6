//! The root document, where it may say more than PostgREST's.

use serde_json::{Value, json};

use super::{ask, serve};

const TABLES: &str = r#"
    create type mood as enum ('happy', 'so so');
    create table people (
        id uuid primary key default gen_random_uuid(), mood mood default 'happy', moods mood[],
        name text default 'it''s "me"', made timestamptz default now(), n int default -3, tags text[] default '{}'
    );
    create table "a/b~c" (id int primary key);
"#;

/// What a pointer of a reference leads to.
fn target<'a>(document: &'a Value, reference: &str) -> Option<&'a Value> {
    document.pointer(reference.strip_prefix('#')?)
}

#[tokio::test]
async fn references_lead_somewhere_whatever_a_table_is_called() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|it| references(it, found));
            }
            Value::Array(items) => items.iter().for_each(|it| references(it, found)),
            _ => {}
        }
    }
    let (server, _db) = serve(TABLES, &[]).await;
    let document = ask(&server, "GET /").await.json();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.contains(&"#/definitions/a~1b~0c"), "{found:?}");
    for reference in found {
        assert!(target(&document, reference).is_some(), "{reference} leads nowhere");
    }
    // Otherwise it is PostgREST's.
    let people = &document["definitions"]["people"]["properties"];
    assert_eq!(people["id"]["default"], "gen_random_uuid()");
    assert_eq!(people["moods"]["items"], json!({"type": "string"}));
}

#[tokio::test]
async fn labels_of_arrays_and_true_defaults_are_told_where_that_is_asked_for() {
    let (server, _db) = serve(TABLES, &[("PGAPP_OPENAPI_PRECISE", "true")]).await;
    let document = ask(&server, "GET /").await.json();
    let people = &document["definitions"]["people"]["properties"];
    let labels = json!({"type": "string", "enum": ["happy", "so so"]});
    assert_eq!(people["moods"]["items"], labels);
    assert_eq!(people["tags"]["items"], json!({"type": "string"}));
    let defaults = ["id", "mood", "name", "made", "n", "tags"].map(|it| people[it]["default"].clone());
    assert_eq!(json!(defaults), json!([null, "happy", "it's \"me\"", null, -3, null]));
}

//! Paths and their methods.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::{arguments, component, described, reference, returns};
use crate::types::model::{Arguments, Function, Item, Model, Relation, Schema};

/// What stays as it is in a path.
const ENCODED: &percent_encoding::AsciiSet =
    &NON_ALPHANUMERIC.remove(b'_').remove(b'-').remove(b'.').remove(b'~');

/// Paths of the exposed schemas. Where several have the same, it is the first schema's: the others need a header that
/// names them.
pub(super) fn all(model: &Model) -> Value {
    let mut paths = Map::new();
    for (position, schema) in model.schemas.iter().filter(|it| it.exposed).enumerate() {
        let mut add = |path: String, mut methods: Map<String, Value>| {
            if position > 0 {
                methods.insert(
                    "parameters".to_owned(),
                    json!([profile(schema, "Accept-Profile"), profile(schema, "Content-Profile")]),
                );
            }
            paths.entry(path).or_insert(Value::Object(methods));
        };
        for it in schema.relations() {
            add(format!("/{}", utf8_percent_encode(&it.name, ENCODED)), relation(schema, it));
        }
        for overloads in schema.functions.chunk_by(|a, b| a.name == b.name) {
            let callable: Vec<&Function> =
                overloads.iter().filter(|it| !matches!(it.arguments, Arguments::Row(_))).collect();
            if let Some(first) = callable.first() {
                add(
                    format!("/rpc/{}", utf8_percent_encode(&first.name, ENCODED)),
                    function(schema, &callable),
                );
            }
        }
    }
    Value::Object(paths)
}

fn profile(schema: &Schema, header: &str) -> Value {
    json!({ "name": header, "in": "header", "required": true, "schema": { "const": schema.name } })
}

fn relation(schema: &Schema, relation: &Relation) -> Map<String, Value> {
    let name = component(&schema.name, &relation.name);
    let tag = json!([relation.name]);
    let rows = json!({ "type": "array", "items": reference(&name) });
    let mut filters = filters(relation);
    filters.push(query("select", "Columns and embedded relations of the answer", "string"));
    let mut read = filters.clone();
    read.push(query("order", "Columns to sort by", "string"));
    read.push(query("limit", "The most rows to answer", "integer"));
    read.push(query("offset", "Rows to leave out before the first", "integer"));
    let mut methods = Map::new();
    let get = json!({
        "tags": tag, "summary": format!("Rows of {}", relation.name), "parameters": read,
        "responses": answers(&[("200", "Rows", Some(&rows)), ("206", "Some of the rows", Some(&rows))]),
    });
    methods.insert("get".to_owned(), described(get, relation.description.as_deref()));
    let prefer = query_prefer();
    if relation.insertable {
        let insert = reference(&format!("{name}.insert"));
        let body = json!({ "anyOf": [insert, { "type": "array", "items": insert }] });
        let parameters = [
            prefer.clone(),
            query("select", "Columns of the answer", "string"),
            query("on_conflict", "Columns of the key that decides whether a row is new", "string"),
        ];
        methods.insert("post".to_owned(), json!({
            "tags": tag, "summary": format!("Insert into {}", relation.name), "parameters": parameters,
            "requestBody": body_of(&body),
            "responses": answers(&[("200", "Rows, some of which were there", Some(&rows)), ("201", "Inserted", Some(&rows))]),
        }));
    }
    let mut written = filters;
    written.insert(0, prefer);
    let changed = answers(&[("200", "Rows", Some(&rows)), ("204", "Done", None)]);
    if relation.updatable {
        methods.insert(
            "patch".to_owned(),
            json!({
                "tags": tag, "summary": format!("Update {}", relation.name), "parameters": written,
                "requestBody": body_of(&reference(&format!("{name}.update"))), "responses": changed,
            }),
        );
    }
    if relation.deletable {
        methods.insert(
            "delete".to_owned(),
            json!({
                "tags": tag, "summary": format!("Delete from {}", relation.name), "parameters": written,
                "responses": changed,
            }),
        );
    }
    methods
}

fn function(schema: &Schema, overloads: &[&Function]) -> Map<String, Value> {
    let mut methods = Map::new();
    let Some(first) = overloads.first() else { return methods };
    let one_of = |mut schemas: Vec<Value>| {
        schemas.dedup();
        match schemas.len() {
            0 => None,
            1 => schemas.pop(),
            _ => Some(json!({ "anyOf": schemas })),
        }
    };
    let body = one_of(overloads.iter().filter_map(|it| arguments(&it.arguments)).collect())
        .unwrap_or_else(|| json!({}));
    let answer = one_of(overloads.iter().filter_map(|it| returns(&it.returns)).collect());
    let gives_nothing = overloads.iter().any(|it| matches!(it.returns.item, Item::Void));
    let mut responses = Vec::new();
    responses.extend(answer.as_ref().map(|it| ("200", "What it gives", Some(it))));
    responses.extend(gives_nothing.then_some(("204", "Done", None)));
    let tag = json!([format!("rpc/{}", first.name)]);
    let summary = format!("Call {}.{}", schema.name, first.name);
    let post = json!({
        "tags": tag, "summary": summary, "requestBody": body_of(&body), "responses": answers(&responses),
    });
    methods.insert("post".to_owned(), described(post, first.description.as_deref()));
    let readers = overloads.iter().filter(|it| it.reads_only);
    let mut readers = readers.filter_map(|it| match &it.arguments {
        Arguments::Named(named) => Some(named),
        _ => None,
    });
    if let Some(named) = readers.next() {
        let parameters = named.iter().map(|it| {
            json!({ "name": it.name, "in": "query", "required": it.required && overloads.len() == 1,
                    "schema": { "type": "string" } })
        });
        let get = json!({
            "tags": tag, "summary": summary, "parameters": parameters.collect::<Vec<_>>(),
            "responses": answers(&responses),
        });
        methods.insert("get".to_owned(), described(get, first.description.as_deref()));
    }
    methods
}

/// One parameter per column, `operator.value`. A column whose name is a parameter's already cannot be filtered by.
fn filters(relation: &Relation) -> Vec<Value> {
    const TAKEN: [&str; 5] = ["select", "order", "limit", "offset", "on_conflict"];
    let columns = relation.columns.iter().filter(|it| !TAKEN.contains(&&*it.name));
    columns.map(|it| query(&it.name, &format!("{}, such as eq.VALUE", it.sql_type), "string")).collect()
}

fn query(name: &str, description: &str, ty: &str) -> Value {
    json!({ "name": name, "in": "query", "description": description, "schema": { "type": ty } })
}

fn query_prefer() -> Value {
    json!({ "name": "Prefer", "in": "header", "description": "Such as return=representation", "schema": { "type": "string" } })
}

fn body_of(schema: &Value) -> Value {
    json!({ "required": true, "content": { "application/json": { "schema": schema } } })
}

fn answers(known: &[(&str, &str, Option<&Value>)]) -> Value {
    let mut answers = Map::new();
    for (status, description, schema) in known {
        let mut answer = json!({ "description": description });
        if let Some(schema) = schema {
            answer["content"] = json!({ "application/json": { "schema": schema } });
        }
        answers.insert((*status).to_owned(), answer);
    }
    answers.insert("default".to_owned(), json!({ "$ref": "#/components/responses/error" }));
    Value::Object(answers)
}

//! OpenAPI 3.1: paths of the exposed schemas, and components that hold what travels.

mod paths;

use serde_json::{Map, Value, json};

use super::model::{Arguments, Column, Field, Item, Model, Relation, Returns, Ty, Write};

/// End of the name of a row type's component.
const VALUE: &str = ".value";

/// The document.
pub(super) fn emit(model: &Model) -> String {
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Postgres schemas as an API",
            "description": "Written by `pgapp-api --types openapi`; make it anew rather than change it.",
            "version": "1",
        },
        "servers": [{ "url": "/" }],
        "security": [{}, { "bearer": [] }],
        "paths": paths::all(model),
        "components": {
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } },
            "responses": {
                "error": {
                    "description": "What is wrong, and what to do about it",
                    "content": { "application/json": { "schema": reference("error") } },
                },
            },
            "schemas": schemas(model),
        },
    });
    format!("{document:#}\n")
}

/// Components: those of a schema are named `schema.name`, which none of the shared ones is.
fn schemas(model: &Model) -> Value {
    let mut all = Map::new();
    all.insert(
        "error".to_owned(),
        json!({
            "type": "object",
            "properties": {
                "code": { "type": ["string", "null"] },
                "message": { "type": ["string", "null"] },
                "details": {},
                "hint": { "type": ["string", "null"] },
            },
            "required": ["code", "message", "details", "hint"],
        }),
    );
    all.insert(
        "number".to_owned(),
        json!({
            "description": "A number, or the text of what JSON has no number for",
            "anyOf": [{ "type": "number" }, { "enum": ["NaN", "Infinity", "-Infinity"] }],
        }),
    );
    for schema in &model.schemas {
        let name = |name: &str| component(&schema.name, name);
        for it in &schema.enums {
            let labels = json!({ "type": "string", "enum": it.labels });
            all.insert(name(&it.name), described(labels, it.description.as_deref()));
        }
        for it in &schema.composites {
            // A relation's rows have the name without it.
            all.insert(name(&it.name) + VALUE, described(fields(&it.fields), it.description.as_deref()));
        }
        for it in schema.relations() {
            all.insert(name(&it.name), row(it));
            if it.insertable {
                all.insert(name(&it.name) + ".insert", written(it, |it| it.insert));
            }
            if it.updatable {
                all.insert(name(&it.name) + ".update", written(it, |it| it.update));
            }
        }
    }
    Value::Object(all)
}

fn row(relation: &Relation) -> Value {
    let properties = relation.columns.iter().map(|it| {
        let ty = ty(&it.ty, it.nullable);
        (it.name.clone(), column(it, ty))
    });
    let names: Vec<&str> = relation.columns.iter().map(|it| it.name.as_str()).collect();
    let properties: Map<String, Value> = properties.collect();
    described(object(&properties, &names), relation.description.as_deref())
}

fn written(relation: &Relation, of: impl Fn(&Column) -> Write) -> Value {
    let columns = || relation.columns.iter().filter(|it| of(it) != Write::Never);
    let properties = columns().map(|it| (it.name.clone(), column(it, ty(&it.written, it.null_written))));
    let required: Vec<&str> =
        columns().filter(|it| of(it) == Write::Required).map(|it| it.name.as_str()).collect();
    let mut object = object(&properties.collect(), &required);
    object["additionalProperties"] = json!(false);
    object
}

fn column(column: &Column, mut schema: Value) -> Value {
    schema["x-postgres-type"] = json!(column.sql_type);
    described(schema, column.description.as_deref())
}

fn fields(fields: &[Field]) -> Value {
    let properties = fields.iter().map(|it| (it.name.clone(), ty(&it.ty, true)));
    let names: Vec<&str> = fields.iter().map(|it| it.name.as_str()).collect();
    object(&properties.collect(), &names)
}

fn object(properties: &Map<String, Value>, required: &[&str]) -> Value {
    match required.is_empty() {
        true => json!({ "type": "object", "properties": properties }),
        false => json!({ "type": "object", "properties": properties, "required": required }),
    }
}

fn described(mut schema: Value, description: Option<&str>) -> Value {
    if let Some(description) = description {
        schema["description"] = json!(description);
    }
    schema
}

/// What a function takes as its body.
fn arguments(arguments: &Arguments) -> Option<Value> {
    match arguments {
        Arguments::Named(named) => {
            let properties = named.iter().map(|it| (it.name.clone(), argument(&it.ty)));
            let required: Vec<&str> =
                named.iter().filter(|it| it.required).map(|it| it.name.as_str()).collect();
            let mut object = object(&properties.collect(), &required);
            object["additionalProperties"] = json!(false);
            Some(object)
        }
        Arguments::Body(ty) => Some(argument(ty)),
        Arguments::Row(_) => None,
    }
}

fn argument(of: &Ty) -> Value {
    ty(of, false)
}

/// What a function answers; nothing where it gives nothing.
fn returns(returns: &Returns) -> Option<Value> {
    let item = match &returns.item {
        Item::Void => return None,
        // Nothing in a function's declaration keeps nulls out.
        Item::Value(it) => ty(it, true),
        Item::Row(relation) => reference(&component(&relation.schema, &relation.name)),
        Item::Fields(of) => fields(of),
    };
    Some(if returns.set { json!({ "type": "array", "items": item }) } else { item })
}

fn ty(of: &Ty, nullable: bool) -> Value {
    let plain = |name: &str, format: Option<&str>| {
        let mut schema = Map::new();
        schema.insert("type".to_owned(), if nullable { json!([name, "null"]) } else { json!(name) });
        schema.extend(format.map(|it| ("format".to_owned(), json!(it))));
        Value::Object(schema)
    };
    let referenced = |name: &str| match nullable {
        true => json!({ "anyOf": [reference(name), { "type": "null" }] }),
        false => reference(name),
    };
    match of {
        Ty::Bool => plain("boolean", None),
        Ty::Integer(64) => plain("integer", Some("int64")),
        Ty::Integer(_) => plain("integer", Some("int32")),
        Ty::Float | Ty::Numeric => referenced("number"),
        Ty::Text => plain("string", None),
        Ty::Uuid => plain("string", Some("uuid")),
        Ty::Json => json!({}),
        Ty::Enum(name) => referenced(&component(&name.schema, &name.name)),
        Ty::Composite(name) => referenced(&(component(&name.schema, &name.name) + VALUE)),
        Ty::Array(element) => {
            let mut schema = plain("array", None);
            schema["items"] = ty(element, true);
            schema
        }
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A component's name is of letters, digits and `._-`; what is none is written as its number.
fn component(schema: &str, name: &str) -> String {
    let part = |part: &str| {
        let mut written = String::new();
        for it in part.chars() {
            match it.is_ascii_alphanumeric() || it == '_' {
                true => written.push(it),
                false => written.push_str(&format!("-{:x}-", u32::from(it))),
            }
        }
        written
    };
    format!("{}.{}", part(schema), part(name))
}

//! Parameters that paths refer to.

use indexmap::IndexMap;

use super::model::{Parameter, Reference, SchemaOrRef};
use crate::schema_cache::identifiers::QualifiedIdentifier;
use crate::schema_cache::table::Table;

const RETURN: [&str; 3] = ["return=representation", "return=minimal", "return=none"];
const COUNT: [&str; 1] = ["count=none"];
const POST: [&str; 5] = [
    "return=representation",
    "return=minimal",
    "return=none",
    "resolution=ignore-duplicates",
    "resolution=merge-duplicates",
];

/// The parameters of every relation, then each relation's body and a filter for each of its columns.
pub(super) fn all(tables: &IndexMap<QualifiedIdentifier, Table>) -> IndexMap<String, Parameter<'_>> {
    let prefer =
        |values| Parameter { r#enum: values, ..Parameter::text("Prefer", "header", Some("Preference")) };
    let common = [
        ("preferParams", prefer(&[])),
        ("preferReturn", prefer(&RETURN)),
        ("preferCount", prefer(&COUNT)),
        ("preferPost", prefer(&POST)),
        ("select", Parameter::text("select", "query", Some("Filtering Columns"))),
        ("on_conflict", Parameter::text("on_conflict", "query", Some("On Conflict"))),
        ("order", Parameter::text("order", "query", Some("Ordering"))),
        ("range", Parameter::text("Range", "header", Some("Limiting and Pagination"))),
        (
            "rangeUnit",
            Parameter {
                default: Some("items"),
                ..Parameter::text("Range-Unit", "header", Some("Limiting and Pagination"))
            },
        ),
        ("offset", Parameter::text("offset", "query", Some("Limiting and Pagination"))),
        ("limit", Parameter::text("limit", "query", Some("Limiting and Pagination"))),
    ];
    let mut parameters: IndexMap<String, Parameter<'_>> =
        common.into_iter().map(|(key, parameter)| (key.to_owned(), parameter)).collect();
    for table in tables.values() {
        let name = table.name.as_str();
        let schema = SchemaOrRef::Ref(Reference::definition(name));
        parameters.insert(body_key(name), Parameter::body(name, Some(name), schema));
        for column in table.columns.values() {
            let filter = Parameter::text(&column.name, "query", column.description.as_deref());
            parameters.insert(filter_key(name, &column.name), filter);
        }
    }
    parameters
}

/// Key of a relation's body.
pub(super) fn body_key(table: &str) -> String {
    format!("body.{table}")
}

/// Key of the filter on a column.
pub(super) fn filter_key(table: &str, column: &str) -> String {
    format!("rowFilter.{table}.{column}")
}

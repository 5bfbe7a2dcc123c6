//! The shapes of relations and of functions' arguments.

use std::borrow::Cow;

use indexmap::IndexMap;

use super::model::{Items, Schema};
use super::types;
use crate::schema_cache::SchemaCache;
use crate::schema_cache::identifiers::QualifiedIdentifier;
use crate::schema_cache::relationship::{Cardinality, Relationship};
use crate::schema_cache::routine::Routine;
use crate::schema_cache::table::{Column, Table};

/// One definition for each relation.
pub(super) fn all<'a>(
    tables: &'a IndexMap<QualifiedIdentifier, Table>,
    cache: &SchemaCache,
    precise: bool,
) -> IndexMap<&'a str, Schema<'a>> {
    tables.values().map(|it| (it.name.as_str(), relation(it, cache, precise))).collect()
}

fn relation<'a>(table: &'a Table, cache: &SchemaCache, precise: bool) -> Schema<'a> {
    let relationships = cache.relationships_from(&table.qi(), &table.schema);
    let columns = table.columns.values();
    Schema {
        description: table.description.as_deref().map(Cow::Borrowed),
        r#type: Some("object"),
        properties: columns
            .map(|it| (it.name.as_str(), property(table, it, relationships, precise)))
            .collect(),
        required: table.columns.values().filter(|it| !it.nullable).map(|it| it.name.as_str()).collect(),
        ..Schema::default()
    }
}

/// `precise`: what PostgREST leaves out is told, and what it tells of defaults that are no values is left out.
fn property<'a>(
    table: &Table,
    column: &'a Column,
    relationships: &[Relationship],
    precise: bool,
) -> Schema<'a> {
    let default_of = if precise { types::literal_of } else { types::default_of };
    let labels = if precise { column.element_enum.as_slice() } else { &[] };
    Schema {
        description: description(table, column, relationships),
        default: column.default.as_deref().and_then(|it| default_of(&column.data_type, it)),
        r#type: types::type_of(&column.data_type),
        format: Some(types::format_of(&column.data_type)),
        items: types::items_of(&column.data_type).map(|it| Items { r#enum: labels, ..it }),
        max_length: column.max_len,
        r#enum: &column.enum_values,
        ..Schema::default()
    }
}

/// The column's comment, with notes on the keys it is in; client generators look for their tags.
fn description<'a>(
    table: &Table,
    column: &'a Column,
    relationships: &[Relationship],
) -> Option<Cow<'a, str>> {
    let is_key = table.pk_cols.contains(&column.name);
    let target = single_column_target(&column.name, relationships);
    if !is_key && target.is_none() {
        return column.description.as_deref().map(Cow::Borrowed);
    }
    let mut text = column.description.as_ref().map(|it| format!("{it}\n\n")).unwrap_or_default();
    text.push_str("Note:");
    if is_key {
        text.push_str("\nThis is a Primary Key.<pk/>");
    }
    if let Some((table, column)) = target {
        text.push_str(&format!(
            "\nThis is a Foreign Key to `{table}.{column}`.<fk table='{table}' column='{column}'/>"
        ));
    }
    Some(Cow::Owned(text))
}

/// Where a foreign key of this column alone leads; to a table rather than to a view over it.
fn single_column_target<'a>(column: &str, relationships: &'a [Relationship]) -> Option<(&'a str, &'a str)> {
    let candidates = relationships.iter().filter_map(|it| match it {
        Relationship::ForeignKey { foreign_table, cardinality, foreign_table_is_view, .. } => {
            match cardinality {
                Cardinality::ManyToOne { columns, .. }
                | Cardinality::OneToOne { columns, is_parent: false, .. } => match columns.as_slice() {
                    [(own, other)] if own == column => {
                        Some((*foreign_table_is_view, foreign_table.name.as_str(), other.as_str()))
                    }
                    _ => None,
                },
                _ => None,
            }
        }
        Relationship::Computed { .. } => None,
    });
    candidates.min_by_key(|(is_view, ..)| *is_view).map(|(_, table, column)| (table, column))
}

/// The arguments of a function, as the body of a request.
pub(super) fn arguments(routine: &Routine) -> Schema<'_> {
    let properties = routine.params.iter().map(|it| {
        let property = Schema {
            r#type: types::type_of(&it.data_type),
            format: Some(types::format_of(&it.data_type)),
            items: types::items_of(&it.data_type),
            ..Schema::default()
        };
        (it.name.as_str(), property)
    });
    Schema {
        description: routine.description.as_deref().map(Cow::Borrowed),
        r#type: Some("object"),
        properties: properties.collect(),
        required: routine.params.iter().filter(|it| it.required).map(|it| it.name.as_str()).collect(),
        ..Schema::default()
    }
}

//! Which columns a write or a call must give back, so that what is selected from them can be.

use std::collections::BTreeSet;

use crate::schema_cache::identifiers::FieldName;
use crate::schema_cache::relationship::{Cardinality, Relationship};

use super::types::{Condition, OrderBy, ReadPlanTree};

/// Columns that the top level of `read` takes from what was written or returned: those selected,
/// those ordered by, those that embeds join on, and the primary key for `Location`.
///
/// `*` alone when all are selected, or when it cannot be known (computed relationships take the whole row).
pub(super) fn columns_needed(read: &ReadPlanTree, pk_cols: &[FieldName]) -> BTreeSet<FieldName> {
    let all = BTreeSet::from(["*".to_owned()]);
    if read.node.select.iter().any(|field| field.field.name == "*") {
        return all;
    }
    let mut columns: BTreeSet<FieldName> =
        read.node.select.iter().map(|field| field.field.name.clone()).collect();
    for child in &read.children {
        match &child.node.rel_to_parent {
            Some(Relationship::Computed { .. }) => return all,
            Some(Relationship::ForeignKey { cardinality, .. }) => {
                columns.extend(join_columns(cardinality).iter().map(|(column, _)| column.clone()));
            }
            None => {}
        }
    }
    for term in &read.node.order {
        if let OrderBy::Field { field, .. } = term {
            columns.insert(field.name.clone());
        }
    }
    columns.extend(pk_cols.iter().cloned());
    columns
}

fn join_columns(cardinality: &Cardinality) -> &[(FieldName, FieldName)] {
    match cardinality {
        Cardinality::OneToMany { columns, .. }
        | Cardinality::ManyToOne { columns, .. }
        | Cardinality::OneToOne { columns, .. } => columns,
        Cardinality::ManyToMany(junction) => &junction.cols_source,
    }
}

/// Columns that a call must give back besides [`columns_needed`]: those filtered by.
pub(super) fn columns_filtered(read: &ReadPlanTree) -> BTreeSet<FieldName> {
    let mut columns = BTreeSet::new();
    for condition in &read.node.conditions {
        collect(condition, &mut columns);
    }
    columns
}

fn collect(condition: &Condition, columns: &mut BTreeSet<FieldName>) {
    match condition {
        Condition::Group { operands, .. } => {
            for operand in operands {
                collect(operand, columns);
            }
        }
        Condition::Filter { field, .. } => {
            columns.insert(field.name.clone());
        }
        Condition::NullEmbed { .. } => {}
    }
}

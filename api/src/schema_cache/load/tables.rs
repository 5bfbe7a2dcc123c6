//! Relations with their columns and primary keys.

use std::collections::HashMap;

use indexmap::IndexMap;
use tokio_postgres::Row;

use super::catalog::{self, ColumnNumber, ConstraintRow, KeyKind, Oid};
use crate::error::DbError;
use crate::schema_cache::identifiers::QualifiedIdentifier;
use crate::schema_cache::table::{Column, Generated, PartialKey, Table};

/// Bits of `pg_relation_is_updatable`: one, shifted by the kind of command.
const UPDATE: i32 = 1 << 2;
const INSERT: i32 = 1 << 3;
const DELETE: i32 = 1 << 4;

/// The exposed relations, and how their object ids lead to them.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) by_name: IndexMap<QualifiedIdentifier, Table>,
    /// Name of each exposed relation, and its columns by number.
    pub(super) by_oid: HashMap<Oid, (QualifiedIdentifier, HashMap<ColumnNumber, String>)>,
}

/// Joins the rows of `relations.sql`, `columns.sql` and `enums.sql`, and the primary keys of tables.
pub(super) fn assemble(
    relations: &[Row],
    columns: &[Row],
    enums: &[Row],
    constraints: &[ConstraintRow],
) -> Result<Tables, DbError> {
    let mut labels: HashMap<Oid, Vec<String>> = HashMap::with_capacity(enums.len());
    for row in enums {
        labels.insert(catalog::column(row, 0)?, catalog::column(row, 1)?);
    }
    let mut columns_of: HashMap<Oid, Vec<(ColumnNumber, Column)>> = HashMap::with_capacity(relations.len());
    for row in columns {
        let relation = catalog::column(row, 0)?;
        columns_of.entry(relation).or_default().push((catalog::column(row, 1)?, column(row, &labels)?));
    }
    let mut keys: HashMap<Oid, Vec<String>> = HashMap::new();
    for key in constraints.iter().filter(|it| it.kind == KeyKind::Primary) {
        let mut names: Vec<String> = key.side.columns.iter().map(|(_, name)| name.clone()).collect();
        names.sort_unstable();
        keys.insert(key.side.relation, names);
    }

    let mut tables = Tables::default();
    tables.by_name.reserve(relations.len());
    for row in relations {
        let oid: Oid = catalog::column(row, 0)?;
        let qi = catalog::identifier(row, 1)?;
        let events: i32 = catalog::column(row, 5)?;
        let columns = columns_of.remove(&oid).unwrap_or_default();
        let numbers = columns.iter().map(|(number, column)| (*number, column.name.clone())).collect();
        let table = Table {
            schema: qi.schema.clone(),
            name: qi.name.clone(),
            description: catalog::column(row, 3)?,
            is_view: catalog::column(row, 4)?,
            is_foreign: catalog::column(row, 6)?,
            insertable: events & INSERT != 0,
            updatable: events & UPDATE != 0,
            deletable: events & DELETE != 0,
            pk_cols: keys.remove(&oid).unwrap_or_default(),
            partial_keys: Vec::new(),
            columns: columns.into_iter().map(|(_, column)| (column.name.clone(), column)).collect(),
        };
        tables.by_oid.insert(oid, (qi.clone(), numbers));
        tables.by_name.insert(qi, table);
    }
    Ok(tables)
}

fn column(row: &Row, labels: &HashMap<Oid, Vec<String>>) -> Result<Column, DbError> {
    let base_type: Oid = catalog::column(row, 9)?;
    let element_type: Option<Oid> = catalog::column(row, 10)?;
    Ok(Column {
        name: catalog::column(row, 2)?,
        description: catalog::column(row, 3)?,
        nullable: catalog::column(row, 4)?,
        data_type: catalog::column(row, 5)?,
        nominal_type: catalog::column(row, 6)?,
        max_len: catalog::column(row, 7)?,
        default: catalog::column(row, 8)?,
        enum_values: labels.get(&base_type).cloned().unwrap_or_default(),
        element_enum: element_type.and_then(|it| labels.get(&it)).cloned().unwrap_or_default(),
        generated: match catalog::column(row, 11)? {
            "expression" => Generated::Expression,
            "identity" => Generated::Identity,
            _ => Generated::Never,
        },
    })
}

/// Adds the rows of `partial_keys.sql`.
pub(super) fn add_partial_keys(tables: &mut Tables, rows: &[Row]) -> Result<(), DbError> {
    for row in rows {
        let relation: Oid = catalog::column(row, 0)?;
        let key = PartialKey { columns: catalog::column(row, 1)?, predicate: catalog::column(row, 2)? };
        if let Some(table) = tables.by_oid.get(&relation).and_then(|(qi, _)| tables.by_name.get_mut(qi)) {
            table.partial_keys.push(key);
        }
    }
    for table in tables.by_name.values_mut() {
        table.partial_keys.sort_unstable_by(|a, b| a.columns.cmp(&b.columns));
    }
    Ok(())
}

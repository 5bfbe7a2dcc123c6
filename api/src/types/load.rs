//! Reads from the catalog what types are made of. The only part of this room that sees a connection.

use std::collections::HashMap;

use tokio_postgres::types::{FromSql, ToSql, Type as SqlType};
use tokio_postgres::{Client, Row};

use super::catalog::{Argument, Catalog, Column, Kind, Relation, RelationKind, Routine, Type};
use super::nullability::{self, Function, Oid, Operator, View};
use crate::error::DbError;

const BEGIN: &str =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = ''; SET LOCAL jit = off";

/// Reads the catalog, in one snapshot of it.
///
/// # Errors
///
/// When the connection fails, or the role may not read something it must.
pub(super) async fn load(client: &Client, schemas: &[String]) -> Result<Catalog, DbError> {
    let of_schemas: Vec<(&(dyn ToSql + Sync), SqlType)> = vec![(&schemas, SqlType::TEXT_ARRAY)];
    command(client, BEGIN).await?;
    let types = rows(client, include_str!("sql/types.sql"), &[], ty).await?;
    let relations = rows(client, include_str!("sql/relations.sql"), &of_schemas, relation).await?;
    let mut columns: HashMap<Oid, Vec<Column>> = HashMap::new();
    for (relation, column) in rows(client, include_str!("sql/columns.sql"), &of_schemas, column).await? {
        columns.entry(relation).or_default().push(column);
    }
    let routines = rows(client, include_str!("sql/routines.sql"), &of_schemas, routine).await?;
    let not_null =
        rows(client, include_str!("sql/not_null.sql"), &[], |row| Ok((get(row, 0)?, get(row, 1)?))).await?;
    let views = rows(client, include_str!("sql/views.sql"), &[], |row| {
        Ok((get(row, 0)?, View { materialized: get(row, 1)?, tree: get(row, 2)? }))
    });
    let views = views.await?;
    let functions = rows(client, include_str!("sql/functions.sql"), &[], |row| {
        Ok((get(row, 0)?, Function { strict: get(row, 1)?, name: get(row, 2)?, source: get(row, 3)? }))
    });
    let functions = functions.await?;
    let operators = rows(client, include_str!("sql/operators.sql"), &[], |row| {
        Ok((get(row, 0)?, Operator { function: get(row, 1)?, name: get(row, 2)? }))
    });
    let operators = operators.await?;
    command(client, "COMMIT").await?;
    let nulls = nullability::Catalog {
        not_null: not_null.into_iter().collect(),
        views: views.into_iter().collect(),
        functions: functions.into_iter().collect(),
        operators: operators.into_iter().collect(),
    };
    let types = types.into_iter().map(|it| (it.oid, it)).collect();
    Ok(Catalog { types, relations, columns, routines, nulls })
}

fn ty(row: &Row) -> Result<Type, DbError> {
    let kind = match get::<i8>(row, 3)?.to_ne_bytes() {
        [b'c'] => Kind::Composite(get(row, 8)?),
        [b'd'] => Kind::Domain { base: get(row, 5)?, not_null: get(row, 6)?, has_default: get(row, 7)? },
        [b'e'] => Kind::Enum(get(row, 11)?),
        [b'p'] => Kind::Pseudo,
        _ => Kind::Base,
    };
    let is_array: bool = get(row, 9)?;
    Ok(Type {
        oid: get(row, 0)?,
        schema: get(row, 1)?,
        name: get(row, 2)?,
        kind,
        element: is_array.then(|| get(row, 4)).transpose()?,
        has_json_cast: get(row, 10)?,
        description: get(row, 12)?,
    })
}

fn relation(row: &Row) -> Result<Relation, DbError> {
    let kind = match get::<i8>(row, 3)?.to_ne_bytes() {
        [b'v'] => RelationKind::View,
        [b'm'] => RelationKind::Materialized,
        [b'f'] => RelationKind::Foreign,
        [b'c'] => RelationKind::CompositeType,
        _ => RelationKind::Table,
    };
    const INSERT: i32 = 8;
    Ok(Relation {
        oid: get(row, 0)?,
        schema: get(row, 1)?,
        name: get(row, 2)?,
        kind,
        takes_rows: get::<i32>(row, 4)? & INSERT != 0,
    })
}

fn column(row: &Row) -> Result<(Oid, Column), DbError> {
    let column = Column {
        number: get(row, 1)?,
        name: get(row, 2)?,
        ty: get(row, 3)?,
        dimensions: get(row, 4)?,
        not_null: get(row, 5)?,
        has_default: get(row, 6)?,
        is_generated: get(row, 7)?,
        is_updatable: get(row, 8)?,
    };
    Ok((get(row, 0)?, column))
}

fn routine(row: &Row) -> Result<Routine, DbError> {
    let names: Vec<String> = get(row, 3)?;
    let types: Vec<Oid> = get(row, 4)?;
    let modes: Vec<String> = get(row, 5)?;
    let arguments = types.into_iter().enumerate().map(|(position, ty)| {
        // Without modes, all are inputs.
        let mode = modes.get(position).map_or("i", String::as_str);
        Argument {
            name: names.get(position).cloned().unwrap_or_default(),
            ty,
            is_input: matches!(mode, "i" | "b" | "v"),
            is_output: matches!(mode, "o" | "b" | "t"),
        }
    });
    Ok(Routine {
        schema: get(row, 0)?,
        name: get(row, 1)?,
        description: get(row, 2)?,
        arguments: arguments.collect(),
        required: usize::try_from(get::<i32>(row, 6)?).unwrap_or_default(),
        returns: get(row, 7)?,
        returns_set: get(row, 8)?,
        may_write: get::<i8>(row, 9)?.to_ne_bytes() == [b'v'],
        one_row: get(row, 10)?,
    })
}

async fn rows<T>(
    client: &Client,
    sql: &str,
    params: &[(&(dyn ToSql + Sync), SqlType)],
    decode: impl Fn(&Row) -> Result<T, DbError>,
) -> Result<Vec<T>, DbError> {
    let rows = client.query_typed(sql, params).await.map_err(|it| DbError::from_driver(&it))?;
    rows.iter().map(decode).collect()
}

async fn command(client: &Client, sql: &str) -> Result<(), DbError> {
    client.batch_execute(sql).await.map_err(|it| DbError::from_driver(&it))
}

fn get<'r, T: FromSql<'r>>(row: &'r Row, index: usize) -> Result<T, DbError> {
    row.try_get(index).map_err(|it| DbError::from_driver(&it))
}

//! Takes over the origin's comments on tables and columns, which the REST server publishes in its OpenAPI document.
//! A comment that is here already stays, whoever wrote it.

use std::collections::BTreeMap;

use tokio_postgres::Transaction;

use super::catalog::{PG_CLASS_OID, SCHEMA};
use super::columns::Column;
use super::config::FdwConfig;
use crate::error::{During, Error};
use crate::quote::{ident, literal, qualified};

/// Comments on the imported tables and columns that have none; gives their number.
pub(super) async fn take_over(
    tx: &Transaction<'_>,
    config: &FdwConfig,
    tables: &BTreeMap<String, Vec<Column>>,
) -> Result<usize, Error> {
    let action = "take over the origin's comments";
    let rows = tx
        .query(
            &format!(
                "SELECT c.relname, a.attname, d.description
                 FROM {SCHEMA}.pg_description AS d
                 JOIN {SCHEMA}.pg_class AS c ON c.oid = d.objoid
                 JOIN {SCHEMA}.pg_namespace AS n ON n.oid = c.relnamespace
                 LEFT JOIN {SCHEMA}.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
                 WHERE n.nspname = $1 AND d.classoid = {PG_CLASS_OID}"
            ),
            &[&config.remote_schema.as_str()],
        )
        .await
        .during(action)?;
    let present = tx
        .query(
            "SELECT c.relname::text, a.attname::text
             FROM pg_description AS d
             JOIN pg_class AS c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass
             JOIN pg_namespace AS n ON n.oid = c.relnamespace
             LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
             WHERE n.nspname = $1",
            &[&config.local_schema.as_str()],
        )
        .await
        .during(action)?;
    let present: Vec<(String, Option<String>)> = present.iter().map(|row| (row.get(0), row.get(1))).collect();

    let mut n_taken = 0;
    for row in &rows {
        let (table, remote_column): (String, Option<String>) = (row.get(0), row.get(1));
        let Some(columns) = tables.get(&table) else { continue };
        let table_sql = qualified(config.local_schema.as_str(), &table);
        let (local_column, object_sql) = match remote_column {
            None => (None, format!("FOREIGN TABLE {table_sql}")),
            Some(remote) => match columns.iter().find(|it| it.remote_name == remote) {
                Some(it) => (Some(it.name.clone()), format!("COLUMN {table_sql}.{}", ident(&it.name))),
                None => continue,
            },
        };
        if !present.contains(&(table, local_column)) {
            let comment: &str = row.get(2);
            tx.batch_execute(&format!("COMMENT ON {object_sql} IS {}", literal(comment)))
                .await
                .during(action)?;
            n_taken += 1;
        }
    }
    Ok(n_taken)
}

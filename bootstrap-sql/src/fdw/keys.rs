//! Writes the origin's keys down in `pgapp.origin_key`, by local names, so that the REST server can embed across
//! foreign tables.

use std::collections::BTreeMap;

use tokio_postgres::Transaction;

use super::catalog::RemoteKey;
use super::columns::Column;
use super::config::FdwConfig;
use crate::error::{During, Error};

/// A row of `pgapp.origin_key`, without what is the same in all rows of an import.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) table: String,
    pub(super) name: String,
    pub(super) kind: i8,
    pub(super) columns: Vec<String>,
    pub(super) target: Option<(String, Vec<String>)>,
}

/// The keys by local names. A key is left out when one of its columns or its target is not here.
pub(super) fn localize(keys: &[RemoteKey], tables: &BTreeMap<String, Vec<Column>>) -> Vec<Key> {
    let names = |table: &str, remote: &[String]| -> Option<Vec<String>> {
        let columns = tables.get(table)?;
        remote
            .iter()
            .map(|name| columns.iter().find(|it| it.remote_name == *name).map(|it| it.name.clone()))
            .collect()
    };
    let mut out: Vec<Key> = keys
        .iter()
        .filter_map(|key| {
            let target = match &key.target {
                Some((table, columns)) => Some((table.clone(), names(table, columns)?)),
                None => None,
            };
            Some(Key {
                table: key.table.clone(),
                name: key.name.clone(),
                kind: key.kind,
                columns: names(&key.table, &key.columns)?,
                target,
            })
        })
        .collect();
    out.sort();
    out
}

/// Replaces what is recorded for this server and schema; says whether that changed anything.
pub(super) async fn record(tx: &Transaction<'_>, config: &FdwConfig, keys: &[Key]) -> Result<bool, Error> {
    let action = "record the origin's keys in \"pgapp.origin_key\"";
    let (server, schema) = (config.server.as_str(), config.local_schema.as_str());
    let rows = tx
        .query(
            "SELECT table_name, constraint_name, kind, columns, ref_table, ref_columns
             FROM pgapp.origin_key WHERE server = $1 AND table_schema = $2",
            &[&server, &schema],
        )
        .await
        .during(action)?;
    let mut present: Vec<Key> = rows
        .iter()
        .map(|row| Key {
            table: row.get(0),
            name: row.get(1),
            kind: row.get(2),
            columns: row.get(3),
            target: row.get::<_, Option<String>>(4).zip(row.get(5)),
        })
        .collect();
    present.sort();
    if present == keys {
        return Ok(false);
    }
    // Also rows of another server: a name has one meaning, and this import has just settled whose it is.
    let tables: Vec<&str> = keys.iter().map(|it| it.table.as_str()).collect();
    tx.execute(
        "DELETE FROM pgapp.origin_key WHERE table_schema = $2 AND (server = $1 OR table_name = ANY ($3))",
        &[&server, &schema, &tables],
    )
    .await
    .during(action)?;
    for key in keys {
        let (ref_table, ref_columns) = key.target.as_ref().map(|(table, columns)| (table, columns)).unzip();
        let ref_schema = ref_table.map(|_| schema);
        tx.execute(
            "INSERT INTO pgapp.origin_key (table_schema, table_name, constraint_name, kind, columns,
                                           ref_schema, ref_table, ref_columns, server)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            &[
                &schema,
                &key.table,
                &key.name,
                &key.kind,
                &key.columns,
                &ref_schema,
                &ref_table,
                &ref_columns,
                &server,
            ],
        )
        .await
        .during(action)?;
    }
    Ok(true)
}

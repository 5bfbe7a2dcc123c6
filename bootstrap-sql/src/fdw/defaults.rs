//! Gives imported columns the defaults that they have at the origin, so that an insert may leave them out.
//!
//! Three kinds, since `postgres_fdw` sends every column of an insert:
//! - an expression that means the same here becomes the local default;
//! - any other is evaluated by the origin when it is needed, through `pgapp.origin_default` (one more round trip);
//! - `GENERATED ALWAYS AS IDENTITY` takes no value from outside at all. Such a column is a generated column here, for
//!   which `postgres_fdw` sends the keyword `DEFAULT`; the origin fills it and returns the value.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Transaction;

use super::catalog::{Filling, RemoteDefault};
use super::columns::Column;
use super::config::FdwConfig;
use super::expression;
use super::report::{ImportReport, TableChange};
use crate::error::{During, Error};
use crate::quote::{ident, literal, qualified};

/// The expression of the local stand-in for an identity column; never computed, since the origin fills it.
pub(super) fn placeholder_expression(type_sql: &str) -> String {
    format!("NULL::{type_sql}")
}

/// Marks the columns that the origin always fills by itself, in a fresh import.
pub(super) fn mark_always(table: &str, columns: &mut [Column], defaults: &[RemoteDefault]) -> bool {
    let mut any = false;
    for column in columns {
        let is_always = defaults
            .iter()
            .any(|it| it.filling == Filling::Always && it.table == table && it.column == column.remote_name);
        if is_always {
            column.generated = Some(placeholder_expression(&column.type_sql));
            any = true;
        }
    }
    any
}

/// A default that a local column should have.
struct Wanted<'a> {
    column: &'a Column,
    expression: String,
    is_local: bool,
}

/// Brings the defaults of the imported columns up to date; says whether anything was written.
pub(super) async fn apply(
    tx: &mut Transaction<'_>,
    config: &FdwConfig,
    defaults: &[RemoteDefault],
    tables: &BTreeMap<String, Vec<Column>>,
    report: &mut ImportReport,
) -> Result<bool, Error> {
    let wanted = wanted(config, defaults, tables);
    let recorded = recorded(tx, config).await?;
    let with_default = columns_with_default(tx, config).await?;
    let mut changed = false;

    for ((table, remote_name), expression) in &recorded {
        if !wanted.contains_key(&(table.clone(), remote_name.clone())) {
            let column = tables
                .get(table)
                .and_then(|it| it.iter().find(|it| it.remote_name == *remote_name && it.generated.is_none()));
            if let Some(column) = column {
                alter(tx, config, table, column, "DROP DEFAULT").await??;
                note_change(report, table, format!("column \"{}\" has no default any more", column.name));
            }
            forget(tx, config, table, remote_name, expression).await?;
            changed = true;
        }
    }

    let mut dblink = None;
    for ((table, remote_name), want) in &wanted {
        let is_recorded =
            recorded.get(&(table.clone(), remote_name.clone())).is_some_and(|it| *it == want.expression);
        if is_recorded && with_default.contains(&(table.clone(), want.column.name.clone())) {
            continue;
        }
        let local = format!("SET DEFAULT {}", want.expression);
        let done = want.is_local && alter(tx, config, table, want.column, &local).await?.is_ok();
        if !done {
            if dblink.is_none() {
                dblink = Some(ensure_dblink(tx).await?);
            }
            if let Some(Err(reason)) = &dblink {
                report.skip(
                    table,
                    format!(
                        "an insert must give column \"{}\" a value: its default is evaluated at the origin, and \
                         {reason}",
                        want.column.name
                    ),
                    "mend that and import again, or give the value with each insert",
                );
                continue;
            }
            let remote = format!("SET DEFAULT {}", remote_call(config, table, want.column));
            alter(tx, config, table, want.column, &remote).await??;
        }
        record(tx, config, table, remote_name, &want.expression).await?;
        note_change(report, table, format!("column \"{}\" has the origin's default", want.column.name));
        changed = true;
    }
    Ok(changed)
}

fn wanted<'a>(
    config: &FdwConfig,
    defaults: &[RemoteDefault],
    tables: &'a BTreeMap<String, Vec<Column>>,
) -> BTreeMap<(String, String), Wanted<'a>> {
    let mut out = BTreeMap::new();
    for default in defaults {
        let column = tables
            .get(&default.table)
            .and_then(|it| it.iter().find(|it| it.remote_name == default.column && it.generated.is_none()));
        let Some(column) = column else { continue };
        let expression = match &default.filling {
            Filling::Always => continue,
            Filling::Expression(it) => it.clone(),
            Filling::Sequence => format!(
                "nextval(pg_get_serial_sequence({}, {})::regclass)",
                literal(&qualified(config.remote_schema.as_str(), &default.table)),
                literal(&default.column)
            ),
        };
        let is_local = expression::means_the_same_here(&expression);
        out.insert((default.table.clone(), default.column.clone()), Wanted { column, expression, is_local });
    }
    out
}

fn remote_call(config: &FdwConfig, table: &str, column: &Column) -> String {
    format!(
        "CAST(pgapp.origin_default({}, {}, {}, {}) AS {})",
        literal(config.server.as_str()),
        literal(config.local_schema.as_str()),
        literal(table),
        literal(&column.remote_name),
        column.type_sql
    )
}

/// What the last import recorded, by table and column at the origin.
async fn recorded(
    tx: &Transaction<'_>,
    config: &FdwConfig,
) -> Result<BTreeMap<(String, String), String>, Error> {
    let rows = tx
        .query(
            "SELECT table_name, column_name, expression FROM pgapp.origin_default
             WHERE server = $1 AND table_schema = $2",
            &[&config.server.as_str(), &config.local_schema.as_str()],
        )
        .await
        .during("read the recorded defaults in \"pgapp.origin_default\"")?;
    Ok(rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect())
}

/// Columns of foreign tables that have a default now, by their local names: a table that was made anew has lost them.
async fn columns_with_default(
    tx: &Transaction<'_>,
    config: &FdwConfig,
) -> Result<BTreeSet<(String, String)>, Error> {
    let rows = tx
        .query(
            "SELECT c.relname::text, a.attname::text
             FROM pg_class AS c
             JOIN pg_namespace AS n ON n.oid = c.relnamespace
             JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
             WHERE n.nspname = $1 AND c.relkind = 'f' AND a.atthasdef AND a.attgenerated = ''",
            &[&config.local_schema.as_str()],
        )
        .await
        .during("read the defaults of the foreign tables")?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

async fn alter(
    tx: &mut Transaction<'_>,
    config: &FdwConfig,
    table: &str,
    column: &Column,
    what: &str,
) -> Result<Result<(), Error>, Error> {
    let table_sql = qualified(config.local_schema.as_str(), table);
    let sql = format!("ALTER FOREIGN TABLE {table_sql} ALTER COLUMN {} {what}", ident(&column.name));
    let action = format!("set the default of column \"{}\" of {table_sql}", column.name);
    let result = super::attempt(tx, &sql, &action).await?;
    Ok(result.map_err(|source| Error::Server { action, source }))
}

async fn record(
    tx: &Transaction<'_>,
    config: &FdwConfig,
    table: &str,
    column: &str,
    expression: &str,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO pgapp.origin_default (server, table_schema, table_name, column_name, expression)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (server, table_schema, table_name, column_name) DO UPDATE SET expression = excluded.expression",
        &[&config.server.as_str(), &config.local_schema.as_str(), &table, &column, &expression],
    )
    .await
    .during("record a default in \"pgapp.origin_default\"")
    .map(drop)
}

async fn forget(
    tx: &Transaction<'_>,
    config: &FdwConfig,
    table: &str,
    column: &str,
    expression: &str,
) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM pgapp.origin_default
         WHERE (server, table_schema, table_name, column_name, expression) = ($1, $2, $3, $4, $5)",
        &[&config.server.as_str(), &config.local_schema.as_str(), &table, &column, &expression],
    )
    .await
    .during("remove a default from \"pgapp.origin_default\"")
    .map(drop)
}

/// Installs dblink where it is missing, out of everybody's reach: its functions connect to any server. The inner error
/// says why that is not possible.
async fn ensure_dblink(tx: &mut Transaction<'_>) -> Result<Result<(), String>, Error> {
    let action = "install the extension \"dblink\"";
    let row = tx
        .query_one("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'dblink')", &[])
        .await
        .during(action)?;
    if row.get(0) {
        return Ok(Ok(()));
    }
    let result = super::attempt(tx, INSTALL_DBLINK, action).await?;
    Ok(result.map_err(|it| format!("the extension \"dblink\" cannot be installed: {it}")))
}

const INSTALL_DBLINK: &str = "
CREATE EXTENSION dblink WITH SCHEMA pgapp;
DO $$
DECLARE
    function regprocedure;
BEGIN
    FOR function IN
        SELECT d.objid
        FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass
          AND d.deptype = 'e' AND e.extname = 'dblink'
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', function);
    END LOOP;
END
$$";

fn note_change(report: &mut ImportReport, table: &str, what: String) {
    if report.added.iter().any(|it| it == table) {
        return;
    }
    match report.changed.iter_mut().find(|it| it.table == table) {
        Some(it) => it.changes.push(what),
        None => {
            report.unchanged = report.unchanged.saturating_sub(1);
            report.changed.push(TableChange { table: table.to_owned(), changes: vec![what] });
        }
    }
}

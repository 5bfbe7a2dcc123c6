//! Makes the foreign tables and keeps them like the origin's tables.
//!
//! A table that is already here is compared with a fresh import into a scratch schema and altered in place, so that
//! grants, comments, views and local names survive. What the server refuses to alter (a view needs the column) stays
//! and is reported. Nothing is ever dropped with `CASCADE`.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::{Client, Transaction};

use super::catalog::RemoteDefault;
use super::columns::Column;
use super::config::FdwConfig;
use super::report::{ImportReport, TableChange};
use super::tables::Local;
use super::types::RemoteTypes;
use super::{catalog, columns, comments, defaults, extensions, keys, tables, types};
use crate::error::{During, Error};
use crate::quote::{literal, qualified};

/// Where existing tables are imported afresh for comparison; never committed.
const SCRATCH: &str = "pgapp_import_tables";

/// What to do about a table of which a part was left out.
const REDUCED: &str = "nothing, if rows are read and written as they should be; else make here what the error names, drop \
                       the foreign table and import again";

/// The error of a database that lacks the bookkeeping.
pub(super) fn not_bootstrapped() -> Error {
    Error::Refused(
        "the custom database is not set up, or by an older build; apply the target \"custom\" first"
            .to_owned(),
    )
}

/// Imports the tables of the origin's schema, or brings earlier imports up to date. Idempotent; when nothing changed,
/// nothing is written and nobody is notified.
pub async fn import(client: &mut Client, config: &FdwConfig) -> Result<ImportReport, Error> {
    let mut tx = super::begin(client, "begin the import").await?;
    require_preparation(&tx, config).await?;
    catalog::open(&tx, config).await?;
    let remote: BTreeSet<String> = catalog::tables(&tx, config).await?.into_iter().collect();
    let local = tables::local(&tx, config).await?;

    let mut report = ImportReport::default();
    let mut new = Vec::new();
    let mut existing = Vec::new();
    for name in &remote {
        match local.get(name) {
            None => new.push(name.clone()),
            Some(Local::Imported) => existing.push(name.clone()),
            Some(Local::Foreign(what)) => {
                let name_sql = qualified(config.local_schema.as_str(), name);
                let next = "rename or drop it and import again, or leave it as it is";
                report.skip(name, format!("{name_sql} is {what} already, which is left as it is"), next);
            }
        }
    }
    let gone: Vec<&String> = local
        .iter()
        .filter(|(name, it)| **it == Local::Imported && !remote.contains(*name))
        .map(|(name, _)| name)
        .collect();

    for name in gone {
        drop_table(&mut tx, config, name, &mut report).await?;
    }
    let wanted: BTreeSet<String> = new.iter().chain(&existing).cloned().collect();
    let remote_types = RemoteTypes::read(&tx, config).await?;
    types::follow(&mut tx, config, &remote_types, &wanted, &mut report).await?;
    let remote_defaults = catalog::defaults(&tx, config).await?;
    reconcile(&mut tx, config, &existing, &remote_defaults, &mut report).await?;
    add(&mut tx, config, &new, &remote_defaults, &remote_types, &mut report).await?;

    types::forget_unused(&mut tx, config, &remote_types, &wanted, &mut report).await?;
    let imported = imported_columns(&tx, config).await?;
    let defaults_changed = defaults::apply(&mut tx, config, &remote_defaults, &imported, &mut report).await?;
    report.comments = comments::take_over(&tx, config, &imported).await?;
    report.shipped_extensions = extensions::ship(&tx, config).await?;
    let keys = keys::localize(&catalog::keys(&tx, config).await?, &imported);
    report.keys = keys.len();
    let keys_changed = keys::record(&tx, config, &keys).await?;

    if !(report.wrote() || defaults_changed || keys_changed) {
        tx.rollback().await.during("end the import")?;
        return Ok(report);
    }
    tx.batch_execute(&format!("DROP SCHEMA {SCRATCH} CASCADE; DROP SCHEMA {} CASCADE", catalog::SCHEMA))
        .await
        .during("remove the import's scratch tables")?;
    tx.commit().await.during("commit the import")?;
    Ok(report)
}

async fn require_preparation(tx: &Transaction<'_>, config: &FdwConfig) -> Result<(), Error> {
    let row = tx
        .query_one(
            "SELECT to_regclass('pgapp.origin_key') IS NOT NULL AND to_regclass('pgapp.origin_default') IS NOT NULL
                    AND to_regclass('pgapp.origin_type') IS NOT NULL,
                    EXISTS (SELECT FROM pg_foreign_server WHERE srvname = $1),
                    EXISTS (SELECT FROM pg_namespace WHERE nspname = $2)",
            &[&config.server.as_str(), &config.local_schema.as_str()],
        )
        .await
        .during("begin the import")?;
    let (bootstrapped, wired, has_schema): (bool, bool, bool) = (row.get(0), row.get(1), row.get(2));
    if !bootstrapped {
        return Err(not_bootstrapped());
    }
    if !wired {
        return Err(Error::Refused(format!(
            "the foreign server \"{}\" does not exist; wire the custom database to the origin first",
            config.server
        )));
    }
    if !has_schema {
        return Err(Error::Refused(format!(
            "the schema \"{}\" for the foreign tables does not exist; create it first",
            config.local_schema
        )));
    }
    Ok(())
}

async fn drop_table(
    tx: &mut Transaction<'_>,
    config: &FdwConfig,
    name: &str,
    report: &mut ImportReport,
) -> Result<(), Error> {
    let name_sql = qualified(config.local_schema.as_str(), name);
    let sql = format!("DROP FOREIGN TABLE {name_sql} RESTRICT");
    match super::attempt(tx, &sql, &format!("drop the foreign table {name_sql}")).await? {
        Ok(()) => report.dropped.push(name.to_owned()),
        Err(it) => {
            let reason = format!("gone at the origin, but it cannot be dropped here: {it}");
            report.skip(name, reason, "drop what depends on it and import again");
        }
    }
    Ok(())
}

/// Alters the tables that are here already. The scratch schema is made in any case, so that the end can drop it.
async fn reconcile(
    tx: &mut Transaction<'_>,
    config: &FdwConfig,
    names: &[String],
    remote_defaults: &[RemoteDefault],
    report: &mut ImportReport,
) -> Result<(), Error> {
    tx.batch_execute(&format!("CREATE SCHEMA {SCRATCH}")).await.during("make the import's scratch schema")?;
    let fresh = tables::import(tx, config, names, SCRATCH).await?;
    for (name, error) in &fresh.failed {
        let reason = format!("cannot be compared with the origin, so it is left as it is: {error}");
        report.skip(name, reason, "mend what the error names, here or at the origin, and import again");
    }
    for (name, reduction) in &fresh.reduced {
        report.skip(name, reduction, REDUCED);
    }
    let mut wanted = columns::read(tx, SCRATCH).await?;
    for (table, columns) in &mut wanted {
        defaults::mark_always(table, columns, remote_defaults);
    }
    let present = columns::read(tx, config.local_schema.as_str()).await?;
    for name in &fresh.tables {
        let columns_of =
            |tables: &BTreeMap<String, Vec<Column>>| tables.get(name).cloned().unwrap_or_default();
        let name_sql = qualified(config.local_schema.as_str(), name);
        let mut done = Vec::new();
        let mut n_refused = 0;
        for change in columns::changes(&columns_of(&present), &columns_of(&wanted)) {
            let sql = format!("ALTER FOREIGN TABLE {name_sql} {}", change.action_sql);
            match super::attempt(tx, &sql, &format!("alter the foreign table {name_sql}")).await? {
                Ok(()) => done.push(change.what),
                Err(it) => {
                    n_refused += 1;
                    report.skip(
                        name,
                        format!("at the origin: {}; it cannot be followed here: {it}", change.what),
                        "drop what depends on the column, import again, and make it anew",
                    );
                }
            }
        }
        if !done.is_empty() {
            report.changed.push(TableChange { table: name.clone(), changes: done });
        } else if n_refused == 0 {
            report.unchanged += 1;
        }
    }
    Ok(())
}

async fn add(
    tx: &mut Transaction<'_>,
    config: &FdwConfig,
    names: &[String],
    remote_defaults: &[RemoteDefault],
    remote_types: &RemoteTypes,
    report: &mut ImportReport,
) -> Result<(), Error> {
    let imported = tables::import(tx, config, names, config.local_schema.as_str()).await?;
    if !imported.failed.is_empty() {
        let present = types::local(tx).await?;
        for (name, error) in &imported.failed {
            let remedy = remote_types.missing_extension(name, &present).unwrap_or_else(|| {
                "make what the error names here and import again, or serve a view at the origin without it".to_owned()
            });
            report.skip(name, format!("cannot be imported: {error}"), remedy);
        }
    }
    for (name, reduction) in &imported.reduced {
        report.skip(name, reduction, REDUCED);
    }
    let mut columns = columns::read(tx, config.local_schema.as_str()).await?;
    for name in &imported.tables {
        if let Some(columns) = columns.get_mut(name)
            && defaults::mark_always(name, columns, remote_defaults)
        {
            recreate(tx, config, name, columns).await?;
        }
    }
    report.added = imported.tables;
    Ok(())
}

/// Makes a table that was imported a moment ago anew with other columns, since columns keep their places only so.
async fn recreate(
    tx: &Transaction<'_>,
    config: &FdwConfig,
    name: &str,
    columns: &[Column],
) -> Result<(), Error> {
    let name_sql = qualified(config.local_schema.as_str(), name);
    let columns: Vec<String> = columns.iter().map(columns::definition).collect();
    tx.batch_execute(&format!(
        "DROP FOREIGN TABLE {name_sql};
         CREATE FOREIGN TABLE {name_sql} ({}) SERVER {} OPTIONS (schema_name {}, table_name {})",
        columns.join(", "),
        config.server.quoted(),
        literal(config.remote_schema.as_str()),
        literal(name),
    ))
    .await
    .during(format!("make the foreign table {name_sql}"))
}

/// The columns of the imported tables.
async fn imported_columns(
    tx: &Transaction<'_>,
    config: &FdwConfig,
) -> Result<BTreeMap<String, Vec<Column>>, Error> {
    let local = tables::local(tx, config).await?;
    let mut columns = columns::read(tx, config.local_schema.as_str()).await?;
    columns.retain(|name, _| local.get(name) == Some(&Local::Imported));
    Ok(columns)
}

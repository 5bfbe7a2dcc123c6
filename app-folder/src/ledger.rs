//! `pgapp.migration`: what a database has had. Written in the transaction of what it records.

use bootstrap_sql::Target;
use tokio_postgres::GenericClient;

use crate::error::{During, Error};
use crate::folder::Migration;

/// A row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// File name.
    pub name: String,
    /// SHA-256 of the file, as [`Migration::checksum`] gives it.
    pub checksum: String,
    /// When, in RFC 3339 and UTC.
    pub applied_at: String,
}

/// The tables, made at first use. Several databases may be set up at once, and two runs at the same one wait for each
/// other by the lock.
const CREATE: &str = "
    SET LOCAL client_min_messages = warning;
    CREATE SCHEMA IF NOT EXISTS pgapp;
    CREATE TABLE IF NOT EXISTS pgapp.migration (
        name text PRIMARY KEY,
        checksum text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp());
    CREATE TABLE IF NOT EXISTS pgapp.seed (
        is_only_row boolean PRIMARY KEY DEFAULT true CHECK (is_only_row),
        applied_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp());
    COMMENT ON TABLE pgapp.migration IS 'Migrations of the application that this database has had';
    COMMENT ON TABLE pgapp.seed IS 'Has a row once the time for the application''s seed is over'";

/// Makes the ledger where there is none. Nothing is written when it exists, so that a run with nothing to do needs no
/// rights beyond reading.
pub async fn ensure(client: &mut tokio_postgres::Client) -> Result<(), Error> {
    if exists(client, "pgapp.migration").await? && exists(client, "pgapp.seed").await? {
        return Ok(());
    }
    let action = "make the ledger \"pgapp.migration\"";
    let tx = client.transaction().await.during(action)?;
    tx.batch_execute(CREATE).await.during(action)?;
    tx.commit().await.during(action)
}

async fn exists(client: &impl GenericClient, table: &str) -> Result<bool, Error> {
    let sql = "SELECT pg_catalog.to_regclass($1) IS NOT NULL";
    let row = client.query_one(sql, &[&table]).await.during(format!("look for the ledger \"{table}\""))?;
    Ok(row.get(0))
}

/// What the database has had, by name; nothing where there is no ledger.
///
/// # Errors
/// What the server refuses.
pub async fn read(client: &impl GenericClient) -> Result<Vec<Applied>, Error> {
    if !exists(client, "pgapp.migration").await? {
        return Ok(Vec::new());
    }
    let sql = r#"SELECT name, checksum,
                        pg_catalog.to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                 FROM pgapp.migration ORDER BY name"#;
    let rows = client.query(sql, &[]).await.during("read the ledger \"pgapp.migration\"")?;
    let of_row =
        |it: &tokio_postgres::Row| Applied { name: it.get(0), checksum: it.get(1), applied_at: it.get(2) };
    Ok(rows.iter().map(of_row).collect())
}

/// Records a migration as applied.
///
/// # Errors
/// What the server refuses, for example a second row of that name.
pub async fn record(client: &impl GenericClient, migration: &Migration) -> Result<(), Error> {
    let sql = "INSERT INTO pgapp.migration (name, checksum) VALUES ($1, $2)";
    let (name, checksum) = (migration.name.as_str(), migration.checksum());
    client.execute(sql, &[&name, &checksum]).await.during(format!("record \"{}\"", migration.script.file))?;
    Ok(())
}

/// Whether the time for a seed is over.
pub(crate) async fn is_seeded(client: &impl GenericClient) -> Result<bool, Error> {
    let sql = "SELECT EXISTS (SELECT FROM pgapp.seed)";
    Ok(client.query_one(sql, &[]).await.during("read the ledger \"pgapp.seed\"")?.get(0))
}

/// Says that the time for a seed is over.
pub(crate) async fn record_seed(client: &impl GenericClient) -> Result<(), Error> {
    let sql = "INSERT INTO pgapp.seed DEFAULT VALUES";
    client.execute(sql, &[]).await.during("record the seed").map(drop)
}

/// The kind of database that holds a ledger, for messages.
pub(crate) fn describe(target: Target) -> String {
    format!("the {target} database")
}

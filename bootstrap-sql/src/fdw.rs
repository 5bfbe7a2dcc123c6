//! Joins the custom database to the origin with `postgres_fdw`: [`wire()`] makes the server and the user mappings,
//! [`import()`] makes the foreign tables and keeps them like the origin's tables. Both need only a connection to the
//! custom database; the origin is reached through the wiring itself.
//!
//! Both run in one transaction under the bootstrap lock, so a failure leaves nothing and two imports cannot mix.

mod catalog;
mod columns;
mod comments;
mod config;
mod defaults;
mod expression;
mod extensions;
mod import;
mod keys;
mod report;
mod tables;
mod types;
mod wire;

use tokio_postgres::{Client, Transaction};

use crate::error::{During, Error, ServerError};
use crate::lock;

pub use config::{FdwConfig, MappedRoles, SslMode};
pub use import::import;
pub use report::{ImportReport, Skipped, TableChange};
pub use wire::{WireReport, wire};

/// Opens the transaction of a wiring or an import: locked, with nothing resolved through the caller's search path.
async fn begin<'a>(client: &'a mut Client, action: &str) -> Result<Transaction<'a>, Error> {
    let tx = client.transaction().await.during(action)?;
    tx.batch_execute(
        "SET LOCAL search_path = pg_catalog, pg_temp;
         SET LOCAL standard_conforming_strings = on;
         SET LOCAL client_min_messages = warning",
    )
    .await
    .during(action)?;
    lock::acquire_for(&tx).await?;
    // Only now: waiting for another run is fine. Waiting for a table is not, since every request that comes after would
    // wait behind us; the table is reported and followed by the next import.
    tx.batch_execute("SET LOCAL lock_timeout = '5s'").await.during(action)?;
    Ok(tx)
}

/// Tries a statement under a savepoint: a refusal of the server is the inner error and leaves the transaction usable.
async fn attempt(
    tx: &mut Transaction<'_>,
    sql: &str,
    action: &str,
) -> Result<Result<(), ServerError>, Error> {
    let savepoint = tx.transaction().await.during(action)?;
    match savepoint.batch_execute(sql).await {
        Ok(()) => savepoint.commit().await.during(action).map(Ok),
        Err(it) if it.as_db_error().is_some() => {
            savepoint.rollback().await.during(action)?;
            Ok(Err(ServerError::new(&it).without_hint()))
        }
        Err(it) => Err(it).during(action),
    }
}

//! Makes the database that the steps are for. Not a step: `CREATE DATABASE` refuses to run in a transaction, and there
//! is nowhere to keep a ledger before.

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::error::{During, Error};
use crate::quote::Ident;

/// Creates the database `name` through a connection to another database of the cluster; `false` if it exists already.
pub async fn create_if_missing(client: &Client, name: &Ident) -> Result<bool, Error> {
    let action = format!("create the database \"{name}\"");
    let row = client
        .query_one("SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = $1)", &[&name.as_str()])
        .await
        .during(&action)?;
    if row.get(0) {
        return Ok(false);
    }
    match client.batch_execute(&format!("CREATE DATABASE {}", name.quoted())).await {
        Ok(()) => Ok(true),
        // Somebody else was quicker, and perhaps has not committed when we looked.
        Err(it)
            if [Some(&SqlState::DUPLICATE_DATABASE), Some(&SqlState::UNIQUE_VIOLATION)]
                .contains(&it.code()) =>
        {
            Ok(false)
        }
        Err(it) => Err(it).during(action),
    }
}

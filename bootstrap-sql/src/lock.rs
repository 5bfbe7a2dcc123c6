//! The one advisory lock that keeps two runs on a database apart. It belongs to the session, so it covers a whole run
//! of several transactions and vanishes with the connection if the process dies.

use tokio_postgres::{Client, Transaction};

use crate::error::{During, Error};

/// "pgapp" in ASCII, then a one: unlikely to be anybody else's key.
const KEY: i64 = 0x0070_6761_7070_0001;

/// Takes the lock; calls `on_wait` once if another session holds it.
///
/// # Errors
/// What the server refuses.
pub async fn acquire(client: &Client, on_wait: impl FnOnce()) -> Result<(), Error> {
    let action = "take the bootstrap lock";
    let row = client.query_one("SELECT pg_catalog.pg_try_advisory_lock($1)", &[&KEY]).await.during(action)?;
    if !row.get::<_, bool>(0) {
        on_wait();
        client.execute("SELECT pg_catalog.pg_advisory_lock($1)", &[&KEY]).await.during(action)?;
    }
    Ok(())
}

/// Gives the lock back.
///
/// # Errors
/// What the server refuses.
pub async fn release(client: &Client) -> Result<(), Error> {
    client
        .execute("SELECT pg_catalog.pg_advisory_unlock($1)", &[&KEY])
        .await
        .during("release the bootstrap lock")
        .map(|_| ())
}

/// Takes the same lock until the end of a transaction.
pub(crate) async fn acquire_for(tx: &Transaction<'_>) -> Result<(), Error> {
    tx.execute("SELECT pg_catalog.pg_advisory_xact_lock($1)", &[&KEY])
        .await
        .during("take the bootstrap lock")
        .map(|_| ())
}

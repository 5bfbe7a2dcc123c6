//! Begins an answer that goes to the client as it comes.
//!
//! The connection is driven by a separate task, which ends when the client has left or taken nothing for too long:
//! what still runs then is cancelled.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::pool::Pool;
use super::stream::{Opened, Patience, RowStream, Sink, first};
use super::unless_left;
use crate::client::Disconnect;
use crate::error::DbError;
use crate::schema_cache::residue::Residue;
use crate::script::{Begin, Script};
use crate::sql::types::MainQuery;

/// Runs a read on a separate connection, and gives its rows to the client as they come. `place` is one of those that
/// there are for such answers.
pub(crate) async fn open(
    pool: &Pool,
    place: OwnedSemaphorePermit,
    disconnect: &Disconnect,
    query: &Arc<MainQuery>,
    (begin, residue): (Begin, Residue),
    patience: Patience,
    stall: Duration,
) -> Result<Opened, DbError> {
    let mut lease = unless_left(disconnect, pool.acquire()).await?;
    let (sender, receiver) = mpsc::channel(1);
    let (teller, outcome) = oneshot::channel();
    let query = Arc::clone(query);
    tokio::spawn(async move {
        let script = Script::of_stream(&query, begin, residue);
        let left = sender.clone();
        let sink = Sink { pieces: sender, stall };
        let outcome = tokio::select! {
            biased;
            outcome = lease.session().run_to(&script, sink) => outcome,
            () = left.closed() => Err(DbError::Abandoned),
        };
        lease.went_well(outcome.is_ok());
        // The connection goes back before the client is told.
        drop((lease, place));
        let _ = teller.send(outcome);
    });
    let stream = RowStream { begun: None, pieces: receiver, outcome };
    unless_left(disconnect, first(stream, patience)).await
}

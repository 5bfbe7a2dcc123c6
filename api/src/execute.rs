//! Script → rows. The only room that uses a connection on the request path.
//!
//! [`crate::script`] says what to run and what the rows mean; `session` runs it on one connection, [`pool`] lends
//! connections.

mod body;
mod connector;
mod csv;
mod db_auth;
pub mod import;
mod json;
mod latency;
pub mod open_stream;
pub mod pool;
mod script_error;
mod session;
mod shapes;
mod shared;
mod single;
mod statements;
pub mod stream;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::client::Disconnect;
use crate::error::{Cause, DbError, Error};
use crate::schema_cache::residue::Residue;
use crate::script::result::DbResult;
use crate::script::rows::Rows;
use crate::script::{End, Script};
use crate::spool::{IN_MEMORY, Spooled};
use crate::sql::types::MainQuery;

pub use connector::{Connector, connect_cold, connect_listener};
pub use pg_wire_client::Notification;
pub use pool::{Pool, PoolMetrics};
pub use shared::Sharing;
use shared::{PendingRead, Reply};
pub use single::Single;
use tokio::sync::oneshot;

/// How long a read may go on after its client has left: a connection is worth more than what a quick one costs.
const LINGER: Duration = Duration::from_millis(50);

/// Runs a script in one transaction; `read` says what its rows mean.
///
/// Errors of the database, and those that only rows can tell, leave nothing behind. Where the client disconnects before
/// there is a connection, nothing is run; a read that runs is stopped, and a write runs to its end.
pub async fn run<T>(
    pool: &Pool,
    disconnect: &Disconnect,
    script: &Script<'_>,
    read: impl Fn(&[Rows]) -> Result<T, Error>,
) -> Result<T, Error> {
    if let (Some(query), Some(residue)) = (script.shareable, script.residue)
        && let Some(results) = run_shared(pool, query, residue, disconnect).await?
    {
        return read(&results);
    }
    let mut lease = unless_left(disconnect, pool.acquire()).await?;
    let session = lease.session();
    let outcome = async {
        let results = session.run(script).await?;
        let result = read(&results);
        if script.end == End::Ask {
            session.finish(result.is_ok()).await?;
        }
        result
    };
    let outcome = match script.begin.read_only {
        true => tokio::select! {
            biased;
            outcome = outcome => outcome,
            () = long_left(disconnect) => Err(DbError::Abandoned.into()),
        },
        false => outcome.await,
    };
    // Settings of a response that cannot be followed are no fault of the connection.
    let failed = matches!(&outcome, Err(Error::Db(it)) if !matches!(it, DbError::Server { cause: Cause::Response, .. }));
    lease.went_well(!failed);
    outcome
}

/// Keeps a large body that Postgres made as a whole where one that was made here would be kept.
pub async fn put_aside(pool: &Pool, mut result: DbResult, read_only: bool) -> Result<DbResult, Error> {
    if let DbResult::Crud(set) = &mut result
        && set.body.len() > IN_MEMORY
    {
        match Spooled::of(pool.room(), set.body.clone()).await {
            Ok(spooled) => {
                set.spooled = Some(spooled);
                set.body = Bytes::new();
            }
            Err(reason) if read_only => return Err(DbError::from(reason).into()),
            // What was written is written, and its answer is here.
            Err(_) => {}
        }
    }
    Ok(result)
}

/// What comes of it, unless the client leaves before.
async fn unless_left<T>(
    disconnect: &Disconnect,
    outcome: impl Future<Output = Result<T, DbError>>,
) -> Result<T, DbError> {
    if disconnect.has_happened() {
        return Err(DbError::Abandoned);
    }
    tokio::select! {
        biased;
        outcome = outcome => outcome,
        () = disconnect.happened() => Err(DbError::Abandoned),
    }
}

/// Resolves when the client left a while ago.
async fn long_left(disconnect: &Disconnect) {
    disconnect.happened().await;
    tokio::time::sleep(LINGER).await;
}

/// Runs a read among others, if it is known to be quick. `None` if it is to have a connection for itself.
async fn run_shared(
    pool: &Pool,
    query: &Arc<MainQuery>,
    residue: Residue,
    disconnect: &Disconnect,
) -> Result<Option<Vec<Rows>>, DbError> {
    let Some(encodable) = query.rows.as_ref().and_then(|it| pool.quick(it.statement.text())) else {
        return Ok(None);
    };
    let (reply, mut answer) = oneshot::channel();
    let pending = PendingRead { query: Arc::clone(query), encodable: Arc::clone(&encodable), residue, reply };
    let mut lease = match pool.join(pending) {
        Ok(()) => return unless_left(disconnect, async { replied(answer.await) }).await,
        Err(_) if !pool.is_exhausted() => unless_left(disconnect, pool.acquire()).await?,
        Err(pending) => {
            let place = pool.shared().wait(pending);
            let acquired = tokio::select! {
                biased;
                reply = &mut answer => return replied(reply),
                acquired = pool.acquire() => acquired,
                () = disconnect.happened() => return Err(DbError::Abandoned),
            };
            if place.leave().is_none() {
                // A shared connection took it along at the same moment: the connection is for who waits next.
                drop(acquired);
                return unless_left(disconnect, async { replied(answer.await) }).await;
            }
            acquired?
        }
    };
    if !lease.session().can_be_shared() {
        let script = Script::of_read(query, residue);
        return tokio::select! {
            biased;
            results = lease.session().run(&script) => results.map(Some),
            () = long_left(disconnect) => Err(DbError::Abandoned),
        };
    }
    shared::lead(pool, lease, query, &encodable, residue, disconnect).await
}

fn replied(reply: Result<Reply, oneshot::error::RecvError>) -> Result<Option<Vec<Rows>>, DbError> {
    match reply {
        Ok(Reply::Answer(results)) => results.map(Some),
        // Who drove the shared connection is gone, and tells nothing.
        Ok(Reply::Elsewhere) | Err(_) => Ok(None),
    }
}

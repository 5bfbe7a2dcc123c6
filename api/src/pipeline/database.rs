//! A planned request, its script, the rows, and what they mean.

use std::sync::Arc;
use std::time::Duration;

use crate::api_request::ApiRequest;
use crate::auth::AuthResult;
use crate::client::Disconnect;
use crate::config::AppConfig;
use crate::error::{DbError, Error};
use crate::execute::open_stream;
use crate::execute::stream::{Opened, Patience, Streamed};
use crate::execute::{self, Pool};
use crate::plan::ActionPlan;
use crate::schema_cache::SchemaCache;
use crate::script::request::Job;
use crate::script::result::DbResult;
use crate::sql::types::{Layout, MainQuery};

/// Runs a request's statements in one transaction, for a client that waits until they have run.
pub async fn run(
    pool: &Pool,
    query: &Arc<MainQuery>,
    plan: &ActionPlan,
    req: &ApiRequest,
    auth: &AuthResult,
    conf: &AppConfig,
    cache: &SchemaCache,
) -> Result<DbResult, Error> {
    run_for(&Disconnect::default(), pool, query, plan, req, auth, conf, cache).await
}

/// What a request came to.
pub enum Answer {
    /// All of it.
    Whole(DbResult),
    /// Rows that are sent as they come.
    Stream(Streamed),
}

/// Of CSV so much is awaited before it is sent as it comes, however long that takes.
const CSV_HELD: Patience = Patience { n_bytes: 1024 * 1024, time: Duration::from_secs(86_400) };
/// Of lines, which are there to be had early.
const LINES_HELD: Patience = Patience { n_bytes: 128 * 1024, time: Duration::from_millis(50) };

/// Runs a request for a client that may disconnect. Rows that need not be gathered go to it as they come.
pub async fn answer(
    disconnect: &Disconnect,
    pool: &Pool,
    query: &Arc<MainQuery>,
    plan: &ActionPlan,
    req: &ApiRequest,
    auth: &AuthResult,
    conf: &AppConfig,
    cache: &SchemaCache,
) -> Result<Answer, Error> {
    let whole = || run_for(disconnect, pool, query, plan, req, auth, conf, cache);
    let Some(job) = Job::of(query, plan, req, &auth.role, conf, cache) else {
        return Ok(Answer::Whole(DbResult::None));
    };
    let Some((begin, residue, layout)) = job.stream() else { return whole().await.map(Answer::Whole) };
    let (place, patience) = match (layout, pool.try_stream()) {
        (Layout::Csv, Some(place)) => (place, CSV_HELD),
        // It is put aside like other large answers.
        (Layout::Csv, None) => return whole().await.map(Answer::Whole),
        (_, Some(place)) => (place, LINES_HELD),
        (_, None) => {
            let place = tokio::select! {
                place = pool.stream() => place,
                () = disconnect.happened() => Err(DbError::Abandoned),
            };
            (place.map_err(|it| job.error(it))?, LINES_HELD)
        }
    };
    let stall = match conf.pgapp_stream_stall_timeout {
        0 => Duration::MAX,
        seconds => Duration::from_secs(seconds),
    };
    let opened = open_stream::open(pool, place, disconnect, query, (begin, residue), patience, stall).await;
    match opened.map_err(|it| job.error(it))? {
        Opened::Whole(rows) => job.result(&rows).map(Answer::Whole),
        Opened::Stream(stream) => Ok(Answer::Stream(stream)),
    }
}

/// Runs a request for a client that may disconnect, and gathers what comes of it.
pub async fn run_for(
    disconnect: &Disconnect,
    pool: &Pool,
    query: &Arc<MainQuery>,
    plan: &ActionPlan,
    req: &ApiRequest,
    auth: &AuthResult,
    conf: &AppConfig,
    cache: &SchemaCache,
) -> Result<DbResult, Error> {
    let Some(job) = Job::of(query, plan, req, &auth.role, conf, cache) else { return Ok(DbResult::None) };
    let outcome = execute::run(pool, disconnect, job.script(), |rows| job.result(rows)).await;
    let result = match outcome {
        Ok(result) => result,
        Err(Error::Db(error)) => return Err(job.error(error)),
        Err(error) => return Err(error),
    };
    execute::put_aside(pool, result, job.script().begin.read_only).await
}

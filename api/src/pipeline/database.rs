//! A planned request, its script, the rows, and what they mean.

use std::sync::Arc;

use crate::api_request::ApiRequest;
use crate::auth::AuthResult;
use crate::client::Disconnect;
use crate::config::AppConfig;
use crate::error::Error;
use crate::execute::{self, Pool};
use crate::plan::ActionPlan;
use crate::schema_cache::SchemaCache;
use crate::script::request::Job;
use crate::script::result::DbResult;
use crate::sql::types::MainQuery;

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

/// The same for a client that may disconnect.
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

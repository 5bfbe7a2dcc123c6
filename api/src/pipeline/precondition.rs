//! `If-Match` of a write (RFC 9110, section 13.1.1): what a `GET` of the same target would be answered is read in the
//! write's transaction, and the write is made where its tag is among those that the client has.
//!
//! The transaction sees one state of the database throughout. A row that somebody else has changed meanwhile cannot be
//! written in it, which Postgres tells (40001), so that no change is written over that the client has not seen.

use std::sync::Arc;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, IF_MATCH, RANGE};
use http::request::Parts;
use http::{HeaderValue, Method};

use crate::api_request::ApiRequest;
use crate::client::Disconnect;
use crate::config::AppConfig;
use crate::error::{ApiRequestError, DbError, Error};
use crate::execute::Pool;
use crate::execute::import::Import;
use crate::plan::ActionPlan;
use crate::response::{self, etag};
use crate::schema_cache::SchemaCache;
use crate::script::request::Job;
use crate::script::result::DbResult;
use crate::sql::types::MainQuery;

/// A write's target as it is read.
pub(super) struct Reading<'a> {
    pub(super) query: &'a Arc<MainQuery>,
    pub(super) plan: &'a ActionPlan,
    pub(super) request: &'a ApiRequest,
}

/// The `GET` whose answer a write is conditional on.
pub(super) fn target(parts: &Parts) -> Option<Parts> {
    let writes = matches!(parts.method, Method::PATCH | Method::PUT | Method::DELETE);
    if !writes || !parts.headers.contains_key(IF_MATCH) {
        return None;
    }
    let mut get = parts.clone();
    get.method = Method::GET;
    for name in [CONTENT_TYPE, CONTENT_LENGTH, RANGE, HeaderName::from_static("prefer")] {
        get.headers.remove(name);
    }
    // The schema of a write is named by another header than that of a read.
    if let Some(profile) = parts.headers.get("content-profile") {
        get.headers.insert(HeaderName::from_static("accept-profile"), profile.clone());
    }
    Some(get)
}

/// Runs a write where its target is what the client has seen.
pub(super) async fn write(
    pool: &Pool,
    disconnect: &Disconnect,
    headers: &HeaderMap,
    reading: Reading<'_>,
    (query, job): (&Arc<MainQuery>, &Job<'_>),
    (conf, cache): (&AppConfig, &SchemaCache),
) -> Result<DbResult, Error> {
    let script = job.script_of_one_state();
    let begun = Import::begin(pool, disconnect, &script, job.main()).await;
    let mut import = begun.map_err(|it| job.error(it))?;
    match checked(&mut import, headers, &reading, (query, job), (conf, cache)).await {
        Ok(result) => match import.end(script.end).await {
            Ok(()) => Ok(result),
            Err(error) => Err(changed_meanwhile(job.error(error))),
        },
        Err(error) => {
            import.undo().await;
            Err(changed_meanwhile(error))
        }
    }
}

async fn checked(
    import: &mut Import,
    headers: &HeaderMap,
    reading: &Reading<'_>,
    (query, job): (&Arc<MainQuery>, &Job<'_>),
    (conf, cache): (&AppConfig, &SchemaCache),
) -> Result<DbResult, Error> {
    let missing = || DbError::UnexpectedResult("a write without a statement".into());
    let Reading { query: get, plan, request } = reading;
    let seen = Job::of(get, plan, request, "", conf, cache).ok_or_else(missing)?;
    let rows = import.run(&get.aggregated().ok_or_else(missing)?).await.map_err(|it| job.error(it))?;
    let set = seen.batch(&rows)?;
    let n_rows = set.query_total;
    let mut response = response::action_response(plan, DbResult::Crud(set), request, conf, cache)?;
    // Bytes in memory can be read.
    let _ = etag::tag(&mut response).await;
    if !matches(headers, response.headers.get(ETAG), n_rows > 0) {
        return Err(ApiRequestError::PreconditionFailed.into());
    }
    let rows = import.run(&query.aggregated().ok_or_else(missing)?).await.map_err(|it| job.error(it))?;
    job.batch(&rows).map(DbResult::Crud)
}

/// Whether `If-Match` names the tag, in whatever coding it was read. Compared is strongly.
fn matches(headers: &HeaderMap, tag: Option<&HeaderValue>, exists: bool) -> bool {
    let values = headers.get_all(IF_MATCH).iter().filter_map(|it| it.to_str().ok());
    let tag = tag.and_then(|it| it.to_str().ok());
    values.flat_map(etag::tags).any(|it| match it {
        "*" => exists,
        named => tag == Some(&*etag::without_coding(named)),
    })
}

/// A row that could not be written because somebody else has changed it is not what the client has seen.
fn changed_meanwhile(error: Error) -> Error {
    match &error {
        Error::Db(DbError::Server { code, .. }) if code == "40001" => {
            ApiRequestError::PreconditionFailed.into()
        }
        _ => error,
    }
}

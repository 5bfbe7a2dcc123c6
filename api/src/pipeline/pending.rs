//! Stand-ins for rooms that are still being built; each goes when its room lands.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::api_request::ApiRequest;
use crate::api_request::types::Preferences;
use crate::auth::AuthResult;
use crate::config::AppConfig;
use crate::error::{ApiRequestError, Error};
use crate::execute::DbResult;
use crate::plan::ActionPlan;
use crate::schema_cache::SchemaCache;
use crate::sql::types::MainQuery;
use crate::state::AppState;

/// An answer.
#[derive(Debug, Clone)]
pub struct PgrstResponse {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

fn pending(what: &str) -> Error {
    ApiRequestError::NotImplemented(what.to_owned()).into()
}

pub(super) fn preferences(_: &AppConfig, _: &HeaderMap) -> Preferences {
    Preferences::default()
}

pub(super) fn from_http(_: &AppConfig, _: Preferences, _: &Parts, _: Bytes) -> Result<ApiRequest, Error> {
    Err(pending("request"))
}

pub(super) fn action_plan(_: &AppConfig, _: &ApiRequest, _: &SchemaCache) -> Result<ActionPlan, Error> {
    Err(pending("plan"))
}

pub(super) fn legacy_names(_: &ActionPlan) -> Vec<(String, String)> {
    Vec::new()
}

pub(super) fn main_query(_: &ActionPlan, _: &AppConfig, _: &ApiRequest, _: &AuthResult, _: u32) -> MainQuery {
    MainQuery::default()
}

pub(super) async fn run(
    _: &Arc<AppState>,
    _: &MainQuery,
    _: &ActionPlan,
    _: &ApiRequest,
    _: &AuthResult,
    _: &AppConfig,
    _: &SchemaCache,
) -> Result<DbResult, Error> {
    Err(pending("execute"))
}

pub(super) fn action_response(
    _: &ActionPlan,
    _: DbResult,
    _: &ApiRequest,
    _: &AppConfig,
    _: &SchemaCache,
) -> Result<PgrstResponse, Error> {
    Err(pending("response"))
}

pub(super) fn status(error: &Error) -> StatusCode {
    match error {
        Error::NoSchemaCache => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

pub(super) fn error_response(error: &Error, _: &AppConfig) -> PgrstResponse {
    let body = Bytes::from(payload_text(error));
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    PgrstResponse { status: status(error), headers, body }
}

/// The error's JSON, with details and hint.
pub(crate) fn payload_text(error: &Error) -> String {
    serde_json::json!({"code": null, "message": error.to_string(), "details": null, "hint": null}).to_string()
}

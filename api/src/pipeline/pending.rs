//! Stand-ins for rooms that are still being built; each goes when its room lands.

use std::sync::Arc;

use crate::api_request::ApiRequest;
use crate::auth::AuthResult;
use crate::config::AppConfig;
use crate::error::{ApiRequestError, Error};
use crate::execute::DbResult;
use crate::plan::ActionPlan;
use crate::schema_cache::SchemaCache;
use crate::sql::types::MainQuery;
use crate::state::AppState;

fn pending(what: &str) -> Error {
    ApiRequestError::NotImplemented(what.to_owned()).into()
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

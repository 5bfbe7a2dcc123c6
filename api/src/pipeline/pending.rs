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

//! Settings of the request's transaction.

use serde_json::{Map, Value};

use crate::api_request::ApiRequest;
use crate::auth::AuthResult;
use crate::config::AppConfig;
use crate::plan::{ActionPlan, CrudKind};
use crate::schema_cache::identifiers::QualifiedIdentifier;

use super::builder::{SqlBuilder, ident_list};
use super::types::Statement;

/// One `SELECT` of `set_config` calls, all local to the transaction.
pub(super) fn statement(
    plan: &ActionPlan,
    conf: &AppConfig,
    req: &ApiRequest,
    auth: &AuthResult,
) -> Statement {
    let mut sql = SqlBuilder::default();
    let schemas = std::iter::once(&req.schema).chain(&conf.db_extra_search_path);
    sql.sql("select set_config('search_path', ").bind_unknown(&ident_list(schemas.map(String::as_str)));
    sql.sql(", true)");
    // Before the role: the authenticator may be granted to set what the role may not.
    for setting in conf.role_settings.get(&auth.role).into_iter().flatten() {
        named(&mut sql, setting);
    }
    sql.sql(", set_config('role', ").bind_unknown(&auth.role);
    sql.sql(", true), set_config('request.jwt.claims', ").bind_unknown(&claims(auth));
    sql.sql(", true), set_config('request.method', ").bind_unknown(req.method.as_str());
    sql.sql(", true), set_config('request.path', ").bind_unknown(&req.path);
    sql.sql(", true), set_config('request.headers', ").bind_unknown(&headers(req));
    sql.sql(", true), set_config('request.cookies', ").bind_unknown(&cookies(req));
    sql.sql(", true)");
    if let Some(timezone) = &req.preferences.timezone {
        sql.sql(", set_config('timezone', ").bind_unknown(timezone).sql(", true)");
    }
    if let ActionPlan::Crud(plan) = plan
        && let CrudKind::Call { routine, .. } = &plan.kind
    {
        for setting in &routine.settings {
            named(&mut sql, setting);
        }
    }
    for setting in &conf.app_settings {
        named(&mut sql, setting);
    }
    sql.finish()
}

/// The call of `db-pre-request`.
pub(super) fn pre_request(function: &QualifiedIdentifier) -> Statement {
    let mut sql = SqlBuilder::default();
    sql.sql("select ").qualified(function).sql("()");
    sql.finish()
}

fn named(sql: &mut SqlBuilder, (name, value): &(String, String)) {
    sql.sql(", set_config(").bind_unknown(name).sql(", ").bind_unknown(value).sql(", true)");
}

fn claims(auth: &AuthResult) -> String {
    let role = Value::from(&*auth.role);
    let mut claims = auth.claims.clone();
    claims.insert("role".to_owned(), role);
    Value::Object(claims).to_string()
}

/// Headers as a JSON object, because their names are no valid names of settings.
fn headers(req: &ApiRequest) -> String {
    let object: Map<String, Value> = req
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), String::from_utf8_lossy(value).into_owned().into()))
        .collect();
    Value::Object(object).to_string()
}

fn cookies(req: &ApiRequest) -> String {
    let object: Map<String, Value> =
        req.cookies.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    Value::Object(object).to_string()
}

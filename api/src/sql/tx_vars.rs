//! Settings of the request's transaction.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::Value;

use crate::api_request::ApiRequest;
use crate::auth::AuthResult;
use crate::config::AppConfig;
use crate::plan::{ActionPlan, CrudKind, TxMode};
use crate::schema_cache::identifiers::QualifiedIdentifier;

use super::builder::{SqlBuilder, ident_list};
use super::statement::Statement;

/// One `SELECT` of `set_config` calls, all local to the transaction.
pub(super) fn statement(
    plan: &ActionPlan,
    conf: &AppConfig,
    req: &ApiRequest,
    auth: &AuthResult,
) -> Statement {
    let mut sql = SqlBuilder::default();
    let schemas = std::iter::once(&req.schema).chain(&conf.db_extra_search_path);
    sql.sql("select pg_catalog.set_config('search_path', ")
        .bind_unknown(&ident_list(schemas.map(String::as_str)));
    sql.sql(", true)");
    // Before the role: the authenticator may be granted to set what the role may not.
    for setting in conf.role_settings.get(&auth.role).into_iter().flatten() {
        named(&mut sql, setting);
    }
    sql.sql(", pg_catalog.set_config('role', ").bind_unknown(&auth.role);
    sql.sql(", true), pg_catalog.set_config('request.jwt.claims', ").bind_unknown(&claims(auth));
    sql.sql(", true), pg_catalog.set_config('request.method', ").bind_unknown(req.method.as_str());
    sql.sql(", true), pg_catalog.set_config('request.path', ").bind_unknown(&req.path);
    sql.sql(", true), pg_catalog.set_config('request.headers', ").bind_unknown(&headers(req));
    sql.sql(", true), pg_catalog.set_config('request.cookies', ").bind_unknown(&cookies(req));
    sql.sql(", true)");
    if let Some(timezone) = &req.preferences.timezone {
        sql.sql(", pg_catalog.set_config('timezone', ").bind_unknown(timezone).sql(", true)");
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
    if plan.tx_mode() == TxMode::Read {
        // Before anything of the caller's runs; once on, it cannot be switched off again.
        sql.sql(", pg_catalog.set_config('transaction_read_only', 'on', true)");
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
    sql.sql(", pg_catalog.set_config(").bind_unknown(name).sql(", ").bind_unknown(value).sql(", true)");
}

fn claims(auth: &AuthResult) -> String {
    let named = auth.claims.get("role").and_then(Value::as_str) == Some(&auth.role);
    if named {
        return json_text(&auth.claims);
    }
    let mut claims = auth.claims.clone();
    claims.insert("role".to_owned(), Value::from(&*auth.role));
    json_text(&claims)
}

/// Headers as a JSON object, because their names are no valid names of settings.
fn headers(req: &ApiRequest) -> String {
    object(&req.headers, |value| String::from_utf8_lossy(value))
}

fn cookies(req: &ApiRequest) -> String {
    object(&req.cookies, |value| Cow::Borrowed(value))
}

/// With more entries than this, names that come again are found by a set.
const FEW: usize = 16;

/// A JSON object of texts. Of values with one name the last counts.
fn object<V>(entries: &[(String, V)], text: impl Fn(&V) -> Cow<'_, str>) -> String {
    let many = (entries.len() > FEW).then(|| come_again(entries));
    let mut json = String::from("{");
    for (at, (name, value)) in entries.iter().enumerate() {
        let comes_again = match &many {
            Some(it) => it[at],
            None => entries[at + 1..].iter().any(|(later, _)| later == name),
        };
        if comes_again {
            continue;
        }
        if json.len() > 1 {
            json.push(',');
        }
        json.push_str(&json_text(name));
        json.push(':');
        json.push_str(&json_text(&text(value)));
    }
    json.push('}');
    json
}

/// For each entry, whether a later one has its name.
fn come_again<V>(entries: &[(String, V)]) -> Vec<bool> {
    let mut seen = HashSet::with_capacity(entries.len());
    let mut again: Vec<bool> = entries.iter().rev().map(|(name, _)| !seen.insert(&**name)).collect();
    again.reverse();
    again
}

/// Texts and maps of JSON values have a JSON form.
fn json_text<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_values_with_one_name_the_last_counts() {
        // As many as are compared with each other, and as many as are looked up.
        for n in [2, FEW, FEW + 1, 1000] {
            let entries: Vec<(String, String)> =
                (0..n).map(|it| (format!("n{}", it % (n - 1)), it.to_string())).collect();
            let object: serde_json::Map<String, Value> =
                serde_json::from_str(&object(&entries, |it| Cow::Borrowed(it))).unwrap();
            assert_eq!(object.len(), n - 1, "{n}");
            assert_eq!(object["n0"], (n - 1).to_string(), "{n}");
        }
    }
}

//! A call plan as a query.

use bytes::Bytes;

use crate::plan::types::{ArgValue, BodyValue, CallArgs, CallParams, CallPlan};
use crate::plan::verbatim::CatalogSql;
use crate::schema_cache::routine::RoutineParam;

use super::builder::{Qualifier, SqlBuilder, array_text};
use super::json_body::{BodyColumn, BodyRows, from_body};
use super::statement::ParamType;

/// Appends the call as rows: of the result, or of one column `pgrst_scalar`.
pub(super) fn query(sql: &mut SqlBuilder, plan: &CallPlan) {
    rows(sql, plan);
    if let Some(row_type) = plan.row_type {
        sql.sql(" WHERE ");
        depends_on(sql, row_type);
    }
}

/// Appends a condition that is always true and makes a prepared statement depend on a relation or type.
///
/// Of a function's result, Postgres looks up the columns when a statement is parsed, and does not parse it again
/// when they change. On a relation that a constant names it does. Named by its number, because the caller need
/// not be allowed to use its schema.
pub(super) fn depends_on(sql: &mut SqlBuilder, row_type: u32) {
    sql.sql("'").int(i64::from(row_type)).sql("'::pg_catalog.regclass IS NOT NULL");
}

fn rows(sql: &mut SqlBuilder, plan: &CallPlan) {
    let call = Qualifier::name("pgrst_call");
    sql.sql("SELECT ");
    if is_scalar(plan) {
        sql.sql("pgrst_call.pgrst_scalar");
    } else if plan.returning.is_empty() {
        sql.sql("*");
    } else {
        sql.separated(", ", &plan.returning, |sql, column| {
            sql.column(call, column);
        });
    }
    match (&plan.params, &plan.args) {
        (CallParams::Positional(param), args) => {
            sql.sql(" FROM ");
            called(sql, plan, |sql| positional(sql, param, args));
        }
        (CallParams::Named(params), _) if params.is_empty() => {
            sql.sql(" FROM ");
            called(sql, plan, |_| {});
        }
        (CallParams::Named(params), CallArgs::Direct(args)) => {
            sql.sql(" FROM ");
            called(sql, plan, |sql| {
                sql.separated(", ", params, |sql, param| {
                    named(sql, param);
                    direct(sql, param, args);
                });
            });
        }
        (CallParams::Named(params), CallArgs::Body(body)) => {
            let types: Vec<CatalogSql> = params.iter().map(CatalogSql::param_type).collect();
            let columns: Vec<BodyColumn<'_>> = params
                .iter()
                .zip(&types)
                .map(|(param, ty)| BodyColumn {
                    name: &param.name,
                    ty: Some(ty),
                    transform: None,
                    reads: BodyValue::of(&param.data_type, &param.data_type, plan.empty_is_null),
                    null_is_missing: false,
                    default: None,
                })
                .collect();
            from_body(sql, body.as_ref(), &columns, BodyRows::First, false);
            sql.sql(", LATERAL ");
            called(sql, plan, |sql| {
                sql.separated(", ", params, |sql, param| {
                    named(sql, param);
                    sql.column(Qualifier::name("pgrst_body"), &param.name);
                });
            });
        }
    }
}

fn is_scalar(plan: &CallPlan) -> bool {
    plan.scalar || plan.set_of_scalar
}

fn called(sql: &mut SqlBuilder, plan: &CallPlan, args: impl FnOnce(&mut SqlBuilder)) {
    if is_scalar(plan) {
        sql.sql("(SELECT ").qualified(&plan.function).sql("(");
        args(sql);
        sql.sql(") pgrst_scalar) pgrst_call");
    } else {
        sql.qualified(&plan.function).sql("(");
        args(sql);
        sql.sql(") pgrst_call");
        if !plan.definition.is_empty() {
            sql.sql("(").separated(", ", &plan.definition, |sql, (column, ty)| {
                sql.ident(column).sql(" ").cast_type(ty);
            });
            sql.sql(")");
        }
    }
}

fn named(sql: &mut SqlBuilder, param: &RoutineParam) {
    sql.sql(if param.variadic { "VARIADIC " } else { "" }).ident(&param.name).sql(" := ");
}

fn direct(sql: &mut SqlBuilder, param: &RoutineParam, args: &[(String, ArgValue)]) {
    match args.iter().find(|(name, _)| *name == param.name).map(|(_, value)| value) {
        Some(ArgValue::Single(value)) => sql.bind_unknown(value),
        Some(ArgValue::Variadic(values)) => {
            sql.bind_unknown(&array_text(values.iter().map(String::as_str))).sql("::pg_catalog.text[]")
        }
        None => sql.sql("NULL"),
    };
    sql.sql("::").catalog(&CatalogSql::param_type(param));
}

/// The body as it is, or direct arguments as a JSON object.
fn positional(sql: &mut SqlBuilder, param: &RoutineParam, args: &CallArgs) {
    let value = match args {
        CallArgs::Body(body) => body.clone(),
        CallArgs::Direct(args) => Some(json_object(args)),
    };
    if param.data_type == "bytea" {
        sql.bind(value, ParamType::Bytea);
    } else {
        sql.bind(value, ParamType::Unknown).sql("::").catalog(&CatalogSql::param_type(param));
    }
}

fn json_object(args: &[(String, ArgValue)]) -> Bytes {
    let object: serde_json::Map<String, serde_json::Value> = args
        .iter()
        .map(|(name, value)| {
            let value = match value {
                ArgValue::Single(value) => value.clone().into(),
                ArgValue::Variadic(values) => values.clone().into(),
            };
            (name.clone(), value)
        })
        .collect();
    serde_json::Value::Object(object).to_string().into()
}

//! Columns of a `SELECT` and what they are grouped by.

use crate::api_request::types::AggregateFunction;
use crate::plan::types::{OrderBy, ReadPlan, RelSelect, ResolvedField, SelectField, SpreadField};
use crate::plan::verbatim::CastType;

use super::builder::{Qualifier, SqlBuilder};
use super::filter;

/// Appends a selected field.
pub(super) fn select_field(sql: &mut SqlBuilder, from: Qualifier<'_>, select: &SelectField) {
    aggregated(sql, select.aggregate, select.aggregate_cast.as_ref(), |sql| {
        cast(sql, select.cast.as_ref(), |sql| represented(sql, from, &select.field));
    });
    if let Some(alias) = &select.alias {
        sql.sql(" AS ").ident(alias);
    }
}

/// Appends a field as its representation shows it.
fn represented(sql: &mut SqlBuilder, from: Qualifier<'_>, field: &ResolvedField) {
    match &field.transform {
        Some(formatter) => {
            sql.catalog(formatter).sql("(");
            filter::field(sql, from, field);
            sql.sql(")");
        }
        None => filter::field(sql, from, field),
    }
}

fn cast(sql: &mut SqlBuilder, to: Option<&CastType>, value: impl FnOnce(&mut SqlBuilder)) {
    match to {
        Some(to) => {
            sql.sql("CAST(");
            value(sql);
            sql.sql(" AS ").cast_type(to).sql(")");
        }
        None => value(sql),
    }
}

fn aggregated(
    sql: &mut SqlBuilder,
    aggregate: Option<AggregateFunction>,
    aggregate_cast: Option<&CastType>,
    value: impl FnOnce(&mut SqlBuilder),
) {
    let Some(aggregate) = aggregate else { return value(sql) };
    cast(sql, aggregate_cast, |sql| {
        sql.sql(match aggregate {
            AggregateFunction::Sum => "SUM(",
            AggregateFunction::Avg => "AVG(",
            AggregateFunction::Max => "MAX(",
            AggregateFunction::Min => "MIN(",
            AggregateFunction::Count => "pg_catalog.count(",
        });
        value(sql);
        sql.sql(")");
    });
}

/// Appends the columns that an embed becomes, separated by commas; none for an empty embed.
pub(super) fn rel_select(sql: &mut SqlBuilder, rel_select: &RelSelect) {
    match rel_select {
        RelSelect::Json { empty: true, .. } => {}
        RelSelect::Json { name, agg_alias, to_one: true, .. } => {
            sql.sql("pg_catalog.row_to_json(").ident(agg_alias).sql(".*)::pg_catalog.jsonb AS ").ident(name);
        }
        RelSelect::Json { name, agg_alias, to_one: false, .. } => {
            sql.sql("COALESCE(").ident(agg_alias).sql(".").ident(agg_alias).sql(", '[]') AS ").ident(name);
        }
        RelSelect::Spread { fields, agg_alias } => {
            sql.separated(", ", fields, |sql, field| {
                aggregated(sql, field.aggregate, field.aggregate_cast.as_ref(), |sql| {
                    sql.column(Qualifier::name(agg_alias), &field.name);
                });
                if let Some(alias) = &field.alias {
                    sql.sql(" AS ").ident(alias);
                }
            });
        }
    }
}

/// Whether [`rel_select`] appends anything.
pub(super) fn shows(rel_select: &RelSelect) -> bool {
    match rel_select {
        RelSelect::Json { empty, .. } => !empty,
        RelSelect::Spread { fields, .. } => !fields.is_empty(),
    }
}

/// Appends a column of a to-many spread: an array of the column's values.
pub(super) fn spread_array(sql: &mut SqlBuilder, agg_alias: &str, order: &[OrderBy], field: &SpreadField) {
    let from = Qualifier::name(agg_alias);
    sql.sql("COALESCE(pg_catalog.json_agg(").column(from, &field.name);
    filter::order_by(sql, from, order);
    sql.sql("),'[]')::pg_catalog.jsonb AS ").ident(field.alias.as_ref().unwrap_or(&field.name));
}

/// Appends ` GROUP BY …` when something is aggregated and something is not.
pub(super) fn group_by(sql: &mut SqlBuilder, from: Qualifier<'_>, node: &ReadPlan) {
    let spread_aggregates = |rel_select: &RelSelect| match rel_select {
        RelSelect::Spread { fields, .. } => fields.iter().any(|field| field.aggregate.is_some()),
        RelSelect::Json { .. } => false,
    };
    let aggregates = node.select.iter().any(|field| field.aggregate.is_some())
        || node.rel_select.iter().any(spread_aggregates);
    if !aggregates {
        return;
    }
    let mut separator = " GROUP BY ";
    let mut next = |sql: &mut SqlBuilder| {
        sql.sql(separator);
        separator = ", ";
    };
    for field in node.select.iter().filter(|field| field.aggregate.is_none()) {
        next(sql);
        match &field.alias {
            Some(alias) => {
                sql.ident(alias);
            }
            None => filter::field(sql, from, &field.field),
        }
    }
    for rel_select in &node.rel_select {
        match rel_select {
            RelSelect::Json { empty: true, .. } => {}
            RelSelect::Json { name, .. } => {
                next(sql);
                sql.ident(name);
            }
            RelSelect::Spread { fields, agg_alias } => {
                for field in fields.iter().filter(|field| field.aggregate.is_none()) {
                    next(sql);
                    let name = field.alias.as_ref().unwrap_or(&field.name);
                    sql.column(Qualifier::name(agg_alias), name);
                }
            }
        }
    }
}

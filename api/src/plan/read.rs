//! The read plan: `select`, filters, order and ranges of the query string as a tree of `SELECT`s.
//!
//! Stages follow one another over the whole tree. Their order decides which error a request with
//! several faults gets, so it is part of the behaviour.

use crate::api_request::ApiRequest;
use crate::api_request::types::{
    Action, AggregateFunction, DbAction, JsonOperand, JsonOperation, OrderTerm, Range, SelectItem, SelectTree,
};
use crate::config::AppConfig;
use crate::error::{ApiRequestError, Error};
use crate::schema_cache::SchemaCache;
use crate::schema_cache::identifiers::QualifiedIdentifier;

use super::resolve::Resolver;
use super::target::{TargetNames, update};
use super::types::{OrderBy, ReadPlan, ReadPlanTree, ResolvedField, SelectField, Spread};
use super::verbatim::CastType;
use super::{SOURCE, aggregate, embed, related, target};

/// Plans what to read from `qi`.
pub(super) fn read_plan(
    qi: &QualifiedIdentifier,
    conf: &AppConfig,
    cache: &SchemaCache,
    req: &ApiRequest,
) -> Result<ReadPlanTree, Error> {
    let names = TargetNames::from_config(conf);
    let mut tree = initial_tree(qi, cache, &req.query.select)?;
    add_filters(&mut tree, cache, req, names)?;
    add_orders(&mut tree, Resolver::new(cache, qi), req, names)?;
    add_ranges(&mut tree, req, names)?;
    add_logic(&mut tree, cache, req, names)?;
    target::settle(&mut tree);
    embed::resolve_relationships(&mut tree, &qi.schema, &req.action, cache)?;
    expand_stars(&mut tree, cache, qi, false);
    add_aliases(&mut tree);
    related::resolve_related_orders(&mut tree)?;
    related::resolve_null_embeds(&mut tree);
    related::add_rel_selects(&mut tree);
    aggregate::check_allowed(&tree, conf.db_aggregates_enabled)?;
    aggregate::hoist(&mut tree);
    aggregate::order_to_many_spreads(&mut tree)?;
    if !matches!(req.action, Action::Db(DbAction::RelationMutation(..))) {
        restrict_ranges(&mut tree, conf.db_max_rows);
    }
    Ok(tree)
}

/// The select is a single `*`: only then does a media type handler of the relation apply.
pub(super) fn has_default_select(tree: &ReadPlanTree) -> bool {
    tree.children.is_empty() && matches!(&*tree.node.select, [only] if only.field.name == "*")
}

fn initial_tree(
    qi: &QualifiedIdentifier,
    cache: &SchemaCache,
    select: &[SelectTree],
) -> Result<ReadPlanTree, Error> {
    level(ReadPlan::new(qi.clone(), 0), qi, cache, select)
}

fn level(
    mut node: ReadPlan,
    qi: &QualifiedIdentifier,
    cache: &SchemaCache,
    select: &[SelectTree],
) -> Result<ReadPlanTree, Error> {
    let resolver = Resolver::new(cache, &node.from);
    let mut children = Vec::new();
    for tree in select {
        let embed = |name: &str| {
            ReadPlan::new(QualifiedIdentifier::new(qi.schema.clone(), name.to_owned()), node.depth + 1)
        };
        let child = match &tree.item {
            SelectItem::Field { field, aggregate, aggregate_cast, cast, alias } => {
                node.select.push(SelectField {
                    field: resolver.output_field(field),
                    aggregate: *aggregate,
                    aggregate_cast: parse_cast(aggregate_cast.as_deref())?,
                    cast: parse_cast(cast.as_deref())?,
                    alias: alias.clone(),
                });
                continue;
            }
            SelectItem::Relation { name, alias, hint, join } => {
                ReadPlan { rel_alias: alias.clone(), hint: hint.clone(), join_type: *join, ..embed(name) }
            }
            SelectItem::Spread { name, hint, join } => {
                ReadPlan { hint: hint.clone(), join_type: *join, spread: Some(Spread::ToOne), ..embed(name) }
            }
        };
        children.push(level(child, qi, cache, &tree.children)?);
    }
    Ok(ReadPlanTree { node, children })
}

fn parse_cast(cast: Option<&str>) -> Result<Option<CastType>, Error> {
    cast.map(|text| {
        CastType::parse(text).ok_or_else(|| {
            Error::from(ApiRequestError::QueryParam(
                "\"failed to parse select parameter\"".to_owned(),
                format!("unexpected cast \"{text}\""),
            ))
        })
    })
    .transpose()
}

/// A write's own filters choose the rows to write; what it returns is filtered in its embeds only.
fn filters_embeds_only(req: &ApiRequest) -> bool {
    !matches!(req.action, Action::Db(DbAction::RelationRead(..) | DbAction::Routine(..)))
}

// Filters, orders, ranges and logic trees are taken from last to first, like a right fold: what was
// written first ends up first in the statement, and the last fault is the one reported.

fn add_filters(
    tree: &mut ReadPlanTree,
    cache: &SchemaCache,
    req: &ApiRequest,
    names: TargetNames,
) -> Result<(), Error> {
    let filters = if filters_embeds_only(req) { &req.query.filters_not_root } else { &req.query.filters };
    for (path, filter) in filters.iter().rev() {
        update(tree, path, names, |node| {
            let condition = Resolver::new(cache, &node.from).filter(filter);
            node.conditions.push(condition);
        })?;
    }
    Ok(())
}

fn add_logic(
    tree: &mut ReadPlanTree,
    cache: &SchemaCache,
    req: &ApiRequest,
    names: TargetNames,
) -> Result<(), Error> {
    let embeds_only = filters_embeds_only(req);
    for (path, logic) in req.query.logic.iter().rev() {
        if embeds_only && path.is_empty() {
            continue;
        }
        update(tree, path, names, |node| {
            let condition = Resolver::new(cache, &node.from).logic_tree(logic);
            node.conditions.push(condition);
        })?;
    }
    Ok(())
}

/// Terms of every level are resolved against the top relation. On an embed, a path into a `json` column
/// therefore goes through `to_jsonb`, without which `json` values have no order.
fn add_orders(
    tree: &mut ReadPlanTree,
    resolver: Resolver<'_>,
    req: &ApiRequest,
    names: TargetNames,
) -> Result<(), Error> {
    for (path, terms) in req.query.order.iter().rev() {
        update(tree, path, names, |node| {
            node.order = terms.iter().map(|term| order_by(resolver, term, path.is_empty())).collect();
        })?;
    }
    Ok(())
}

fn order_by(resolver: Resolver<'_>, term: &OrderTerm, is_top: bool) -> OrderBy {
    match term {
        OrderTerm::Field { field, direction, nulls } => OrderBy::Field {
            field: resolver.order_field(field, is_top),
            direction: *direction,
            nulls: *nulls,
        },
        OrderTerm::Relation { relation, field, direction, nulls } => OrderBy::Related {
            relation: relation.clone(),
            field: field.clone(),
            direction: *direction,
            nulls: *nulls,
        },
    }
}

fn add_ranges(tree: &mut ReadPlanTree, req: &ApiRequest, names: TargetNames) -> Result<(), Error> {
    if matches!(req.action, Action::Db(DbAction::RelationMutation(..))) {
        return Ok(());
    }
    for (path, range) in req.ranges.iter().rev() {
        update(tree, path, names, |node| node.range = *range)?;
    }
    Ok(())
}

/// Spells `*` out where its columns must be known: representations, aggregates (they group by what
/// is selected beside them) and to-many spreads (each column becomes an array).
fn expand_stars(tree: &mut ReadPlanTree, cache: &SchemaCache, root: &QualifiedIdentifier, aggregated: bool) {
    let node = &mut tree.node;
    let aggregated = aggregated
        || node.select.iter().any(|field| field.aggregate.is_some())
        || matches!(node.spread, Some(Spread::ToMany { .. }));
    let is_spread = node.spread.is_some();
    let counts_rows = |field: &SelectField| is_spread && field.aggregate == Some(AggregateFunction::Count);
    let has_star = node
        .select
        .iter()
        .any(|field| field.field.name == "*" && (field.aggregate.is_none() || counts_rows(field)));
    if has_star {
        let aliased =
            QualifiedIdentifier::new(root.schema.clone(), node.from_alias.clone().unwrap_or_default());
        let is_source = node.from.schema.is_empty() && node.from.name == SOURCE;
        let resolver = Resolver::new(cache, if is_source { &aliased } else { &node.from });
        if aggregated || resolver.has_output_representation() {
            let mut expanded = Vec::with_capacity(node.select.len());
            for mut field in std::mem::take(&mut node.select) {
                let is_star = field.field.name == "*" && field.field.json_path.is_empty();
                if is_star && field.aggregate.is_none() {
                    expanded.extend(resolver.columns().map(|column| SelectField {
                        field: resolver.output_column(column),
                        ..field.clone()
                    }));
                } else {
                    field.field.full_row |= is_star && counts_rows(&field);
                    expanded.push(field);
                }
            }
            node.select = expanded;
        }
    }
    for child in &mut tree.children {
        expand_stars(child, cache, root, aggregated);
    }
}

/// Names the columns that Postgres would name otherwise: after the last key of a JSON path, after
/// the column of a represented value, and, in spreads, after the aggregate.
fn add_aliases(tree: &mut ReadPlanTree) {
    let is_spread = tree.node.spread.is_some();
    for field in &mut tree.node.select {
        if field.alias.is_some() {
            continue;
        }
        field.alias = match field.aggregate {
            Some(aggregate) => is_spread.then(|| aggregate_name(aggregate).to_owned()),
            None => json_path_name(&field.field)
                .or_else(|| field.field.transform.is_some().then(|| field.field.name.clone())),
        };
    }
    tree.children.iter_mut().for_each(add_aliases);
}

fn aggregate_name(aggregate: AggregateFunction) -> &'static str {
    match aggregate {
        AggregateFunction::Sum => "sum",
        AggregateFunction::Avg => "avg",
        AggregateFunction::Max => "max",
        AggregateFunction::Min => "min",
        AggregateFunction::Count => "count",
    }
}

fn json_path_name(field: &ResolvedField) -> Option<String> {
    if field.json_path.is_empty() {
        return None;
    }
    let last_key = field.json_path.iter().rev().find_map(|operation| {
        let (JsonOperation::Arrow(operand) | JsonOperation::DoubleArrow(operand)) = operation;
        match operand {
            JsonOperand::Key(key) => Some(key),
            JsonOperand::Idx(_) => None,
        }
    });
    Some(last_key.unwrap_or(&field.name).clone())
}

/// Applies `db-max-rows` to every level.
fn restrict_ranges(tree: &mut ReadPlanTree, max_rows: Option<i64>) {
    let range = &mut tree.node.range;
    if range.limit == Some(0) {
        *range = Range { offset: 0, limit: Some(0) };
    } else if let Some(max_rows) = max_rows {
        range.limit = Some(range.limit.map_or(max_rows, |limit| limit.min(max_rows)));
    }
    for child in &mut tree.children {
        restrict_ranges(child, max_rows);
    }
}

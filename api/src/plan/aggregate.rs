//! Aggregates: whether they are allowed, and where they are computed.
//!
//! An aggregate inside a to-one spread is computed at the level the row is spread into, and so on
//! outwards up to the top or to an embed that shows as JSON; inside the spread there is only one
//! row to aggregate. Grouping is by everything selected beside it.

use std::collections::HashMap;

use crate::api_request::types::{AggregateFunction, Alias};
use crate::error::{ApiRequestError, Error};
use crate::schema_cache::identifiers::FieldName;

use super::alias;
use super::types::{OrderBy, ReadPlanTree, RelSelect, ResolvedField, SelectField, Spread};
use super::verbatim::CastType;

/// Refuses aggregates unless `db-aggregates-enabled`.
pub(super) fn check_allowed(tree: &ReadPlanTree, enabled: bool) -> Result<(), Error> {
    if enabled {
        return Ok(());
    }
    if tree.node.select.iter().any(|field| field.aggregate.is_some()) {
        return Err(ApiRequestError::AggregatesNotAllowed.into());
    }
    tree.children.iter().try_for_each(|child| check_allowed(child, enabled))
}

/// An aggregate on its way outwards.
struct Hoisted {
    /// The spread it comes from.
    agg_alias: Alias,
    /// Its name there.
    name: FieldName,
    aggregate: AggregateFunction,
    cast: Option<CastType>,
    alias: Option<Alias>,
}

/// Moves the aggregates of to-one spreads outwards.
pub(super) fn hoist(tree: &mut ReadPlanTree) {
    hoist_level(tree);
}

fn hoist_level(tree: &mut ReadPlanTree) -> Vec<Hoisted> {
    let ReadPlanTree { node, children } = tree;
    let below: Vec<Hoisted> = children.iter_mut().flat_map(hoist_level).collect();
    if matches!(node.spread, Some(Spread::ToOne)) && node.depth > 0 {
        let mut hoisted: Vec<Hoisted> =
            node.select.iter_mut().filter_map(|field| take_aggregate(field, &node.agg_alias)).collect();
        hoisted.extend(
            below.into_iter().map(|hoisted| Hoisted { agg_alias: node.agg_alias.clone(), ..hoisted }),
        );
        return hoisted;
    }
    let mut arrived: HashMap<(&str, &str), &Hoisted> = HashMap::with_capacity(below.len());
    for hoisted in &below {
        arrived.entry((&hoisted.agg_alias, &hoisted.name)).or_insert(hoisted);
    }
    for rel_select in &mut node.rel_select {
        let RelSelect::Spread { fields, agg_alias } = rel_select else { continue };
        for field in fields {
            if let Some(hoisted) = arrived.get(&(agg_alias.as_str(), field.name.as_str())) {
                field.aggregate = Some(hoisted.aggregate);
                field.aggregate_cast.clone_from(&hoisted.cast);
                field.alias.clone_from(&hoisted.alias);
            }
        }
    }
    Vec::new()
}

fn take_aggregate(field: &mut SelectField, agg_alias: &str) -> Option<Hoisted> {
    let aggregate = field.aggregate.take()?;
    Some(Hoisted {
        agg_alias: agg_alias.to_owned(),
        name: field.alias.as_ref().unwrap_or(&field.field.name).clone(),
        aggregate,
        cast: field.aggregate_cast.take(),
        alias: field.alias.clone(),
    })
}

/// Moves the order of to-many spreads into the aggregates that build their arrays, and selects the
/// columns ordered by under names that cannot collide.
pub(super) fn order_to_many_spreads(tree: &mut ReadPlanTree) -> Result<(), Error> {
    let node = &mut tree.node;
    if matches!(node.spread, Some(Spread::ToMany { .. })) {
        let aggregated = node.select.iter().any(|field| field.aggregate.is_some())
            || node.rel_select.iter().any(|rel_select| match rel_select {
                RelSelect::Spread { fields, .. } => fields.iter().any(|field| field.aggregate.is_some()),
                RelSelect::Json { .. } => false,
            });
        if aggregated {
            return Err(ApiRequestError::NotImplemented(
                "Aggregates are not implemented for one-to-many or many-to-many spreads.".to_owned(),
            )
            .into());
        }
        let (order_fields, order) = std::mem::take(&mut node.order)
            .into_iter()
            .zip(1..)
            .map(|(term, index)| order_field(&node.agg_alias, term, index))
            .unzip();
        node.spread = Some(Spread::ToMany { order_fields, order });
    }
    tree.children.iter_mut().try_for_each(order_to_many_spreads)
}

fn order_field(agg_alias: &str, term: OrderBy, index: usize) -> ((Option<Alias>, SelectField), OrderBy) {
    let (source, field, direction, nulls) = match term {
        OrderBy::Field { field, direction, nulls } => (None, field, direction, nulls),
        OrderBy::Related { relation, field, direction, nulls } => {
            (Some(relation), ResolvedField::unknown(field.name, field.json_path), direction, nulls)
        }
    };
    let alias = alias::shortened(&format!("{agg_alias}_{}", field.name), &format!("_{index}"));
    let order = OrderBy::Field { field: ResolvedField::unknown(alias.clone(), Vec::new()), direction, nulls };
    ((source, SelectField { alias: Some(alias), ..SelectField::plain(field) }), order)
}

//! What a level does with its embeds: order by them, test them for rows, show them.

use crate::api_request::types::{IsValue, OpExpr, Operation};
use crate::error::{ApiRequestError, Error};
use crate::schema_cache::relationship::Relationship;

use super::types::{Condition, OrderBy, ReadPlan, ReadPlanTree, RelSelect, SpreadField};

/// Points `order=embed(column)` at the joined subquery; only to-one embeds have one row to order by.
pub(super) fn resolve_related_orders(tree: &mut ReadPlanTree) -> Result<(), Error> {
    let ReadPlanTree { node, children } = tree;
    for term in &mut node.order {
        let OrderBy::Related { relation, .. } = term else { continue };
        let Some(embed) = find_embed(children, relation) else {
            return Err(ApiRequestError::NotEmbedded(relation.clone(), None).into());
        };
        if !embed.rel_to_parent.as_ref().is_some_and(Relationship::is_to_one) {
            return Err(ApiRequestError::RelatedOrderNotToOne(
                node.from.name.clone(),
                embed.output_name().to_owned(),
            )
            .into());
        }
        relation.clone_from(&embed.agg_alias);
    }
    children.iter_mut().try_for_each(resolve_related_orders)
}

/// Turns `embed=is.null` into a test for rows; on other names it stays a filter on a column.
pub(super) fn resolve_null_embeds(tree: &mut ReadPlanTree) {
    let ReadPlanTree { node, children } = tree;
    for condition in &mut node.conditions {
        resolve_null_embed(condition, children);
    }
    children.iter_mut().for_each(resolve_null_embeds);
}

fn resolve_null_embed(condition: &mut Condition, children: &[ReadPlanTree]) {
    match condition {
        Condition::Group { operands, .. } => {
            for operand in operands {
                resolve_null_embed(operand, children);
            }
        }
        Condition::Filter {
            field,
            op_expr: OpExpr::Expr { negated, operation: Operation::Is(IsValue::Null) },
        } if field.json_path.is_empty() => {
            if let Some(embed) = find_embed(children, &field.name) {
                *condition = Condition::NullEmbed { negated: *negated, agg_alias: embed.agg_alias.clone() };
            }
        }
        Condition::Filter { .. } | Condition::NullEmbed { .. } => {}
    }
}

fn find_embed<'a>(children: &'a [ReadPlanTree], name: &str) -> Option<&'a ReadPlan> {
    children.iter().map(|child| &child.node).find(|node| node.output_name() == name)
}

/// Decides how each embed shows in the level above, from the innermost outwards.
pub(super) fn add_rel_selects(tree: &mut ReadPlanTree) {
    tree.children.iter_mut().for_each(add_rel_selects);
    tree.node.rel_select = tree.children.iter().filter_map(rel_select).collect();
}

fn rel_select(tree: &ReadPlanTree) -> Option<RelSelect> {
    let ReadPlanTree { node, .. } = tree;
    let relationship = node.rel_to_parent.as_ref()?;
    let agg_alias = node.agg_alias.clone();
    Some(if node.spread.is_some() {
        RelSelect::Spread { fields: spread_fields(node), agg_alias }
    } else {
        RelSelect::Json {
            name: node.output_name().to_owned(),
            agg_alias,
            to_one: relationship.is_to_one(),
            empty: selects_nothing(tree),
        }
    })
}

fn selects_nothing(tree: &ReadPlanTree) -> bool {
    tree.node.select.is_empty() && tree.children.iter().all(selects_nothing)
}

fn spread_fields(node: &ReadPlan) -> Vec<SpreadField> {
    let plain = |name: &str| SpreadField {
        name: name.to_owned(),
        aggregate: None,
        aggregate_cast: None,
        alias: None,
    };
    let own = node.select.iter().map(|field| plain(field.alias.as_deref().unwrap_or(&field.field.name)));
    let below = node.rel_select.iter().flat_map(|rel_select| match rel_select {
        RelSelect::Json { name, .. } => vec![plain(name)],
        RelSelect::Spread { fields, .. } => fields.clone(),
    });
    own.chain(below).collect()
}

//! Relationships of embeds: which one a name means, and how to join it.

use crate::api_request::types::{Action, DbAction};
use crate::error::{Error, SchemaCacheError};
use crate::schema_cache::SchemaCache;
use crate::schema_cache::identifiers::QualifiedIdentifier;
use crate::schema_cache::relationship::{Cardinality, ColumnPairs, Junction, Relationship};

use super::types::{JoinCondition, ReadPlan, ReadPlanTree, Spread};
use super::{SOURCE, alias, candidates, suggest};

/// Gives every level below the top its relationship, source, aliases and join.
pub(super) fn resolve_relationships(
    tree: &mut ReadPlanTree,
    schema: &str,
    action: &Action,
    cache: &SchemaCache,
) -> Result<(), Error> {
    if matches!(
        action,
        Action::Db(DbAction::RelationMutation(..) | DbAction::Routine(..)) | Action::RoutineInfo(..)
    ) {
        // What was written or returned is read back from a CTE; the alias keeps the relation's name for finding
        // relationships and for qualifying columns.
        let source = std::mem::replace(&mut tree.node.from, QualifiedIdentifier::new("", SOURCE));
        tree.node.from_alias = Some(source.name);
    }
    resolve_children(tree, schema, cache)
}

fn resolve_children(tree: &mut ReadPlanTree, schema: &str, cache: &SchemaCache) -> Result<(), Error> {
    let ReadPlanTree { node: parent, children } = tree;
    for (position, child) in children.iter_mut().enumerate() {
        let origin = match &parent.from_alias {
            Some(alias) if child.node.depth == 1 => alias,
            _ => &parent.from.name,
        };
        let relationship = find(schema, cache, origin, &child.node)?.clone();
        if let Relationship::Computed { foreign_table, .. } = &relationship {
            child.node.row_type = cache.row_types.get(foreign_table).copied();
        }
        apply(&mut child.node, position, parent.from_alias.as_deref(), relationship);
        resolve_children(child, schema, cache)?;
    }
    Ok(())
}

fn apply(node: &mut ReadPlan, position: usize, parent_alias: Option<&str>, mut relationship: Relationship) {
    let foreign_table = relationship.foreign_table().clone();
    let depth = node.depth;
    node.agg_alias = format!("{}_{}_{depth}", relationship.table().name, node.output_name());
    if node.agg_alias.len() > alias::MAX_BYTES {
        node.agg_alias = alias::shortened(&node.agg_alias, &format!("_{depth}_{position}"));
    }
    let alias = alias::shortened(&foreign_table.name, &format!("_{depth}"));
    match &mut relationship {
        // The junction is joined implicitly, next to the unaliased target.
        Relationship::ForeignKey { cardinality: Cardinality::ManyToMany(_), .. } => {}
        Relationship::Computed { table_alias, table, .. } => {
            *table_alias = match parent_alias {
                Some(alias) => QualifiedIdentifier::new("", alias),
                None => table.clone(),
            };
            node.from_alias = Some(alias);
        }
        Relationship::ForeignKey { .. } => node.from_alias = Some(alias),
    }
    node.join_conditions = join_conditions(node.from_alias.as_deref(), parent_alias, &relationship);
    node.from = foreign_table;
    if node.spread.is_some() && !relationship.is_to_one() {
        node.spread = Some(Spread::ToMany { order_fields: Vec::new(), order: Vec::new() });
    }
    node.rel_to_parent = Some(relationship);
}

fn join_conditions(
    alias: Option<&str>,
    parent_alias: Option<&str>,
    relationship: &Relationship,
) -> Vec<JoinCondition> {
    let Relationship::ForeignKey { table, foreign_table, cardinality, .. } = relationship else {
        return Vec::new();
    };
    let side = |alias: Option<&str>, name: &str| match alias {
        Some(alias) => QualifiedIdentifier::new("", alias),
        None => QualifiedIdentifier::new(table.schema.clone(), name),
    };
    let join = |columns: &ColumnPairs, left: QualifiedIdentifier, right: QualifiedIdentifier| {
        columns
            .iter()
            .map(|(column, other)| JoinCondition {
                left: (left.clone(), column.clone()),
                right: (right.clone(), other.clone()),
            })
            .collect::<Vec<_>>()
    };
    match cardinality {
        Cardinality::ManyToMany(Junction { table: junction, cols_source, cols_target, .. }) => {
            let through = side(None, &junction.name);
            let mut conditions = join(cols_target, side(None, &foreign_table.name), through.clone());
            conditions.extend(join(cols_source, side(parent_alias, &table.name), through));
            conditions
        }
        Cardinality::OneToMany { columns, .. }
        | Cardinality::ManyToOne { columns, .. }
        | Cardinality::OneToOne { columns, .. } => {
            join(columns, side(parent_alias, &table.name), side(alias, &foreign_table.name))
        }
    }
}

/// The one relationship from `origin` that the embed's name and hint mean.
fn find<'a>(
    schema: &str,
    cache: &'a SchemaCache,
    origin: &str,
    node: &ReadPlan,
) -> Result<&'a Relationship, SchemaCacheError> {
    let key = (QualifiedIdentifier::new(schema, origin), schema.to_owned());
    let from_origin = cache.relationships.get(&key).map_or(&[][..], Vec::as_slice);
    let (target, hint) = (&*node.rel_name, node.hint.as_deref());
    let mut fitting = from_origin.iter().filter(|relationship| fits(relationship, target, hint));
    match (fitting.next(), fitting.next()) {
        (None, _) => Err(SchemaCacheError::NoRelBetween {
            origin: origin.to_owned(),
            target: target.to_owned(),
            hint: hint.map(str::to_owned),
            schema: schema.to_owned(),
            suggestion: suggest::relationship(cache, schema, origin, target),
        }),
        (Some(only), None) => Ok(only),
        (Some(first), Some(second)) => Err(SchemaCacheError::AmbiguousRelBetween(
            origin.to_owned(),
            target.to_owned(),
            candidates::describe([first, second].into_iter().chain(fitting)),
        )),
    }
}

fn fits(relationship: &Relationship, target: &str, hint: Option<&str>) -> bool {
    let (foreign_table, is_self, cardinality, foreign_table_is_view) = match relationship {
        Relationship::Computed { function, .. } => return function.name == target,
        Relationship::ForeignKey { foreign_table, is_self, cardinality, foreign_table_is_view, .. } => {
            (foreign_table, *is_self, cardinality, *foreign_table_is_view)
        }
    };
    let names_table = target == foreign_table.name;
    if is_self {
        // One foreign key gives a relationship in each direction: the relation's name means the rows that
        // point here, the column's name the row pointed at.
        let to_many = matches!(cardinality, Cardinality::OneToMany { .. });
        return match hint {
            None => {
                names_table && to_many
                    || matches!(cardinality, Cardinality::ManyToOne { .. })
                        && single_column(cardinality, Side::Source) == Some(target)
            }
            Some(hint) => names_table && to_many && single_column(cardinality, Side::Target) == Some(hint),
        };
    }
    match hint {
        None => {
            names_table
                || !foreign_table_is_view
                    && (constraint(cardinality) == Some(target)
                        || single_column(cardinality, Side::Source) == Some(target))
        }
        Some(hint) => {
            names_table
                && (constraint(cardinality) == Some(hint)
                    || single_column(cardinality, Side::Source) == Some(hint)
                    || single_column(cardinality, Side::Target) == Some(hint)
                    || junction(cardinality) == Some(hint))
        }
    }
}

#[derive(Clone, Copy)]
enum Side {
    Source,
    Target,
}

fn foreign_key(cardinality: &Cardinality) -> Option<(&str, &ColumnPairs)> {
    match cardinality {
        Cardinality::OneToMany { constraint, columns }
        | Cardinality::ManyToOne { constraint, columns }
        | Cardinality::OneToOne { constraint, columns, .. } => Some((constraint, columns)),
        Cardinality::ManyToMany(_) => None,
    }
}

fn constraint(cardinality: &Cardinality) -> Option<&str> {
    foreign_key(cardinality).map(|(constraint, _)| constraint)
}

/// Column of a key that has only one.
fn single_column(cardinality: &Cardinality, side: Side) -> Option<&str> {
    match (foreign_key(cardinality)?.1.as_slice(), side) {
        ([(source, _)], Side::Source) => Some(source),
        ([(_, target)], Side::Target) => Some(target),
        _ => None,
    }
}

fn junction(cardinality: &Cardinality) -> Option<&str> {
    match cardinality {
        Cardinality::ManyToMany(junction) => Some(&junction.table.name),
        _ => None,
    }
}

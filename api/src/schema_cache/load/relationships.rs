//! Relationships, from foreign keys and from functions between row types.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use super::catalog::{ColumnNumber, ComputedRow, ConstraintRow, KeyKind, Oid};
use super::view_keys::{ViewKey, ViewKeyKind};
use crate::schema_cache::RelationshipsMap;
use crate::schema_cache::identifiers::{FieldName, QualifiedIdentifier, Schema};
use crate::schema_cache::relationship::{Cardinality, ColumnPairs, FkConstraint, Junction, Relationship};
use crate::schema_cache::table::Table;

/// A foreign key seen from the side that holds it, both ends being tables or views.
#[derive(Debug, Clone)]
struct ForeignKey {
    /// Position of the key among the constraints.
    origin: usize,
    table: QualifiedIdentifier,
    foreign_table: QualifiedIdentifier,
    is_self: bool,
    constraint: FkConstraint,
    columns: ColumnPairs,
    one_to_one: bool,
    table_is_view: bool,
    foreign_table_is_view: bool,
}

/// All relationships whose ends (and junctions) are exposed.
pub(super) fn derive(
    constraints: &[ConstraintRow],
    view_keys: &[ViewKey],
    tables: &IndexMap<QualifiedIdentifier, Table>,
    computed: Vec<ComputedRow>,
    schemas: &[Schema],
) -> RelationshipsMap {
    let exposed: HashSet<&str> = schemas.iter().map(String::as_str).collect();
    let mut keys = foreign_keys(constraints);
    keys.extend(through_views(&keys, view_keys));
    let touched = touched(&keys, constraints, &exposed);
    // What is not exposed was needed only to look through views.
    keys.retain(|it| exposed.contains(&*it.table.schema) && exposed.contains(&*it.foreign_table.schema));

    let mut relationships = many_to_many(&keys, tables);
    for key in keys {
        let (there, back) = key.into_relationships();
        relationships.extend([there, back]);
    }
    let mut map = index(relationships, computed);
    for ends in touched {
        map.entry(ends).or_default();
    }
    map
}

/// Pairs of an exposed relation and the schema of what it is related to, exposed or not, directly or through a
/// junction. Where nothing of that may be embedded, they tell that similar names would be no help.
fn touched(
    keys: &[ForeignKey],
    constraints: &[ConstraintRow],
    exposed: &HashSet<&str>,
) -> HashSet<(QualifiedIdentifier, Schema)> {
    let mut found = HashSet::new();
    let mut insert = |from: &QualifiedIdentifier, to: &QualifiedIdentifier| {
        if exposed.contains(&*from.schema) {
            found.insert((from.clone(), to.schema.clone()));
        }
    };
    let mut by_table: HashMap<&QualifiedIdentifier, Vec<&ForeignKey>> = HashMap::new();
    for key in keys {
        insert(&key.table, &key.foreign_table);
        insert(&key.foreign_table, &key.table);
        by_table.entry(&key.table).or_default().push(key);
    }
    for primary in constraints.iter().filter(|it| it.kind == KeyKind::Primary) {
        let junction = &primary.side.table;
        // Those of exposed relations are found with their relationships.
        if exposed.contains(&*junction.schema) {
            continue;
        }
        let names: HashSet<&str> = primary.side.columns.iter().map(|(_, name)| &**name).collect();
        let of_primary =
            |it: &&&ForeignKey| !it.one_to_one && it.columns.iter().all(|(own, _)| names.contains(&**own));
        let keys: Vec<_> = by_table.get(junction).into_iter().flatten().filter(of_primary).collect();
        for source in &keys {
            for target in keys.iter().filter(|it| it.constraint != source.constraint) {
                insert(&source.foreign_table, &target.foreign_table);
            }
        }
    }
    found
}

/// The foreign keys of tables; those of partitions repeat their parent's.
fn foreign_keys(constraints: &[ConstraintRow]) -> Vec<ForeignKey> {
    let unique: HashSet<(Oid, Vec<ColumnNumber>)> = constraints
        .iter()
        .filter(|it| it.kind != KeyKind::Foreign)
        .map(|it| (it.side.relation, sorted_numbers(&it.side.columns)))
        .collect();
    constraints
        .iter()
        .enumerate()
        .filter(|(_, it)| !it.inherited)
        .filter_map(|(origin, it)| {
            let references = it.references.as_ref()?;
            let columns = it.side.columns.iter().zip(&references.columns);
            Some(ForeignKey {
                origin,
                table: it.side.table.clone(),
                foreign_table: references.table.clone(),
                is_self: it.side.relation == references.relation,
                constraint: it.name.clone(),
                columns: columns.map(|((_, own), (_, other))| (own.clone(), other.clone())).collect(),
                one_to_one: unique.contains(&(it.side.relation, sorted_numbers(&it.side.columns))),
                table_is_view: false,
                foreign_table_is_view: false,
            })
        })
        .collect()
}

fn sorted_numbers(columns: &[(ColumnNumber, FieldName)]) -> Vec<ColumnNumber> {
    let mut numbers: Vec<ColumnNumber> = columns.iter().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    numbers
}

/// The same foreign keys where a view stands at one end or at both.
fn through_views(keys: &[ForeignKey], view_keys: &[ViewKey]) -> Vec<ForeignKey> {
    let mut by_key: HashMap<(ViewKeyKind, usize), Vec<&ViewKey>> = HashMap::new();
    for it in view_keys {
        by_key.entry((it.kind, it.constraint)).or_default().push(it);
    }
    let shown = |kind, key: &ForeignKey| -> Vec<(QualifiedIdentifier, Vec<FieldName>)> {
        let views = by_key.get(&(kind, key.origin)).into_iter().flatten();
        views
            .flat_map(|it| choices(&it.columns).into_iter().map(|columns| (it.view.clone(), columns)))
            .collect()
    };

    let mut found = Vec::new();
    for key in keys {
        let sources = shown(ViewKeyKind::Foreign, key);
        let targets = shown(ViewKeyKind::Referenced, key);
        for (view, columns) in &sources {
            let pairs = columns.iter().zip(&key.columns);
            found.push(ForeignKey {
                table: view.clone(),
                is_self: false,
                columns: pairs.map(|(own, (_, other))| (own.clone(), other.clone())).collect(),
                table_is_view: true,
                ..key.clone()
            });
        }
        for (view, columns) in &targets {
            let pairs = key.columns.iter().zip(columns);
            found.push(ForeignKey {
                foreign_table: view.clone(),
                is_self: false,
                columns: pairs.map(|((own, _), other)| (own.clone(), other.clone())).collect(),
                foreign_table_is_view: true,
                ..key.clone()
            });
        }
        for (source, own) in &sources {
            for (target, other) in &targets {
                found.push(ForeignKey {
                    table: source.clone(),
                    foreign_table: target.clone(),
                    is_self: source == target,
                    columns: own.iter().cloned().zip(other.iter().cloned()).collect(),
                    table_is_view: true,
                    foreign_table_is_view: true,
                    ..key.clone()
                });
            }
        }
    }
    found
}

/// Every way to pick one view column for each key column.
fn choices(columns: &[Vec<FieldName>]) -> Vec<Vec<FieldName>> {
    let mut picked: Vec<Vec<FieldName>> = vec![Vec::new()];
    for column in columns {
        picked = picked
            .iter()
            .flat_map(|prefix| {
                column.iter().map(move |name| {
                    let mut longer = prefix.clone();
                    longer.push(name.clone());
                    longer
                })
            })
            .collect();
    }
    picked
}

/// A relation whose primary key contains two of its foreign keys joins the relations they point at.
fn many_to_many(keys: &[ForeignKey], tables: &IndexMap<QualifiedIdentifier, Table>) -> Vec<Relationship> {
    let mut by_table: HashMap<&QualifiedIdentifier, Vec<&ForeignKey>> = HashMap::new();
    for key in keys.iter().filter(|it| !it.one_to_one) {
        by_table.entry(&key.table).or_default().push(key);
    }
    let mut found = Vec::new();
    for (junction, keys) in by_table {
        let primary: HashSet<&str> = tables
            .get(junction)
            .map(|it| it.pk_cols.iter().map(String::as_str).collect())
            .unwrap_or_default();
        // Only a key that is part of the primary key can be one of the pair.
        let candidates: Vec<&ForeignKey> = keys
            .into_iter()
            .filter(|it| it.columns.iter().all(|(own, _)| primary.contains(own.as_str())))
            .collect();
        for source in &candidates {
            for target in candidates.iter().filter(|it| it.constraint != source.constraint) {
                found.push(Relationship::ForeignKey {
                    table: source.foreign_table.clone(),
                    foreign_table: target.foreign_table.clone(),
                    is_self: source.foreign_table == target.foreign_table,
                    cardinality: Cardinality::ManyToMany(Junction {
                        table: junction.clone(),
                        constraint1: source.constraint.clone(),
                        constraint2: target.constraint.clone(),
                        cols_source: swapped(&source.columns),
                        cols_target: swapped(&target.columns),
                    }),
                    table_is_view: source.foreign_table_is_view,
                    foreign_table_is_view: target.foreign_table_is_view,
                });
            }
        }
    }
    found
}

fn swapped(columns: &ColumnPairs) -> ColumnPairs {
    columns.iter().map(|(own, other)| (other.clone(), own.clone())).collect()
}

impl ForeignKey {
    /// The relationship from the holder of the key, and the one back.
    fn into_relationships(self) -> (Relationship, Relationship) {
        let back = swapped(&self.columns);
        let (constraint, columns) = (self.constraint, self.columns);
        let (there, back) = match self.one_to_one {
            true => (
                Cardinality::OneToOne { constraint: constraint.clone(), columns, is_parent: false },
                Cardinality::OneToOne { constraint, columns: back, is_parent: true },
            ),
            false => (
                Cardinality::ManyToOne { constraint: constraint.clone(), columns },
                Cardinality::OneToMany { constraint, columns: back },
            ),
        };
        (
            Relationship::ForeignKey {
                table: self.table.clone(),
                foreign_table: self.foreign_table.clone(),
                is_self: self.is_self,
                cardinality: there,
                table_is_view: self.table_is_view,
                foreign_table_is_view: self.foreign_table_is_view,
            },
            Relationship::ForeignKey {
                table: self.foreign_table,
                foreign_table: self.table,
                is_self: self.is_self,
                cardinality: back,
                table_is_view: self.foreign_table_is_view,
                foreign_table_is_view: self.table_is_view,
            },
        )
    }
}

/// Groups by source and by the schema of what is named in a request: the target, or the function.
///
/// A function takes the place of the relationships to a relation of its own name, so that a schema's
/// owner can override what was derived.
fn index(derived: Vec<Relationship>, computed: Vec<ComputedRow>) -> RelationshipsMap {
    let functions: HashMap<(QualifiedIdentifier, QualifiedIdentifier), Relationship> = computed
        .into_iter()
        .map(|it| {
            let relationship = Relationship::Computed {
                is_self: it.table == it.foreign_table,
                function: it.function.clone(),
                table: it.table.clone(),
                foreign_table: it.foreign_table,
                table_alias: QualifiedIdentifier::default(),
                to_one: it.to_one,
            };
            ((it.table, it.function), relationship)
        })
        .collect();

    let mut map = RelationshipsMap::new();
    for relationship in derived {
        let pair = (relationship.table().clone(), relationship.foreign_table().clone());
        if !functions.contains_key(&pair) {
            map.entry((pair.0, pair.1.schema)).or_default().push(relationship);
        }
    }
    for ((table, function), relationship) in functions {
        map.entry((table, function.schema)).or_default().push(relationship);
    }
    for list in map.values_mut() {
        list.sort();
    }
    map
}

//! Keys that show through views.
//!
//! A view shows a key when each of the key's columns is among its own, directly or through other views.

use std::collections::{HashMap, HashSet};

use super::catalog::{ColumnNumber, ConstraintRow, KeyKind, KeySide, Oid, ViewRow};
use super::node_tree::{self, Origin};
use super::tables::Tables;
use crate::schema_cache::identifiers::{FieldName, QualifiedIdentifier};

/// Which part of which key a view shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ViewKeyKind {
    /// Primary key.
    Primary,
    /// The columns that hold a foreign key.
    Foreign,
    /// The columns that a foreign key points at.
    Referenced,
}

/// A key that a view shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ViewKey {
    pub(super) kind: ViewKeyKind,
    /// Position of the key among the constraints; names are unique per table only.
    pub(super) constraint: usize,
    pub(super) view: QualifiedIdentifier,
    /// For each column of the key, in key order, the view's columns that show it: at least one.
    pub(super) columns: Vec<Vec<FieldName>>,
}

/// Gives views the primary keys of the tables below them, one view column for each key column.
///
/// A view over several tables has the keys of all of them: together they tell its rows apart.
pub(super) fn add_to(tables: &mut Tables, keys: &[ViewKey], constraints: &[ConstraintRow]) {
    let mut primary: Vec<&ViewKey> = keys.iter().filter(|it| it.kind == ViewKeyKind::Primary).collect();
    // Last table first is the order in which PostgREST lists them; it shows in the `Location` header.
    primary.sort_by_key(|it| std::cmp::Reverse(&constraints[it.constraint].side.table));
    for key in primary {
        if let Some(view) = tables.by_name.get_mut(&key.view) {
            view.pk_cols.extend(key.columns.iter().filter_map(|it| it.first().cloned()));
        }
    }
}

/// The keys that the exposed views show.
pub(super) fn find(views: &[ViewRow], constraints: &[ConstraintRow], tables: &Tables) -> Vec<ViewKey> {
    let origins: HashMap<Oid, Vec<Origin>> =
        views.iter().map(|it| (it.oid, node_tree::origins(&it.definition))).collect();

    let mut keys_of: HashMap<Oid, Vec<(ViewKeyKind, usize, &KeySide)>> = HashMap::new();
    for (position, key) in constraints.iter().enumerate() {
        let own = match key.kind {
            KeyKind::Primary => ViewKeyKind::Primary,
            KeyKind::Foreign if !key.inherited => ViewKeyKind::Foreign,
            KeyKind::Foreign | KeyKind::Unique => continue,
        };
        keys_of.entry(key.side.relation).or_default().push((own, position, &key.side));
        if let Some(references) = &key.references {
            let referenced = (ViewKeyKind::Referenced, position, references);
            keys_of.entry(references.relation).or_default().push(referenced);
        }
    }

    let mut found = Vec::new();
    for view in views.iter().filter(|it| it.exposed) {
        let Some((name, columns)) = tables.by_oid.get(&view.oid) else { continue };
        let shown = shown_columns(view.oid, &origins, columns);
        let mut relations: Vec<Oid> = shown.keys().map(|(relation, _)| *relation).collect();
        relations.sort_unstable();
        relations.dedup();
        for (kind, constraint, side) in relations.iter().filter_map(|it| keys_of.get(it)).flatten() {
            let columns =
                side.columns.iter().map(|(number, _)| shown.get(&(side.relation, *number)).cloned());
            if let Some(columns) = columns.collect() {
                found.push(ViewKey { kind: *kind, constraint: *constraint, view: name.clone(), columns });
            }
        }
    }
    found
}

/// The view's columns by the columns they show, on every level of the chain of views below it.
fn shown_columns(
    view: Oid,
    origins: &HashMap<Oid, Vec<Origin>>,
    names: &HashMap<ColumnNumber, FieldName>,
) -> HashMap<(Oid, ColumnNumber), Vec<FieldName>> {
    let mut shown: HashMap<(Oid, ColumnNumber), Vec<FieldName>> = HashMap::new();
    for origin in origins.get(&view).into_iter().flatten() {
        // Columns that only serve to sort are not part of the view.
        let Some(name) = names.get(&origin.column) else { continue };
        let mut seen = HashSet::new();
        let mut next = Some((origin.relation, origin.relation_column));
        while let Some((relation, column)) = next {
            // Views can be made to depend on each other in a circle.
            if !seen.insert((relation, column)) {
                break;
            }
            shown.entry((relation, column)).or_default().push(name.clone());
            next = origins.get(&relation).and_then(|it| {
                it.iter().find(|it| it.column == column).map(|it| (it.relation, it.relation_column))
            });
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIEW: Oid = 1;
    const TABLE: Oid = 9;

    /// A view and its columns as (own number, relation, number there).
    type View<'a> = (Oid, &'a [(ColumnNumber, Oid, ColumnNumber)]);

    #[track_caller]
    fn check(views: &[View<'_>], expected: &[((Oid, ColumnNumber), &[&str])]) {
        let origins = views.iter().map(|(view, columns)| {
            let origin =
                |&(column, relation, relation_column): &_| Origin { column, relation, relation_column };
            (*view, columns.iter().map(origin).collect())
        });
        let names = HashMap::from([(1, "a".to_owned()), (2, "b".to_owned())]);
        let shown = shown_columns(VIEW, &origins.collect(), &names);
        let expected: HashMap<(Oid, ColumnNumber), Vec<String>> = expected
            .iter()
            .map(|(column, names)| (*column, names.iter().map(|&it| it.to_owned()).collect()))
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn shown_columns_of_a_chain_are_those_of_every_level() {
        check(
            &[(VIEW, &[(1, 2, 5), (2, 2, 6)]), (2, &[(5, TABLE, 7)])],
            &[((2, 5), &["a"]), ((2, 6), &["b"]), ((TABLE, 7), &["a"])],
        );
    }

    #[test]
    fn shown_columns_repeat_where_the_view_does() {
        check(&[(VIEW, &[(1, TABLE, 7), (2, TABLE, 7)])], &[((TABLE, 7), &["a", "b"])]);
    }

    #[test]
    fn shown_columns_leave_out_what_is_not_in_the_view() {
        check(&[(VIEW, &[(1, TABLE, 7), (3, TABLE, 8)])], &[((TABLE, 7), &["a"])]);
    }

    #[test]
    fn shown_columns_of_a_circle_end() {
        check(&[(VIEW, &[(1, 2, 1)]), (2, &[(1, VIEW, 1)])], &[((2, 1), &["a"]), ((VIEW, 1), &["a"])]);
    }
}

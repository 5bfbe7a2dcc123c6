//! Catalog → leaks. Pure.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::catalog::{Catalog, Condition, ForeignKey, Index, Policy, Table, View, quoted};
use crate::rules::Rule;

/// A fault of a schema, without a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// Which rule.
    pub rule: Rule,
    /// What it is the fault of: object id, and a column's number or 0. Stays the same when the object is renamed.
    pub key: (u32, i16),
    /// The object's name.
    pub object: String,
    /// Its schema, for the name of many.
    pub schema: String,
    /// What is the matter, as a clause.
    pub does: String,
    /// What the fix may name.
    pub known: Vec<(&'static str, String)>,
}

/// All leaks of a database.
pub fn check(catalog: &Catalog) -> Vec<Leak> {
    let mut out = Vec::new();
    out.extend(tables(catalog));
    out.extend(views(catalog));
    out.extend(definers(catalog));
    out.extend(policies(catalog));
    out.extend(foreign_keys(catalog));
    out.extend(public_grants(catalog));
    out
}

/// A schema where no table has row level security, and none is granted to anybody, does not rely on it.
fn tables(catalog: &Catalog) -> impl Iterator<Item = Leak> + '_ {
    let relies_on_rls = catalog.tables.iter().any(|it| it.has_rls || it.has_policies);
    let is_leak = move |it: &&Table| {
        let is_exposed = catalog.exposed.contains(&it.name.schema);
        // A partition is reached through its parent, whose policies hold, unless it was granted itself.
        let is_reached = it.is_granted || it.has_policies || (relies_on_rls && !it.is_partition);
        is_exposed && !it.has_rls && is_reached
    };
    catalog.tables.iter().filter(is_leak).map(|it| Leak {
        rule: Rule::RlsOff,
        key: (it.oid, 0),
        object: it.name.to_string(),
        schema: it.name.schema.clone(),
        does: if it.has_policies {
            format!("`{}` has policies, but row level security is not enabled", it.name)
        } else {
            format!("`{}` has no row level security", it.name)
        },
        known: vec![("table", it.name.to_string())],
    })
}

/// Views of exposed schemas, and those that they read, through which rows of a protected table are seen unfiltered.
fn views(catalog: &Catalog) -> Vec<Leak> {
    let by_oid: HashMap<u32, &View> = catalog.views.iter().map(|it| (it.oid, it)).collect();
    let protected: HashMap<u32, &Table> =
        catalog.tables.iter().filter(|it| it.has_rls).map(|it| (it.oid, it)).collect();
    let mut told = HashSet::new();
    let mut out = Vec::new();
    for start in catalog.views.iter().filter(|it| catalog.exposed.contains(&it.name.schema)) {
        // A materialized view that nobody but its owner may read shows nothing.
        if start.is_materialized && !start.is_granted {
            continue;
        }
        let mut waiting = vec![start];
        let mut visited = BTreeSet::new();
        while let Some(view) = waiting.pop() {
            if !visited.insert(view.oid) {
                continue;
            }
            if view.is_invoker && !view.is_materialized {
                // Evaluated as the caller, down to the first view that is not. What a materialized view holds was read
                // before, and is its own.
                waiting.extend(
                    view.reads
                        .iter()
                        .filter_map(|it| by_oid.get(it))
                        .filter(|it| !it.is_materialized)
                        .copied(),
                );
                continue;
            }
            let Some(table) = reaches(view, &by_oid, &protected) else { continue };
            if told.insert(view.oid) {
                let what = if view.is_materialized { "materialized view" } else { "view" };
                let through = if view.oid == start.oid {
                    String::new()
                } else {
                    format!(", and `{}` shows it", start.name)
                };
                out.push(Leak {
                    rule: Rule::ViewBypassesRls,
                    key: (view.oid, 0),
                    object: view.name.to_string(),
                    schema: view.name.schema.clone(),
                    does: format!(
                        "{what} `{}` reads `{}`, which has row level security, as its owner{through}",
                        view.name, table.name
                    ),
                    known: vec![("object", view.name.to_string()), ("table", table.name.to_string())],
                });
            }
        }
    }
    out
}

/// The first protected table that a view reads, directly or through views.
fn reaches<'a>(
    view: &View,
    views: &HashMap<u32, &View>,
    protected: &HashMap<u32, &'a Table>,
) -> Option<&'a Table> {
    let mut waiting = view.reads.clone();
    let mut visited = HashSet::from([view.oid]);
    while let Some(oid) = waiting.pop() {
        if let Some(table) = protected.get(&oid) {
            return Some(table);
        }
        if let Some(inner) = views.get(&oid).filter(|it| !it.is_materialized)
            && visited.insert(oid)
        {
            waiting.extend(&inner.reads);
        }
    }
    None
}

fn definers(catalog: &Catalog) -> impl Iterator<Item = Leak> + '_ {
    catalog.routines.iter().filter(|it| it.is_definer && !it.has_search_path).map(|it| {
        let object = format!("{}({})", it.name, it.arguments);
        Leak {
            rule: Rule::DefinerSearchPath,
            key: (it.oid, 0),
            does: format!("`{object}` is SECURITY DEFINER and sets no search_path"),
            schema: it.name.schema.clone(),
            known: vec![("object", object.clone())],
            object,
        }
    })
}

fn policies(catalog: &Catalog) -> impl Iterator<Item = Leak> + '_ {
    let tables: HashMap<u32, &Table> = catalog.tables.iter().map(|it| (it.oid, it)).collect();
    catalog.policies.iter().filter_map(move |it| {
        let table = tables.get(&it.table)?;
        let which = always_true(it, table)?;
        Some(Leak {
            rule: Rule::PolicyAlwaysTrue,
            key: (it.oid, 0),
            object: table.name.to_string(),
            schema: table.name.schema.clone(),
            does: format!("{which} of policy `{}` on `{}` always holds", quoted(&it.name), table.name),
            known: vec![("name", quoted(&it.name)), ("table", table.name.to_string())],
        })
    })
}

/// Which condition of a policy always holds, in words.
fn always_true(policy: &Policy, table: &Table) -> Option<String> {
    let holds = |it: &&Condition| match &it.left {
        None => true,
        Some(left) => {
            table.not_null.iter().any(|column| *left == format!("({} IS NOT NULL)", quoted(column)))
        }
    };
    let using = policy.using.as_ref().filter(holds).map(|it| format!("`using ({})`", it.text));
    using.or_else(|| policy.check.as_ref().filter(holds).map(|it| format!("`with check ({})`", it.text)))
}

fn foreign_keys(catalog: &Catalog) -> impl Iterator<Item = Leak> + '_ {
    let mut by_table: HashMap<u32, Vec<&Index>> = HashMap::new();
    for index in &catalog.indexes {
        by_table.entry(index.table).or_default().push(index);
    }
    catalog.foreign_keys.iter().filter_map(move |it| {
        let indexes = by_table.get(&it.table).map(Vec::as_slice).unwrap_or_default();
        if indexes.iter().any(|index| covers(index, it)) {
            return None;
        }
        let columns = it.column_names.iter().map(|it| quoted(it)).collect::<Vec<_>>().join(", ");
        Some(Leak {
            rule: Rule::ForeignKeyWithoutIndex,
            key: (it.oid, 0),
            object: it.table_name.to_string(),
            schema: it.table_name.schema.clone(),
            does: format!(
                "no index of `{}` begins with ({columns}), which refers to `{}`",
                it.table_name, it.references
            ),
            known: vec![
                ("table", it.table_name.to_string()),
                ("columns", columns),
                ("name", quoted(&it.name)),
            ],
        })
    })
}

/// Whether the rows with given values of the key's columns are found by the index.
fn covers(index: &Index, key: &ForeignKey) -> bool {
    let wanted: HashSet<i16> = key.columns.iter().copied().collect();
    // Equality on the key's columns is all there is: other methods, and other conditions, do not serve it.
    let is_usable = matches!(index.method.as_str(), "btree" | "hash")
        && index.predicate.as_ref().is_none_or(|it| {
            key.column_names.iter().any(|column| *it == format!("({} IS NOT NULL)", quoted(column)))
        });
    let begins = index.columns.len() >= wanted.len()
        && index.columns[..wanted.len()].iter().copied().collect::<HashSet<i16>>() == wanted;
    // A unique index on some of the columns finds at most one row.
    let is_narrow =
        index.is_unique && !index.columns.is_empty() && index.columns.iter().all(|it| wanted.contains(it));
    is_usable && (begins || is_narrow)
}

fn public_grants(catalog: &Catalog) -> impl Iterator<Item = Leak> + '_ {
    catalog.public_grants.iter().map(|it| Leak {
        rule: Rule::GrantToPublic,
        key: (it.oid, it.column),
        object: it.object.clone(),
        schema: it.schema.clone(),
        does: format!(
            "PUBLIC holds {} on {} `{}`",
            it.privileges.join(", ").to_lowercase(),
            it.kind,
            it.object
        ),
        known: Vec::new(),
    })
}

#[cfg(test)]
mod tests;

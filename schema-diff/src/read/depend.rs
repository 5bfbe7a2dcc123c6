//! Dependencies between objects, by their identities.

use std::collections::{HashMap, HashSet};

use tokio_postgres::Transaction;

use super::Address;
use crate::error::Error;
use crate::id::{Id, Kind};
use crate::model::{Body, Catalog};

/// Where a row of a catalog leads to: the object that it is a part of.
struct Places {
    objects: HashMap<Address, Id>,
    parts: HashMap<(u32, u32), Address>,
}

impl Places {
    fn find(&self, address: Address) -> Option<&Id> {
        let mut at = address;
        // A part of a part of a part at most; the bound guards against a catalog that leads in a circle.
        for _ in 0..6 {
            if let Some(id) = self.objects.get(&at) {
                return Some(id);
            }
            at = match self.parts.get(&(at.0, at.1)) {
                Some(whole) => *whole,
                None if at.2 != 0 => (at.0, at.1, 0),
                None => return None,
            };
        }
        None
    }
}

/// Fills in what objects need, and drops the objects that belong to an extension.
pub(super) async fn link(
    tx: &Transaction<'_>,
    catalog: &mut Catalog,
    objects: HashMap<Address, Id>,
) -> Result<(), Error> {
    let doing = "read the dependencies";
    let mut places = Places { objects, parts: HashMap::new() };
    let mut members = HashSet::new();
    let rows = tx.query("select 'pg_extension'::regclass::oid", &[]).await;
    let extension_class: u32 = rows.map_err(|it| Error::read(doing, it))?.first().map_or(0, |it| it.get(0));
    for row in tx.query(include_str!("alias.sql"), &[]).await.map_err(|it| Error::read(doing, it))? {
        let part: (u32, u32) = (row.get(0), row.get(1));
        let whole: Address = (row.get(2), row.get(3), row.get(4));
        if whole.0 == extension_class {
            members.insert(part);
        }
        places.parts.entry(part).or_insert(whole);
    }
    // With the columns of an extension's tables.
    places.objects.retain(|address, id| {
        let member = members.contains(&(address.0, address.1));
        if member {
            catalog.objects.remove(id);
        }
        !member
    });
    for row in tx.query(include_str!("depend.sql"), &[]).await.map_err(|it| Error::read(doing, it))? {
        let from: Address = (row.get(0), row.get(1), row.get(2));
        let to: Address = (row.get(3), row.get(4), row.get(5));
        let kind: &str = row.get(6);
        let (Some(id), Some(needed)) = (places.find(from), places.find(to)) else { continue };
        let direct = places.objects.contains_key(&from);
        // An heir needs its parent by `Attach`; a sequence its column by `SequenceOwner`.
        let told_apart = direct
            && match (id.kind, needed.kind) {
                (Kind::Relation, Kind::Relation) => {
                    catalog.relation(id).is_some_and(|it| matches!(it.kind, 'r' | 'p' | 'f'))
                }
                (Kind::Sequence, Kind::Column) => kind == "a",
                _ => false,
            };
        let own_column = needed.kind == Kind::Column && needed.relation() == *id;
        if id == needed
            || told_apart
            || own_column
            || (needed.kind == Kind::Schema && needed.name == "pg_catalog")
        {
            continue;
        }
        let (id, needed) = (id.clone(), needed.clone());
        add(catalog, &id, needed, kind != "n");
    }
    let ids: Vec<Id> = catalog.objects.keys().cloned().collect();
    for id in ids {
        for (needed, falls) in told_by_identity(catalog, &id) {
            add(catalog, &id, needed, falls);
        }
    }
    Ok(())
}

fn add(catalog: &mut Catalog, id: &Id, needed: Id, falls: bool) {
    if *id == needed || !catalog.objects.contains_key(&needed) {
        return;
    }
    if let Some(object) = catalog.objects.get_mut(id) {
        if falls {
            object.falls_with.insert(needed.clone());
        }
        object.needs.insert(needed);
    }
}

/// What follows from the names and parts of an object: what it needs, and whether it falls with it.
fn told_by_identity(catalog: &Catalog, id: &Id) -> Vec<(Id, bool)> {
    let Some(object) = catalog.objects.get(id) else { return Vec::new() };
    let relation = |schema: &str, name: &str| Id::new(Kind::Relation, schema, name, "");
    match &object.body {
        Body::Column(_) | Body::Constraint(_) | Body::Rule(_) | Body::Trigger(_) | Body::Policy(_) => {
            vec![(id.relation(), true)]
        }
        Body::Default(_) => vec![(id.relation(), true), (Id { kind: Kind::Column, ..id.clone() }, true)],
        Body::Index(it) => vec![(relation(&id.schema, &it.table), true)],
        Body::Attach(it) => vec![(id.relation(), true), (relation(&it.parent_schema, &it.parent), true)],
        Body::IndexAttach(it) => {
            [(&id.schema, &id.name, &it.table), (&it.parent_schema, &it.parent, &String::new())]
                .into_iter()
                .flat_map(|(schema, name, _)| index_ids(catalog, schema, name))
                .map(|it| (it, true))
                .collect()
        }
        Body::Statistics(it) => vec![(relation(&it.table_schema, &it.table), true)],
        Body::SequenceOwner(it) => vec![
            (Id::new(Kind::Sequence, &id.schema, &id.name, ""), true),
            (Id::new(Kind::Column, &it.schema, &it.table, &it.column), true),
            // Both have the same owner.
            (relation(&it.schema, &it.table), true),
        ],
        Body::DomainConstraint(_) => vec![(Id::new(Kind::Type, &id.schema, &id.name, ""), true)],
        Body::PublicationTable(_) => {
            vec![(id.relation(), true), (Id::new(Kind::Publication, "", &id.sub, ""), true)]
        }
        Body::PublicationSchema => vec![
            (Id::new(Kind::Schema, "", &id.schema, ""), true),
            (Id::new(Kind::Publication, "", &id.sub, ""), true),
        ],
        Body::Mapping(_) => vec![(Id::new(Kind::Server, "", &id.name, ""), false)],
        Body::Relation(it) => {
            it.server.iter().map(|server| (Id::new(Kind::Server, "", server, ""), false)).collect()
        }
        _ => Vec::new(),
    }
}

/// An index by its name: one of its own, or that of a constraint.
pub(crate) fn index_ids(catalog: &Catalog, schema: &str, name: &str) -> Vec<Id> {
    let own = Id::new(Kind::Index, schema, name, "");
    if catalog.objects.contains_key(&own) {
        return vec![own];
    }
    catalog
        .objects
        .range(Id::new(Kind::Constraint, schema, "", "")..)
        .take_while(|(id, _)| id.kind == Kind::Constraint && id.schema == schema)
        .filter(|(id, object)| {
            id.sub == name && matches!(&object.body, Body::Constraint(it) if it.index.is_some())
        })
        .map(|(id, _)| id.clone())
        .collect()
}

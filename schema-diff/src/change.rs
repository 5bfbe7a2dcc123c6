//! What has to happen to each object, and what that does to the objects that depend on it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::acl::{self, Grant};
use crate::compare::{self, Verdict};
use crate::id::{Id, Kind};
use crate::model::{Body, Catalog, Object};

/// What happens to one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Create,
    /// It is gone.
    Drop,
    /// It is altered.
    Alter,
    /// It is dropped and made.
    Anew,
    /// A type: another one takes its place, then the old one is dropped.
    Replace,
}

impl Change {
    /// Whether the old object goes.
    pub fn drops(self) -> bool {
        matches!(self, Self::Drop | Self::Anew | Self::Replace)
    }

    /// Whether a new object comes.
    pub fn creates(self) -> bool {
        matches!(self, Self::Create | Self::Anew | Self::Replace)
    }
}

/// All changes between two databases.
#[derive(Debug, Default)]
pub struct Changes {
    /// By object; what is not in it stays as it is.
    pub of: BTreeMap<Id, Change>,
    /// Columns whose values are converted.
    pub retyped: BTreeSet<Id>,
}

impl Changes {
    /// The change of an object.
    pub fn get(&self, id: &Id) -> Option<Change> {
        self.of.get(id).copied()
    }

    /// Whether the old object goes.
    pub fn drops(&self, id: &Id) -> bool {
        self.get(id).is_some_and(Change::drops)
    }

    /// Whether a new object comes.
    pub fn creates(&self, id: &Id) -> bool {
        self.get(id).is_some_and(Change::creates)
    }
}

/// Compares two databases. `forced`: objects that are to be made anew though they could be altered.
pub fn changes(from: &Catalog, to: &Catalog, forced: &BTreeSet<Id>) -> Changes {
    let mut found = Changes::default();
    let mut queue = Vec::new();
    for (id, a) in &from.objects {
        let change = match to.objects.get(id) {
            None if is_imported(a) => continue,
            None => Some(Change::Drop),
            Some(b) => {
                if let (Body::Column(x), Body::Column(y)) = (&a.body, &b.body)
                    && x.relkind != 'v'
                    && compare::type_changes(x, y)
                {
                    found.retyped.insert(id.clone());
                }
                match compare::bodies(from, to, a, b) {
                    _ if forced.contains(id) => Some(Change::Anew),
                    Verdict::Same => (!attributes_equal(from, to, a, b)).then_some(Change::Alter),
                    Verdict::InPlace => Some(Change::Alter),
                    Verdict::Anew => Some(Change::Anew),
                    Verdict::Replaced => Some(Change::Replace),
                }
            }
        };
        if let Some(change) = change {
            found.of.insert(id.clone(), change);
            queue.push(id.clone());
        }
    }
    for (id, b) in &to.objects {
        if !from.objects.contains_key(id) && !is_imported(b) {
            found.of.insert(id.clone(), Change::Create);
        }
    }
    leave_imported_columns(from, to, &mut found);
    spread(from, to, &mut found, queue);
    regrant_columns(from, to, &mut found);
    found
}

fn is_imported(object: &Object) -> bool {
    matches!(&object.body, Body::Relation(it) if it.imported)
}

/// Columns and defaults of imported tables are the import's.
fn leave_imported_columns(from: &Catalog, to: &Catalog, found: &mut Changes) {
    let imported =
        |catalog: &Catalog, id: &Id| catalog.relation(&id.relation()).is_some_and(|it| it.imported);
    found.of.retain(|id, change| match id.kind {
        Kind::Column | Kind::Default | Kind::Constraint => {
            let theirs = imported(from, id) || imported(to, id);
            !theirs || (id.kind == Kind::Column && *change == Change::Alter)
        }
        // On an imported table that only one of the databases has: nothing to hang it on.
        _ if on_relation(id.kind) => {
            let relation = id.relation();
            (!imported(to, id) || from.objects.contains_key(&relation))
                && (!imported(from, id) || to.objects.contains_key(&relation))
        }
        _ => true,
    });
    found.retyped.retain(|id| !imported(from, id));
}

fn on_relation(kind: Kind) -> bool {
    matches!(kind, Kind::Rule | Kind::Trigger | Kind::Policy | Kind::Attach | Kind::PublicationTable)
}

/// Owner, rights and comment.
fn attributes_equal(from: &Catalog, to: &Catalog, a: &Object, b: &Object) -> bool {
    let owner_counts = a.id.kind != Kind::Column && !follows_table(from, to, b);
    (a.owner == b.owner || !owner_counts)
        && a.comment == b.comment
        && sorted(rights_before(from, a, b)) == sorted(rights(to, b))
}

fn sorted(mut rights: Vec<Grant>) -> Vec<Grant> {
    rights.sort();
    rights
}

/// A sequence that goes with the same column in both databases gets its owner from the table.
pub fn follows_table(from: &Catalog, to: &Catalog, sequence: &Object) -> bool {
    let Body::Sequence(it) = &sequence.body else { return false };
    let owner = Id { kind: Kind::SequenceOwner, ..sequence.id.clone() };
    it.identity
        || matches!((from.objects.get(&owner), to.objects.get(&owner)), (Some(a), Some(b)) if a.body == b.body)
}

/// The letter by which `acldefault` knows a kind of object.
pub fn acl_letter(object: &Object) -> Option<char> {
    Some(match object.id.kind {
        Kind::Schema => 'n',
        Kind::Relation => 'r',
        Kind::Sequence => 's',
        Kind::Routine => 'f',
        Kind::Type => 'T',
        Kind::Wrapper => 'F',
        Kind::Server => 'S',
        _ => return None,
    })
}

/// The rights on an object, spelled out.
pub fn rights(catalog: &Catalog, object: &Object) -> Vec<Grant> {
    match (&object.acl, acl_letter(object)) {
        (Some(list), _) => list.clone(),
        (None, Some(letter)) => {
            catalog.default_acls.built_in(letter, object.owner.as_deref().unwrap_or_default())
        }
        (None, None) => Vec::new(),
    }
}

/// The rights that an object is left with once its owner has changed.
pub fn rights_before(from: &Catalog, a: &Object, b: &Object) -> Vec<Grant> {
    let list = rights(from, a);
    match (&a.owner, &b.owner) {
        (Some(old), Some(new)) if old != new => acl::after_owner_change(&list, old, new),
        _ => list,
    }
}

/// Carries what happens to an object on to those that depend on it.
fn spread(from: &Catalog, to: &Catalog, found: &mut Changes, mut queue: Vec<Id>) {
    let mut users: BTreeMap<&Id, Vec<&Id>> = BTreeMap::new();
    for (id, object) in &from.objects {
        for needed in &object.needs {
            users.entry(needed).or_default().push(id);
        }
    }
    while let Some(id) = queue.pop() {
        let Some(change) = found.get(&id) else { continue };
        let converted = found.retyped.contains(&id);
        if !change.drops() && !converted {
            continue;
        }
        for user in users.get(&id).into_iter().flatten().copied() {
            let (Some(a), Some(b)) = (from.objects.get(user), to.objects.get(user)) else { continue };
            let now = found.get(user);
            if now.is_some_and(Change::drops) {
                continue;
            }
            // A partition that leaves keeps its index when the whole table's goes.
            if change.drops() && is_index(&id) && is_index(user) && leaves(from, found, a) {
                continue;
            }
            // What no longer needs it can be altered before it goes.
            let tie = Tie { falls: a.falls_with.contains(&id), still: b.needs.contains(&id) };
            let next = effect(change, a, b, tie, now);
            let Some(next) = next else { continue };
            let newly_converted = matches!(a.body, Body::Column(_)) && next == Change::Alter;
            if newly_converted && !found.retyped.insert(user.clone()) {
                continue;
            }
            if found.of.insert(user.clone(), next) != Some(next) || newly_converted {
                queue.push(user.clone());
            }
        }
    }
}

fn is_index(id: &Id) -> bool {
    matches!(id.kind, Kind::Index | Kind::Constraint)
}

/// Whether the table of an index or key stops being a part of another one.
fn leaves(from: &Catalog, found: &Changes, a: &Object) -> bool {
    let table = match &a.body {
        Body::Index(it) => Id::new(Kind::Relation, &a.id.schema, &it.table, ""),
        Body::Constraint(it) if it.index.is_some() => a.id.relation(),
        _ => return false,
    };
    from.on(Kind::Attach, &table).any(|it| found.drops(&it.id))
}

/// How an object hangs on another one.
#[derive(Clone, Copy)]
struct Tie {
    /// It is dropped together with it.
    falls: bool,
    /// It will need it still.
    still: bool,
}

/// What an object's change does to one that uses it; none: nothing.
fn effect(change: Change, a: &Object, b: &Object, tie: Tie, now: Option<Change>) -> Option<Change> {
    if !change.drops() {
        // A column is converted: Postgres brings keys, checks, indexes and statistics along, and refuses the rest.
        return match &a.body {
            Body::Relation(_)
            | Body::Routine(_)
            | Body::Policy(_)
            | Body::Trigger(_)
            | Body::Rule(_)
            | Body::Default(_) => Some(Change::Anew),
            Body::PublicationTable(it) if it.r#where.is_some() => Some(Change::Anew),
            Body::Column(it) if it.generated.is_some() => Some(Change::Anew),
            _ => None,
        };
    }
    match (&a.body, &b.body) {
        (Body::Column(x), Body::Column(y)) if !tie.falls => {
            let generated = x.generated.is_some() || y.generated.is_some();
            match change {
                _ if generated => Some(Change::Anew),
                Change::Replace => Some(Change::Alter),
                _ => None,
            }
        }
        (Body::Type(_), _) => (tie.still || change == Change::Replace).then_some(Change::Replace),
        (Body::Relation(it), _) if it.has_rows() => None,
        _ if !tie.still && !tie.falls && now == Some(Change::Alter) => None,
        _ => Some(Change::Anew),
    }
}

/// A right that is taken on a table goes from its columns too, so what a column keeps has to be given again.
fn regrant_columns(from: &Catalog, to: &Catalog, found: &mut Changes) {
    let mut again = Vec::new();
    for (id, change) in &found.of {
        if id.kind != Kind::Relation || *change != Change::Alter {
            continue;
        }
        if taken(from, to, id).is_empty() {
            continue;
        }
        let columns =
            to.on(Kind::Column, id).filter(|it| it.acl.is_some() && from.objects.contains_key(&it.id));
        again.extend(columns.map(|it| it.id.clone()));
    }
    for id in again {
        found.of.entry(id).or_insert(Change::Alter);
    }
}

/// Receiver and right of what is taken on a table.
pub fn taken(from: &Catalog, to: &Catalog, relation: &Id) -> BTreeSet<(String, String)> {
    let (Some(a), Some(b)) = (from.objects.get(relation), to.objects.get(relation)) else {
        return BTreeSet::new();
    };
    let key = |it: &Grant| (it.grantee.clone(), it.privilege.clone());
    let kept: BTreeSet<_> =
        rights(to, b).iter().map(|it| (key(it), it.grantor.clone(), it.grantable)).collect();
    rights_before(from, a, b)
        .iter()
        .filter(|it| !kept.contains(&(key(it), it.grantor.clone(), it.grantable)))
        .map(key)
        .collect()
}

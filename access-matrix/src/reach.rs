//! Which rows a role reaches, by the policies that apply to the user whom Postgres checks them for. Pure.

use std::collections::BTreeSet;

use crate::Verb;
use crate::catalog::{Catalog, Policy, Relation};
use crate::cell::Reach;

/// What the catalog says of one verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// Row security is on and lets nothing through.
    Nothing,
    Reach(Reach),
}

/// The policies that hold for `user` at a table.
pub(crate) fn at_table(catalog: &Catalog, relation: &Relation, user: u32, verb: Verb) -> Allowed {
    if !is_subject(catalog, relation, user) {
        return Allowed::Reach(Reach::All);
    }
    let rights = catalog.roles.get(&user).map_or(&[][..], |it| &it.has_rights_of);
    let applies = |it: &&Policy| {
        it.relation == relation.oid
            && (it.verb == '*' || it.verb == verb.letter())
            && it.roles.iter().any(|role| *role == 0 || rights.contains(role))
    };
    let policies: Vec<&Policy> = catalog.policies.iter().filter(applies).collect();
    if !policies.iter().any(|it| it.is_permissive) {
        return Allowed::Nothing;
    }
    let is_open = policies.iter().any(|it| it.is_permissive && is_always_true(it, verb));
    if is_open && policies.iter().all(|it| it.is_permissive || is_always_true(it, verb)) {
        return Allowed::Reach(Reach::All);
    }
    Allowed::Reach(Reach::By(policies.iter().map(|it| it.name.clone()).collect()))
}

fn is_subject(catalog: &Catalog, relation: &Relation, user: u32) -> bool {
    let Some(role) = catalog.roles.get(&user) else { return relation.has_policies_on };
    let is_owner = role.has_rights_of.contains(&relation.owner);
    relation.has_policies_on && !role.is_above_policies && (relation.holds_for_owner || !is_owner)
}

/// Whether a policy lets everything through that its verb asks it for.
fn is_always_true(policy: &Policy, verb: Verb) -> bool {
    let is_true = |it: &Option<String>| it.as_deref() == Some("true");
    let check = if policy.check.is_some() { &policy.check } else { &policy.using };
    match verb {
        Verb::Select | Verb::Delete => is_true(&policy.using),
        Verb::Insert => is_true(check),
        Verb::Update => is_true(&policy.using) && is_true(check),
    }
}

/// The policies that hold for `caller` at whatever lies below a relation that is read.
pub(crate) fn when_read(catalog: &Catalog, relation: &Relation, caller: u32) -> Reach {
    let mut names = BTreeSet::new();
    collect(catalog, relation, caller, caller, &mut Vec::new(), &mut names);
    if names.is_empty() { Reach::All } else { Reach::By(names.into_iter().collect()) }
}

fn collect(
    catalog: &Catalog,
    relation: &Relation,
    caller: u32,
    user: u32,
    path: &mut Vec<u32>,
    names: &mut BTreeSet<String>,
) {
    if relation.kind != 'v' {
        if let Allowed::Reach(Reach::By(policies)) = at_table(catalog, relation, user, Verb::Select) {
            names.extend(policies);
        }
        return;
    }
    if path.contains(&relation.oid) {
        return;
    }
    path.push(relation.oid);
    let user = user_below(relation, caller);
    for below in relation.reads.iter().filter_map(|it| catalog.relations.get(it)) {
        collect(catalog, below, caller, user, path, names);
    }
    path.pop();
}

/// Whose rights count for what a view reads: the owner's, or the caller's whatever lies between.
fn user_below(view: &Relation, caller: u32) -> u32 {
    if view.is_invoker { caller } else { view.owner }
}

/// What holds for `caller` who writes through `relation` to the table `base`.
pub(crate) fn when_written(
    catalog: &Catalog,
    relation: &Relation,
    base: &Relation,
    caller: u32,
    verb: Verb,
) -> Allowed {
    match user_at(catalog, relation, base.oid, caller, caller, &mut Vec::new()) {
        Some(user) => at_table(catalog, base, user, verb),
        None => Allowed::Reach(Reach::All),
    }
}

/// The user that counts at `base`, on the way down from `relation`.
fn user_at(
    catalog: &Catalog,
    relation: &Relation,
    base: u32,
    caller: u32,
    user: u32,
    path: &mut Vec<u32>,
) -> Option<u32> {
    if relation.oid == base {
        return Some(user);
    }
    if path.contains(&relation.oid) {
        return None;
    }
    path.push(relation.oid);
    let below = user_below(relation, caller);
    let found = relation
        .reads
        .iter()
        .filter_map(|it| catalog.relations.get(it))
        .find_map(|it| user_at(catalog, it, base, caller, below, path));
    path.pop();
    found
}

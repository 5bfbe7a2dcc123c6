//! Rights: what an object has, what a new one would have, and the statements between two states.

use std::collections::{BTreeMap, BTreeSet};

use crate::quote::ident;

/// One right of one role on one object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// Who has it; empty is PUBLIC.
    pub grantee: String,
    /// Such as `SELECT`.
    pub privilege: String,
    /// Whether it may be passed on.
    pub grantable: bool,
    /// Who gave it.
    pub grantor: String,
}

/// The rights that new objects get: built in, for a role, for a role in a schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DefaultAcls {
    /// Built in, by the letter of `acldefault`; `true` for what the owner gets, `false` for PUBLIC.
    pub built_in: BTreeMap<char, Vec<(bool, String)>>,
    /// Changed: role, schema (none: everywhere), letter of `pg_default_acl`.
    pub changed: BTreeMap<(String, Option<String>, char), Vec<Grant>>,
}

/// The letter of `pg_default_acl` for one of `acldefault`, where default rights can be changed.
fn changeable(letter: char) -> Option<char> {
    match letter {
        'r' | 'f' | 'T' | 'n' => Some(letter),
        's' => Some('S'),
        _ => None,
    }
}

impl DefaultAcls {
    /// What an object without a list of rights has.
    pub fn built_in(&self, letter: char, owner: &str) -> Vec<Grant> {
        let rights = self.built_in.get(&letter).map(Vec::as_slice).unwrap_or_default();
        let grant = |(to_owner, privilege): &(bool, String)| Grant {
            grantee: if *to_owner { owner.to_owned() } else { String::new() },
            privilege: privilege.clone(),
            grantable: false,
            grantor: owner.to_owned(),
        };
        rights.iter().map(grant).collect()
    }

    /// What an object has from the moment at which `user` makes it in `schema`.
    pub fn initial(&self, letter: char, user: &str, schema: &str) -> Vec<Grant> {
        let mut rights = self.built_in(letter, user);
        let Some(kind) = changeable(letter) else { return rights };
        if let Some(everywhere) = self.changed.get(&(user.to_owned(), None, kind)) {
            rights.clone_from(everywhere);
        }
        if !schema.is_empty()
            && let Some(here) = self.changed.get(&(user.to_owned(), Some(schema.to_owned()), kind))
        {
            rights.extend(here.iter().cloned());
        }
        normal(rights)
    }
}

/// One entry for each role, right and giver.
fn normal(rights: Vec<Grant>) -> Vec<Grant> {
    let mut merged: BTreeMap<(String, String, String), bool> = BTreeMap::new();
    for it in rights {
        *merged.entry((it.grantor, it.grantee, it.privilege)).or_default() |= it.grantable;
    }
    merged
        .into_iter()
        .map(|((grantor, grantee, privilege), grantable)| Grant { grantee, privilege, grantable, grantor })
        .collect()
}

/// What a change of the owner makes of rights: the new owner takes the old one's place.
pub fn after_owner_change(rights: &[Grant], from: &str, to: &str) -> Vec<Grant> {
    let moved = |name: &String| if name == from { to.to_owned() } else { name.clone() };
    let rights = rights
        .iter()
        .map(|it| Grant { grantee: moved(&it.grantee), grantor: moved(&it.grantor), ..it.clone() })
        .collect();
    normal(rights)
}

/// Where rights are given and taken.
pub struct Place<'a> {
    /// Such as `table s.t`.
    pub object: &'a str,
    /// The column, quoted, where the rights are on one.
    pub column: Option<&'a str>,
    /// The owner, whose grants need no change of role.
    pub owner: &'a str,
    /// The role that runs the statements.
    pub user: &'a str,
}

/// Statements that turn `from` into `to`.
pub fn changes(from: &[Grant], to: &[Grant], place: &Place<'_>) -> Vec<String> {
    let (from, to) = (normal(from.to_vec()), normal(to.to_vec()));
    let key = |it: &Grant| (it.grantor.clone(), it.grantee.clone(), it.privilege.clone());
    let old: BTreeMap<_, bool> = from.iter().map(|it| (key(it), it.grantable)).collect();
    let new: BTreeMap<_, bool> = to.iter().map(|it| (key(it), it.grantable)).collect();
    let mut taken = Vec::new();
    let mut given = Vec::new();
    for (it, grantable) in &old {
        match new.get(it) {
            None => taken.push((it, false)),
            Some(false) if *grantable => taken.push((it, true)),
            Some(_) => {}
        }
    }
    for (it, grantable) in &new {
        match old.get(it) {
            None => given.push((it, *grantable)),
            Some(false) if *grantable => given.push((it, true)),
            Some(_) => {}
        }
    }
    let mut statements = Vec::new();
    // What was passed on goes before the right to pass it on.
    for others in [true, false] {
        statements.extend(grouped(&taken, others, place, false));
    }
    for others in [false, true] {
        statements.extend(grouped(&given, others, place, true));
    }
    statements
}

type Key = (String, String, String);

/// One statement for each giver, receiver and kind; `others`: those that somebody else than the owner gave.
fn grouped(rights: &[(&Key, bool)], others: bool, place: &Place<'_>, give: bool) -> Vec<String> {
    let mut groups: BTreeMap<(&str, &str, bool), BTreeSet<&str>> = BTreeMap::new();
    for ((grantor, grantee, privilege), option) in rights {
        if (grantor != place.owner) == others {
            groups.entry((grantor, grantee, *option)).or_default().insert(privilege);
        }
    }
    let mut statements = Vec::new();
    for ((grantor, grantee, option), privileges) in groups {
        let list: Vec<String> = privileges
            .iter()
            .map(|it| match place.column {
                Some(column) => format!("{} ({column})", it.to_lowercase()),
                None => it.to_lowercase(),
            })
            .collect();
        let (list, object) = (list.join(", "), place.object);
        let role = role(grantee, place.user);
        let text = match (give, option) {
            (true, false) => format!("grant {list} on {object} to {role}"),
            (true, true) => format!("grant {list} on {object} to {role} with grant option"),
            (false, false) => format!("revoke {list} on {object} from {role}"),
            (false, true) => format!("revoke grant option for {list} on {object} from {role}"),
        };
        if others {
            statements.push(format!("set local role {}", ident(grantor)));
            statements.push(text);
            statements.push("reset role".to_owned());
        } else {
            statements.push(text);
        }
    }
    statements
}

/// A role as SQL; the one that runs the statements goes by no name, so that they run under another one too.
pub fn role(name: &str, user: &str) -> String {
    match name {
        "" => "public".to_owned(),
        _ if name == user => "current_user".to_owned(),
        _ => ident(name),
    }
}

/// Statements for the rights of objects to come.
pub fn default_changes(from: &DefaultAcls, to: &DefaultAcls, user: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let keys: BTreeSet<_> = from.changed.keys().chain(to.changed.keys()).collect();
    for it in keys {
        let (owner, schema, kind) = it;
        let (letter, objects) = match kind {
            'r' => ('r', "tables"),
            'S' => ('s', "sequences"),
            'f' => ('f', "functions"),
            'T' => ('T', "types"),
            'n' => ('n', "schemas"),
            _ => continue,
        };
        let of = |acls: &DefaultAcls| match (acls.changed.get(it), schema) {
            (Some(rights), _) => rights.clone(),
            (None, None) => acls.built_in(letter, owner),
            (None, Some(_)) => Vec::new(),
        };
        let mut prefix = "alter default privileges".to_owned();
        if owner != user {
            prefix.push_str(&format!(" for role {}", ident(owner)));
        }
        if let Some(schema) = schema {
            prefix.push_str(&format!(" in schema {}", ident(schema)));
        }
        let place = Place { object: objects, column: None, owner, user };
        statements.extend(changes(&of(from), &of(to), &place).into_iter().map(|it| format!("{prefix} {it}")));
    }
    statements
}

//! Changes as statements, each kind of object in a module of its own. Pure.

mod attributes;
mod column;
mod constraint;
mod convert;
mod foreign;
mod index;
mod publication;
mod relation;
mod routine;
mod security;
mod sequence;
mod types;

use std::collections::BTreeSet;

use crate::change::{Change, Changes};
use crate::id::{Id, Kind, qualified};
use crate::model::{Body, Catalog, Object};
use crate::quote::{ident, literal};
use crate::statement::Statement;

pub(crate) use column::is_inherited_create;
pub(crate) use constraint::index_name;

/// Both databases and what has to happen.
pub(crate) struct Ctx<'a> {
    pub(crate) from: &'a Catalog,
    pub(crate) to: &'a Catalog,
    pub(crate) changes: &'a Changes,
    /// Defaults that cannot be part of their column's definition, since they need the table.
    pub(crate) apart: &'a BTreeSet<Id>,
}

impl Ctx<'_> {
    /// The relation before and after has rows that stay.
    fn stays(&self, relation: &Id) -> bool {
        self.from.relation(relation).is_some() && !self.changes.drops(relation)
    }

    /// Whether a default is written within its column's definition.
    pub(crate) fn is_inline(&self, default: &Id) -> bool {
        let column = Id { kind: Kind::Column, ..default.clone() };
        self.changes.creates(&column)
            && !self.apart.contains(default)
            && self.to.column(&column).is_some_and(|it| it.relkind != 'v')
    }

    /// Whether a table is a part of another one both before and after, so that it follows that one's changes.
    pub(crate) fn parents(&self, relation: &Id) -> Vec<Id> {
        self.to
            .on(Kind::Attach, relation)
            .filter(|it| self.from.objects.contains_key(&it.id) && self.changes.get(&it.id).is_none())
            .filter_map(|it| match &it.body {
                Body::Attach(attach) => {
                    Some(Id::new(Kind::Relation, &attach.parent_schema, &attach.parent, ""))
                }
                _ => None,
            })
            .collect()
    }

    /// Whether a table is or becomes or was a part of another one, or has parts.
    fn is_in_tree(&self, relation: &Id) -> bool {
        [self.from, self.to].iter().any(|catalog| {
            catalog.on(Kind::Attach, relation).next().is_some()
                || catalog.objects.values().any(|it| {
                    matches!(&it.body, Body::Attach(a) if a.parent_schema == relation.schema && a.parent == relation.name)
                })
        })
    }
}

/// What an object is called after `drop`, `comment on` or `alter`.
pub(crate) fn target(object: &Object) -> String {
    let id = &object.id;
    let on_table = |kind: &str| format!("{kind} {} on {}", ident(&id.sub), qualified(&id.schema, &id.name));
    let kind = match &object.body {
        Body::Schema => "schema",
        Body::Extension(_) => "extension",
        Body::Wrapper(_) => "foreign data wrapper",
        Body::Server(_) => "server",
        Body::Collation(_) => "collation",
        Body::Type(it) if it.kind == 'd' => "domain",
        Body::Type(_) => "type",
        Body::Sequence(_) => "sequence",
        Body::Index(_) => "index",
        Body::Statistics(_) => "statistics",
        Body::EventTrigger(_) => "event trigger",
        Body::Publication(_) => "publication",
        Body::Relation(it) => match it.kind {
            'v' => "view",
            'm' => "materialized view",
            'f' => "foreign table",
            _ => "table",
        },
        Body::Routine(it) => return routine::target(id, it),
        Body::Column(_) => return format!("column {}.{}", id.qualified(), ident(&id.sub)),
        Body::Constraint(_) => return on_table("constraint"),
        Body::DomainConstraint(_) => {
            return format!("constraint {} on domain {}", ident(&id.sub), id.qualified());
        }
        Body::Rule(_) => return on_table("rule"),
        Body::Trigger(_) => return on_table("trigger"),
        Body::Policy(_) => return on_table("policy"),
        Body::Mapping(_) => {
            let role = if id.sub.is_empty() { "public".to_owned() } else { ident(&id.sub) };
            return format!("user mapping for {role} server {}", ident(&id.name));
        }
        Body::Default(_)
        | Body::Attach(_)
        | Body::IndexAttach(_)
        | Body::SequenceOwner(_)
        | Body::PublicationTable(_)
        | Body::PublicationSchema => return id.to_string(),
    };
    format!("{kind} {}", id.qualified())
}

/// `alter table`, or what it is for the kind of relation.
pub(crate) fn alter_relation(kind: char, id: &Id) -> String {
    let what = match kind {
        'v' => "view",
        'm' => "materialized view",
        'f' => "foreign table",
        _ => "table",
    };
    format!("alter {what} {}", id.qualified())
}

/// Statements by which a new object comes, with its owner, rights and comment.
pub(crate) fn create(ctx: &Ctx<'_>, b: &Object) -> Vec<Statement> {
    let mut out = match &b.body {
        Body::Schema => vec![Statement::new(format!("create schema {}", ident(&b.id.name)))],
        Body::Extension(it) => foreign::create_extension(b, it),
        Body::Wrapper(it) => foreign::create_wrapper(b, it),
        Body::Server(it) => foreign::create_server(b, it),
        Body::Mapping(it) => foreign::create_mapping(b, it),
        Body::Collation(it) => types::create_collation(b, it),
        Body::Type(it) => types::create(ctx, b, it),
        Body::DomainConstraint(it) => types::create_check(ctx, b, it),
        Body::Sequence(it) => sequence::create(ctx, b, it),
        Body::SequenceOwner(it) => sequence::create_owner(b, it),
        Body::Relation(it) => relation::create(ctx, b, it),
        Body::Column(it) => column::create(ctx, b, it),
        Body::Default(it) => column::create_default(ctx, b, it),
        Body::Attach(it) => relation::attach(b, it),
        Body::Routine(it) => routine::create(b, it),
        Body::Constraint(it) => constraint::create(ctx, b, it),
        Body::Index(it) => index::create(ctx, b, it),
        Body::IndexAttach(it) => index::attach(b, it),
        Body::Statistics(it) => index::create_statistics(b, it),
        Body::Rule(it) => security::create_rule(b, it),
        Body::Trigger(it) => security::create_trigger(b, it),
        Body::Policy(it) => security::create_policy(ctx, b, it),
        Body::EventTrigger(it) => security::create_event_trigger(b, it),
        Body::Publication(it) => publication::create(b, it),
        Body::PublicationTable(it) => publication::add_table(b, it),
        Body::PublicationSchema => publication::add_schema(b),
    };
    let stage = out.first().map(|it| it.stage);
    let mut more = attributes::of_new(ctx, b);
    if let (Body::Index(_), Some(stage)) = (&b.body, stage) {
        more = more.into_iter().map(|it| it.at(stage)).collect();
    }
    out.extend(more);
    out
}

/// Statements by which an object goes.
pub(crate) fn drop(ctx: &Ctx<'_>, a: &Object) -> Vec<Statement> {
    let id = &a.id;
    match &a.body {
        Body::Relation(it) => relation::drop(ctx, a, it),
        Body::Column(it) => column::drop(ctx, a, it),
        Body::Default(it) => {
            let alter = alter_relation(if it.relkind == 'v' { 'v' } else { 'r' }, &id.relation());
            let only =
                if it.relkind == 'v' { alter } else { alter.replacen("alter table", "alter table only", 1) };
            vec![Statement::new(format!("{only} alter column {} drop default", ident(&id.sub)))]
        }
        Body::Attach(it) => relation::detach(a, it),
        Body::IndexAttach(_) => Vec::new(),
        Body::SequenceOwner(_) => {
            vec![Statement::new(format!("alter sequence {} owned by none", id.qualified()))]
        }
        Body::Sequence(it) if it.identity => Vec::new(),
        Body::Type(_) => types::drop(ctx, a),
        Body::Constraint(it) => {
            let alter = alter_relation(it.relkind, &id.relation());
            vec![Statement::new(format!("{alter} drop constraint {}", ident(&id.sub)))]
        }
        Body::DomainConstraint(_) => {
            vec![Statement::new(format!(
                "alter domain {} drop constraint {}",
                id.qualified(),
                ident(&id.sub)
            ))]
        }
        Body::PublicationTable(_) => {
            vec![Statement::new(format!(
                "alter publication {} drop table {}",
                ident(&id.sub),
                id.qualified()
            ))]
        }
        Body::PublicationSchema => vec![Statement::new(format!(
            "alter publication {} drop tables in schema {}",
            ident(&id.sub),
            ident(&id.schema)
        ))],
        _ => vec![Statement::new(format!("drop {}", target(a)))],
    }
}

/// Statements that turn an object into what it is in the other database.
pub(crate) fn alter(ctx: &Ctx<'_>, a: &Object, b: &Object) -> Vec<Statement> {
    let mut out = match (&a.body, &b.body) {
        (Body::Extension(x), Body::Extension(y)) => foreign::alter_extension(b, x, y),
        (Body::Wrapper(x), Body::Wrapper(y)) => foreign::alter_wrapper(b, x, y),
        (Body::Server(x), Body::Server(y)) => foreign::alter_server(b, x, y),
        (Body::Mapping(x), Body::Mapping(y)) => foreign::alter_mapping(b, x, y),
        (Body::Type(x), Body::Type(y)) => types::alter(ctx, b, x, y),
        (Body::DomainConstraint(x), Body::DomainConstraint(y)) => types::alter_check(b, x, y),
        (Body::Sequence(x), Body::Sequence(y)) => sequence::alter(b, x, y),
        (Body::Relation(x), Body::Relation(y)) => relation::alter(ctx, b, x, y),
        (Body::Column(x), Body::Column(y)) => column::alter(ctx, b, x, y),
        (Body::Default(x), Body::Default(y)) if x != y => column::create_default(ctx, b, y),
        (Body::Routine(x), Body::Routine(y)) if x != y => routine::create(b, y),
        (Body::Constraint(x), Body::Constraint(y)) => constraint::alter(ctx, b, x, y),
        (Body::Index(x), Body::Index(y)) => index::extras(b, &x.extras, &y.extras, &y.table, y.relkind),
        (Body::Statistics(x), Body::Statistics(y)) => index::alter_statistics(b, x, y),
        (Body::Rule(x), Body::Rule(y)) => security::alter_rule(b, x, y),
        (Body::Trigger(x), Body::Trigger(y)) => security::alter_trigger(b, x, y),
        (Body::Policy(x), Body::Policy(y)) => security::alter_policy(ctx, b, x, y),
        (Body::EventTrigger(x), Body::EventTrigger(y)) => security::alter_event_trigger(b, x, y),
        (Body::Publication(x), Body::Publication(y)) => publication::alter(b, x, y),
        _ => Vec::new(),
    };
    out.extend(attributes::of_altered(ctx, a, b));
    out
}

/// `name = value` options as `with (…)` takes them.
pub(crate) fn storage_options(options: &[String]) -> String {
    let option = |it: &String| match it.split_once('=') {
        Some((name, value)) => format!("{} = {}", option_name(name), literal(value)),
        None => option_name(it),
    };
    options.iter().map(option).collect::<Vec<_>>().join(", ")
}

fn option_name(name: &str) -> String {
    // `toast.autovacuum_enabled` is two names.
    name.split('.').map(ident).collect::<Vec<_>>().join(".")
}

/// Options to set and names to reset between two lists.
pub(crate) fn option_changes(from: &[String], to: &[String]) -> (Vec<String>, Vec<String>) {
    let name = |it: &String| it.split_once('=').map_or(it.clone(), |(name, _)| name.to_owned());
    let set: Vec<String> = to.iter().filter(|it| !from.contains(it)).cloned().collect();
    let kept: BTreeSet<String> = to.iter().map(name).collect();
    let reset = from.iter().map(name).filter(|it| !kept.contains(it)).map(|it| option_name(&it)).collect();
    (set, reset)
}

/// Whether a change only alters.
pub(crate) fn is_alter(change: Option<Change>) -> bool {
    change == Some(Change::Alter)
}

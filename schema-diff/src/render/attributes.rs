//! Owner, rights and comment of any object.

use crate::acl::{self, Grant, Place};
use crate::change;
use crate::id::{Id, Kind};
use crate::model::{Body, Object};
use crate::quote::{ident, literal};
use crate::statement::Statement;

use super::{Ctx, target};

/// Statements for an object that has just been made.
pub(super) fn of_new(ctx: &Ctx<'_>, b: &Object) -> Vec<Statement> {
    let user = &ctx.from.user;
    let mut out = Vec::new();
    let follows = change::follows_table(ctx.from, ctx.to, b) && is_identity(b);
    if has_owner(b)
        && !follows
        && let Some(owner) = &b.owner
        && *owner != ctx.to.user
    {
        out.push(set_owner(b, owner, &ctx.to.user));
    }
    if let Some(letter) = change::acl_letter(b) {
        let owner = b.owner.as_deref().unwrap_or_default();
        let schema = if b.id.kind == Kind::Schema { "" } else { &b.id.schema };
        let initial = ctx.from.default_acls.initial(letter, user, schema);
        let initial = acl::after_owner_change(&initial, user, owner);
        out.extend(grant(ctx, b, &initial));
    } else if b.acl.is_some() {
        out.extend(grant(ctx, b, &[]));
    }
    let usual = match &b.body {
        Body::Extension(it) => it.usual_comment.clone(),
        _ => None,
    };
    if b.comment != usual {
        out.extend(comment(b));
    }
    out
}

/// Statements for an object that is kept.
pub(super) fn of_altered(ctx: &Ctx<'_>, a: &Object, b: &Object) -> Vec<Statement> {
    let mut out = Vec::new();
    if has_owner(b)
        && a.owner != b.owner
        && !change::follows_table(ctx.from, ctx.to, b)
        && let Some(owner) = &b.owner
    {
        out.push(set_owner(b, owner, &ctx.to.user));
    }
    let mut before = change::rights_before(ctx.from, a, b);
    if b.id.kind == Kind::Column {
        let relation = b.id.relation();
        if super::is_alter(ctx.changes.get(&relation)) {
            let taken = change::taken(ctx.from, ctx.to, &relation);
            before.retain(|it| !taken.contains(&(it.grantee.clone(), it.privilege.clone())));
        }
    }
    out.extend(grant(ctx, b, &before));
    if a.comment != b.comment {
        out.extend(comment(b));
    }
    out
}

fn is_identity(object: &Object) -> bool {
    matches!(&object.body, Body::Sequence(it) if it.identity)
}

fn has_owner(object: &Object) -> bool {
    !matches!(object.id.kind, Kind::Column | Kind::Extension)
}

fn set_owner(b: &Object, owner: &str, user: &str) -> Statement {
    Statement::new(format!("alter {} owner to {}", target(b), acl::role(owner, user)))
}

fn grant(ctx: &Ctx<'_>, b: &Object, before: &[Grant]) -> Vec<Statement> {
    let after = change::rights(ctx.to, b);
    let owner = b.owner.as_deref().unwrap_or_default();
    let (object, column) = match &b.body {
        Body::Column(_) => (format!("table {}", b.id.qualified()), Some(ident(&b.id.sub))),
        Body::Relation(_) => (format!("table {}", b.id.qualified()), None),
        Body::Type(_) => (format!("type {}", b.id.qualified()), None),
        Body::Server(_) => (format!("foreign server {}", b.id.qualified()), None),
        Body::Routine(it) if it.kind == 'a' => (super::routine::grant_target(&b.id), None),
        _ => (target(b), None),
    };
    let place = Place { object: &object, column: column.as_deref(), owner, user: &ctx.to.user };
    acl::changes(before, &after, &place).into_iter().map(Statement::new).collect()
}

fn comment(b: &Object) -> Vec<Statement> {
    let has_none = matches!(
        b.id.kind,
        Kind::Default | Kind::Attach | Kind::IndexAttach | Kind::SequenceOwner | Kind::Mapping
    );
    if has_none {
        return Vec::new();
    }
    let text = b.comment.as_ref().map_or("null".to_owned(), |it| literal(it));
    vec![Statement::new(format!("comment on {} is {text}", target(b)))]
}

/// The identity of the table's column that a sequence goes with, in a catalog.
pub(super) fn owner_of(catalog: &crate::model::Catalog, sequence: &Id) -> Option<Id> {
    match &catalog.objects.get(&Id { kind: Kind::SequenceOwner, ..sequence.clone() })?.body {
        Body::SequenceOwner(it) => Some(Id::new(Kind::Column, &it.schema, &it.table, &it.column)),
        _ => None,
    }
}

//! Constraints of tables.

use crate::compare;
use crate::id::{Id, Kind};
use crate::model::{Body, Catalog, Constraint, Object};
use crate::quote::ident;
use crate::statement::{Stage, Statement};

use super::{Ctx, alter_relation, index};

/// The name of the index that a constraint has made, in the table's schema.
pub(crate) fn index_name(object: &Object) -> Option<(String, String)> {
    match &object.body {
        Body::Constraint(it) if it.index.is_some() => Some((object.id.schema.clone(), object.id.sub.clone())),
        Body::Index(_) => Some((object.id.schema.clone(), object.id.name.clone())),
        _ => None,
    }
}

/// Whether a new check comes by itself, since a parent table gets it.
fn is_inherited(ctx: &Ctx<'_>, id: &Id, catalog: &Catalog) -> Option<Id> {
    ctx.parents(&id.relation())
        .into_iter()
        .map(|it| Id::new(Kind::Constraint, &it.schema, &it.name, &id.sub))
        .find(|it| catalog.objects.contains_key(it))
}

pub(super) fn create(ctx: &Ctx<'_>, b: &Object, it: &Constraint) -> Vec<Statement> {
    let relation = b.id.relation();
    let comes_by_itself = it.kind == 'c'
        && it.inherited
        && is_inherited(ctx, &b.id, ctx.to).is_some_and(|parent| ctx.changes.creates(&parent));
    if comes_by_itself {
        return Vec::new();
    }
    let mut out = add(ctx, b, it, &relation);
    if let Some(extras) = &it.index {
        out.extend(index::new_extras(&relation, &b.id.sub, extras, it.relkind));
    }
    out
}

fn add(ctx: &Ctx<'_>, b: &Object, it: &Constraint, relation: &Id) -> Vec<Statement> {
    let has_index = it.index.is_some();
    let mut alter = alter_relation(it.relkind, relation);
    if has_index && it.relkind == 'p' {
        // The partitions get theirs one by one, under their own names.
        alter = alter.replacen("alter table", "alter table only", 1);
    }
    let name = ident(&b.id.sub);
    let sql = format!("{alter} add constraint {name} {}", it.definition);
    let has_rows = ctx.stays(relation) && it.relkind == 'r';
    match it.kind {
        'c' | 'f' if has_rows && it.valid && it.enforced && !joins_tree(ctx, relation) => vec![
            Statement::new(format!("{sql} not valid")),
            Statement::new(format!("{alter} validate constraint {name}")).at(Stage::Validate),
        ],
        'c' | 'f' if ctx.stays(relation) && it.valid && it.enforced => {
            vec![Statement::new(sql).locks("reads the whole table; writes wait")]
        }
        _ if has_rows && has_index => {
            vec![Statement::new(sql).locks("builds the index; reads and writes wait")]
        }
        _ => vec![Statement::new(sql)],
    }
}

/// Whether the table becomes a part of another one, which takes validated checks only.
fn joins_tree(ctx: &Ctx<'_>, relation: &Id) -> bool {
    ctx.to.on(Kind::Attach, relation).any(|it| ctx.changes.creates(&it.id)) || ctx.is_in_tree(relation)
}

pub(super) fn alter(ctx: &Ctx<'_>, b: &Object, x: &Constraint, y: &Constraint) -> Vec<Statement> {
    let relation = b.id.relation();
    let alter = alter_relation(y.relkind, &relation);
    let name = ident(&b.id.sub);
    let mut out = Vec::new();
    if (x.deferrable, x.deferred) != (y.deferrable, y.deferred) {
        let how = match (y.deferrable, y.deferred) {
            (true, true) => "deferrable initially deferred",
            (true, false) => "deferrable initially immediate",
            _ => "not deferrable",
        };
        out.push(Statement::new(format!("{alter} alter constraint {name} {how}")));
    }
    let by_itself = y.inherited && is_inherited(ctx, &b.id, ctx.to).is_some();
    if !x.valid && y.valid && compare::core(x) == compare::core(y) && !by_itself {
        out.push(Statement::new(format!("{alter} validate constraint {name}")).at(Stage::Validate));
    }
    if let (Some(x), Some(y_extras)) = (&x.index, &y.index) {
        out.extend(index::extras_of(&relation, &b.id.schema, &b.id.sub, x, y_extras, y.relkind));
    }
    out
}

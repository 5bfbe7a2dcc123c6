//! Indexes and extended statistics.

use std::collections::BTreeMap;

use crate::id::{Id, Kind, qualified};
use crate::model::{Index, IndexAttach, IndexExtras, Object, Statistics};
use crate::quote::ident;
use crate::statement::{Stage, Statement};

use super::{Ctx, alter_relation};

pub(super) fn create(ctx: &Ctx<'_>, b: &Object, it: &Index) -> Vec<Statement> {
    let relation = Id::new(Kind::Relation, &b.id.schema, &it.table, "");
    let mut out = if ctx.stays(&relation) && can_wait(ctx, b, it, &relation) {
        let name = b.id.qualified();
        let concurrently = it.definition.replacen("INDEX ", "INDEX CONCURRENTLY ", 1);
        vec![
            // What an interrupted run has left is not valid and in the way.
            Statement::new(format!("drop index concurrently if exists {name}")).at(Stage::Concurrent),
            Statement::new(concurrently).at(Stage::Concurrent),
        ]
    } else {
        let statement = Statement::new(it.definition.clone());
        let in_use = ctx.stays(&relation) && it.relkind != 'p';
        vec![if in_use { statement.locks("builds the index; writes wait") } else { statement }]
    };
    let stage = out.last().map_or(Stage::Main, |it| it.stage);
    let extras = new_extras(&relation, &b.id.name, &it.extras, it.relkind);
    out.extend(extras.into_iter().map(|it| it.at(stage)));
    out
}

/// Whether nothing else of the migration needs the index, so that it can be built afterwards without a lock.
fn can_wait(ctx: &Ctx<'_>, b: &Object, it: &Index, relation: &Id) -> bool {
    let is_used = ctx.to.objects.values().any(|user| {
        user.needs.contains(&b.id) && user.id.kind != Kind::Column && ctx.changes.get(&user.id).is_some()
    });
    it.relkind == 'r' && !is_used && !it.extras.replica_identity && !ctx.is_in_tree(relation)
}

/// What a new index is besides its definition.
pub(super) fn new_extras(relation: &Id, name: &str, it: &IndexExtras, relkind: char) -> Vec<Statement> {
    let none = IndexExtras { clustered: false, replica_identity: false, statistics: BTreeMap::new() };
    extras_of(relation, &relation.schema, name, &none, it, relkind)
}

pub(super) fn extras(
    b: &Object,
    x: &IndexExtras,
    y: &IndexExtras,
    table: &str,
    relkind: char,
) -> Vec<Statement> {
    let relation = Id::new(Kind::Relation, &b.id.schema, table, "");
    extras_of(&relation, &b.id.schema, &b.id.name, x, y, relkind)
}

pub(super) fn extras_of(
    relation: &Id,
    schema: &str,
    name: &str,
    x: &IndexExtras,
    y: &IndexExtras,
    relkind: char,
) -> Vec<Statement> {
    let alter = alter_relation(relkind, relation);
    let mut out = Vec::new();
    if y.clustered && !x.clustered {
        out.push(Statement::new(format!("{alter} cluster on {}", ident(name))));
    }
    if y.replica_identity && !x.replica_identity {
        out.push(Statement::new(format!("{alter} replica identity using index {}", ident(name))));
    }
    let mut columns: Vec<&String> = x.statistics.keys().chain(y.statistics.keys()).collect();
    columns.sort();
    columns.dedup();
    for column in columns {
        let target = y.statistics.get(column).copied().unwrap_or(-1);
        if x.statistics.get(column) != y.statistics.get(column) {
            let index = qualified(schema, name);
            out.push(Statement::new(format!(
                "alter index {index} alter column {column} set statistics {target}"
            )));
        }
    }
    out
}

pub(super) fn attach(b: &Object, it: &IndexAttach) -> Vec<Statement> {
    let (parent, child) = (qualified(&it.parent_schema, &it.parent), b.id.qualified());
    vec![Statement::new(format!("alter index {parent} attach partition {child}"))]
}

pub(super) fn create_statistics(b: &Object, it: &Statistics) -> Vec<Statement> {
    let mut out = vec![Statement::new(it.definition.clone())];
    out.extend(it.target.map(|target| set_target(b, target)));
    out
}

pub(super) fn alter_statistics(b: &Object, x: &Statistics, y: &Statistics) -> Vec<Statement> {
    if x.target == y.target { Vec::new() } else { vec![set_target(b, y.target.unwrap_or(-1))] }
}

fn set_target(b: &Object, target: i32) -> Statement {
    Statement::new(format!("alter statistics {} set statistics {target}", b.id.qualified()))
}

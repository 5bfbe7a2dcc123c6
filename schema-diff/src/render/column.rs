//! Columns and their defaults.

use crate::compare;
use crate::id::{Id, Kind};
use crate::model::{Body, Catalog, Column, DefaultValue, Identity, Object};
use crate::quote::ident;
use crate::statement::{Stage, Statement};

use super::convert::conversion;
use super::{Ctx, alter_relation, foreign, option_changes, sequence, storage_options};

/// A column within `create table` or after `add column`.
pub(super) fn definition(ctx: &Ctx<'_>, id: &Id, it: &Column) -> String {
    let mut text = format!("{} {}", ident(&id.sub), it.r#type);
    if !it.server_options.is_empty() {
        text.push_str(&format!(" options ({})", foreign::options(&it.server_options)));
    }
    if let Some(collation) = &it.collation {
        text.push_str(&format!(" collate {collation}"));
    }
    match (&it.generated, &it.expression) {
        (Some(kind), Some(expression)) => {
            let kind = if *kind == 'v' { "virtual" } else { "stored" };
            text.push_str(&format!(" generated always as ({expression}) {kind}"));
        }
        _ => {
            let default = Id { kind: Kind::Default, ..id.clone() };
            if ctx.is_inline(&default)
                && let Some(Body::Default(value)) = ctx.to.objects.get(&default).map(|it| &it.body)
            {
                text.push_str(&format!(" default {}", value.expression));
            }
        }
    }
    if let Some(identity) = &it.identity {
        text.push_str(&format!(" {}", generated_as_identity(id, identity)));
    }
    if it.not_null {
        text.push_str(" not null");
    }
    text
}

fn generated_as_identity(id: &Id, it: &Identity) -> String {
    let kind = if it.always { "always" } else { "by default" };
    let mut options = Vec::new();
    if it.schema != id.schema || it.name != format!("{}_{}_seq", id.name, id.sub) {
        options.push(format!("sequence name {}", crate::id::qualified(&it.schema, &it.name)));
    }
    options.extend(sequence::options_beside_default(&it.sequence));
    if options.is_empty() {
        format!("generated {kind} as identity")
    } else {
        format!("generated {kind} as identity ({})", options.join(" "))
    }
}

/// Whether a new column comes by itself, since its parent table gets it.
pub(crate) fn is_inherited_create(ctx: &Ctx<'_>, id: &Id) -> bool {
    parent_column(ctx, id, ctx.to).is_some_and(|parent| ctx.changes.creates(&parent))
}

/// The column of a parent that this one follows.
fn parent_column(ctx: &Ctx<'_>, id: &Id, catalog: &Catalog) -> Option<Id> {
    ctx.parents(&id.relation())
        .into_iter()
        .map(|it| Id::new(Kind::Column, &it.schema, &it.name, &id.sub))
        .find(|it| catalog.objects.contains_key(it))
}

pub(super) fn create(ctx: &Ctx<'_>, b: &Object, it: &Column) -> Vec<Statement> {
    let relation = b.id.relation();
    let mut out = Vec::new();
    let with_relation = ctx.changes.creates(&relation) || matches!(it.relkind, 'v' | 'm');
    if is_inherited_create(ctx, &b.id) && !with_relation {
        out.extend(inherited_default(ctx, &b.id));
    } else if !with_relation {
        out.push(add(ctx, b, it));
    }
    out.extend(extras(b, None, it));
    out
}

fn add(ctx: &Ctx<'_>, b: &Object, it: &Column) -> Statement {
    let alter = alter_relation(it.relkind, &b.id.relation());
    let statement = Statement::new(format!("{alter} add column {}", definition(ctx, &b.id, it)));
    let default = Id { kind: Kind::Default, ..b.id.clone() };
    let has_rows = matches!(it.relkind, 'r' | 'p');
    match ctx.to.objects.get(&default).map(|it| &it.body) {
        _ if it.generated == Some('s') || it.identity.is_some() && has_rows => {
            statement.locks("rewrites the table; reads and writes wait")
        }
        Some(Body::Default(value)) if value.expression.contains('(') && has_rows => {
            statement.locks("rewrites the table, while reads and writes wait, if the default is volatile")
        }
        None if it.not_null && has_rows => {
            statement.remark("fails if the table has rows: the column has no default")
        }
        _ => statement,
    }
}

/// A child's default where it is another one than its parent's.
fn inherited_default(ctx: &Ctx<'_>, id: &Id) -> Option<Statement> {
    let default = |id: &Id| ctx.to.objects.get(&Id { kind: Kind::Default, ..id.clone() });
    let parent = parent_column(ctx, id, ctx.to)?;
    let (own, theirs) = (default(id), default(&parent));
    match (own.map(|it| &it.body), theirs.map(|it| &it.body)) {
        (Some(Body::Default(x)), Some(Body::Default(y))) if x == y => None,
        (Some(Body::Default(x)), _) => Some(set_default(id, x)),
        (None, Some(_)) => Some(Statement::new(format!(
            "alter table only {} alter column {} drop default",
            id.qualified(),
            ident(&id.sub)
        ))),
        _ => None,
    }
}

pub(super) fn drop(ctx: &Ctx<'_>, a: &Object, it: &Column) -> Vec<Statement> {
    let relation = a.id.relation();
    let follows = parent_column(ctx, &a.id, ctx.from).is_some_and(|parent| ctx.changes.drops(&parent));
    if ctx.changes.drops(&relation) || follows || matches!(it.relkind, 'v' | 'm') {
        return Vec::new();
    }
    let alter = alter_relation(it.relkind, &relation);
    let statement = Statement::new(format!("{alter} drop column {}", ident(&a.id.sub)));
    if it.generated.is_none() && it.relkind != 'f' {
        vec![statement.destructive(format!(
            "column {}.{} and its values are lost",
            a.id.qualified(),
            ident(&a.id.sub)
        ))]
    } else {
        vec![statement]
    }
}

fn set_default(id: &Id, it: &DefaultValue) -> Statement {
    let table = if it.relkind == 'v' { "view" } else { "table only" };
    Statement::new(format!(
        "alter {table} {} alter column {} set default {}",
        id.qualified(),
        ident(&id.sub),
        it.expression
    ))
}

pub(super) fn create_default(ctx: &Ctx<'_>, b: &Object, it: &DefaultValue) -> Vec<Statement> {
    if ctx.is_inline(&b.id) { Vec::new() } else { vec![set_default(&b.id, it)] }
}

pub(super) fn alter(ctx: &Ctx<'_>, b: &Object, x: &Column, y: &Column) -> Vec<Statement> {
    if y.relkind == 'v' {
        return Vec::new();
    }
    let relation = b.id.relation();
    if ctx.to.relation(&relation).is_some_and(|it| it.imported) {
        return Vec::new();
    }
    let mut out = Vec::new();
    let column = format!("{} alter column {}", alter_relation(y.relkind, &relation), ident(&b.id.sub));
    if x.generated.is_some() && y.generated.is_none() {
        out.push(Statement::new(format!("{column} drop expression")));
    }
    if x.identity.is_some() && y.identity.is_none() {
        out.push(Statement::new(format!("{column} drop identity")));
    }
    let converted = ctx.changes.retyped.contains(&b.id);
    let parent = parent_column(ctx, &b.id, ctx.to);
    let follows = parent.as_ref().is_some_and(|it| ctx.changes.retyped.contains(it));
    if converted && !follows {
        out.push(convert(ctx, b, x, y, &column));
    }
    out.extend(nullability(ctx, b, x, y, &column, parent.as_ref()));
    out.extend(identity(ctx, b, x, y, &column));
    if x.server_options != y.server_options {
        let changes = foreign::option_changes(&x.server_options, &y.server_options);
        out.push(Statement::new(format!("{column} options ({changes})")));
    }
    // Postgres takes the new type's own storage when a column is converted.
    let base = converted.then(|| Column { storage: None, compression: None, ..x.clone() });
    out.extend(extras(b, Some(base.as_ref().unwrap_or(x)), y));
    out
}

fn convert(ctx: &Ctx<'_>, b: &Object, x: &Column, y: &Column, column: &str) -> Statement {
    let replaced = !compare::type_changes(x, y)
        || ctx
            .to
            .objects
            .get(&b.id)
            .is_some_and(|it| it.needs.iter().any(|it| it.kind == Kind::Type && ctx.changes.drops(it)));
    let way = conversion(ctx.from, &b.id.sub, x, y, replaced);
    let mut sql = format!("{column} type {}", y.r#type);
    if let Some(collation) = &y.collation {
        sql.push_str(&format!(" collate {collation}"));
    }
    if y.relkind == 'f' {
        return Statement::new(sql);
    }
    if let Some(using) = way.using {
        sql.push_str(&format!(" using {using}"));
    }
    let mut statement = Statement::new(sql);
    if let Some(loss) = way.loss {
        statement = statement.destructive(loss);
    }
    if way.rewrites {
        statement = statement.locks("rewrites the table; reads and writes wait");
    }
    statement
}

fn nullability(
    ctx: &Ctx<'_>,
    b: &Object,
    x: &Column,
    y: &Column,
    column: &str,
    parent: Option<&Id>,
) -> Vec<Statement> {
    if x.not_null == y.not_null {
        return Vec::new();
    }
    let parent_sets = parent.is_some_and(|it| {
        ctx.from.column(it).is_some_and(|it| !it.not_null) && ctx.to.column(it).is_some_and(|it| it.not_null)
    });
    if x.not_null {
        return vec![Statement::new(format!("{column} drop not null"))];
    }
    if parent_sets {
        return Vec::new();
    }
    let set = Statement::new(format!("{column} set not null"));
    if y.relkind == 'f' {
        return vec![set];
    }
    let relation = b.id.relation();
    let needed_at_once = y.relkind != 'r'
        || y.identity.is_some()
        || ctx.changes.retyped.contains(&b.id)
        || ctx.is_in_tree(&relation)
        || uses_not_null(ctx, &b.id);
    if needed_at_once {
        return vec![set.locks("reads the whole table; reads and writes wait")];
    }
    // A check that has been validated spares `set not null` its look at every row under an exclusive lock.
    let table = alter_relation('r', &relation);
    let name = ident(&check_name(&b.id.sub));
    let add = format!("{table} add constraint {name} check ({} is not null) not valid", ident(&b.id.sub));
    vec![
        Statement::new(add),
        Statement::new(format!("{table} validate constraint {name}")).at(Stage::Validate),
        set.at(Stage::Validate),
        Statement::new(format!("{table} drop constraint {name}")).at(Stage::Validate),
    ]
}

/// The name of a passing check; a long column name is cut.
fn check_name(column: &str) -> String {
    let mut end = column.len().min(46);
    while !column.is_char_boundary(end) {
        end -= 1;
    }
    format!("pgapp_not_null_{}", &column[..end])
}

/// Whether a key or a replica identity comes in the same migration.
fn uses_not_null(ctx: &Ctx<'_>, id: &Id) -> bool {
    let on_column = |it: &&Object| it.needs.contains(id) && ctx.changes.get(&it.id).is_some();
    let key = ctx.to.on(Kind::Constraint, &id.relation()).filter(on_column).any(|it| {
        matches!(&it.body, Body::Constraint(it) if it.kind == 'p' || it.index.as_ref().is_some_and(|it| it.replica_identity))
    });
    key || ctx
        .to
        .objects
        .values()
        .filter(|it| it.id.kind == Kind::Index)
        .filter(on_column)
        .any(|it| matches!(&it.body, Body::Index(it) if it.extras.replica_identity))
}

fn identity(ctx: &Ctx<'_>, b: &Object, x: &Column, y: &Column, column: &str) -> Vec<Statement> {
    match (&x.identity, &y.identity) {
        (None, Some(new)) => {
            let mut out = vec![Statement::new(format!("{column} add {}", generated_as_identity(&b.id, new)))];
            let sequence = Id::new(Kind::Sequence, &new.schema, &new.name, "");
            out.extend(sequence::go_on_after(ctx, &sequence, &new.sequence, &b.id));
            out
        }
        (Some(old), Some(new)) => {
            let mut out = Vec::new();
            if (&old.schema, &old.name) != (&new.schema, &new.name) {
                let from = crate::id::qualified(&old.schema, &old.name);
                out.push(Statement::new(format!("alter sequence {from} rename to {}", ident(&new.name))));
            }
            if old.always != new.always {
                let kind = if new.always { "always" } else { "by default" };
                out.push(Statement::new(format!("{column} set generated {kind}")));
            }
            out.extend(sequence::option_changes(
                &crate::id::qualified(&new.schema, &new.name),
                &old.sequence,
                &new.sequence,
            ));
            out
        }
        _ => Vec::new(),
    }
}

/// Storage, compression, statistics and planner's options.
fn extras(b: &Object, x: Option<&Column>, y: &Column) -> Vec<Statement> {
    let mut out = Vec::new();
    let kind = if y.relkind == 'm' { 'm' } else { y.relkind };
    let column = format!("{} alter column {}", alter_relation(kind, &b.id.relation()), ident(&b.id.sub));
    let storage = |it: char| match it {
        'p' => "plain",
        'e' => "external",
        'm' => "main",
        _ => "extended",
    };
    let (old, new) = (x.and_then(|it| it.storage), y.storage);
    if old != new {
        let storage = storage(new.unwrap_or(y.usual_storage));
        out.push(Statement::new(format!("{column} set storage {storage}")));
    }
    let (old, new) = (x.and_then(|it| it.compression), y.compression);
    if old != new {
        let method = match new {
            Some('p') => "pglz",
            Some('l') => "lz4",
            _ => "default",
        };
        out.push(Statement::new(format!("{column} set compression {method}")));
    }
    let (old, new) = (x.and_then(|it| it.statistics), y.statistics);
    if old != new {
        out.push(Statement::new(format!("{column} set statistics {}", new.unwrap_or(-1))));
    }
    let none = Vec::new();
    let (set, reset) = option_changes(x.map_or(&none, |it| &it.options), &y.options);
    if !set.is_empty() {
        out.push(Statement::new(format!("{column} set ({})", storage_options(&set))));
    }
    if !reset.is_empty() {
        out.push(Statement::new(format!("{column} reset ({})", reset.join(", "))));
    }
    out
}

//! Tables, views, materialized views, and tables that are parts of others.

use crate::id::{Id, Kind, qualified};
use crate::model::{Attach, Catalog, Object, Relation};
use crate::quote::ident;
use crate::statement::Statement;

use super::{Ctx, alter_relation, foreign, option_changes, storage_options, target};

pub(super) fn create(ctx: &Ctx<'_>, b: &Object, it: &Relation) -> Vec<Statement> {
    let name = b.id.qualified();
    match it.kind {
        'v' => vec![view(b, it, "create view")],
        'm' => {
            let mut sql = format!("create materialized view {name}");
            if let Some(method) = it.access_method.as_ref().filter(|it| *it != "heap") {
                sql.push_str(&format!(" using {}", ident(method)));
            }
            sql.push_str(&with_options(&it.options));
            sql.push_str(&format!(" as\n{}", query(it)));
            sql.push_str(if it.populated { "\nwith data" } else { "\nwith no data" });
            vec![Statement::new(sql)]
        }
        _ => create_table(ctx, b, it),
    }
}

fn query(it: &Relation) -> &str {
    it.definition.as_deref().unwrap_or_default().trim_end_matches(';')
}

fn view(b: &Object, it: &Relation, verb: &str) -> Statement {
    Statement::new(format!("{verb} {}{} as\n{}", b.id.qualified(), with_options(&it.options), query(it)))
}

fn with_options(options: &[String]) -> String {
    if options.is_empty() { String::new() } else { format!(" with ({})", storage_options(options)) }
}

fn table_options(it: &Relation) -> Vec<String> {
    let toast = it.toast_options.iter().map(|it| format!("toast.{it}"));
    it.options.iter().cloned().chain(toast).collect()
}

fn create_table(ctx: &Ctx<'_>, b: &Object, it: &Relation) -> Vec<Statement> {
    let name = b.id.qualified();
    let mut columns: Vec<_> = ctx.to.columns(&b.id).collect();
    columns.sort_by_key(|(_, it)| it.position);
    let lines: Vec<String> = columns
        .iter()
        .map(|(column, it)| {
            let id = Id::new(Kind::Column, &b.id.schema, &b.id.name, column);
            format!("    {}", super::column::definition(ctx, &id, it))
        })
        .collect();
    let body = if lines.is_empty() { "()".to_owned() } else { format!("(\n{}\n)", lines.join(",\n")) };
    let kind = match (it.kind, it.unlogged) {
        ('f', _) => "foreign table",
        (_, true) => "unlogged table",
        _ => "table",
    };
    let mut sql = format!("create {kind} {name} {body}");
    if let Some(key) = &it.partition_key {
        sql.push_str(&format!(" partition by {key}"));
    }
    if let Some(method) = it.access_method.as_ref().filter(|it| *it != "heap") {
        sql.push_str(&format!(" using {}", ident(method)));
    }
    sql.push_str(&with_options(&table_options(it)));
    if let Some(server) = &it.server {
        sql.push_str(&format!(" server {}", ident(server)));
        if !it.server_options.is_empty() {
            sql.push_str(&format!(" options ({})", foreign::options(&it.server_options)));
        }
    }
    let mut out = vec![Statement::new(sql)];
    if let Some(r#type) = &it.of_type {
        out.push(Statement::new(format!("alter table {name} of {type}")));
    }
    out.extend(security(&b.id, None, it));
    out
}

/// Row security and replica identity.
fn security(id: &Id, x: Option<&Relation>, y: &Relation) -> Vec<Statement> {
    let alter = alter_relation(y.kind, id);
    let mut out = Vec::new();
    if x.is_some_and(|it| it.row_security) != y.row_security {
        let verb = if y.row_security { "enable" } else { "disable" };
        out.push(Statement::new(format!("{alter} {verb} row level security")));
    }
    if x.is_some_and(|it| it.force_row_security) != y.force_row_security {
        let verb = if y.force_row_security { "force" } else { "no force" };
        out.push(Statement::new(format!("{alter} {verb} row level security")));
    }
    // An index as the identity is told with the index.
    if matches!(y.kind, 'r' | 'p') && x.map_or('d', |it| it.replica_identity) != y.replica_identity {
        let identity = match y.replica_identity {
            'f' => Some("full"),
            'n' => Some("nothing"),
            'd' => Some("default"),
            _ => None,
        };
        out.extend(identity.map(|it| Statement::new(format!("{alter} replica identity {it}"))));
    }
    out
}

pub(super) fn drop(ctx: &Ctx<'_>, a: &Object, it: &Relation) -> Vec<Statement> {
    let mut statement = Statement::new(format!("drop {}", target(a)));
    if it.has_rows() {
        let name = a.id.qualified();
        let what = match ctx.changes.creates(&a.id) {
            true => format!("table {name} is made anew and its rows are lost"),
            false => format!("table {name} and its rows are lost"),
        };
        statement = statement.destructive(what);
    }
    vec![statement]
}

pub(super) fn alter(ctx: &Ctx<'_>, b: &Object, x: &Relation, y: &Relation) -> Vec<Statement> {
    if y.imported {
        return security(&b.id, Some(x), y);
    }
    match y.kind {
        'v' => alter_view(ctx, b, x, y),
        _ => alter_table(b, x, y),
    }
}

fn alter_view(ctx: &Ctx<'_>, b: &Object, x: &Relation, y: &Relation) -> Vec<Statement> {
    let columns = |catalog: &Catalog| catalog.columns(&b.id).count();
    if x.definition != y.definition || columns(ctx.from) != columns(ctx.to) {
        return vec![view(b, y, "create or replace view")];
    }
    set_options(&alter_relation('v', &b.id), &x.options, &y.options)
}

fn set_options(alter: &str, from: &[String], to: &[String]) -> Vec<Statement> {
    let (set, reset) = option_changes(from, to);
    let mut out = Vec::new();
    if !reset.is_empty() {
        out.push(Statement::new(format!("{alter} reset ({})", reset.join(", "))));
    }
    if !set.is_empty() {
        out.push(Statement::new(format!("{alter} set ({})", storage_options(&set))));
    }
    out
}

fn alter_table(b: &Object, x: &Relation, y: &Relation) -> Vec<Statement> {
    let alter = alter_relation(y.kind, &b.id);
    let mut out = Vec::new();
    if x.of_type != y.of_type {
        out.push(match &y.of_type {
            Some(r#type) => Statement::new(format!("{alter} of {type}")),
            None => Statement::new(format!("{alter} not of")),
        });
    }
    if x.unlogged != y.unlogged {
        let kind = if y.unlogged { "unlogged" } else { "logged" };
        out.push(
            Statement::new(format!("{alter} set {kind}")).locks("rewrites the table; reads and writes wait"),
        );
    }
    if x.access_method != y.access_method
        && let Some(method) = &y.access_method
    {
        let sql = format!("{alter} set access method {}", ident(method));
        out.push(Statement::new(sql).locks("rewrites the table; reads and writes wait"));
    }
    out.extend(set_options(&alter, &table_options(x), &table_options(y)));
    out.extend(security(&b.id, Some(x), y));
    if x.clustered && !y.clustered {
        out.push(Statement::new(format!("{alter} set without cluster")));
    }
    if x.server_options != y.server_options {
        let changes = foreign::option_changes(&x.server_options, &y.server_options);
        out.push(Statement::new(format!("{alter} options ({changes})")));
    }
    if y.kind == 'm' && x.populated != y.populated {
        let data = if y.populated { "" } else { " with no data" };
        out.push(Statement::new(format!("refresh materialized view {}{data}", b.id.qualified())));
    }
    out
}

fn table_word(it: &Attach) -> &'static str {
    if it.foreign && it.bound.is_none() { "foreign table" } else { "table" }
}

pub(super) fn attach(b: &Object, it: &Attach) -> Vec<Statement> {
    let (child, parent) = (b.id.qualified(), qualified(&it.parent_schema, &it.parent));
    vec![match &it.bound {
        Some(bound) => Statement::new(format!("alter table {parent} attach partition {child} {bound}"))
            .locks(
                "reads the partition unless a check shows where its rows belong; its reads and writes wait",
            ),
        None => Statement::new(format!("alter {} {child} inherit {parent}", table_word(it))),
    }]
}

pub(super) fn detach(a: &Object, it: &Attach) -> Vec<Statement> {
    let (child, parent) = (a.id.qualified(), qualified(&it.parent_schema, &it.parent));
    vec![Statement::new(match &it.bound {
        Some(_) => format!("alter table {parent} detach partition {child}"),
        None => format!("alter {} {child} no inherit {parent}", table_word(it)),
    })]
}

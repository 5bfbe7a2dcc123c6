//! Enums, composites, domains, ranges and collations.

use crate::compare;
use crate::id::{Id, Kind, qualified};
use crate::model::{Attribute, Body, Collation, DomainConstraint, Object, Type};
use crate::quote::{ident, literal};
use crate::statement::{Stage, Statement};

use super::{Ctx, target};
use crate::change::Change;

/// The name that a type has while another one takes its place.
fn passing_name(name: &str) -> String {
    let mut end = name.len().min(52);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}_pgapp_old", &name[..end])
}

fn is_replaced(ctx: &Ctx<'_>, id: &Id) -> bool {
    ctx.changes.get(id) == Some(Change::Replace)
}

pub(super) fn create(ctx: &Ctx<'_>, b: &Object, it: &Type) -> Vec<Statement> {
    let name = b.id.qualified();
    let mut out = Vec::new();
    if is_replaced(ctx, &b.id)
        && let Some(old) = ctx.from.objects.get(&b.id)
    {
        out.push(Statement::new(format!(
            "alter {} rename to {}",
            target(old),
            ident(&passing_name(&b.id.name))
        )));
    }
    let sql = match it.kind {
        'e' => {
            let labels: Vec<String> = it.labels.iter().map(|it| literal(it)).collect();
            format!("create type {name} as enum ({})", labels.join(", "))
        }
        'd' => {
            let mut sql = format!("create domain {name} as {}", it.base.as_deref().unwrap_or_default());
            if let Some(collation) = &it.collation {
                sql.push_str(&format!(" collate {collation}"));
            }
            if let Some(default) = &it.default {
                sql.push_str(&format!(" default {default}"));
            }
            if it.not_null {
                sql.push_str(" not null");
            }
            sql
        }
        'r' => format!("create type {name} as range ({})", range_parts(&b.id, it).join(", ")),
        _ => {
            let attributes: Vec<String> = it.attributes.iter().map(attribute).collect();
            format!("create type {name} as ({})", attributes.join(", "))
        }
    };
    out.push(Statement::new(sql));
    for it in &it.attributes {
        if it.comment.is_some() {
            out.push(attribute_comment(b, it));
        }
    }
    out
}

fn attribute(it: &Attribute) -> String {
    let collation = it.collation.as_ref().map_or(String::new(), |it| format!(" collate {it}"));
    format!("{} {}{collation}", ident(&it.name), it.r#type)
}

fn attribute_comment(b: &Object, it: &Attribute) -> Statement {
    let text = it.comment.as_ref().map_or("null".to_owned(), |it| literal(it));
    Statement::new(format!("comment on column {}.{} is {text}", b.id.qualified(), ident(&it.name)))
}

fn range_parts(id: &Id, it: &Type) -> Vec<String> {
    let Some(range) = &it.range else { return Vec::new() };
    let mut parts = vec![format!("subtype = {}", range.subtype)];
    let mut part = |name: &str, value: &Option<String>| {
        if let Some(value) = value {
            parts.push(format!("{name} = {value}"));
        }
    };
    part("subtype_opclass", &range.opclass);
    part("collation", &range.collation);
    part("canonical", &range.canonical);
    part("subtype_diff", &range.subtype_diff);
    let (schema, name) = &range.multirange;
    let usual = match id.name.contains("range") {
        true => id.name.replacen("range", "multirange", 1),
        false => format!("{}_multirange", id.name),
    };
    if *schema != id.schema || *name != usual {
        parts.push(format!("multirange_type_name = {}", qualified(schema, name)));
    }
    parts
}

pub(super) fn drop(ctx: &Ctx<'_>, a: &Object) -> Vec<Statement> {
    if !is_replaced(ctx, &a.id) {
        return vec![Statement::new(format!("drop {}", target(a)))];
    }
    let kind = if matches!(&a.body, Body::Type(it) if it.kind == 'd') { "domain" } else { "type" };
    vec![Statement::new(format!("drop {kind} {}", qualified(&a.id.schema, &passing_name(&a.id.name))))]
}

pub(super) fn alter(ctx: &Ctx<'_>, b: &Object, x: &Type, y: &Type) -> Vec<Statement> {
    match y.kind {
        'e' => add_labels(b, x, y),
        'd' => alter_domain(b, x, y),
        'c' => alter_composite(ctx, b, x, y),
        _ => Vec::new(),
    }
}

fn add_labels(b: &Object, x: &Type, y: &Type) -> Vec<Statement> {
    let name = b.id.qualified();
    let mut out = Vec::new();
    let mut before: Option<&String> = None;
    // The old labels stand in their order among the new ones: each new one follows what is there by then.
    for label in &y.labels {
        if !x.labels.contains(label) {
            let place = match before {
                Some(it) => format!(" after {}", literal(it)),
                None => x.labels.first().map_or(String::new(), |it| format!(" before {}", literal(it))),
            };
            let sql = format!("alter type {name} add value {}{place}", literal(label));
            out.push(Statement::new(sql).at(Stage::Labels));
        }
        before = Some(label);
    }
    out
}

fn alter_domain(b: &Object, x: &Type, y: &Type) -> Vec<Statement> {
    let alter = format!("alter domain {}", b.id.qualified());
    let mut out = Vec::new();
    if x.default != y.default {
        out.push(Statement::new(match &y.default {
            Some(it) => format!("{alter} set default {it}"),
            None => format!("{alter} drop default"),
        }));
    }
    if x.not_null != y.not_null {
        let verb = if y.not_null { "set" } else { "drop" };
        let statement = Statement::new(format!("{alter} {verb} not null"));
        let note = "reads the tables that use it; their writes wait";
        out.push(if y.not_null { statement.locks(note) } else { statement });
    }
    out
}

fn alter_composite(ctx: &Ctx<'_>, b: &Object, x: &Type, y: &Type) -> Vec<Statement> {
    let alter = format!("alter type {}", b.id.qualified());
    let mut out = Vec::new();
    let find = |list: &[Attribute], name: &str| list.iter().find(|it| it.name == name).cloned();
    for old in x.attributes.iter().filter(|it| find(&y.attributes, &it.name).is_none()) {
        let statement = Statement::new(format!("{alter} drop attribute {} cascade", ident(&old.name)));
        let stored = ctx.from.objects.get(&b.id).is_some_and(|it| compare::in_columns(ctx.from, it));
        let what = format!("attribute {}.{} and its values are lost", b.id.qualified(), ident(&old.name));
        out.push(if stored { statement.destructive(what) } else { statement });
    }
    for new in &y.attributes {
        match find(&x.attributes, &new.name) {
            None => out.push(Statement::new(format!("{alter} add attribute {} cascade", attribute(new)))),
            Some(old) if attribute(&old) != attribute(new) => {
                let text = attribute(new).replacen(&ident(&new.name), "", 1);
                out.push(Statement::new(format!(
                    "{alter} alter attribute {} type{text} cascade",
                    ident(&new.name)
                )));
            }
            Some(_) => {}
        }
    }
    for new in &y.attributes {
        if find(&x.attributes, &new.name).and_then(|it| it.comment) != new.comment {
            out.push(attribute_comment(b, new));
        }
    }
    out
}

pub(super) fn create_check(ctx: &Ctx<'_>, b: &Object, it: &DomainConstraint) -> Vec<Statement> {
    let domain = Id::new(Kind::Type, &b.id.schema, &b.id.name, "");
    let alter = format!("alter domain {}", b.id.qualified());
    let name = ident(&b.id.sub);
    let sql = format!("{alter} add constraint {name} {}", it.definition);
    if ctx.changes.creates(&domain) || !it.valid {
        return vec![Statement::new(sql)];
    }
    vec![
        Statement::new(format!("{sql} not valid")),
        Statement::new(format!("{alter} validate constraint {name}")).at(Stage::Validate),
    ]
}

pub(super) fn alter_check(b: &Object, x: &DomainConstraint, y: &DomainConstraint) -> Vec<Statement> {
    if x.valid || !y.valid {
        return Vec::new();
    }
    let (domain, name) = (b.id.qualified(), ident(&b.id.sub));
    vec![Statement::new(format!("alter domain {domain} validate constraint {name}")).at(Stage::Validate)]
}

pub(super) fn create_collation(b: &Object, it: &Collation) -> Vec<Statement> {
    let mut parts = Vec::new();
    let provider = match it.provider.as_str() {
        "i" => "icu",
        "b" => "builtin",
        _ => "libc",
    };
    parts.push(format!("provider = {provider}"));
    match (&it.locale, &it.collate, &it.ctype) {
        (Some(locale), _, _) => parts.push(format!("locale = {}", literal(locale))),
        (None, collate, ctype) => {
            parts.extend(collate.iter().map(|it| format!("lc_collate = {}", literal(it))));
            parts.extend(ctype.iter().map(|it| format!("lc_ctype = {}", literal(it))));
        }
    }
    if !it.deterministic {
        parts.push("deterministic = false".to_owned());
    }
    parts.extend(it.rules.iter().map(|it| format!("rules = {}", literal(it))));
    vec![Statement::new(format!("create collation {} ({})", b.id.qualified(), parts.join(", ")))]
}

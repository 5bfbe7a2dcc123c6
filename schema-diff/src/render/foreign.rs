//! Extensions, foreign data wrappers, servers and user mappings.

use crate::model::{Extension, Mapping, Object, Server, Wrapper};
use crate::quote::{ident, literal};
use crate::statement::Statement;

use super::target;

/// Options as `options (…)` takes them.
pub(super) fn options(list: &[String]) -> String {
    list.iter().map(|it| pair(it)).collect::<Vec<_>>().join(", ")
}

fn pair(option: &str) -> String {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    format!("{} {}", ident(name), literal(value))
}

/// `add`, `set` and `drop` between two lists of options.
pub(super) fn option_changes(from: &[String], to: &[String]) -> String {
    let name = |it: &String| it.split_once('=').map_or(it.clone(), |(name, _)| name.to_owned());
    let had = |it: &String| from.iter().any(|old| name(old) == name(it));
    let mut parts: Vec<String> = from
        .iter()
        .filter(|old| !to.iter().any(|new| name(new) == name(old)))
        .map(|it| format!("drop {}", ident(&name(it))))
        .collect();
    parts.extend(to.iter().filter(|it| !from.contains(it)).map(|it| {
        let verb = if had(it) { "set" } else { "add" };
        format!("{verb} {}", pair(it))
    }));
    parts.join(", ")
}

fn with_options(mut sql: String, list: &[String]) -> String {
    if !list.is_empty() {
        sql.push_str(&format!(" options ({})", options(list)));
    }
    sql
}

pub(super) fn create_extension(b: &Object, it: &Extension) -> Vec<Statement> {
    vec![Statement::new(format!("create extension {} schema {}", ident(&b.id.name), ident(&it.schema)))]
}

pub(super) fn alter_extension(b: &Object, x: &Extension, y: &Extension) -> Vec<Statement> {
    let name = ident(&b.id.name);
    let mut out = Vec::new();
    if x.schema != y.schema {
        out.push(Statement::new(format!("alter extension {name} set schema {}", ident(&y.schema))));
    }
    if x.version != y.version {
        out.push(Statement::new(format!("alter extension {name} update to {}", literal(&y.version))));
    }
    out
}

fn wrapper_functions(it: &Wrapper) -> String {
    let part = |what: &str, name: &Option<String>| match name {
        Some(name) => format!(" {what} {name}"),
        None => format!(" no {what}"),
    };
    part("handler", &it.handler) + &part("validator", &it.validator)
}

pub(super) fn create_wrapper(b: &Object, it: &Wrapper) -> Vec<Statement> {
    let sql = format!("create foreign data wrapper {}{}", ident(&b.id.name), wrapper_functions(it));
    vec![Statement::new(with_options(sql, &it.options))]
}

pub(super) fn alter_wrapper(b: &Object, x: &Wrapper, y: &Wrapper) -> Vec<Statement> {
    if x == y {
        return Vec::new();
    }
    let mut sql = format!("alter foreign data wrapper {}", ident(&b.id.name));
    if (&x.handler, &x.validator) != (&y.handler, &y.validator) {
        sql.push_str(&wrapper_functions(y));
    }
    if x.options != y.options {
        sql.push_str(&format!(" options ({})", option_changes(&x.options, &y.options)));
    }
    vec![Statement::new(sql)]
}

pub(super) fn create_server(b: &Object, it: &Server) -> Vec<Statement> {
    let mut sql = format!("create server {}", ident(&b.id.name));
    if let Some(r#type) = &it.r#type {
        sql.push_str(&format!(" type {}", literal(r#type)));
    }
    if let Some(version) = &it.version {
        sql.push_str(&format!(" version {}", literal(version)));
    }
    sql.push_str(&format!(" foreign data wrapper {}", ident(&it.wrapper)));
    vec![Statement::new(with_options(sql, &it.options))]
}

pub(super) fn alter_server(b: &Object, x: &Server, y: &Server) -> Vec<Statement> {
    if x == y {
        return Vec::new();
    }
    let mut sql = format!("alter server {}", ident(&b.id.name));
    if x.version != y.version {
        sql.push_str(&format!(" version {}", y.version.as_deref().map_or("null".to_owned(), literal)));
    }
    if x.options != y.options {
        sql.push_str(&format!(" options ({})", option_changes(&x.options, &y.options)));
    }
    vec![Statement::new(sql)]
}

const SECRET: &str = "holds a password: keep the file out of public places";

fn has_password(list: &[String]) -> bool {
    list.iter().any(|it| it.starts_with("password="))
}

pub(super) fn create_mapping(b: &Object, it: &Mapping) -> Vec<Statement> {
    let statement = Statement::new(with_options(format!("create {}", target(b)), &it.options));
    vec![if has_password(&it.options) { statement.remark(SECRET) } else { statement }]
}

pub(super) fn alter_mapping(b: &Object, x: &Mapping, y: &Mapping) -> Vec<Statement> {
    if x == y {
        return Vec::new();
    }
    let changes = option_changes(&x.options, &y.options);
    let statement = Statement::new(format!("alter {} options ({changes})", target(b)));
    vec![if has_password(&y.options) { statement.remark(SECRET) } else { statement }]
}

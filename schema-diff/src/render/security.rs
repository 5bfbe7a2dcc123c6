//! Policies, rules, triggers and event triggers.

use crate::acl;
use crate::id::Id;
use crate::model::{EventTrigger, Object, Policy, Rule, Trigger};
use crate::quote::{ident, literal};
use crate::statement::Statement;

use super::{Ctx, alter_relation};

pub(super) fn create_policy(ctx: &Ctx<'_>, b: &Object, it: &Policy) -> Vec<Statement> {
    let mut sql = format!("create policy {} on {}", ident(&b.id.sub), b.id.qualified());
    if !it.permissive {
        sql.push_str(" as restrictive");
    }
    let command = match it.command {
        'r' => " for select",
        'a' => " for insert",
        'w' => " for update",
        'd' => " for delete",
        _ => "",
    };
    sql.push_str(command);
    sql.push_str(&policy_parts(ctx, it));
    vec![Statement::new(sql)]
}

fn policy_parts(ctx: &Ctx<'_>, it: &Policy) -> String {
    let roles: Vec<String> = it.roles.iter().map(|role| acl::role(role, &ctx.to.user)).collect();
    let mut sql = format!(" to {}", roles.join(", "));
    if let Some(using) = &it.using {
        sql.push_str(&format!(" using ({using})"));
    }
    if let Some(check) = &it.check {
        sql.push_str(&format!(" with check ({check})"));
    }
    sql
}

pub(super) fn alter_policy(ctx: &Ctx<'_>, b: &Object, x: &Policy, y: &Policy) -> Vec<Statement> {
    if x == y {
        return Vec::new();
    }
    let name = format!("{} on {}", ident(&b.id.sub), b.id.qualified());
    vec![Statement::new(format!("alter policy {name}{}", policy_parts(ctx, y)))]
}

pub(super) fn create_rule(b: &Object, it: &Rule) -> Vec<Statement> {
    let mut out = vec![Statement::new(it.definition.trim_end().trim_end_matches(';'))];
    out.extend(enabled(&b.id, "rule", it.relkind, 'O', it.enabled));
    out
}

pub(super) fn alter_rule(b: &Object, x: &Rule, y: &Rule) -> Vec<Statement> {
    enabled(&b.id, "rule", y.relkind, x.enabled, y.enabled).into_iter().collect()
}

pub(super) fn create_trigger(b: &Object, it: &Trigger) -> Vec<Statement> {
    let mut out = vec![Statement::new(it.definition.clone())];
    out.extend(enabled(&b.id, "trigger", it.relkind, 'O', it.enabled));
    out
}

pub(super) fn alter_trigger(b: &Object, x: &Trigger, y: &Trigger) -> Vec<Statement> {
    enabled(&b.id, "trigger", y.relkind, x.enabled, y.enabled).into_iter().collect()
}

/// When a trigger or rule fires.
fn enabled(id: &Id, what: &str, relkind: char, x: char, y: char) -> Option<Statement> {
    // Views take no such clause by their own command, but by that of tables.
    let relkind = if relkind == 'f' { 'f' } else { 'r' };
    let alter = alter_relation(relkind, &id.relation());
    (x != y).then(|| Statement::new(format!("{alter} {} {what} {}", mode(y), ident(&id.sub))))
}

fn mode(it: char) -> &'static str {
    match it {
        'D' => "disable",
        'A' => "enable always",
        'R' => "enable replica",
        _ => "enable",
    }
}

pub(super) fn create_event_trigger(b: &Object, it: &EventTrigger) -> Vec<Statement> {
    let name = ident(&b.id.name);
    let mut sql = format!("create event trigger {name} on {}", it.event);
    if !it.tags.is_empty() {
        let tags: Vec<String> = it.tags.iter().map(|it| literal(it)).collect();
        sql.push_str(&format!(" when tag in ({})", tags.join(", ")));
    }
    sql.push_str(&format!(" execute function {}()", it.function));
    let mut out = vec![Statement::new(sql)];
    if it.enabled != 'O' {
        out.push(Statement::new(format!("alter event trigger {name} {}", mode(it.enabled))));
    }
    out
}

pub(super) fn alter_event_trigger(b: &Object, x: &EventTrigger, y: &EventTrigger) -> Vec<Statement> {
    if x.enabled == y.enabled {
        return Vec::new();
    }
    vec![Statement::new(format!("alter event trigger {} {}", ident(&b.id.name), mode(y.enabled)))]
}

//! Functions, procedures and aggregates.

use crate::id::Id;
use crate::model::{Aggregate, Object, Routine};
use crate::quote::literal;
use crate::statement::Statement;

/// A routine after `drop`, `alter` or `comment on`.
pub(super) fn target(id: &Id, it: &Routine) -> String {
    match it.kind {
        'p' => format!("procedure {id}"),
        'a' => format!("aggregate {}({})", id.qualified(), aggregate_arguments(it)),
        _ => format!("function {id}"),
    }
}

/// Rights on an aggregate are those on a function.
pub(super) fn grant_target(id: &Id) -> String {
    format!("function {id}")
}

fn aggregate_arguments(it: &Routine) -> &str {
    if it.identity_arguments.is_empty() { "*" } else { &it.identity_arguments }
}

pub(super) fn create(b: &Object, it: &Routine) -> Vec<Statement> {
    let sql = match (&it.definition, &it.aggregate) {
        (Some(definition), _) => definition.trim_end().to_owned(),
        (None, Some(aggregate)) => create_aggregate(&b.id, it, aggregate),
        (None, None) => return Vec::new(),
    };
    vec![Statement::new(sql)]
}

fn create_aggregate(id: &Id, routine: &Routine, it: &Aggregate) -> String {
    let mut parts =
        vec![format!("sfunc = {}", it.sfunc.as_deref().unwrap_or_default()), format!("stype = {}", it.stype)];
    let mut text = |name: &str, value: &Option<String>| {
        if let Some(value) = value {
            parts.push(format!("{name} = {value}"));
        }
    };
    text("finalfunc", &it.finalfunc);
    text("combinefunc", &it.combinefunc);
    text("serialfunc", &it.serialfunc);
    text("deserialfunc", &it.deserialfunc);
    text("msfunc", &it.msfunc);
    text("minvfunc", &it.minvfunc);
    text("mstype", &it.mstype);
    text("mfinalfunc", &it.mfinalfunc);
    text("sortop", &it.sortop);
    text("initcond", &it.initcond.as_deref().map(literal));
    text("minitcond", &it.minitcond.as_deref().map(literal));
    let usual = if it.kind == 'n' { 'r' } else { 'w' };
    let modify = |it: char| match it {
        'r' => "read_only",
        's' => "shareable",
        _ => "read_write",
    };
    if it.sspace != 0 {
        parts.push(format!("sspace = {}", it.sspace));
    }
    if it.msspace != 0 {
        parts.push(format!("msspace = {}", it.msspace));
    }
    if it.finalfunc_extra {
        parts.push("finalfunc_extra".to_owned());
    }
    if it.mfinalfunc_extra {
        parts.push("mfinalfunc_extra".to_owned());
    }
    if it.finalfunc.is_some() && it.finalfunc_modify != usual {
        parts.push(format!("finalfunc_modify = {}", modify(it.finalfunc_modify)));
    }
    if it.mfinalfunc.is_some() && it.mfinalfunc_modify != usual {
        parts.push(format!("mfinalfunc_modify = {}", modify(it.mfinalfunc_modify)));
    }
    match it.parallel {
        's' => parts.push("parallel = safe".to_owned()),
        'r' => parts.push("parallel = restricted".to_owned()),
        _ => {}
    }
    if it.kind == 'h' {
        parts.push("hypothetical".to_owned());
    }
    let arguments = if routine.arguments.is_empty() { "*" } else { &routine.arguments };
    format!("create aggregate {}({arguments}) (\n    {}\n)", id.qualified(), parts.join(",\n    "))
}

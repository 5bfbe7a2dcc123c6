//! What was seen of the migrations → findings with their places. Pure.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use crate::leaks::Leak;
use crate::locks::{self, Found};
use crate::replay::{Moment, Replay};
use crate::rules::{Rule, fill};
use crate::script::{Kind, Script};

/// A fault, with its place and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Code of the rule.
    pub code: &'static str,
    /// Path of the migration.
    pub file: String,
    /// Line in it; 1 is the first.
    pub line: usize,
    /// What it is about, such as a table.
    pub object: String,
    /// What is the matter and why it is a fault.
    pub reason: String,
    /// What to write instead.
    pub fix: String,
    /// The rule.
    #[serde(skip)]
    pub rule: Rule,
}

/// All findings, by file and line; those that a comment allows are left out.
pub fn findings(scripts: &[Script], replay: &Replay) -> Vec<Finding> {
    let mut placed: Vec<((usize, usize), Found)> = Vec::new();
    for (file, (script, seen)) in scripts.iter().zip(&replay.seen).enumerate() {
        placed.extend(locks::check(script, seen).into_iter().map(|(at, found)| ((file, at), found)));
        placed.extend(routine_grants(script, &replay.public_routines).map(|(at, found)| ((file, at), found)));
    }
    placed.extend(leaks(scripts, &replay.moments));
    placed.retain(|((file, at), found)| {
        let allows = scripts.get(*file).and_then(|it| it.statements.get(*at)).map(|it| &it.allows);
        !allows.is_some_and(|it| it.iter().any(|code| code == found.rule.code()))
    });
    placed.sort_by(|(a, x), (b, y)| (a.0, x.line, x.rule, &x.object).cmp(&(b.0, y.line, y.rule, &y.object)));
    placed
        .into_iter()
        .filter_map(|((file, _), found)| {
            let info = found.rule.info();
            let known: Vec<(&str, &str)> =
                found.known.iter().map(|(key, value)| (*key, value.as_str())).collect();
            Some(Finding {
                code: info.code,
                file: scripts.get(file)?.path.clone(),
                line: found.line,
                reason: format!("{}; {}", found.does, info.why),
                fix: fill(info.fix, &known),
                object: found.object,
                rule: found.rule,
            })
        })
        .collect()
}

/// The leaks that are there in the end, each at the statement that brought it up for the last time. What was there
/// before the first migration is not the application's.
fn leaks(scripts: &[Script], moments: &[Moment]) -> Vec<((usize, usize), Found)> {
    let Some(last) = moments.last() else { return Vec::new() };
    let mut by_place: BTreeMap<(usize, usize, Rule), Vec<&Leak>> = BTreeMap::new();
    for leak in &last.leaks {
        let is_there =
            |it: &&Moment| it.leaks.iter().any(|other| (other.rule, other.key) == (leak.rule, leak.key));
        let since = moments.iter().rev().take_while(is_there).last();
        if let Some((file, at)) = since.and_then(|it| it.after) {
            by_place.entry((file, at, leak.rule)).or_default().push(leak);
        }
    }
    let line = |file: usize, at: usize| {
        scripts.get(file).and_then(|it| it.statements.get(at)).map_or(1, |it| it.line)
    };
    let mut out = Vec::new();
    for ((file, at, rule), leaks) in by_place {
        match (rule, &leaks[..]) {
            // One grant reaches many things.
            (Rule::GrantToPublic, [first, _, ..]) => {
                out.push(((file, at), many(first, &leaks, line(file, at))));
            }
            _ => out.extend(leaks.iter().map(|it| {
                let found = Found {
                    rule,
                    line: line(file, at),
                    object: it.object.clone(),
                    does: it.does.clone(),
                    known: it.known.clone(),
                };
                ((file, at), found)
            })),
        }
    }
    out
}

fn many(first: &Leak, leaks: &[&Leak], line: usize) -> Found {
    let schemas: HashSet<&str> = leaks.iter().map(|it| it.schema.as_str()).collect();
    let whole = if schemas.len() == 1 { format!("{}.*", first.schema) } else { "several schemas".to_owned() };
    Found {
        rule: first.rule,
        line,
        does: format!("{}, and so on {} more", first.does, leaks.len() - 1),
        object: whole,
        known: Vec::new(),
    }
}

/// Grants of routines, types and the like to PUBLIC. The catalog does not tell them from what PUBLIC may do anyway; one
/// that was taken back counts as never made.
fn routine_grants<'a>(
    script: &'a Script,
    public_routines: &'a HashSet<String>,
) -> impl Iterator<Item = (usize, Found)> + 'a {
    script.statements.iter().enumerate().flat_map(move |(at, statement)| {
        statement.actions.iter().filter(|it| it.kind == Kind::GrantToPublic).filter_map(move |action| {
            let object = action.name.clone().unwrap_or_default();
            let is_left = action.target.as_deref().is_none_or(|it| is_public(it, public_routines));
            is_left.then(|| {
                let found = Found {
                    rule: Rule::GrantToPublic,
                    line: action.line,
                    does: format!("`{object}` is granted to PUBLIC"),
                    object,
                    known: Vec::new(),
                };
                (at, found)
            })
        })
    })
}

/// Whether PUBLIC may run the routine `written`, or one of the schema `written` before `.*`.
fn is_public(written: &str, public_routines: &HashSet<String>) -> bool {
    if let Some(schema) = written.strip_suffix('*') {
        return public_routines
            .iter()
            .any(|it| it.starts_with(&schema.to_lowercase()) || it.starts_with(schema));
    }
    let same = |it: &String| {
        let name = if written.contains('.') { it.as_str() } else { it.split_once('.').map_or("", |it| it.1) };
        name == written || name == written.to_lowercase()
    };
    public_routines.iter().any(same)
}

#[cfg(test)]
mod tests;

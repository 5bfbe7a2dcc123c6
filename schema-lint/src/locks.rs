//! Statement and what the server did → findings about locks and rewrites. Pure.
//!
//! A relation counts as existing, and so perhaps as large, when it was there before the migration began.

use std::collections::{HashMap, HashSet};

use crate::events::Event;
use crate::rules::Rule;
use crate::script::{Action, Kind, LockMode, Script, Statement};

/// A relation, or a domain, that a statement names, as it was before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relation {
    /// Object id.
    pub oid: u32,
    /// Qualified name.
    pub name: String,
    /// Postgres's letter for its kind; `d` for a domain.
    pub kind: char,
    /// Whether it was there before the migration.
    pub is_old: bool,
    /// The table of an index.
    pub table: Option<String>,
    /// Whether an index belongs to a constraint, and so cannot be dropped by itself.
    pub is_of_constraint: bool,
    /// Whether a materialized view has content.
    pub is_populated: bool,
    /// Whether a partitioned table has a default partition.
    pub has_default_partition: bool,
    /// Whether a table that was there before the migration has a column of this domain.
    pub is_used: bool,
}

/// What was seen of a statement.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// What its actions name, by the text that names it.
    pub relations: HashMap<String, Relation>,
    /// What the server did, on tables that were there before the migration.
    pub events: Vec<Event>,
}

/// A finding without its place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which rule.
    pub rule: Rule,
    /// Line in the file.
    pub line: usize,
    /// What it is about.
    pub object: String,
    /// What it does, as a clause.
    pub does: String,
    /// What the fix may name.
    pub known: Vec<(&'static str, String)>,
}

/// All findings of a migration about locks, with the index of their statement.
pub fn check(script: &Script, seen: &[Seen]) -> Vec<(usize, Found)> {
    let mut out = Vec::new();
    // Constraints that this migration added without validating them: (table, name).
    let mut not_valid: HashSet<(u32, String)> = HashSet::new();
    for (at, (statement, seen)) in script.statements.iter().zip(seen).enumerate() {
        let mut told: HashSet<Rule> = HashSet::new();
        for found in statement_findings(script, statement, seen, &mut not_valid) {
            // Several columns of one statement share the rewrite: the first one is shown.
            if told.insert(found.rule) {
                out.push((at, found));
            }
        }
    }
    out
}

fn statement_findings(
    script: &Script,
    statement: &Statement,
    seen: &Seen,
    not_valid: &mut HashSet<(u32, String)>,
) -> Vec<Found> {
    let done = Done::of(&seen.events);
    let mut out = Vec::new();
    for action in &statement.actions {
        let relation = action.target.as_ref().and_then(|it| seen.relations.get(it));
        if let (Kind::NotValid, Some(relation), Some(name)) = (action.kind, relation, &action.name) {
            not_valid.insert((relation.oid, plain(name)));
        }
        let added_here = |it: &Relation| {
            let name = action.name.as_deref().map(plain).unwrap_or_default();
            script.is_transactional && not_valid.contains(&(it.oid, name))
        };
        let rule = match (relation, &action.target) {
            (Some(relation), _) => rule_of(action.kind, relation, done, added_here(relation)),
            // Without a target it is done to all there are.
            (None, None) => match action.kind {
                Kind::VacuumFull => Some(Rule::VacuumFull),
                Kind::Reindex => Some(Rule::ReindexNotConcurrent),
                _ => None,
            },
            // `IF EXISTS`, and it does not.
            (None, Some(_)) => None,
        };
        out.extend(rule.map(|rule| found(rule, action, relation)));
    }
    let is_explained =
        |rules: &[Rule]| statement.actions.iter().any(|_| out.iter().any(|it| rules.contains(&it.rule)));
    let text = script.sql(statement);
    let mut more = Vec::new();
    if done.rewrites && !statement.actions.iter().any(|it| it.kind == Kind::VacuumFull) {
        let by = [
            Rule::ColumnTypeRewrite,
            Rule::ColumnVolatileDefault,
            Rule::ColumnGeneratedStored,
            Rule::ColumnSequence,
            Rule::PersistenceRewrite,
            Rule::StorageRewrite,
        ];
        if !is_explained(&by) {
            more.push(Rule::TableRewrite);
        }
    }
    if statement.is_opaque {
        more.extend((done.builds && !done.rewrites).then_some(Rule::IndexNotConcurrent));
        more.extend(done.verifies.then_some(Rule::TableScan));
        more.extend(done.validates.then_some(Rule::ForeignKeyValidated));
    }
    out.extend(more.into_iter().map(|rule| Found {
        rule,
        line: statement.line,
        object: tables_of(&seen.events).unwrap_or_else(|| first_words(text)),
        does: format!("`{}` does it", first_words(text)),
        known: Vec::new(),
    }));
    out
}

/// What the server did to tables that were there before, in short.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    rewrites: bool,
    verifies: bool,
    builds: bool,
    validates: bool,
}

impl Done {
    fn of(events: &[Event]) -> Self {
        let mut done = Self::default();
        for event in events {
            match event {
                Event::Rewrite { .. } => done.rewrites = true,
                Event::Verify { .. } => done.verifies = true,
                Event::Build { .. } => done.builds = true,
                Event::ValidateForeignKey => done.validates = true,
            }
        }
        done
    }
}

/// The rule that an action on this relation breaks, given what the server did.
fn rule_of(kind: Kind, relation: &Relation, done: Done, is_added_here: bool) -> Option<Rule> {
    if !relation.is_old && kind != Kind::DomainConstraint {
        return None;
    }
    let when = |holds: bool, rule: Rule| holds.then_some(rule);
    match kind {
        Kind::CreateIndex => when(done.builds, Rule::IndexNotConcurrent),
        // An index of a partitioned table, or of a constraint, cannot be dropped concurrently.
        Kind::DropIndex => {
            when(relation.kind == 'i' && !relation.is_of_constraint, Rule::DropIndexNotConcurrent)
        }
        Kind::Reindex => Some(Rule::ReindexNotConcurrent),
        Kind::Refresh => when(relation.is_populated, Rule::RefreshNotConcurrent),
        Kind::VacuumFull => Some(Rule::VacuumFull),
        Kind::LockTable(_) => Some(Rule::ExplicitLock),
        Kind::EveryRow => when(matches!(relation.kind, 'r' | 'p'), Rule::EveryRow),
        Kind::DomainConstraint => when(relation.is_used, Rule::DomainConstraint),
        // Where only a check constraint of the column is checked anew, the table is read, not written: no finding.
        Kind::ColumnType => when(done.rewrites || done.builds, Rule::ColumnTypeRewrite),
        Kind::SetNotNull => when(done.verifies, Rule::SetNotNull),
        Kind::ColumnDefault => when(done.rewrites, Rule::ColumnVolatileDefault),
        Kind::ColumnGenerated => when(done.rewrites, Rule::ColumnGeneratedStored),
        Kind::ColumnSequence => when(done.rewrites, Rule::ColumnSequence),
        Kind::ColumnRequired => when(done.verifies || done.rewrites, Rule::ColumnRequired),
        Kind::Check => when(done.verifies, Rule::CheckValidated),
        Kind::ForeignKey => when(done.validates, Rule::ForeignKeyValidated),
        Kind::Unique => when(done.builds && !done.rewrites, Rule::UniqueBuildsIndex),
        Kind::Exclusion => when(done.builds && !done.rewrites, Rule::ExclusionConstraint),
        Kind::NotValid | Kind::GrantToPublic => None,
        Kind::Validate => when(is_added_here, Rule::ValidateInSameTransaction),
        Kind::Persistence => when(done.rewrites, Rule::PersistenceRewrite),
        Kind::AccessMethod => when(done.rewrites, Rule::StorageRewrite),
        Kind::Tablespace => Some(Rule::StorageRewrite),
        Kind::Attach => when(done.verifies || done.builds, Rule::AttachPartitionScan),
        // Not possible concurrently beside a default partition.
        Kind::Detach => when(!relation.has_default_partition, Rule::DetachPartition),
    }
}

fn found(rule: Rule, action: &Action, relation: Option<&Relation>) -> Found {
    let object = relation.map_or_else(|| "every table".to_owned(), |it| it.name.clone());
    let table = relation.and_then(|it| it.table.clone()).unwrap_or_else(|| object.clone());
    let name = action.name.clone();
    let does = match (action.kind, &name) {
        (Kind::LockTable(LockMode::AccessExclusive), _) => {
            format!("reads and writes of `{object}` are blocked")
        }
        (Kind::LockTable(LockMode::Writes), _) => format!("writes to `{object}` are blocked"),
        (_, Some(name)) if action.kind != Kind::Attach => format!("`{name}` on `{object}`"),
        _ => format!("on `{object}`"),
    };
    let mut known = vec![("object", object.clone()), ("table", table)];
    known.extend(name.map(|it| ("name", it)));
    Found { rule, line: action.line, object, does, known }
}

/// A name as the catalog has it.
fn plain(name: &str) -> String {
    match name.strip_prefix('"').and_then(|it| it.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => name.to_lowercase(),
    }
}

fn tables_of(events: &[Event]) -> Option<String> {
    events.iter().find_map(|it| match it {
        Event::Rewrite { table } | Event::Verify { table } | Event::Build { table } => Some(table.clone()),
        Event::ValidateForeignKey => None,
    })
}

fn first_words(text: &str) -> String {
    text.split_whitespace().take(4).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;

//! Statements as the text of migration files.

use crate::plan::Difference;
use crate::statement::{Note, Stage, Statement};

/// One migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// When it runs in relation to the others.
    pub stage: Stage,
    /// The text of its file.
    pub sql: String,
}

impl Stage {
    /// What to add to a name so that the files of one difference tell each other apart.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Labels => "_labels",
            Self::Main => "",
            Self::Validate => "_validate",
            Self::Concurrent => "_indexes",
        }
    }
}

/// The migrations of a difference, each to be committed before the next; none if there is no difference.
pub fn migrations(difference: &Difference) -> Vec<Migration> {
    [Stage::Labels, Stage::Main, Stage::Validate, Stage::Concurrent]
        .into_iter()
        .filter_map(|stage| {
            let statements: Vec<&Statement> =
                difference.statements.iter().filter(|it| it.stage == stage).collect();
            (!statements.is_empty()).then(|| Migration { stage, sql: text(stage, &statements) })
        })
        .collect()
}

fn text(stage: Stage, statements: &[&Statement]) -> String {
    let mut out = match stage {
        Stage::Concurrent => {
            "-- pgapp: no-transaction\n-- Indexes are built while reads and writes go on.\n".to_owned()
        }
        Stage::Labels => {
            "-- Labels can be used once the transaction that adds them has been committed.\n".to_owned()
        }
        Stage::Validate => "-- Rows are checked while reads and writes go on.\n".to_owned(),
        Stage::Main => String::new(),
    };
    if stage != Stage::Concurrent {
        out.push_str("set local lock_timeout = '5s';\n");
    }
    if stage == Stage::Main {
        out.push_str("set local check_function_bodies = off;\n");
    }
    out.push('\n');
    for statement in statements {
        for note in &statement.notes {
            let (word, text) = match note {
                Note::Destructive(text) => ("destructive: ", text),
                Note::Locks(text) => ("locks: ", text),
                Note::Remark(text) => ("", text),
            };
            // A name may hold a line break; a comment must not end there.
            out.push_str(&format!("-- {word}{}\n", text.replace(['\n', '\r'], " ")));
        }
        out.push_str(&statement.sql);
        out.push_str(";\n");
    }
    out
}

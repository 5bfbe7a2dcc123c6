//! What is known of the queries whose rows may be encoded here, for all connections together.
//!
//! A query is told by its text, which depends on its shape alone. The first time it comes, the types of
//! its columns are asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::json::{Column, Encoder, Printing, printing};
use super::pace::Pace;
use crate::sql::types::{RowsQuery, Wrapped};

/// Shapes remembered. Beyond that all are forgotten: a count that no application reaches by intent.
const CAPACITY: usize = 4096;

/// A query whose rows can be encoded, found out on one connection and true for all.
#[derive(Debug)]
pub(super) struct Encodable {
    /// Its text, with `to_json` around what needs it.
    pub(super) text: Box<str>,
    /// The columns that this text gave.
    pub(super) columns: Box<[Column]>,
    /// What makes a body of them.
    pub(super) encoder: Encoder,
    /// How long it takes.
    pub(super) pace: Pace,
}

impl Encodable {
    /// `None` where the columns are not what the sketch was made for.
    pub(super) fn new(sketch: Sketch, columns: Vec<Column>) -> Option<Self> {
        let encoder = Encoder::new(&columns, sketch.nested)?;
        Some(Self { text: sketch.text, columns: columns.into(), encoder, pace: Pace::default() })
    }
}

/// How the rows of a query could be encoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sketch {
    /// Its text, with `to_json` around what needs it.
    pub(super) text: Box<str>,
    /// A lone value is an array or a row.
    nested: bool,
}

#[cfg(test)]
impl Sketch {
    /// A query whose columns all are taken as they are.
    pub(super) fn plain(text: &str) -> Self {
        Self { text: text.into(), nested: false }
    }
}

/// What is known of a query.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// Its rows can be encoded.
    Encodable(Arc<Encodable>),
    /// They cannot.
    Aggregated,
}

/// Shapes by the query's text.
#[derive(Default)]
pub(super) struct Shapes(Mutex<HashMap<Box<str>, Shape>>);

impl Shapes {
    /// What is known of a query that is about to run.
    pub(super) fn of(&self, text: &str) -> Option<Shape> {
        self.lock().get(text).cloned()
    }

    /// A query that was quick lately and whose rows can be encoded.
    pub(super) fn quick(&self, text: &str, quick: Duration) -> Option<Arc<Encodable>> {
        match self.lock().get(text) {
            Some(Shape::Encodable(it)) if it.pace.is_quick(quick) => Some(Arc::clone(it)),
            _ => None,
        }
    }

    /// Remembers what was found out.
    pub(super) fn learn(&self, text: &str, shape: Shape) {
        let mut shapes = self.lock();
        if shapes.len() >= CAPACITY {
            shapes.clear();
        }
        shapes.insert(text.into(), shape);
    }

    /// It has to be found out again.
    pub(super) fn forget(&self, text: &str) {
        self.lock().remove(text);
    }

    /// Forgets everything: the schema changed.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Box<str>, Shape>> {
        // The map is whole whatever panicked beside it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How the rows of a query with these columns can be encoded, if they can.
pub(super) fn sketch(query: &RowsQuery, columns: &[Column]) -> Option<Sketch> {
    let printings: Vec<Printing> = columns.iter().map(|it| printing(it.type_oid)).collect();
    // Independent of the form, which is no part of what a shape is told by.
    let scalar = matches!(columns, [only] if only.name == "pgrst_scalar");
    let lone_unknown = scalar && printings.contains(&Printing::Unknown);
    if printings.contains(&Printing::Never) || lone_unknown {
        return None;
    }
    let by_postgres =
        |it: &Printing| matches!(it, Printing::ByPostgres | Printing::Nested | Printing::Unknown);
    let text = if printings.iter().any(by_postgres) {
        let twice = |name: &str| columns.iter().filter(|it| it.name == name).count() > 1;
        if columns.iter().any(|it| twice(&it.name)) {
            // They cannot be told apart from outside.
            return None;
        }
        query.wrapped(
            columns
                .iter()
                .zip(&printings)
                .map(|(column, it)| Wrapped { name: &column.name, to_json: by_postgres(it) }),
        )
    } else {
        query.statement.text.clone()
    };
    let nested = printings.first() == Some(&Printing::Nested);
    Some(Sketch { text: text.into(), nested })
}

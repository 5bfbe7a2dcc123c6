//! What is known of the queries whose rows may be encoded here, for all connections together.
//!
//! A query is told by its text, which depends on its shape alone. The first time it comes, the types of
//! its columns are asked for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use postgres_types::Type;

use super::json::{Column, Encoder, Printing, printing};
use super::latency::Latency;
use crate::kept::{CacheFigures, Kept};
use crate::sql::types::{RowsQuery, SqlText, Wrapped};

/// A query whose rows can be encoded, found out on one connection and true for all.
///
/// Where it is wrapped, its text spells columns out. It is true for as long as the query itself has the columns
/// that it was made for, which is asked of Postgres in the same write as each run.
#[derive(Debug)]
pub(super) struct Encodable {
    /// The text with `to_json` around what needs it, where something does.
    pub(super) wrapped: Option<SqlText>,
    /// The columns of the query itself.
    pub(super) columns: Box<[Column]>,
    /// What makes a body of its rows.
    pub(super) encoder: Encoder,
    /// How long it takes.
    pub(super) latency: Latency,
}

impl Encodable {
    /// How the rows of a query with these columns can be encoded, if they can.
    pub(super) fn of(query: &RowsQuery, columns: Vec<Column>) -> Option<Self> {
        let printings: Vec<Printing> = columns.iter().map(|it| printing(it.type_oid)).collect();
        // Independent of the form, which is no part of what a shape is told by.
        let scalar = matches!(&*columns, [only] if only.name == "pgrst_scalar");
        let lone_unknown = scalar && printings.contains(&Printing::Unknown);
        if printings.contains(&Printing::Never) || lone_unknown {
            return None;
        }
        let by_postgres =
            |it: &Printing| matches!(it, Printing::ByPostgres | Printing::Nested | Printing::Unknown);
        if !printings.iter().any(by_postgres) {
            let encoder = Encoder::new(&columns, false)?;
            return Some(Self::new(None, columns, encoder));
        }
        let twice = |name: &str| columns.iter().filter(|it| it.name == name).count() > 1;
        if columns.iter().any(|it| twice(&it.name)) {
            // They cannot be told apart from outside.
            return None;
        }
        let pairs = || columns.iter().zip(&printings);
        let text = query
            .wrapped(pairs().map(|(column, it)| Wrapped { name: &column.name, to_json: by_postgres(it) }));
        let json = |column: &Column| Column { name: column.name.clone(), type_oid: Type::JSON.oid() };
        let shown = pairs().map(|(column, it)| if by_postgres(it) { json(column) } else { column.clone() });
        let nested = printings.first() == Some(&Printing::Nested);
        let encoder = Encoder::new(&shown.collect::<Vec<_>>(), nested)?;
        Some(Self::new(Some(text), columns, encoder))
    }

    fn new(wrapped: Option<SqlText>, columns: Vec<Column>, encoder: Encoder) -> Self {
        Self { wrapped, columns: columns.into(), encoder, latency: Latency::default() }
    }

    /// A query with these columns, all of which are taken as they are.
    #[cfg(test)]
    pub(super) fn plain(columns: Vec<Column>) -> Option<Self> {
        let encoder = Encoder::new(&columns, false)?;
        Some(Self::new(None, columns, encoder))
    }

    /// What it takes in memory, about.
    fn weight(&self) -> usize {
        let names = self.columns.iter().map(|it| 3 * it.name.len() + 128).sum::<usize>();
        size_of::<Self>() + self.wrapped.as_ref().map_or(0, |it| it.as_str().len()) + names
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
pub(super) struct Shapes(Mutex<Kept<str, Shape>>);

impl Default for Shapes {
    /// Remembers nothing.
    fn default() -> Self {
        Self::new(0)
    }
}

impl Shapes {
    /// Nothing yet, and at most so many bytes.
    pub(super) fn new(budget: usize) -> Self {
        Self(Mutex::new(Kept::of_bytes(budget, Arc::default())))
    }

    /// What is known of a query that is about to run.
    pub(super) fn of(&self, text: &str) -> Option<Shape> {
        self.lock().get(text).cloned()
    }

    /// A query that was quick lately and whose rows can be encoded.
    pub(super) fn quick(&self, text: &str, quick: Duration) -> Option<Arc<Encodable>> {
        match self.lock().get(text) {
            Some(Shape::Encodable(it)) if it.latency.is_quick(quick) => Some(Arc::clone(it)),
            _ => None,
        }
    }

    /// Remembers what was found out.
    pub(super) fn learn(&self, text: &str, shape: Shape) {
        let known = match &shape {
            Shape::Encodable(it) => it.weight(),
            Shape::Aggregated => 0,
        };
        self.lock().insert(text.into(), shape, text.len() + known);
    }

    /// It has to be found out again.
    pub(super) fn forget(&self, text: &str) {
        self.lock().remove(text);
    }

    /// Forgets everything, and takes at most so many bytes from now on.
    pub(super) fn renew(&self, budget: usize) {
        let mut kept = self.lock();
        *kept = Kept::of_bytes(budget, Arc::clone(kept.usage()));
    }

    /// How often they were of use.
    pub(super) fn figures(&self) -> CacheFigures {
        self.lock().usage().figures("columns")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept<str, Shape>> {
        // The map is whole whatever panicked beside it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

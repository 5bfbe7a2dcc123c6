//! Text that a statement must contain as it is: printed by the catalog, or checked to be harmless.

use crate::schema_cache::representation::DataRepresentation;
use crate::schema_cache::routine::RoutineParam;
use crate::schema_cache::table::{Column, PartialKey};

/// SQL text that the catalog printed: a type, a default expression, a function name.
///
/// Invariant: made from schema cache values only, so that no part of a request can become SQL text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogSql(String);

impl CatalogSql {
    /// The declared type of a column.
    pub fn column_type(column: &Column) -> Self {
        Self(column.nominal_type.clone())
    }

    /// The default expression of a column.
    pub fn column_default(column: &Column) -> Option<Self> {
        column.default.clone().map(Self)
    }

    /// The rows that a unique index is over.
    pub fn predicate(key: &PartialKey) -> Self {
        Self(key.predicate.clone())
    }

    /// The type of a function's parameter, without length limits.
    pub fn param_type(param: &RoutineParam) -> Self {
        Self(param.type_max_length.clone())
    }

    /// The type a representation reads.
    pub fn source_type(representation: &DataRepresentation) -> Self {
        Self(representation.source_type.clone())
    }

    /// The function of a representation.
    pub fn function(representation: &DataRepresentation) -> Self {
        Self(representation.function.clone())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The target of a `::cast` in a request.
///
/// Invariant: letters, digits, `_`, `$` and spaces only. Casts cannot be quoted (`::"int"` names another
/// type than `::int`), so their alphabet is what keeps them harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CastType(String);

impl CastType {
    /// Checks a cast as written; `None` when it holds anything but words.
    pub fn parse(text: &str) -> Option<Self> {
        let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | ' ');
        (!text.trim().is_empty() && text.chars().all(word)).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casts_are_words() {
        for text in ["int", "double precision", "timestamptz", "_int4", "Größe"] {
            assert_eq!(CastType::parse(text).map(|cast| cast.as_str().to_owned()).as_deref(), Some(text));
        }
        for text in ["", " ", "int)", "int;", "a.b", "\"int\"", "int--", "varchar(3)"] {
            assert_eq!(CastType::parse(text), None, "{text}");
        }
    }
}

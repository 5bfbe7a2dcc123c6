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
        Self(qualified(&column.nominal_type))
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
        Self(qualified(&param.type_max_length))
    }

    /// The type a representation reads.
    pub fn source_type(representation: &DataRepresentation) -> Self {
        Self(qualified(&representation.source_type))
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

/// Types whose names are keywords: no other type can be meant, and a schema cannot be named.
const KEYWORDS: [&str; 18] = [
    "bigint",
    "bit",
    "boolean",
    "char",
    "character",
    "dec",
    "decimal",
    "double",
    "float",
    "int",
    "integer",
    "interval",
    "national",
    "numeric",
    "real",
    "smallint",
    "time",
    "timestamp",
];

/// A type as the catalog printed it, with the schema of those that are Postgres' own. It prints that of all others,
/// since it was asked under an empty search path; what it leaves out would be looked for in the request's.
fn qualified(printed: &str) -> String {
    let end = printed.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(printed.len());
    let (name, rest) = printed.split_at(end);
    let begins_name = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if !begins_name || rest.starts_with('.') || KEYWORDS.contains(&name) {
        return printed.to_owned();
    }
    format!("pg_catalog.{printed}")
}

/// The target of a `::cast` in a request.
///
/// A name without a schema, which is looked for along the search path: types of extensions are meant, too.
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
    fn only_names_without_a_schema_get_one() {
        for (printed, expected) in [
            ("text", "pg_catalog.text"),
            ("text[]", "pg_catalog.text[]"),
            ("jsonb", "pg_catalog.jsonb"),
            ("oidvector", "pg_catalog.oidvector"),
            ("integer", "integer"),
            ("character varying(10)", "character varying(10)"),
            ("timestamp(3) with time zone", "timestamp(3) with time zone"),
            ("bit(3)[]", "bit(3)[]"),
            ("interval day to second", "interval day to second"),
            ("double precision", "double precision"),
            ("\"char\"", "\"char\""),
            ("api.mood", "api.mood"),
            ("api.\"Mood\"[]", "api.\"Mood\"[]"),
            ("\"A b\".c", "\"A b\".c"),
        ] {
            assert_eq!(qualified(printed), expected);
        }
    }

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

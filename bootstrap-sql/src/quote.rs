//! Names and text as SQL. The only two ways in which a value enters SQL text in this crate.

use std::fmt;

use serde::Serialize;

/// Postgres cuts longer names silently; two long names could then meet in one.
const MAX_IDENT_BYTES: usize = 63;

/// A name of a database object as the catalog stores it, unquoted.
///
/// Invariant: not empty, no NUL, at most 63 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Ident(String);

/// Why a text cannot be the name of a database object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentError {
    /// Postgres has no empty names.
    #[error("a name must not be empty")]
    Empty,
    /// The name would be cut by Postgres.
    #[error("the name \"{0}\" is longer than {MAX_IDENT_BYTES} bytes")]
    TooLong(String),
    /// NUL cannot be sent.
    #[error("a name must not contain a NUL byte")]
    Nul,
}

impl Ident {
    /// Checks and takes a name; no case folding, no unquoting.
    pub fn new(name: impl Into<String>) -> Result<Self, IdentError> {
        let name = name.into();
        if name.is_empty() {
            return Err(IdentError::Empty);
        }
        if name.contains('\0') {
            return Err(IdentError::Nul);
        }
        if name.len() > MAX_IDENT_BYTES {
            return Err(IdentError::TooLong(name));
        }
        Ok(Self(name))
    }

    /// The bare name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as SQL: always in double quotes.
    pub fn quoted(&self) -> String {
        ident(&self.0)
    }

    /// For names written in source code, which are neither empty nor hold a zero byte.
    pub fn constant(name: &'static str) -> Self {
        Self(name.to_owned())
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<&str> for Ident {
    type Error = IdentError;

    fn try_from(name: &str) -> Result<Self, IdentError> {
        Self::new(name)
    }
}

impl std::str::FromStr for Ident {
    type Err = IdentError;

    fn from_str(name: &str) -> Result<Self, IdentError> {
        Self::new(name)
    }
}

/// A name from the catalog as SQL.
pub(crate) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A schema-qualified name from the catalog as SQL.
pub(crate) fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", ident(schema), ident(name))
}

/// Text as an SQL literal, right under either setting of `standard_conforming_strings`.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        // The escape form alone has one meaning whatever the server's setting; the space keeps the `E` from
        // joining a preceding identifier.
        format!(" E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ident_with_quotes_is_doubled() {
        assert_eq!(Ident::new(r#"we"ird"#).unwrap().quoted(), r#""we""ird""#);
    }

    #[test]
    fn ident_that_postgres_would_cut_is_refused() {
        assert!(Ident::new("x".repeat(63)).is_ok());
        assert!(matches!(Ident::new("x".repeat(64)), Err(IdentError::TooLong(_))));
        assert_eq!(Ident::new(""), Err(IdentError::Empty));
        assert_eq!(Ident::new("a\0b"), Err(IdentError::Nul));
    }

    #[test]
    fn literal_with_quote_and_backslash_uses_the_escape_form() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\'b"), r" E'a\\''b'");
    }
}

//! Names of database objects.

use serde::{Deserialize, Serialize};

/// A schema name as stored in the catalog (unquoted).
pub type Schema = String;
/// A column, alias or parameter name as stored in the catalog (unquoted).
pub type FieldName = String;

/// A schema-qualified name. An empty schema means "resolve through the search path".
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct QualifiedIdentifier {
    /// Schema, or empty.
    #[serde(rename = "qiSchema")]
    pub schema: Schema,
    /// Object name.
    #[serde(rename = "qiName")]
    pub name: String,
}

impl QualifiedIdentifier {
    /// A name in a schema.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }

    /// Reads `schema.name` or a bare `name`, as the settings write it (no quoting).
    pub fn parse(text: &str) -> Self {
        match text.split_once('.') {
            Some((schema, name)) => Self::new(schema, name),
            None => Self::new("", text),
        }
    }
}

/// The relation a media type handler applies to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "tag", content = "contents")]
pub enum RelIdentifier {
    /// One relation.
    #[serde(rename = "RelId")]
    Relation(QualifiedIdentifier),
    /// Every relation (`anyelement` handlers).
    #[serde(rename = "RelAnyElement")]
    AnyElement,
}

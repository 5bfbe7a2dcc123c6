//! Tables and columns.

use indexmap::IndexMap;
use serde::Serialize;

use super::identifiers::{FieldName, QualifiedIdentifier, Schema};

/// A relation that can be read, and written where the flags say so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Schema of the relation.
    pub schema: Schema,
    /// Name of the relation.
    pub name: String,
    /// `COMMENT ON`, if any.
    pub description: Option<String>,
    /// A view or materialized view.
    pub is_view: bool,
    /// `INSERT` is possible (not: granted).
    pub insertable: bool,
    /// `UPDATE` is possible (not: granted).
    pub updatable: bool,
    /// `DELETE` is possible (not: granted).
    pub deletable: bool,
    /// Primary key columns in key order; for views those of the underlying table, when exposed.
    pub pk_cols: Vec<FieldName>,
    /// Columns in attribute order.
    pub columns: IndexMap<FieldName, Column>,
}

impl Table {
    /// The relation's qualified name.
    pub fn qi(&self) -> QualifiedIdentifier {
        QualifiedIdentifier::new(&*self.schema, &*self.name)
    }
}

/// A column of a relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Column name.
    pub name: FieldName,
    /// `COMMENT ON COLUMN`, if any.
    pub description: Option<String>,
    /// No `NOT NULL` constraint (domains considered).
    pub nullable: bool,
    /// Type after resolving domains to their base type, as `format_type` prints it.
    pub data_type: String,
    /// Type as declared (a domain keeps its name), as `format_type` prints it.
    pub nominal_type: String,
    /// Length limit of `character varying(n)` and `character(n)`.
    pub max_len: Option<i32>,
    /// Default expression (identity columns give their `nextval` text).
    pub default: Option<String>,
    /// Labels, when the type is an enum.
    pub enum_values: Vec<String>,
    /// The base type is an array, a composite or another non-scalar for which `->` goes through
    /// `to_jsonb` (that is: neither `json` nor `jsonb`).
    pub is_composite_or_array: bool,
}

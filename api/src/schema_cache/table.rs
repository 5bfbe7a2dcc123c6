//! Tables and columns.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::identifiers::{FieldName, QualifiedIdentifier, Schema};

/// A relation that can be read, and written where the flags say so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Schema of the relation.
    #[serde(rename = "tableSchema")]
    pub schema: Schema,
    /// Name of the relation.
    #[serde(rename = "tableName")]
    pub name: String,
    /// `COMMENT ON`, if any.
    #[serde(rename = "tableDescription")]
    pub description: Option<String>,
    /// A view or materialized view.
    #[serde(rename = "tableIsView")]
    pub is_view: bool,
    /// A foreign table. PostgREST does not have it.
    #[serde(rename = "pgappIsForeign", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_foreign: bool,
    /// `INSERT` is possible (not: granted).
    #[serde(rename = "tableInsertable")]
    pub insertable: bool,
    /// `UPDATE` is possible (not: granted).
    #[serde(rename = "tableUpdatable")]
    pub updatable: bool,
    /// `DELETE` is possible (not: granted).
    #[serde(rename = "tableDeletable")]
    pub deletable: bool,
    /// Primary key columns by name; for views those that show the keys of the underlying tables, in key order.
    #[serde(rename = "tablePKCols")]
    pub pk_cols: Vec<FieldName>,
    /// Unique indexes over some rows only, of columns that no other unique index has. PostgREST does not have it.
    #[serde(rename = "pgappPartialKeys", default, skip_serializing_if = "Vec::is_empty")]
    pub partial_keys: Vec<PartialKey>,
    /// Columns in attribute order.
    #[serde(rename = "tableColumns")]
    pub columns: IndexMap<FieldName, Column>,
}

impl Table {
    /// The relation's qualified name.
    pub fn qi(&self) -> QualifiedIdentifier {
        QualifiedIdentifier::new(&*self.schema, &*self.name)
    }
}

/// A column of a relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Column name.
    #[serde(rename = "colName")]
    pub name: FieldName,
    /// `COMMENT ON COLUMN`, if any.
    #[serde(rename = "colDescription")]
    pub description: Option<String>,
    /// No `NOT NULL` constraint (domains considered).
    #[serde(rename = "colNullable")]
    pub nullable: bool,
    /// Type after resolving domains to their base type, as `format_type` prints it.
    #[serde(rename = "colType")]
    pub data_type: String,
    /// Type as declared (a domain keeps its name), as `format_type` prints it.
    #[serde(rename = "colNominalType")]
    pub nominal_type: String,
    /// Length limit of `character varying(n)` and `character(n)`.
    #[serde(rename = "colMaxLen")]
    pub max_len: Option<i32>,
    /// Default expression (identity columns give their `nextval` text).
    #[serde(rename = "colDefault")]
    pub default: Option<String>,
    /// Labels, when the type is an enum.
    #[serde(rename = "colEnum")]
    pub enum_values: Vec<String>,
    /// Labels of the elements, when the type is an array of an enum. PostgREST does not have it.
    #[serde(rename = "pgappElementEnum", default, skip_serializing_if = "Vec::is_empty")]
    pub element_enum: Vec<String>,
    /// Who gives the column its values. PostgREST does not have it.
    #[serde(rename = "pgappGenerated", default, skip_serializing_if = "Generated::is_never")]
    pub generated: Generated,
}

/// Whether the database alone gives a column its values (`GENERATED ALWAYS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Generated {
    /// No.
    #[default]
    Never,
    /// `AS IDENTITY`.
    Identity,
    /// `AS (expression)`.
    Expression,
}

impl Generated {
    /// It does not.
    pub fn is_never(&self) -> bool {
        *self == Self::Never
    }
}

/// The columns of a unique index over some rows only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartialKey {
    /// Its columns, sorted.
    pub columns: Vec<FieldName>,
    /// Which rows it is over, as SQL.
    pub predicate: String,
}

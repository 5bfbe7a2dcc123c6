//! Relationships between relations, as embedding follows them.

use serde::{Deserialize, Serialize};

use super::dump;
use super::identifiers::{FieldName, QualifiedIdentifier};

/// Name of a foreign key constraint.
pub type FkConstraint = String;
/// Pairs of (column of the source, column of the target).
pub type ColumnPairs = Vec<(FieldName, FieldName)>;

/// A way from one relation to another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "tag")]
pub enum Relationship {
    /// Derived from foreign keys (directly, or through views).
    #[serde(rename = "Relationship")]
    ForeignKey {
        /// Source relation.
        #[serde(rename = "relTable")]
        table: QualifiedIdentifier,
        /// Relation led to.
        #[serde(rename = "relForeignTable")]
        foreign_table: QualifiedIdentifier,
        /// Both ends are the same relation.
        #[serde(rename = "relIsSelf")]
        is_self: bool,
        /// Kind, constraint and columns.
        #[serde(rename = "relCardinality")]
        cardinality: Cardinality,
        /// The source is a view.
        #[serde(rename = "relTableIsView")]
        table_is_view: bool,
        /// The target is a view.
        #[serde(rename = "relFTableIsView")]
        foreign_table_is_view: bool,
    },
    /// A function from a row type to a row type.
    #[serde(rename = "ComputedRelationship")]
    Computed {
        /// The function.
        #[serde(rename = "relFunction")]
        function: QualifiedIdentifier,
        /// Source relation.
        #[serde(rename = "relTable")]
        table: QualifiedIdentifier,
        /// Relation the function returns.
        #[serde(rename = "relForeignTable")]
        foreign_table: QualifiedIdentifier,
        /// Schemaless copy of the source name, used to alias the argument.
        #[serde(rename = "relTableAlias")]
        table_alias: QualifiedIdentifier,
        /// Returns at most one row.
        #[serde(rename = "relToOne")]
        to_one: bool,
        /// Both ends are the same relation.
        #[serde(rename = "relIsSelf")]
        is_self: bool,
    },
}

impl Relationship {
    /// Source relation.
    pub fn table(&self) -> &QualifiedIdentifier {
        match self {
            Self::ForeignKey { table, .. } | Self::Computed { table, .. } => table,
        }
    }

    /// Relation led to.
    pub fn foreign_table(&self) -> &QualifiedIdentifier {
        match self {
            Self::ForeignKey { foreign_table, .. } | Self::Computed { foreign_table, .. } => foreign_table,
        }
    }

    /// Both ends are the same relation.
    pub fn is_self(&self) -> bool {
        match self {
            Self::ForeignKey { is_self, .. } | Self::Computed { is_self, .. } => *is_self,
        }
    }

    /// At most one row is at the far end.
    pub fn is_to_one(&self) -> bool {
        match self {
            Self::ForeignKey { cardinality, .. } => {
                matches!(cardinality, Cardinality::ManyToOne { .. } | Cardinality::OneToOne { .. })
            }
            Self::Computed { to_one, .. } => *to_one,
        }
    }
}

/// How many rows stand at either end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "tag")]
pub enum Cardinality {
    /// The target holds the foreign key.
    #[serde(rename = "O2M")]
    OneToMany {
        /// Constraint name.
        #[serde(rename = "relCons")]
        constraint: FkConstraint,
        /// (source column, target column).
        #[serde(rename = "relColumns")]
        columns: ColumnPairs,
    },
    /// The source holds the foreign key.
    #[serde(rename = "M2O")]
    ManyToOne {
        /// Constraint name.
        #[serde(rename = "relCons")]
        constraint: FkConstraint,
        /// (source column, target column).
        #[serde(rename = "relColumns")]
        columns: ColumnPairs,
    },
    /// As many-to-one, but the foreign key columns are unique.
    #[serde(rename = "O2O")]
    OneToOne {
        /// Constraint name.
        #[serde(rename = "relCons")]
        constraint: FkConstraint,
        /// (source column, target column).
        #[serde(rename = "relColumns")]
        columns: ColumnPairs,
        /// The source is the referenced side.
        #[serde(rename = "isParent")]
        is_parent: bool,
    },
    /// Through a junction table.
    #[serde(rename = "M2M", serialize_with = "dump::as_contents", deserialize_with = "dump::from_contents")]
    ManyToMany(Junction),
}

/// The table in the middle of a many-to-many relationship.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Junction {
    /// The junction table.
    #[serde(rename = "junTable")]
    pub table: QualifiedIdentifier,
    /// Constraint towards the source.
    #[serde(rename = "junConstraint1")]
    pub constraint1: FkConstraint,
    /// Constraint towards the target.
    #[serde(rename = "junConstraint2")]
    pub constraint2: FkConstraint,
    /// (source column, junction column).
    #[serde(rename = "junColsSource")]
    pub cols_source: ColumnPairs,
    /// (target column, junction column).
    #[serde(rename = "junColsTarget")]
    pub cols_target: ColumnPairs,
}

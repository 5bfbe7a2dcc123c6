//! Relationships between relations, as embedding follows them.

use serde::Serialize;

use super::identifiers::{FieldName, QualifiedIdentifier};

/// Name of a foreign key constraint.
pub type FkConstraint = String;
/// Pairs of (column of the source, column of the target).
pub type ColumnPairs = Vec<(FieldName, FieldName)>;

/// A way from one relation to another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Relationship {
    /// Derived from foreign keys (directly, or through views).
    ForeignKey {
        /// Source relation.
        table: QualifiedIdentifier,
        /// Relation led to.
        foreign_table: QualifiedIdentifier,
        /// Both ends are the same relation.
        is_self: bool,
        /// Kind, constraint and columns.
        cardinality: Cardinality,
        /// The source is a view.
        table_is_view: bool,
        /// The target is a view.
        foreign_table_is_view: bool,
    },
    /// A function from a row type to a row type.
    Computed {
        /// The function.
        function: QualifiedIdentifier,
        /// Source relation.
        table: QualifiedIdentifier,
        /// Relation the function returns.
        foreign_table: QualifiedIdentifier,
        /// Schemaless copy of the source name, used to alias the argument.
        table_alias: QualifiedIdentifier,
        /// Returns at most one row.
        to_one: bool,
        /// Both ends are the same relation.
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
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Cardinality {
    /// The target holds the foreign key.
    OneToMany {
        /// Constraint name.
        constraint: FkConstraint,
        /// (source column, target column).
        columns: ColumnPairs,
    },
    /// The source holds the foreign key.
    ManyToOne {
        /// Constraint name.
        constraint: FkConstraint,
        /// (source column, target column).
        columns: ColumnPairs,
    },
    /// As many-to-one, but the foreign key columns are unique.
    OneToOne {
        /// Constraint name.
        constraint: FkConstraint,
        /// (source column, target column).
        columns: ColumnPairs,
        /// The source is the referenced side.
        is_parent: bool,
    },
    /// Through a junction table.
    ManyToMany(Junction),
}

/// The table in the middle of a many-to-many relationship.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Junction {
    /// The junction table.
    pub table: QualifiedIdentifier,
    /// Constraint towards the source.
    pub constraint1: FkConstraint,
    /// Constraint towards the target.
    pub constraint2: FkConstraint,
    /// (source column, junction column).
    pub cols_source: ColumnPairs,
    /// (target column, junction column).
    pub cols_target: ColumnPairs,
}

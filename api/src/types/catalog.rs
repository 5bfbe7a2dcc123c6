//! What types are made of, as the catalog has it. Data only.

use std::collections::HashMap;

use super::nullability::{self, ColumnNumber, Oid};

/// Rows of the catalog, by object id where they are looked up.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    pub(super) types: HashMap<Oid, Type>,
    pub(super) relations: Vec<Relation>,
    /// In attribute order, by relation.
    pub(super) columns: HashMap<Oid, Vec<Column>>,
    pub(super) routines: Vec<Routine>,
    /// What is known about nulls.
    pub(super) nulls: nullability::Catalog,
}

/// A type.
#[derive(Debug, Clone)]
pub(super) struct Type {
    pub(super) oid: Oid,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Values are arrays of this.
    pub(super) element: Option<Oid>,
    /// A type's own cast makes its JSON.
    pub(super) has_json_cast: bool,
    pub(super) description: Option<String>,
}

/// Kind of a type.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// A base type, a range, or a multirange.
    Base,
    /// With the relation that has its attributes.
    Composite(Oid),
    /// Over another type.
    Domain { base: Oid, not_null: bool, has_default: bool },
    /// With its labels in order.
    Enum(Vec<String>),
    /// Stands for types that are not known before a call.
    Pseudo,
}

/// Kind of a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RelationKind {
    Table,
    View,
    Materialized,
    Foreign,
    CompositeType,
}

/// A relation with rows, or a composite type.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) oid: Oid,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) kind: RelationKind,
    /// A view that takes rows without a trigger's help.
    pub(super) takes_rows: bool,
}

/// A column or attribute.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) number: ColumnNumber,
    pub(super) name: String,
    pub(super) ty: Oid,
    /// Declared dimensions, where it is an array.
    pub(super) dimensions: i32,
    /// Declared not to be null.
    pub(super) not_null: bool,
    pub(super) has_default: bool,
    /// The database alone gives it values.
    pub(super) is_generated: bool,
    /// Of a view: it is a column of the table below.
    pub(super) is_updatable: bool,
}

/// A function that can be called.
#[derive(Debug)]
pub(super) struct Routine {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    /// In order; those that only give results too.
    pub(super) arguments: Vec<Argument>,
    /// How many of the first inputs have no default.
    pub(super) required: usize,
    pub(super) returns: Oid,
    pub(super) returns_set: bool,
    pub(super) may_write: bool,
    /// Declared to give one row.
    pub(super) one_row: bool,
}

/// An argument of a function.
#[derive(Debug)]
pub(super) struct Argument {
    pub(super) name: String,
    pub(super) ty: Oid,
    pub(super) is_input: bool,
    pub(super) is_output: bool,
}

//! Types without a language: what every emitter reads.
//!
//! Values are described as they travel in JSON bodies, which is all that a client sees of them.

use crate::schema_cache::identifiers::QualifiedIdentifier;

/// Everything there is to be emitted.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// The exposed schemas in the order of the configuration, then those that only types of theirs are used of.
    pub(super) schemas: Vec<Schema>,
}

/// A schema. Its parts are sorted by name.
#[derive(Debug, Default)]
pub(super) struct Schema {
    pub(super) name: String,
    pub(super) exposed: bool,
    /// Tables, foreign and partitioned ones among them.
    pub(super) tables: Vec<Relation>,
    /// Views and materialized views.
    pub(super) views: Vec<Relation>,
    /// Overloads follow each other.
    pub(super) functions: Vec<Function>,
    pub(super) enums: Vec<Enum>,
    pub(super) composites: Vec<Composite>,
}

impl Schema {
    /// Tables, then views.
    pub(super) fn relations(&self) -> impl Iterator<Item = &Relation> {
        self.tables.iter().chain(&self.views)
    }
}

/// A relation that can be read.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) columns: Vec<Column>,
    pub(super) insertable: bool,
    pub(super) updatable: bool,
    pub(super) deletable: bool,
    /// Ways to the one row that a foreign key of the relation points at, within the schema.
    pub(super) relationships: Vec<Relationship>,
}

/// A column.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) description: Option<String>,
    /// As Postgres prints it.
    pub(super) sql_type: String,
    /// What is read.
    pub(super) ty: Ty,
    /// May be read as null.
    pub(super) nullable: bool,
    /// What is written.
    pub(super) written: Ty,
    /// May be written as null.
    pub(super) null_written: bool,
    /// Left out of an insert, it becomes null.
    pub(super) null_by_default: bool,
    pub(super) insert: Write,
    pub(super) update: Write,
}

/// Whether a column is part of what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    /// It may not be.
    Never,
    /// It may be left out; the database has something to put there.
    Optional,
    /// It must be there.
    Required,
}

/// A foreign key, seen from the relation that holds it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Relationship {
    pub(super) constraint: String,
    pub(super) referenced: String,
    pub(super) columns: Vec<String>,
    pub(super) referenced_columns: Vec<String>,
    /// The columns are unique here too.
    pub(super) one_to_one: bool,
}

/// A function.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) arguments: Arguments,
    pub(super) returns: Returns,
    /// Cannot write, so it can be called by GET.
    pub(super) reads_only: bool,
    /// Gives rows of an exposed relation, which may be embedded.
    pub(super) embeds: Option<Embeds>,
}

/// What a function takes.
#[derive(Debug)]
pub(super) enum Arguments {
    /// By name.
    Named(Vec<Argument>),
    /// One value, which is the whole body.
    Body(Ty),
    /// A row of a relation, without a name: the function cannot be called, it is part of what is selected.
    Row(QualifiedIdentifier),
}

/// An argument that has a name.
#[derive(Debug)]
pub(super) struct Argument {
    pub(super) name: String,
    pub(super) ty: Ty,
    pub(super) required: bool,
}

/// How rows that a function gives are reached.
#[derive(Debug)]
pub(super) struct Embeds {
    /// The relation of its one argument, where this is a row.
    pub(super) from: Option<String>,
    pub(super) to: String,
    pub(super) one: bool,
}

/// What a function gives.
#[derive(Debug)]
pub(super) struct Returns {
    /// A list of it.
    pub(super) set: bool,
    pub(super) item: Item,
}

/// One of what a function gives.
#[derive(Debug)]
pub(super) enum Item {
    Void,
    Value(Ty),
    /// A row of an exposed relation.
    Row(QualifiedIdentifier),
    /// A separate row type.
    Fields(Vec<Field>),
}

/// An enum.
#[derive(Debug)]
pub(super) struct Enum {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) labels: Vec<String>,
}

/// A row type as a value. All of its fields may be null, whatever its relation promises of its rows.
#[derive(Debug)]
pub(super) struct Composite {
    pub(super) name: String,
    pub(super) description: Option<String>,
    /// The type of a relation's rows.
    pub(super) of_relation: bool,
    pub(super) fields: Vec<Field>,
}

/// A field, which may be null.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) ty: Ty,
}

/// What a JSON value may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ty {
    Bool,
    /// A whole number of so many bits.
    Integer(u8),
    /// A number, or the text of one that JSON does not have (`NaN`, `Infinity`).
    Float,
    /// The same, of any precision.
    Numeric,
    Text,
    Uuid,
    /// Anything, null among it.
    Json,
    Enum(QualifiedIdentifier),
    Composite(QualifiedIdentifier),
    /// Elements may be null.
    Array(Box<Ty>),
}

impl Ty {
    /// Null is one of its values already.
    pub(super) fn has_null(&self) -> bool {
        *self == Self::Json
    }
}

//! What a proof may rely on of the catalog.

use std::collections::{HashMap, HashSet};

/// Object id of the catalog.
pub(crate) type Oid = u32;
/// Number of a column within its relation.
pub(crate) type ColumnNumber = i16;

/// Objects below this number came with the server, which answers for what they do.
const FIRST_USER_OID: Oid = 16384;

/// Came with the server.
pub(super) fn is_builtin(oid: Oid) -> bool {
    oid != 0 && oid < FIRST_USER_OID
}

/// Facts by object id.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    /// Columns of tables where no row, of the table or one that inherits from it, holds a null. Foreign tables are
    /// left out, since their declarations are held by no one.
    pub(crate) not_null: HashSet<(Oid, ColumnNumber)>,
    /// Views and materialized views.
    pub(crate) views: HashMap<Oid, View>,
    /// Functions, aggregates and window functions.
    pub(crate) functions: HashMap<Oid, Function>,
    /// Operators.
    pub(crate) operators: HashMap<Oid, Operator>,
}

/// A view as it was parsed.
#[derive(Debug)]
pub(crate) struct View {
    /// The action of its rewrite rule.
    pub(crate) tree: String,
    /// Its rows were made at an earlier time.
    pub(crate) materialized: bool,
}

/// A function.
#[derive(Debug)]
pub(crate) struct Function {
    /// Gives null at once where an argument is null.
    pub(crate) strict: bool,
    /// Name, of a function that came with the server.
    pub(crate) name: Option<String>,
    /// What it is in the server's sources, where it came with the server.
    pub(crate) source: Option<String>,
}

/// An operator.
#[derive(Debug)]
pub(crate) struct Operator {
    /// Its function.
    pub(crate) function: Oid,
    /// Name, of an operator that came with the server.
    pub(crate) name: Option<String>,
}

//! Functions and media type handlers.

use std::collections::HashMap;

use serde::Serialize;

use super::identifiers::{QualifiedIdentifier, RelIdentifier, Schema};
use crate::media_type::MediaType;

/// What a function gives per row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum PgType {
    /// Anything that is not a row type.
    Scalar(QualifiedIdentifier),
    /// A row type (of a relation, a `CREATE TYPE`, `RETURNS TABLE` or `OUT` parameters);
    /// the flag is set for a domain over a composite.
    Composite(QualifiedIdentifier, bool),
}

/// One row or a set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum RetType {
    /// One value or row.
    Single(PgType),
    /// `SETOF` / `TABLE`.
    SetOf(PgType),
}

/// `IMMUTABLE`, `STABLE` or `VOLATILE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Volatility {
    /// May write.
    Volatile,
    /// Reads only.
    Stable,
    /// Depends on its arguments only.
    Immutable,
}

/// Transaction isolation, where a role or function sets one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum IsolationLevel {
    /// `READ COMMITTED`.
    ReadCommitted,
    /// `REPEATABLE READ`.
    RepeatableRead,
    /// `SERIALIZABLE`.
    Serializable,
}

/// An input parameter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RoutineParam {
    /// Name; empty when unnamed.
    pub name: String,
    /// Type as `format_type` prints it.
    pub data_type: String,
    /// Same, without length limits lost by `format_type` (e.g. `character` for `bpchar`).
    pub type_max_length: String,
    /// Has no default.
    pub required: bool,
    /// `VARIADIC`.
    pub variadic: bool,
}

/// A callable function.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Routine {
    /// Schema of the function.
    pub schema: Schema,
    /// Name of the function.
    pub name: String,
    /// `COMMENT ON FUNCTION`, if any.
    pub description: Option<String>,
    /// Input parameters in order.
    pub params: Vec<RoutineParam>,
    /// Result.
    pub return_type: RetType,
    /// Volatility.
    pub volatility: Volatility,
    /// The last parameter is variadic.
    pub has_variadic: bool,
    /// `SET default_transaction_isolation` on the function.
    pub isolation: Option<IsolationLevel>,
    /// Other `SET`s on the function that are to be hoisted to the transaction.
    pub settings: Vec<(String, String)>,
}

impl Routine {
    /// One row, not a set.
    pub fn returns_single(&self) -> bool {
        matches!(self.return_type, RetType::Single(_))
    }

    /// One scalar.
    pub fn returns_scalar(&self) -> bool {
        matches!(self.return_type, RetType::Single(PgType::Scalar(_)))
    }

    /// A set of scalars.
    pub fn returns_set_of_scalar(&self) -> bool {
        matches!(self.return_type, RetType::SetOf(PgType::Scalar(_)))
    }

    /// One row of a row type.
    pub fn returns_single_composite(&self) -> bool {
        matches!(self.return_type, RetType::Single(PgType::Composite(..)))
    }

    /// `void`.
    pub fn returns_void(&self) -> bool {
        matches!(&self.return_type, RetType::Single(PgType::Scalar(qi)) if qi.schema == "pg_catalog" && qi.name == "void")
    }

    /// Name of the row type returned, when there is one (embedding starts from it).
    pub fn table_name(&self) -> Option<&str> {
        match &self.return_type {
            RetType::SetOf(PgType::Composite(qi, _)) | RetType::Single(PgType::Composite(qi, _)) => {
                Some(&qi.name)
            }
            _ => None,
        }
    }
}

/// How rows become a body.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub enum MediaHandler {
    /// One JSON object; with nulls stripped when the flag is set. Not overridable.
    BuiltinAggSingleJson(bool),
    /// JSON array with nulls stripped. Not overridable.
    BuiltinAggArrayJsonStrip,
    /// JSON array. Overridable.
    BuiltinOvAggJson,
    /// GeoJSON feature collection. Overridable.
    BuiltinOvAggGeoJson,
    /// CSV. Overridable.
    BuiltinOvAggCsv,
    /// A custom aggregate or function over a relation's row type.
    CustomFunc(QualifiedIdentifier, RelIdentifier),
    /// No aggregation: the value is the body.
    NoAgg,
}

/// A handler and the media type it answers with (`*/*` resolves to another one).
pub type ResolvedHandler = (MediaHandler, MediaType);

/// By relation and requested media type.
pub type MediaHandlerMap = HashMap<(RelIdentifier, MediaType), ResolvedHandler>;

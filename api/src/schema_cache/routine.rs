//! Functions and media type handlers.

use std::cmp::Ordering;
use std::collections::HashMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::identifiers::{QualifiedIdentifier, RelIdentifier, Schema};
use crate::media_type::MediaType;

/// What a function gives per row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "tag", content = "contents")]
pub enum PgType {
    /// Anything that is not a row type.
    Scalar(QualifiedIdentifier),
    /// A row type (of a relation, a `CREATE TYPE`, `RETURNS TABLE` or `OUT` parameters);
    /// the flag is set for a domain over a composite.
    Composite(QualifiedIdentifier, bool),
}

/// One row or a set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "tag", content = "contents")]
pub enum RetType {
    /// One value or row.
    Single(PgType),
    /// `SETOF` / `TABLE`.
    SetOf(PgType),
}

/// `IMMUTABLE`, `STABLE` or `VOLATILE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Volatility {
    /// May write.
    Volatile,
    /// Reads only.
    Stable,
    /// Depends on its arguments only.
    Immutable,
}

/// Transaction isolation, where a role or function sets one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum IsolationLevel {
    /// `READ COMMITTED`.
    ReadCommitted,
    /// `REPEATABLE READ`.
    RepeatableRead,
    /// `SERIALIZABLE`.
    Serializable,
}

/// An input parameter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RoutineParam {
    /// Name; empty when unnamed.
    #[serde(rename = "ppName")]
    pub name: String,
    /// Type as `format_type` prints it.
    #[serde(rename = "ppType")]
    pub data_type: String,
    /// Same, without length limits lost by `format_type` (e.g. `character` for `bpchar`).
    #[serde(rename = "ppTypeMaxLength")]
    pub type_max_length: String,
    /// Has no default.
    #[serde(rename = "ppReq")]
    pub required: bool,
    /// `VARIADIC`.
    #[serde(rename = "ppVar")]
    pub variadic: bool,
}

/// A callable function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routine {
    /// Schema of the function.
    #[serde(rename = "pdSchema")]
    pub schema: Schema,
    /// Name of the function.
    #[serde(rename = "pdName")]
    pub name: String,
    /// `COMMENT ON FUNCTION`, if any.
    #[serde(rename = "pdDescription")]
    pub description: Option<String>,
    /// Input parameters in order.
    #[serde(rename = "pdParams")]
    pub params: Vec<RoutineParam>,
    /// Result.
    #[serde(rename = "pdReturnType")]
    pub return_type: RetType,
    /// Volatility.
    #[serde(rename = "pdVolatility")]
    pub volatility: Volatility,
    /// The last parameter is variadic.
    #[serde(rename = "pdHasVariadic")]
    pub has_variadic: bool,
    /// `SET default_transaction_isolation` on the function.
    #[serde(rename = "pdIsoLvl")]
    pub isolation: Option<IsolationLevel>,
    /// Other `SET`s on the function that are to be hoisted to the transaction.
    #[serde(rename = "pdFuncSettings")]
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

    /// `record` without a word on what is in it.
    pub fn returns_untyped_record(&self) -> bool {
        let (RetType::Single(PgType::Scalar(qi)) | RetType::SetOf(PgType::Scalar(qi))) = &self.return_type
        else {
            return false;
        };
        qi.schema == "pg_catalog" && qi.name == "record"
    }

    /// `void`.
    pub fn returns_void(&self) -> bool {
        matches!(&self.return_type, RetType::Single(PgType::Scalar(qi)) if qi.schema == "pg_catalog" && qi.name == "void")
    }

    /// The row type returned, when there is one.
    pub fn row_type(&self) -> Option<&QualifiedIdentifier> {
        match &self.return_type {
            RetType::SetOf(PgType::Composite(qi, _)) | RetType::Single(PgType::Composite(qi, _)) => Some(qi),
            _ => None,
        }
    }

    /// Name of the row type returned, when there is one (embedding starts from it).
    pub fn table_name(&self) -> Option<&str> {
        self.row_type().map(|it| &*it.name)
    }
}

impl Ord for Routine {
    /// Overloads with fewer parameters come first; the rest only makes the order total.
    fn cmp(&self, other: &Self) -> Ordering {
        fn key(r: &Routine) -> impl Ord + '_ {
            (
                (&r.schema, &r.name, r.params.len()),
                (&r.description, &r.params, &r.return_type, r.volatility),
                (r.has_variadic, r.isolation, &r.settings),
            )
        }
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Routine {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Functions by name, overloads together.
pub type RoutineMap = IndexMap<QualifiedIdentifier, Vec<Routine>>;

/// How rows become a body.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "tag", content = "contents")]
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
    /// A JSON value a line.
    BuiltinOvAggLines,
    /// A custom aggregate or function over a relation's row type.
    CustomFunc(QualifiedIdentifier, RelIdentifier),
    /// No aggregation: the value is the body.
    NoAgg,
}

/// A handler and the media type it answers with (`*/*` resolves to another one).
pub type ResolvedHandler = (MediaHandler, MediaType);

/// By relation and requested media type.
pub type MediaHandlerMap = HashMap<(RelIdentifier, MediaType), ResolvedHandler>;

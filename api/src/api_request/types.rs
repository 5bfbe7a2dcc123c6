//! The vocabulary of a request. Data only; the parsers live beside this file.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::schema_cache::identifiers::{FieldName, QualifiedIdentifier, Schema};

/// Cast target as written (`::text`), to be quoted by `sql`.
pub type Cast = String;
/// Alias as written.
pub type Alias = String;
/// Disambiguation hint of an embed (`!hint`).
pub type Hint = String;
/// Names of the embedded levels, outermost first; empty is the top level.
pub type EmbedPath = Vec<String>;

/// How a function is invoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvokeMethod {
    /// `POST`.
    Inv,
    /// `GET` (`false`) or `HEAD` (`true`).
    InvRead(bool),
}

/// A write on a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// `POST`.
    Create,
    /// `PATCH`.
    Update,
    /// `PUT`.
    SingleUpsert,
    /// `DELETE`.
    Delete,
}

/// An action that reaches the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DbAction {
    /// Read a relation; the flag is set for `HEAD`.
    RelationRead(QualifiedIdentifier, bool),
    /// Write a relation.
    RelationMutation(QualifiedIdentifier, Mutation),
    /// Call a function.
    Routine(QualifiedIdentifier, InvokeMethod),
    /// The root: describe a schema; the flag is set for `HEAD`.
    SchemaRead(Schema, bool),
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Reaches the database.
    Db(DbAction),
    /// `OPTIONS` on a relation.
    RelationInfo(QualifiedIdentifier),
    /// `OPTIONS` on a function.
    RoutineInfo(QualifiedIdentifier, InvokeMethod),
    /// `OPTIONS` on the root.
    SchemaInfo,
}

/// A request body.
#[derive(Debug, Clone)]
pub enum Payload {
    /// JSON whose keys were read (an object, or an array of objects with equal keys).
    ProcessedJson {
        /// The body as sent (CSV arrives here converted to JSON).
        raw: Bytes,
        /// Its keys.
        keys: BTreeSet<FieldName>,
    },
    /// `application/x-www-form-urlencoded`.
    ProcessedUrlEncoded {
        /// Pairs in order.
        pairs: Vec<(String, String)>,
        /// Their keys.
        keys: BTreeSet<FieldName>,
    },
    /// JSON left unread (`columns=` given, or a function with a single unnamed json parameter).
    RawJson(Bytes),
    /// Anything else (`text/plain`, `text/xml`, binary).
    Raw(Bytes),
}

/// A step of `->` / `->>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JsonOperation {
    /// `->`.
    Arrow(JsonOperand),
    /// `->>`.
    DoubleArrow(JsonOperand),
}

/// What an arrow points at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JsonOperand {
    /// Object key.
    Key(String),
    /// Array index, digits with optional sign, as written.
    Idx(String),
}

/// A column with an optional JSON path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// Column (or computed field) name; `*` for all.
    pub name: FieldName,
    /// Path into it.
    pub json_path: Vec<JsonOperation>,
}

/// Aggregate functions of `select=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AggregateFunction {
    /// `sum()`.
    Sum,
    /// `avg()`.
    Avg,
    /// `max()`.
    Max,
    /// `min()`.
    Min,
    /// `count()`.
    Count,
}

/// `!inner` / `!left`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JoinType {
    /// `!inner`.
    Inner,
    /// `!left`.
    Left,
}

/// An item of `select=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectItem {
    /// `alias:field->path.agg()::aggcast::cast`.
    Field {
        /// Column and path.
        field: Field,
        /// Aggregate applied.
        aggregate: Option<AggregateFunction>,
        /// Cast of the aggregate's result.
        aggregate_cast: Option<Cast>,
        /// Cast of the field.
        cast: Option<Cast>,
        /// Output name.
        alias: Option<Alias>,
    },
    /// `alias:relation!hint!inner(...)`.
    Relation {
        /// Name as written: relation, column or constraint.
        name: FieldName,
        /// Output name.
        alias: Option<Alias>,
        /// Disambiguation.
        hint: Option<Hint>,
        /// Join type.
        join: Option<JoinType>,
    },
    /// `...relation!hint!inner(...)`.
    Spread {
        /// Name as written.
        name: FieldName,
        /// Disambiguation.
        hint: Option<Hint>,
        /// Join type.
        join: Option<JoinType>,
    },
}

/// `select=` as a tree: each item with the items nested in its parentheses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectTree {
    /// The item.
    pub item: SelectItem,
    /// Nested items (relations only).
    pub children: Vec<SelectTree>,
}

/// `asc` / `desc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderDirection {
    /// `asc`.
    Asc,
    /// `desc`.
    Desc,
}

/// `nullsfirst` / `nullslast`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderNulls {
    /// `nullsfirst`.
    First,
    /// `nullslast`.
    Last,
}

/// A term of `order=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderTerm {
    /// By a column.
    Field {
        /// Column and path.
        field: Field,
        /// Direction.
        direction: Option<OrderDirection>,
        /// Nulls.
        nulls: Option<OrderNulls>,
    },
    /// By a column of a to-one embed: `relation(field)`.
    Relation {
        /// Embed name or alias.
        relation: FieldName,
        /// Column and path.
        field: Field,
        /// Direction.
        direction: Option<OrderDirection>,
        /// Nulls.
        nulls: Option<OrderNulls>,
    },
}

/// `any` / `all` modifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpQuantifier {
    /// `(any)`.
    Any,
    /// `(all)`.
    All,
}

/// Operators that take `any` / `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QuantOperator {
    /// `eq`.
    Equal,
    /// `gte`.
    GreaterThanEqual,
    /// `gt`.
    GreaterThan,
    /// `lte`.
    LessThanEqual,
    /// `lt`.
    LessThan,
    /// `like`.
    Like,
    /// `ilike`.
    ILike,
    /// `match`.
    Match,
    /// `imatch`.
    IMatch,
}

/// Operators that do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SimpleOperator {
    /// `neq`.
    NotEqual,
    /// `cs`.
    Contains,
    /// `cd`.
    Contained,
    /// `ov`.
    Overlap,
    /// `sl`.
    StrictlyLeft,
    /// `sr`.
    StrictlyRight,
    /// `nxr`.
    NotExtendsRight,
    /// `nxl`.
    NotExtendsLeft,
    /// `adj`.
    Adjacent,
}

/// Full text search operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FtsOperator {
    /// `fts`.
    Fts,
    /// `plfts`.
    Plain,
    /// `phfts`.
    Phrase,
    /// `wfts`.
    Websearch,
}

/// Right side of `is`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IsValue {
    /// `null`.
    Null,
    /// `not_null`.
    NotNull,
    /// `true`.
    True,
    /// `false`.
    False,
    /// `unknown`.
    Unknown,
}

/// An operator with its operand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Not quantifiable.
    Simple(SimpleOperator, String),
    /// Quantifiable.
    Quant(QuantOperator, Option<OpQuantifier>, String),
    /// `in`.
    In(Vec<String>),
    /// `is`.
    Is(IsValue),
    /// `isdistinct`.
    IsDistinctFrom(String),
    /// Full text search with optional language.
    Fts(FtsOperator, Option<String>, String),
}

/// An operation, negated or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpExpr {
    /// `[not.]operation`.
    Expr {
        /// `not.` was given.
        negated: bool,
        /// The operation.
        operation: Operation,
    },
    /// Not an operator expression: a function argument's value, verbatim.
    NoOp(String),
}

/// `field.operation`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Left side.
    pub field: Field,
    /// The rest.
    pub op_expr: OpExpr,
}

/// `and` / `or`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogicOperator {
    /// `and`.
    And,
    /// `or`.
    Or,
}

/// A boolean expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogicTree {
    /// `[not.]and(…)` / `[not.]or(…)`.
    Expr {
        /// `not.` was given.
        negated: bool,
        /// Connective.
        operator: LogicOperator,
        /// Operands.
        operands: Vec<LogicTree>,
    },
    /// A leaf.
    Stmnt(Filter),
}

/// A requested window of rows. `limit: None` is open-ended.
///
/// `limit == Some(0)` is the legal empty window. Top-level windows are checked to be possible ones; those of
/// embeds are as the caller wrote them, so the database refuses a negative number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Range {
    /// First row, from 0.
    pub offset: i64,
    /// Number of rows.
    pub limit: Option<i64>,
}

impl Range {
    /// All rows.
    pub const ALL: Self = Self { offset: 0, limit: None };
}

/// The query string.
#[derive(Debug, Clone, Default)]
pub struct QueryParams {
    /// Sorted, re-encoded query for `Content-Location`.
    pub canonical: String,
    /// Arguments of a function called by `GET` (name, value), in order.
    pub params: Vec<(String, String)>,
    /// `limit`/`offset` by embed path, each path once.
    pub ranges: Vec<(EmbedPath, Range)>,
    /// `order` by embed path.
    pub order: Vec<(EmbedPath, Vec<OrderTerm>)>,
    /// `and`/`or` by embed path.
    pub logic: Vec<(EmbedPath, LogicTree)>,
    /// `columns`.
    pub columns: Option<BTreeSet<FieldName>>,
    /// `select`; `*` when absent.
    pub select: Vec<SelectTree>,
    /// All filters by embed path.
    pub filters: Vec<(EmbedPath, Filter)>,
    /// Filters of the top level (empty path).
    pub filters_root: Vec<Filter>,
    /// Filters of embedded levels (non-empty path).
    pub filters_not_root: Vec<(EmbedPath, Filter)>,
    /// Names of the columns filtered at the top level.
    pub filter_fields: BTreeSet<FieldName>,
    /// `on_conflict`.
    pub on_conflict: Option<Vec<FieldName>>,
}

/// `Prefer: resolution=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreferResolution {
    /// `merge-duplicates`.
    MergeDuplicates,
    /// `ignore-duplicates`.
    IgnoreDuplicates,
}

/// `Prefer: return=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreferRepresentation {
    /// `representation`.
    Full,
    /// `headers-only`.
    HeadersOnly,
    /// `minimal`.
    None,
}

/// `Prefer: count=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreferCount {
    /// `exact`.
    Exact,
    /// `planned`.
    Planned,
    /// `estimated`.
    Estimated,
}

/// `Prefer: tx=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreferTransaction {
    /// `commit`.
    Commit,
    /// `rollback`.
    Rollback,
}

/// `Prefer: missing=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreferMissing {
    /// `default`.
    ApplyDefaults,
    /// `null`.
    ApplyNulls,
}

/// `Prefer: handling=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreferHandling {
    /// `strict`.
    Strict,
    /// `lenient`.
    Lenient,
}

/// `Prefer` headers, first occurrence wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preferences {
    /// `resolution=`.
    pub resolution: Option<PreferResolution>,
    /// `return=`.
    pub representation: Option<PreferRepresentation>,
    /// `count=`.
    pub count: Option<PreferCount>,
    /// `tx=`, only where `db-tx-end` allows it.
    pub transaction: Option<PreferTransaction>,
    /// `missing=`.
    pub missing: Option<PreferMissing>,
    /// `handling=`.
    pub handling: Option<PreferHandling>,
    /// `timezone=`.
    pub timezone: Option<String>,
    /// `max-affected=`.
    pub max_affected: Option<i64>,
    /// Preferences not understood, as written.
    pub invalid: Vec<String>,
}

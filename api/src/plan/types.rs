//! Plan data, apart from the planner that fills it.
//!
//! A plan names what a statement must do and holds every value it needs, but no SQL text,
//! apart from what [`super::verbatim`] vouches for.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::api_request::types::{
    AggregateFunction, Alias, Field, Hint, JoinType, JsonOperation, LogicOperator, OpExpr, OrderDirection,
    OrderNulls, PreferResolution, Range,
};
use crate::schema_cache::identifiers::{FieldName, QualifiedIdentifier};
use crate::schema_cache::relationship::Relationship;
use crate::schema_cache::routine::{PgType, RetType, Routine, RoutineParam};

use super::families::{Family, family_of};
use super::verbatim::{CastType, CatalogSql};

/// A request's field, with what the schema cache knows of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResolvedField {
    /// Column or computed field; `*` for all.
    pub name: FieldName,
    /// Path into it.
    pub json_path: Vec<JsonOperation>,
    /// The path is applied to `to_jsonb(column)`: the column is neither `json` nor `jsonb`.
    pub to_json: bool,
    /// The field is searched as text: `to_tsvector([language,] field)`.
    pub to_tsvector: Option<TsVector>,
    /// Type of the value before `transform`; `None` when the cache does not know the field.
    pub ir_type: Option<CatalogSql>,
    /// Domain representation: a function over the value.
    pub transform: Option<CatalogSql>,
    /// Default of the column.
    pub default: Option<CatalogSql>,
    /// A value of type `json`, which has no comparison and no order: that of `jsonb` is taken.
    pub as_jsonb: bool,
    /// The database alone gives the column its values, so that an update leaves it as it is.
    pub generated: bool,
    /// Where defaults stand for missing values, a null counts as missing.
    pub null_is_missing: bool,
    /// How a value to be written is read from the body.
    pub reads: BodyValue,
    /// Stands for the row itself: `count(row)` of a spread instead of `count(*)`.
    pub full_row: bool,
}

impl ResolvedField {
    /// A field the cache knows nothing of.
    pub fn unknown(name: impl Into<String>, json_path: Vec<JsonOperation>) -> Self {
        Self { name: name.into(), json_path, ..Self::default() }
    }
}

/// How a value is read from a JSON body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyValue {
    /// As the database reads that type from JSON.
    #[default]
    Typed,
    /// `hstore`, from an object or from its text.
    Hstore,
    /// From a text that stands for null where it is empty.
    EmptyIsNull,
}

impl BodyValue {
    /// For a type, by the name of what it is made of and its own.
    ///
    /// An array whose elements have a modifier is left to the database: a cast from a text would cut
    /// `character varying(3)[]` instead of refusing it.
    pub fn of(data_type: &str, nominal_type: &str, empty_is_null: bool) -> Self {
        match family_of(data_type) {
            Family::Hstore => Self::Hstore,
            Family::Array if empty_is_null && data_type == nominal_type && !data_type.contains('(') => {
                Self::EmptyIsNull
            }
            family if empty_is_null && family.is_never_empty_text() => Self::EmptyIsNull,
            _ => Self::Typed,
        }
    }
}

/// Arguments of `to_tsvector` besides the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TsVector {
    /// Text search configuration.
    pub language: Option<String>,
}

/// A column of a `SELECT`.
#[derive(Debug, Clone, PartialEq)]
pub struct SelectField {
    /// What is selected.
    pub field: ResolvedField,
    /// Aggregate around it.
    pub aggregate: Option<AggregateFunction>,
    /// Cast of the aggregate.
    pub aggregate_cast: Option<CastType>,
    /// Cast of the field, inside the aggregate.
    pub cast: Option<CastType>,
    /// Output name.
    pub alias: Option<Alias>,
}

impl SelectField {
    /// Just a field.
    pub fn plain(field: ResolvedField) -> Self {
        Self { field, aggregate: None, aggregate_cast: None, cast: None, alias: None }
    }
}

/// A boolean expression over resolved fields.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// `[not] (… and|or …)`.
    Group {
        /// Negated.
        negated: bool,
        /// Connective.
        operator: LogicOperator,
        /// Operands.
        operands: Vec<Condition>,
    },
    /// `field operator value`.
    Filter {
        /// Left side.
        field: ResolvedField,
        /// Right side.
        op_expr: OpExpr,
    },
    /// An embed has no rows (`embed=is.null`), or has some when negated.
    NullEmbed {
        /// Negated: has rows.
        negated: bool,
        /// [`ReadPlan::agg_alias`] of the embed.
        agg_alias: Alias,
    },
}

/// A term of `ORDER BY`.
#[derive(Debug, Clone, PartialEq)]
pub enum OrderBy {
    /// By a field of the relation itself.
    Field {
        /// The field.
        field: ResolvedField,
        /// Direction.
        direction: Option<OrderDirection>,
        /// Nulls.
        nulls: Option<OrderNulls>,
    },
    /// By a field of a to-one embed.
    Related {
        /// Embed: its name as written, until the planner has found its [`ReadPlan::agg_alias`].
        relation: FieldName,
        /// The field.
        field: Field,
        /// Direction.
        direction: Option<OrderDirection>,
        /// Nulls.
        nulls: Option<OrderNulls>,
    },
}

/// Equality of two columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinCondition {
    /// Left relation and column.
    pub left: (QualifiedIdentifier, FieldName),
    /// Right relation and column.
    pub right: (QualifiedIdentifier, FieldName),
}

/// What an embed becomes in the row that embeds it.
#[derive(Debug, Clone, PartialEq)]
pub enum RelSelect {
    /// A JSON object or array.
    Json {
        /// Output name.
        name: FieldName,
        /// Alias of the joined subquery.
        agg_alias: Alias,
        /// Object (to-one) or array (to-many).
        to_one: bool,
        /// Nothing was selected from it: it joins and filters, but does not show.
        empty: bool,
    },
    /// Its columns, hoisted.
    Spread {
        /// The columns.
        fields: Vec<SpreadField>,
        /// Alias of the joined subquery.
        agg_alias: Alias,
    },
}

impl RelSelect {
    /// Alias of the joined subquery.
    pub fn agg_alias(&self) -> &str {
        match self {
            Self::Json { agg_alias, .. } | Self::Spread { agg_alias, .. } => agg_alias,
        }
    }
}

/// A column hoisted from a spread embed.
#[derive(Debug, Clone, PartialEq)]
pub struct SpreadField {
    /// Name inside the embed.
    pub name: FieldName,
    /// Aggregate hoisted with it.
    pub aggregate: Option<AggregateFunction>,
    /// Cast of the aggregate.
    pub aggregate_cast: Option<CastType>,
    /// Output name.
    pub alias: Option<Alias>,
}

/// How an embed is spread.
#[derive(Debug, Clone, PartialEq)]
pub enum Spread {
    /// One row: its columns become columns.
    ToOne,
    /// Many rows: each column becomes an array.
    ToMany {
        /// Columns selected only to order the arrays by, each from the embed itself or from one of its own embeds.
        order_fields: Vec<(Option<Alias>, SelectField)>,
        /// Order of the arrays.
        order: Vec<OrderBy>,
    },
}

/// One level of a read: a `SELECT`.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadPlan {
    /// Columns.
    pub select: Vec<SelectField>,
    /// Source. Until relationships are resolved, the name as written in the request.
    pub from: QualifiedIdentifier,
    /// Alias of the source.
    pub from_alias: Option<Alias>,
    /// Conditions, all of which must hold.
    pub conditions: Vec<Condition>,
    /// Order.
    pub order: Vec<OrderBy>,
    /// Window of rows.
    pub range: Range,
    /// Name as written in the request.
    pub rel_name: FieldName,
    /// What identifies the row type that a computed relationship leads to.
    pub row_type: Option<u32>,
    /// How the level above leads here; `None` at the top.
    pub rel_to_parent: Option<Relationship>,
    /// Join with the level above.
    pub join_conditions: Vec<JoinCondition>,
    /// Output name.
    pub rel_alias: Option<Alias>,
    /// Alias of this level as a joined subquery.
    pub agg_alias: Alias,
    /// Disambiguation.
    pub hint: Option<Hint>,
    /// Join type.
    pub join_type: Option<JoinType>,
    /// Spread into the level above.
    pub spread: Option<Spread>,
    /// What the levels below become in a row of this one, in their order.
    pub rel_select: Vec<RelSelect>,
    /// 0 at the top; part of aliases.
    pub depth: usize,
    /// A filter, order or limit addressed this embed by its relation's name although it has an alias.
    pub legacy_target_match: bool,
    /// When it was addressed last, counted by the level above; 0 for never. Embeds that were come before others.
    pub addressed: usize,
    /// How often embeds of this level were addressed.
    pub n_addressed: usize,
}

impl ReadPlan {
    /// A level that selects nothing yet.
    pub fn new(from: QualifiedIdentifier, depth: usize) -> Self {
        Self {
            select: Vec::new(),
            rel_name: from.name.clone(),
            from,
            from_alias: None,
            conditions: Vec::new(),
            order: Vec::new(),
            range: Range::ALL,
            row_type: None,
            rel_to_parent: None,
            join_conditions: Vec::new(),
            rel_alias: None,
            agg_alias: Alias::new(),
            hint: None,
            join_type: None,
            spread: None,
            rel_select: Vec::new(),
            depth,
            legacy_target_match: false,
            addressed: 0,
            n_addressed: 0,
        }
    }

    /// Name of this embed in the output.
    pub fn output_name(&self) -> &str {
        self.rel_alias.as_deref().unwrap_or(&self.rel_name)
    }
}

/// A read plan with its embeds.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadPlanTree {
    /// This level.
    pub node: ReadPlan,
    /// Levels below, in the order of [`ReadPlan::rel_select`].
    pub children: Vec<ReadPlanTree>,
}

/// The unique index that rows may conflict in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictTarget {
    /// Its columns.
    pub columns: Vec<FieldName>,
    /// The rows it is over, where it is not over all of them.
    pub predicate: Option<CatalogSql>,
}

/// An insert, update or delete.
#[derive(Debug, Clone)]
pub enum MutatePlan {
    /// `INSERT`.
    Insert {
        /// Target.
        into: QualifiedIdentifier,
        /// Columns written.
        columns: Vec<ResolvedField>,
        /// JSON to insert.
        body: Option<Bytes>,
        /// `ON CONFLICT`: what to do where.
        on_conflict: Option<(PreferResolution, ConflictTarget)>,
        /// Values are written to identity columns that are `GENERATED ALWAYS`.
        overriding: bool,
        /// `PUT` only: the row must match these.
        conditions: Vec<Condition>,
        /// Columns given back.
        returning: Vec<FieldName>,
        /// Primary key, for `Location`: each column, and whether its values are plain in JSON, as text that is
        /// read back as that value.
        pk_cols: Vec<(FieldName, bool)>,
        /// Missing keys take the column's default instead of null.
        apply_defaults: bool,
    },
    /// `UPDATE`.
    Update {
        /// Target.
        into: QualifiedIdentifier,
        /// Columns written.
        columns: Vec<ResolvedField>,
        /// JSON with the new values.
        body: Option<Bytes>,
        /// Rows to update.
        conditions: Vec<Condition>,
        /// Columns given back.
        returning: Vec<FieldName>,
        /// Missing keys take the column's default instead of null.
        apply_defaults: bool,
    },
    /// `DELETE`.
    Delete {
        /// Target.
        from: QualifiedIdentifier,
        /// Rows to delete.
        conditions: Vec<Condition>,
        /// Columns given back.
        returning: Vec<FieldName>,
    },
}

/// A function call.
#[derive(Debug, Clone)]
pub struct CallPlan {
    /// What identifies the row type of the result, where it is one that may change.
    pub row_type: Option<u32>,
    /// The function.
    pub function: QualifiedIdentifier,
    /// Parameters passed.
    pub params: CallParams,
    /// Their values.
    pub args: CallArgs,
    /// The result is one scalar.
    pub scalar: bool,
    /// The result is a set of scalars.
    pub set_of_scalar: bool,
    /// Columns and types of a result that the function leaves untyped (`record`); otherwise empty.
    pub definition: Vec<(FieldName, CastType)>,
    /// Of types that no empty text is a value of, such a text in the body is null.
    pub empty_is_null: bool,
    /// Columns needed from the result; all when empty.
    pub returning: BTreeSet<FieldName>,
}

impl CallPlan {
    /// The function as this plan calls it: with a definition of its columns, a `record` is a row.
    pub fn as_called(&self, routine: &Routine) -> Routine {
        let mut called = routine.clone();
        if !self.definition.is_empty() {
            called.return_type = match called.return_type {
                RetType::Single(PgType::Scalar(record)) => RetType::Single(PgType::Composite(record, false)),
                RetType::SetOf(PgType::Scalar(record)) => RetType::SetOf(PgType::Composite(record, false)),
                rows => rows,
            };
        }
        called
    }
}

/// How parameters are passed.
#[derive(Debug, Clone)]
pub enum CallParams {
    /// By name.
    Named(Vec<RoutineParam>),
    /// A single unnamed one.
    Positional(RoutineParam),
}

/// Where argument values come from.
#[derive(Debug, Clone)]
pub enum CallArgs {
    /// Given one by one, by name; each name once.
    Direct(Vec<(String, ArgValue)>),
    /// A body.
    Body(Option<Bytes>),
}

/// A directly given argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArgValue {
    /// One value.
    Single(String),
    /// Values of a variadic parameter.
    Variadic(Vec<String>),
}

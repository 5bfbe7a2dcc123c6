//! Fields of a request against the schema cache: types, domain representations, JSON access.

use crate::api_request::types::{
    Field, Filter, JsonOperation, LogicTree, OpExpr, Operation, QuantOperator, SimpleOperator,
};
use crate::schema_cache::SchemaCache;
use crate::schema_cache::identifiers::QualifiedIdentifier;
use crate::schema_cache::representation::DataRepresentation;
use crate::schema_cache::table::{Column, Table};

use super::types::{BodyValue, Condition, ResolvedField, TsVector};
use super::verbatim::CatalogSql;

/// Output type that representations are looked up for. The body's format does not matter: CSV and
/// custom handlers show what JSON shows.
const OUTPUT_TYPE: &str = "json";

/// Looks fields up in one relation. A field that is not found is left to the database: it may be a
/// computed field, or a column of a function's result.
#[derive(Clone, Copy)]
pub(super) struct Resolver<'a> {
    cache: &'a SchemaCache,
    table: Option<&'a Table>,
}

impl<'a> Resolver<'a> {
    /// A resolver for the fields of `qi`.
    pub(super) fn new(cache: &'a SchemaCache, qi: &QualifiedIdentifier) -> Self {
        Self { cache, table: cache.tables.get(qi) }
    }

    /// Columns of the relation, when the cache knows it.
    pub(super) fn columns(&self) -> impl Iterator<Item = &'a Column> + use<'a> {
        self.table.into_iter().flat_map(|table| table.columns.values())
    }

    /// Some column is shown through a representation.
    pub(super) fn has_output_representation(&self) -> bool {
        !self.cache.representations.is_empty()
            && self.columns().any(|column| self.representation(&column.nominal_type, OUTPUT_TYPE).is_some())
    }

    /// A field to show.
    pub(super) fn output_field(&self, field: &Field) -> ResolvedField {
        self.with_output_format(self.any_field(field, None))
    }

    /// A column to show.
    pub(super) fn output_column(&self, column: &Column) -> ResolvedField {
        self.with_output_format(column_field(column))
    }

    /// A field to order by; `is_own`: of this relation, and not of another that has a column of that name.
    pub(super) fn order_field(&self, field: &Field, is_own: bool) -> ResolvedField {
        let field = self.any_field(field, None);
        // What an arrow gives may be cast whatever it was taken from.
        if is_own || !field.json_path.is_empty() { self.comparable(field) } else { field }
    }

    /// A field whose values can be compared. What is of type `json` cannot; what an arrow takes from `json` is `json`.
    fn comparable(&self, field: ResolvedField) -> ResolvedField {
        let Some(column) = self.table.and_then(|table| table.columns.get(&field.name)) else { return field };
        let as_jsonb = match field.json_path.last() {
            None => column.data_type == "json",
            Some(JsonOperation::Arrow(_)) => column.nominal_type == "json",
            Some(JsonOperation::DoubleArrow(_)) => false,
        };
        ResolvedField { as_jsonb, ..field }
    }

    /// A column to write from a JSON body; `None` when there is no such column.
    pub(super) fn input_column(&self, name: &str, empty_is_null: bool) -> Option<ResolvedField> {
        let column = self.table?.columns.get(name)?;
        let field = column_field(column);
        Some(match self.representation("json", &column.nominal_type) {
            Some(representation) => with_representation(field, representation),
            None => ResolvedField {
                reads: BodyValue::of(&column.data_type, &column.nominal_type, empty_is_null),
                ..field
            },
        })
    }

    /// A filter of the query string.
    pub(super) fn filter(&self, filter: &Filter) -> Condition {
        let to_tsvector = match &filter.op_expr {
            OpExpr::Expr { operation: Operation::Fts(_, language, _), .. } => {
                Some(TsVector { language: language.clone() })
            }
            _ => None,
        };
        let field = self.any_field(&filter.field, to_tsvector);
        let representation =
            field.ir_type.as_ref().and_then(|ir_type| self.representation("text", ir_type.as_str()));
        let field = match representation {
            Some(representation) => with_representation(field, representation),
            None if compares(&filter.op_expr) => self.comparable(field),
            None => field,
        };
        Condition::Filter { field, op_expr: filter.op_expr.clone() }
    }

    /// A logic tree of the query string.
    pub(super) fn logic_tree(&self, tree: &LogicTree) -> Condition {
        match tree {
            LogicTree::Stmnt(filter) => self.filter(filter),
            LogicTree::Expr { negated, operator, operands } => Condition::Group {
                negated: *negated,
                operator: *operator,
                operands: operands.iter().map(|operand| self.logic_tree(operand)).collect(),
            },
        }
    }

    fn any_field(&self, field: &Field, to_tsvector: Option<TsVector>) -> ResolvedField {
        let Some(column) = self.table.and_then(|table| table.columns.get(&field.name)) else {
            return ResolvedField {
                to_json: true,
                ..ResolvedField::unknown(field.name.clone(), field.json_path.clone())
            };
        };
        // An index on `column->'key'` is only used when the column is not wrapped in to_jsonb().
        let is_json = matches!(&*column.nominal_type, "json" | "jsonb");
        let is_tsvector = column.data_type == "tsvector";
        ResolvedField {
            json_path: field.json_path.clone(),
            to_json: !is_json,
            to_tsvector: to_tsvector.filter(|_| is_json || !is_tsvector),
            ..column_field(column)
        }
    }

    fn with_output_format(&self, field: ResolvedField) -> ResolvedField {
        let representation =
            field.ir_type.as_ref().and_then(|ir_type| self.representation(ir_type.as_str(), OUTPUT_TYPE));
        match representation {
            Some(representation) => with_representation(field, representation),
            None => field,
        }
    }

    fn representation(&self, source: &str, target: &str) -> Option<&'a DataRepresentation> {
        if self.cache.representations.is_empty() {
            return None;
        }
        self.cache.representations.get(&(source.to_owned(), target.to_owned()))
    }
}

/// Whether an operator compares values, and is one that `jsonb` has.
fn compares(op_expr: &OpExpr) -> bool {
    let OpExpr::Expr { operation, .. } = op_expr else { return false };
    match operation {
        Operation::Quant(operator, ..) => !matches!(
            operator,
            QuantOperator::Like | QuantOperator::ILike | QuantOperator::Match | QuantOperator::IMatch
        ),
        Operation::Simple(operator, _) => {
            matches!(
                operator,
                SimpleOperator::NotEqual | SimpleOperator::Contains | SimpleOperator::Contained
            )
        }
        Operation::In(_) | Operation::IsDistinctFrom(_) => true,
        Operation::Is(_) | Operation::Fts(..) => false,
    }
}

fn column_field(column: &Column) -> ResolvedField {
    ResolvedField {
        ir_type: Some(CatalogSql::column_type(column)),
        default: CatalogSql::column_default(column),
        generated: !column.generated.is_never(),
        ..ResolvedField::unknown(column.name.clone(), Vec::new())
    }
}

fn with_representation(field: ResolvedField, representation: &DataRepresentation) -> ResolvedField {
    ResolvedField {
        ir_type: Some(CatalogSql::source_type(representation)),
        transform: Some(CatalogSql::function(representation)),
        ..field
    }
}

//! Expressions that are never null.

use super::Prover;
use super::catalog::{Function, Oid, is_builtin};
use super::facts::returns_set;
use super::known;
use super::scope::{RangeIndex, Scope};
use super::tree::{Node, Value};

/// Kinds of sub-selects in expressions, as Postgres numbers them.
const EXISTS: u8 = 0;
const EXPRESSION: u8 = 4;
const ARRAY: u8 = 6;
/// `CURRENT_SCHEMA`, which may be null, is the last of the values that SQL has names for.
const CURRENT_SCHEMA: u8 = 14;
/// A function is called by a conversion, explicit or implied.
const CONVERSIONS: [u8; 2] = [1, 2];

impl Prover<'_> {
    /// Whether an expression gives no null, for any row of its query. When in doubt, it may.
    pub(super) fn never_null(&self, value: &Value<'_>, scope: &Scope<'_>) -> bool {
        let Some(node) = value.node() else { return false };
        if scope.sometimes_grouped.iter().any(|it| it.same(value)) {
            return false;
        }
        let all = |values: &[Value<'_>]| values.iter().all(|it| self.never_null(it, scope));
        let any = |values: &[Value<'_>]| values.iter().any(|it| self.never_null(it, scope));
        let arguments = node.list("args");
        match node.tag {
            "VAR" => self.variable(node, scope),
            "CONST" => node.is_unset("constisnull"),
            "NULLTEST" | "BOOLEANTEST" | "DISTINCTEXPR" | "GROUPINGFUNC" | "ARRAYEXPR" | "ARRAY" => true,
            "RELABELTYPE" | "COERCEVIAIO" | "ARRAYCOERCEEXPR" | "COERCETODOMAIN" | "COLLATEEXPR"
            | "COLLATE" => self.never_null(node.get("arg"), scope),
            "BOOLEXPR" => all(arguments),
            "COALESCEEXPR" | "COALESCE" | "MINMAXEXPR" | "MINMAX" => any(arguments),
            "CASEEXPR" | "CASE" => {
                self.never_null(node.get("defresult"), scope)
                    && arguments
                        .iter()
                        .all(|it| it.node().is_some_and(|it| self.never_null(it.get("result"), scope)))
            }
            "SQLVALUEFUNCTION" => node.number("op").is_some_and(|it: u8| it < CURRENT_SCHEMA),
            "OPEXPR" => !returns_set(node) && self.is_total_operator(node) && all(arguments),
            "SCALARARRAYOPEXPR" => match arguments {
                [left, array] => {
                    let elements = array.node().map(|it| it.list("elements")).unwrap_or_default();
                    !elements.is_empty()
                        && self.is_total_operator(node)
                        && self.never_null(left, scope)
                        && all(elements)
                }
                _ => false,
            },
            "FUNCEXPR" => self.call(node, scope),
            "AGGREF" => self.aggregate(node, scope),
            "WINDOWFUNC" => self.function(node.number("winfnoid")).is_some_and(known::numbers),
            "SUBLINK" => match (node.number("subLinkType"), node.get("subselect").node()) {
                (Some(EXISTS | ARRAY), _) => true,
                (Some(EXPRESSION), Some(query)) => {
                    gives_one_row(query)
                        && self.query(query, Some(scope), scope.constraints_hold).first() == Some(&true)
                }
                _ => false,
            },
            _ => false,
        }
    }

    fn variable(&self, node: &Node<'_>, scope: &Scope<'_>) -> bool {
        let (Some(index), Some(column)) =
            (node.number::<RangeIndex>("varno"), node.number::<i32>("varattno"))
        else {
            return false;
        };
        let Some(scope) = node.number("varlevelsup").and_then(|it| scope.up(it)) else { return false };
        let Some(position) = usize::try_from(column).ok().and_then(|it| it.checked_sub(1)) else {
            return false;
        };
        if scope.is_sometimes_grouped() {
            return false;
        }
        scope.facts.contains(&(index, column)) || self.column(scope, index, position)
    }

    fn call(&self, node: &Node<'_>, scope: &Scope<'_>) -> bool {
        let Some(function) = self.function_of(node).filter(|_| !returns_set(node)) else { return false };
        let arguments = node.list("args");
        let all = |values: &[Value<'_>]| values.iter().all(|it| self.never_null(it, scope));
        if let Some(needed) = known::needed_of_variadic(function) {
            return !node.flag("funcvariadic") && arguments.get(..needed).is_some_and(all);
        }
        let converts = || {
            let format = node.number("funcformat").is_some_and(|it: u8| CONVERSIONS.contains(&it));
            let types = (arguments.first().and_then(type_of), node.number("funcresulttype"));
            let function = function.strict && function.source.is_some();
            format
                && function
                && matches!(types, (Some(from), Some(to)) if known::is_total_conversion(from, to))
        };
        (known::is_total(function) || converts()) && all(arguments)
    }

    fn aggregate(&self, node: &Node<'_>, scope: &Scope<'_>) -> bool {
        let Some(function) = self.function(node.number("aggfnoid")) else { return false };
        if known::counts(function) {
            return true;
        }
        // A group has a row at least; what is not grouped may have none.
        let has_rows = node.number("agglevelsup") == Some(0_u8)
            && !scope.query.list("groupClause").is_empty()
            && !scope.is_sometimes_grouped()
            && node.get("aggfilter").is_nothing();
        let arguments = node.list("args").iter().filter_map(Value::node);
        let not_null = || arguments.map(|it| it.get("expr")).all(|it| self.never_null(it, scope));
        has_rows && (known::collects(function) || known::aggregates(function) && not_null())
    }

    fn is_total_operator(&self, node: &Node<'_>) -> bool {
        let operator = node.number("opno").and_then(|it: Oid| self.catalog.operators.get(&it));
        let result = node.number("opresulttype");
        operator.and_then(|it| it.name.as_deref()).is_some_and(|it| known::is_total_operator(it, result))
    }

    /// The function that a call, or an operator, runs.
    pub(super) fn function_of(&self, node: &Node<'_>) -> Option<&Function> {
        let called = node.number("funcid").or_else(|| node.number("opfuncid")).filter(|it: &Oid| *it != 0);
        let of_operator =
            || node.number("opno").and_then(|it: Oid| self.catalog.operators.get(&it)).map(|it| it.function);
        self.function(called.or_else(of_operator))
    }

    pub(super) fn function(&self, oid: Option<Oid>) -> Option<&Function> {
        self.catalog.functions.get(&oid?)
    }
}

/// A sub-select that gives one row, whatever there is in the database: an aggregate of all rows, or a row of nothing.
fn gives_one_row(query: &Node<'_>) -> bool {
    let nothing = |field| query.get(field).is_nothing();
    let plain = ["groupClause", "groupingSets", "havingQual", "limitCount", "limitOffset", "setOperations"];
    let from = query.get("jointree").node();
    let reads_nothing = from.is_some_and(|it| it.list("fromlist").is_empty() && it.get("quals").is_nothing());
    plain.into_iter().all(nothing)
        && query.is_unset("hasTargetSRFs")
        && (query.flag("hasAggs") || reads_nothing)
}

/// The type of an expression, where its node tells.
pub(super) fn type_of(value: &Value<'_>) -> Option<Oid> {
    let node = value.node()?;
    let field = match node.tag {
        "VAR" => "vartype",
        "CONST" => "consttype",
        "FUNCEXPR" => "funcresulttype",
        "OPEXPR" => "opresulttype",
        "AGGREF" => "aggtype",
        "WINDOWFUNC" => "wintype",
        "RELABELTYPE" | "COERCEVIAIO" | "COERCETODOMAIN" | "ARRAYCOERCEEXPR" => "resulttype",
        "CASEEXPR" => "casetype",
        "COALESCEEXPR" => "coalescetype",
        "MINMAXEXPR" => "minmaxtype",
        "ARRAYEXPR" => "array_typeid",
        "SQLVALUEFUNCTION" => "type",
        "BOOLEXPR" | "NULLTEST" | "BOOLEANTEST" | "DISTINCTEXPR" | "SCALARARRAYOPEXPR" => return Some(16),
        _ => return None,
    };
    node.number(field)
}

/// Whether Postgres changes a value of a set operation into its result's type by means that it answers for.
pub(super) fn converts_safely(value: &Value<'_>, to: Option<Oid>) -> bool {
    match (type_of(value), to) {
        (Some(from), Some(to)) => from == to || is_builtin(from) && is_builtin(to) && from != JSONB,
        _ => false,
    }
}

/// `jsonb`, whose null may become SQL's null.
const JSONB: Oid = 3802;

//! Fields, filters and order terms.

use crate::api_request::types::{
    FtsOperator, IsValue, JsonOperand, JsonOperation, LogicOperator, OpExpr, OpQuantifier, Operation,
    OrderDirection, OrderNulls, QuantOperator, SimpleOperator,
};
use crate::plan::types::{Condition, JoinCondition, OrderBy, ResolvedField};

use super::builder::{Qualifier, SqlBuilder, array_text};

/// Appends a field, without its representation.
pub(super) fn field(sql: &mut SqlBuilder, from: Qualifier<'_>, field: &ResolvedField) {
    match &field.to_tsvector {
        Some(tsvector) => {
            sql.sql("pg_catalog.to_tsvector(");
            language(sql, tsvector.language.as_deref());
            bare_field(sql, from, field);
            sql.sql(")");
        }
        None => bare_field(sql, from, field),
    }
}

fn bare_field(sql: &mut SqlBuilder, from: Qualifier<'_>, field: &ResolvedField) {
    if field.as_jsonb {
        sql.sql("(");
        value_of(sql, from, field);
        sql.sql(")::pg_catalog.jsonb");
    } else {
        value_of(sql, from, field);
    }
}

fn value_of(sql: &mut SqlBuilder, from: Qualifier<'_>, field: &ResolvedField) {
    if field.full_row {
        sql.ident(from.unqualified());
    } else if field.json_path.is_empty() {
        sql.column(from, &field.name);
    } else {
        if field.to_json {
            sql.sql("pg_catalog.to_jsonb(").column(from, &field.name).sql(")");
        } else {
            sql.column(from, &field.name);
        }
        for operation in &field.json_path {
            json_operation(sql, operation);
        }
    }
}

fn json_operation(sql: &mut SqlBuilder, operation: &JsonOperation) {
    let operand = match operation {
        JsonOperation::Arrow(operand) => {
            sql.sql("->");
            operand
        }
        JsonOperation::DoubleArrow(operand) => {
            sql.sql("->>");
            operand
        }
    };
    match operand {
        JsonOperand::Key(key) => sql.bind_unknown(key),
        JsonOperand::Idx(index) => sql.bind_unknown(index).sql("::int"),
    };
}

/// Appends a value of a filter, parsed by the field's representation if it has one.
fn value(sql: &mut SqlBuilder, field: &ResolvedField, value: &str) {
    match &field.transform {
        Some(parser) => {
            sql.catalog(parser).sql("(").bind_unknown(value).sql(")");
        }
        None => {
            sql.bind_unknown(value);
        }
    }
}

/// Appends conditions joined by `AND`.
pub(super) fn all_of(sql: &mut SqlBuilder, from: Qualifier<'_>, conditions: &[Condition]) {
    sql.separated(" AND ", conditions, |sql, it| condition(sql, from, it));
}

/// Appends a condition.
pub(super) fn condition(sql: &mut SqlBuilder, from: Qualifier<'_>, it: &Condition) {
    condition_with(sql, from, it, &|sql, negated, agg_alias| {
        sql.ident(agg_alias).sql(if negated {
            " IS DISTINCT FROM NULL"
        } else {
            " IS NOT DISTINCT FROM NULL"
        });
    });
}

/// Appends a condition, with the caller's way to tell whether an embed has rows.
pub(super) fn condition_with(
    sql: &mut SqlBuilder,
    from: Qualifier<'_>,
    it: &Condition,
    null_embed: &dyn Fn(&mut SqlBuilder, bool, &str),
) {
    match it {
        Condition::Group { negated, operator, operands } => {
            sql.sql(if *negated { "NOT (" } else { "(" });
            let separator = match operator {
                LogicOperator::And => " AND ",
                LogicOperator::Or => " OR ",
            };
            sql.separated(separator, operands, |sql, operand| condition_with(sql, from, operand, null_embed));
            sql.sql(")");
        }
        Condition::NullEmbed { negated, agg_alias } => null_embed(sql, *negated, agg_alias),
        Condition::Filter { field: left, op_expr: OpExpr::Expr { negated, operation } } => {
            if *negated {
                sql.sql("NOT ");
            }
            field(sql, from, left);
            self::operation(sql, left, operation);
        }
        // Arguments of functions are no filters and never become conditions; `true` keeps the text whole.
        Condition::Filter { op_expr: OpExpr::NoOp(_), .. } => {
            sql.sql("true");
        }
    }
}

fn operation(sql: &mut SqlBuilder, left: &ResolvedField, operation: &Operation) {
    match operation {
        Operation::Simple(operator, right) => {
            sql.sql(simple_operator(*operator));
            value(sql, left, right);
        }
        Operation::Quant(operator, quantifier, right) => {
            sql.sql(quant_operator(*operator));
            sql.sql(match quantifier {
                Some(OpQuantifier::Any) => "ANY(",
                Some(OpQuantifier::All) => "ALL(",
                None => "",
            });
            match operator {
                // `%` needs escaping in URLs, so patterns may be written with `*`.
                QuantOperator::Like | QuantOperator::ILike => {
                    sql.bind_unknown(&right.replace('*', "%"));
                }
                _ => value(sql, left, right),
            }
            sql.sql(if quantifier.is_some() { ")" } else { "" });
        }
        Operation::Is(value) => {
            sql.sql(match value {
                IsValue::Null => " IS NULL",
                IsValue::NotNull => " IS NOT NULL",
                IsValue::True => " IS TRUE",
                IsValue::False => " IS FALSE",
                IsValue::Unknown => " IS UNKNOWN",
            });
        }
        Operation::IsDistinctFrom(right) => {
            sql.sql(" IS DISTINCT FROM ").bind_unknown(right);
        }
        Operation::In(values) => any_of(sql, left, values),
        Operation::Fts(operator, configuration, query) => {
            sql.sql(match operator {
                FtsOperator::Fts => " @@ pg_catalog.to_tsquery(",
                FtsOperator::Plain => " @@ pg_catalog.plainto_tsquery(",
                FtsOperator::Phrase => " @@ pg_catalog.phraseto_tsquery(",
                FtsOperator::Websearch => " @@ pg_catalog.websearch_to_tsquery(",
            });
            language(sql, configuration.as_deref());
            sql.bind_unknown(query).sql(")");
        }
    }
}

/// `in` as one array: the statement does not depend on the number of values, and none is fine too.
fn any_of(sql: &mut SqlBuilder, left: &ResolvedField, values: &[String]) {
    let nothing = matches!(values, [only] if only.is_empty());
    let array = array_text(values.iter().filter(|_| !nothing).map(String::as_str));
    match &left.transform {
        Some(parser) => {
            sql.sql(" = ANY ((SELECT ").catalog(parser).sql("(pg_catalog.unnest(").bind_unknown(&array);
            sql.sql("::pg_catalog.text[]))))");
        }
        None => {
            sql.sql(" = ANY (").bind_unknown(&array).sql(")");
        }
    }
}

fn language(sql: &mut SqlBuilder, configuration: Option<&str>) {
    if let Some(configuration) = configuration {
        sql.bind_unknown(configuration).sql(", ");
    }
}

fn simple_operator(operator: SimpleOperator) -> &'static str {
    match operator {
        SimpleOperator::NotEqual => " <> ",
        SimpleOperator::Contains => " @> ",
        SimpleOperator::Contained => " <@ ",
        SimpleOperator::Overlap => " && ",
        SimpleOperator::StrictlyLeft => " << ",
        SimpleOperator::StrictlyRight => " >> ",
        SimpleOperator::NotExtendsRight => " &< ",
        SimpleOperator::NotExtendsLeft => " &> ",
        SimpleOperator::Adjacent => " -|- ",
    }
}

fn quant_operator(operator: QuantOperator) -> &'static str {
    match operator {
        QuantOperator::Equal => " = ",
        QuantOperator::GreaterThanEqual => " >= ",
        QuantOperator::GreaterThan => " > ",
        QuantOperator::LessThanEqual => " <= ",
        QuantOperator::LessThan => " < ",
        QuantOperator::Like => " like ",
        QuantOperator::ILike => " ilike ",
        QuantOperator::Match => " ~ ",
        QuantOperator::IMatch => " ~* ",
    }
}

/// Appends a join condition.
pub(super) fn join_condition(sql: &mut SqlBuilder, join: &JoinCondition) {
    sql.column((&join.right.0).into(), &join.right.1).sql(" = ").column((&join.left.0).into(), &join.left.1);
}

/// Appends ` ORDER BY …`, or nothing.
pub(super) fn order_by(sql: &mut SqlBuilder, from: Qualifier<'_>, terms: &[OrderBy]) {
    if terms.is_empty() {
        return;
    }
    sql.sql(" ORDER BY ").separated(", ", terms, |sql, term| {
        let (direction, nulls) = match term {
            OrderBy::Field { field: by, direction, nulls } => {
                field(sql, from, by);
                (direction, nulls)
            }
            OrderBy::Related { relation, field: by, direction, nulls } => {
                let by = ResolvedField::unknown(by.name.clone(), by.json_path.clone());
                field(sql, Qualifier::name(relation), &by);
                (direction, nulls)
            }
        };
        sql.sql(match direction {
            Some(OrderDirection::Asc) => " ASC",
            Some(OrderDirection::Desc) => " DESC",
            None => "",
        });
        sql.sql(match nulls {
            Some(OrderNulls::First) => " NULLS FIRST",
            Some(OrderNulls::Last) => " NULLS LAST",
            None => "",
        });
    });
}

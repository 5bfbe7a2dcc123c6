//! `and=` / `or=`: boolean expressions.

use super::combinator::{
    Input, PResult, attempt, char, first_of, label, nested, optional, run0, sep_by1, seq, string,
};
use super::filter::{negation, operator_expression, spanning_quoted, unquoted};
use super::name::{delimiter, field, field_name, lexeme};
use crate::api_request::types::{EmbedPath, Filter, LogicOperator, LogicTree};

/// A comparison, or `[not.]and(…)` / `[not.]or(…)`.
pub(super) fn logic_tree(input: &mut Input<'_>) -> PResult<LogicTree> {
    first_of!(input;
        |input: &mut Input<'_>| attempt(seq(comparison))(input).map(LogicTree::Stmnt),
        seq(expression),
    )
}

fn comparison(input: &mut Input<'_>) -> PResult<Filter> {
    let field = field(input)?;
    delimiter(input)?;
    let op_expr = operator_expression(value)(input)?;
    Ok(Filter { field, op_expr })
}

fn expression(input: &mut Input<'_>) -> PResult<LogicTree> {
    let negated = label(optional(attempt(negation)), "negation operator (not)")(input)?.is_some();
    let operator = label(operator, "logic operator (and, or)")(input)?;
    lexeme(char('('))(input)?;
    let operands = nested(sep_by1(logic_tree, lexeme(char(','))))(input)?;
    lexeme(char(')'))(input)?;
    Ok(LogicTree::Expr { negated, operator, operands })
}

fn operator(input: &mut Input<'_>) -> PResult<LogicOperator> {
    first_of!(input;
        |input: &mut Input<'_>| attempt(string("and"))(input).map(|_| LogicOperator::And),
        |input: &mut Input<'_>| string("or")(input).map(|_| LogicOperator::Or),
    )
}

/// A value inside a tree: quoted, a `{…}` array literal, or everything up to a comma or parenthesis.
fn value(input: &mut Input<'_>) -> PResult<String> {
    first_of!(input; spanning_quoted, attempt(seq(array_literal)), unquoted)
}

fn array_literal(input: &mut Input<'_>) -> PResult<String> {
    string("{")(input)?;
    let inner = run0(|c| c != '{' && c != '}', &[])(input)?.to_owned();
    string("}")(input)?;
    Ok(format!("{{{inner}}}"))
}

/// The name of a logic parameter, `embed.not.or`: (path, operator as a tree's beginning).
pub(super) fn logic_path(input: &mut Input<'_>) -> PResult<(EmbedPath, String)> {
    let mut path = sep_by1(field_name, delimiter)(input)?;
    let negated = path.iter().any(|part| part == "not");
    let operator = path.pop().unwrap_or_default();
    path.retain(|part| part != "not");
    Ok((path, if negated { format!("not.{operator}") } else { operator }))
}

#[cfg(test)]
mod tests {
    use super::super::combinator::parse;
    use super::*;
    use crate::api_request::query::test::failure_of;

    fn show(text: &str) -> String {
        fn tree(node: &LogicTree) -> String {
            match node {
                LogicTree::Stmnt(filter) => {
                    format!("{}{:?} {:?}", filter.field.name, filter.field.json_path, filter.op_expr)
                }
                LogicTree::Expr { negated, operator, operands } => {
                    let operands: Vec<_> = operands.iter().map(tree).collect();
                    format!("{}{operator:?}[{}]", if *negated { "not " } else { "" }, operands.join(" | "))
                }
            }
        }
        parse("logic tree", text, text, logic_tree).map_or_else(failure_of, |node| tree(&node))
    }

    #[test]
    fn trees() {
        insta::assert_snapshot!(show("or(id.eq.1,not.and(a.is.null, b.not.in.(1,\"2,3\")))"), @r#"Or[id[] Expr { negated: false, operation: Quant(Equal, None, "1") } | not And[a[] Expr { negated: false, operation: Is(Null) } | b[] Expr { negated: true, operation: In(["1", "2,3"]) }]]"#);
        insta::assert_snapshot!(show("and(a.eq.\"x,)\\\"y\",b.cs.{1,2},c.eq.\"x\"y,d->>e.fts(english).f)"), @r#"And[a[] Expr { negated: false, operation: Quant(Equal, None, "x,)\"y") } | b[] Expr { negated: false, operation: Simple(Contains, "{1,2}") } | c[] Expr { negated: false, operation: Quant(Equal, None, "\"x\"y") } | d[DoubleArrow(Key("e"))] Expr { negated: false, operation: Fts(Fts, Some("english"), "f") }]"#);
    }

    #[test]
    fn errors() {
        insta::assert_snapshot!(show("or()"), @r#"(line 1, column 4): unexpected ")" expecting field name (* or [a..z0..9_$]), negation operator (not) or logic operator (and, or)"#);
        insta::assert_snapshot!(show("or(id.in.1,2,id.eq.3)"), @r#"(line 1, column 10): unexpected "1" expecting "(""#);
        insta::assert_snapshot!(show("or)("), @r#"(line 1, column 3): unexpected ")" expecting "(""#);
        insta::assert_snapshot!(show("and(ord(id.eq.1,id.eq.1),id.eq.2)"), @r#"(line 1, column 7): unexpected "d" expecting "(""#);
        insta::assert_snapshot!(show("or(id.eq.1,not.xor(id.eq.2,id.eq.3))"), @r#"(line 1, column 16): unexpected "x" expecting logic operator (and, or)"#);
    }

    #[test]
    fn nesting_is_bounded() {
        assert!(show(&"and(".repeat(20_000)).ends_with("nested deeper than 64 levels"));
    }

    #[test]
    fn paths() {
        let show = |text| {
            parse("logic path", text, text, logic_path).map_or_else(failure_of, |it| format!("{it:?}"))
        };
        insta::assert_snapshot!(show("or"), @r#"([], "or")"#);
        insta::assert_snapshot!(show("not.or"), @r#"([], "not.or")"#);
        insta::assert_snapshot!(show("a.b.not.and"), @r#"(["a", "b"], "not.and")"#);
    }
}

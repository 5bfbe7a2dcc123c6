//! `column=operator.value`: horizontal filters, and the operators that logic trees share.

use super::combinator::{
    Input, PResult, attempt, char, first_of, label, not_followed_by, optional, rest, run0, sep_by1, seq,
    string, string_ignoring_case,
};
use super::name::{delimiter, identifier, lexeme};
use super::word::quoted;
use crate::api_request::types::{
    FtsOperator, IsValue, OpExpr, OpQuantifier, Operation, QuantOperator, SimpleOperator,
};

/// The value of a filter parameter: an operator expression up to the end of the text.
pub(super) fn filter_value(input: &mut Input<'_>) -> PResult<OpExpr> {
    operator_expression(single_value)(input)
}

/// A value that reaches to the end.
fn single_value(input: &mut Input<'_>) -> PResult<String> {
    rest(input).map(str::to_owned)
}

/// `[not.]operator[(modifier)].value`; `value` reads the operand where it is a single one.
pub(super) fn operator_expression<'a>(
    value: impl Fn(&mut Input<'a>) -> PResult<String> + Copy,
) -> impl FnMut(&mut Input<'a>) -> PResult<OpExpr> {
    seq(move |input| {
        let negated = optional(attempt(negation))(input)?.is_some();
        let operation =
            label(|input: &mut Input<'a>| operation(value, input), "operator (eq, gt, ...)")(input)?;
        Ok(OpExpr::Expr { negated, operation })
    })
}

/// `not.`.
pub(super) fn negation(input: &mut Input<'_>) -> PResult<()> {
    seq(|input| {
        string("not")(input)?;
        delimiter(input).map(drop)
    })(input)
}

fn operation<'a>(
    value: impl Fn(&mut Input<'a>) -> PResult<String> + Copy,
    input: &mut Input<'a>,
) -> PResult<Operation> {
    first_of!(input;
        seq(|input| {
            keyword("in", input)?;
            list(input).map(Operation::In)
        }),
        seq(|input| {
            keyword("is", input)?;
            is_value(input).map(Operation::Is)
        }),
        seq(|input| {
            keyword("isdistinct", input)?;
            value(input).map(Operation::IsDistinctFrom)
        }),
        attempt(seq(|input| {
            let operator = fts_operator(input)?;
            let language = optional(attempt(seq(|input| parenthesised(identifier, input))))(input)?;
            delimiter(input)?;
            Ok(Operation::Fts(operator, language, value(input)?))
        })),
        attempt(seq(|input| {
            let operator = simple_operator(input)?;
            delimiter(input)?;
            Ok(Operation::Simple(operator, value(input)?))
        })),
        attempt(seq(|input| {
            let operator = quant_operator(input)?;
            let quantifier = optional(attempt(seq(|input| parenthesised(quantifier, input))))(input)?;
            delimiter(input)?;
            Ok(Operation::Quant(operator, quantifier, value(input)?))
        })),
    )
}

/// An operator that takes no modifier, with its dot.
fn keyword(name: &'static str, input: &mut Input<'_>) -> PResult<()> {
    attempt(seq(|input| {
        string(name)(input)?;
        delimiter(input).map(drop)
    }))(input)
}

fn parenthesised<'a, T>(
    mut parser: impl FnMut(&mut Input<'a>) -> PResult<T>,
    input: &mut Input<'a>,
) -> PResult<T> {
    char('(')(input)?;
    let value = parser(input)?;
    char(')')(input)?;
    Ok(value)
}

/// One of a table of texts, tried in order.
fn one_of<T: Copy>(table: &[(&'static str, T)], input: &mut Input<'_>) -> PResult<T> {
    let mut outcome = super::combinator::reject(input);
    for (text, value) in table {
        match outcome {
            Err(winnow::error::ErrMode::Backtrack(failure)) => {
                super::combinator::resume(input, failure);
                outcome = attempt(string(text))(input).map(|_| *value);
            }
            decided => return decided,
        }
    }
    outcome
}

fn quantifier(input: &mut Input<'_>) -> PResult<OpQuantifier> {
    one_of(&[("any", OpQuantifier::Any), ("all", OpQuantifier::All)], input)
}

fn fts_operator(input: &mut Input<'_>) -> PResult<FtsOperator> {
    const TABLE: [(&str, FtsOperator); 4] = [
        ("fts", FtsOperator::Fts),
        ("plfts", FtsOperator::Plain),
        ("phfts", FtsOperator::Phrase),
        ("wfts", FtsOperator::Websearch),
    ];
    one_of(&TABLE, input)
}

fn simple_operator(input: &mut Input<'_>) -> PResult<SimpleOperator> {
    const TABLE: [(&str, SimpleOperator); 9] = [
        ("neq", SimpleOperator::NotEqual),
        ("cs", SimpleOperator::Contains),
        ("cd", SimpleOperator::Contained),
        ("ov", SimpleOperator::Overlap),
        ("sl", SimpleOperator::StrictlyLeft),
        ("sr", SimpleOperator::StrictlyRight),
        ("nxr", SimpleOperator::NotExtendsRight),
        ("nxl", SimpleOperator::NotExtendsLeft),
        ("adj", SimpleOperator::Adjacent),
    ];
    label(|input: &mut Input<'_>| one_of(&TABLE, input), "unknown single value operator")(input)
}

fn quant_operator(input: &mut Input<'_>) -> PResult<QuantOperator> {
    // Longer spellings stand before their prefixes.
    const TABLE: [(&str, QuantOperator); 9] = [
        ("eq", QuantOperator::Equal),
        ("gte", QuantOperator::GreaterThanEqual),
        ("gt", QuantOperator::GreaterThan),
        ("lte", QuantOperator::LessThanEqual),
        ("lt", QuantOperator::LessThan),
        ("like", QuantOperator::Like),
        ("ilike", QuantOperator::ILike),
        ("match", QuantOperator::Match),
        ("imatch", QuantOperator::IMatch),
    ];
    label(|input: &mut Input<'_>| one_of(&TABLE, input), "unknown single value operator")(input)
}

fn is_value(input: &mut Input<'_>) -> PResult<IsValue> {
    label(
        |input: &mut Input<'_>| {
            first_of!(input;
                |input: &mut Input<'_>| attempt(string_ignoring_case("null"))(input).map(|_| IsValue::Null),
                |input: &mut Input<'_>| {
                    attempt(string_ignoring_case("not_null"))(input).map(|_| IsValue::NotNull)
                },
                |input: &mut Input<'_>| attempt(string_ignoring_case("true"))(input).map(|_| IsValue::True),
                |input: &mut Input<'_>| attempt(string_ignoring_case("false"))(input).map(|_| IsValue::False),
                |input: &mut Input<'_>| {
                    attempt(string_ignoring_case("unknown"))(input).map(|_| IsValue::Unknown)
                },
            )
        },
        "isVal: (null, not_null, true, false, unknown)",
    )(input)
}

/// `(a,"b,c",d)`.
fn list(input: &mut Input<'_>) -> PResult<Vec<String>> {
    seq(|input| {
        lexeme(char('('))(input)?;
        let elements = sep_by1(list_element, char(','))(input)?;
        lexeme(char(')'))(input)?;
        Ok(elements)
    })(input)
}

/// Quoted, or everything up to a comma or a closing parenthesis.
fn list_element(input: &mut Input<'_>) -> PResult<String> {
    first_of!(input; spanning_quoted, unquoted)
}

/// Quotes count only where they span the whole element; otherwise they are part of it.
pub(super) fn spanning_quoted(input: &mut Input<'_>) -> PResult<String> {
    attempt(seq(|input| {
        let text = quoted(input)?;
        not_followed_by(|c| c != ',' && c != ')', &[])(input)?;
        Ok(text)
    }))(input)
}

/// Everything up to a comma or a closing parenthesis.
pub(super) fn unquoted(input: &mut Input<'_>) -> PResult<String> {
    run0(|c| c != ',' && c != ')', &[])(input).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::combinator::parse;
    use super::*;
    use crate::api_request::query::test::failure_of;

    fn show(text: &str) -> String {
        parse("filter", text, text, filter_value).map_or_else(failure_of, |it| match it {
            OpExpr::Expr { negated: true, operation } => format!("not {operation:?}"),
            OpExpr::Expr { negated: false, operation } => format!("{operation:?}"),
            OpExpr::NoOp(value) => format!("no operator in {value}"),
        })
    }

    #[test]
    fn operators() {
        insta::assert_snapshot!(show("eq.1"), @r#"Quant(Equal, None, "1")"#);
        insta::assert_snapshot!(show("not.like(any).{a*,b}"), @r#"not Quant(Like, Some(Any), "{a*,b}")"#);
        insta::assert_snapshot!(show("gte(all).{1}"), @r#"Quant(GreaterThanEqual, Some(All), "{1}")"#);
        insta::assert_snapshot!(show("neq."), @r#"Simple(NotEqual, "")"#);
        insta::assert_snapshot!(show("nxl.[1,2)"), @r#"Simple(NotExtendsLeft, "[1,2)")"#);
        insta::assert_snapshot!(show("wfts(english).a.b"), @r#"Fts(Websearch, Some("english"), "a.b")"#);
        insta::assert_snapshot!(show("isdistinct.x"), @r#"IsDistinctFrom("x")"#);
        insta::assert_snapshot!(show("is.NULL"), @"Is(Null)");
        insta::assert_snapshot!(show("not.is.not_null"), @"not Is(NotNull)");
    }

    #[test]
    fn lists() {
        insta::assert_snapshot!(show("in.(1,2)"), @r#"In(["1", "2"])"#);
        insta::assert_snapshot!(show("in.()"), @r#"In([""])"#);
        insta::assert_snapshot!(show(r#"in.( "a,b" ,"c\"d",e"f")"#), @r#"In(["\"a", "b\" ", "c\"d", "e\"f\""])"#);
        insta::assert_snapshot!(show(r#"in.("a,b","c\"d\\")"#), @r#"In(["a,b", "c\"d\\"])"#);
    }

    #[test]
    fn every_operator_name_is_read_as_itself() {
        for name in ["eq", "gte", "gt", "lte", "lt", "like", "ilike", "match", "imatch"] {
            assert!(show(&format!("{name}.v")).starts_with("Quant("), "{name}");
            assert!(show(&format!("{name}(any).v")).contains("Some(Any)"), "{name}");
        }
        for name in ["neq", "cs", "cd", "ov", "sl", "sr", "nxr", "nxl", "adj"] {
            assert!(show(&format!("{name}.v")).starts_with("Simple("), "{name}");
        }
        for name in ["fts", "plfts", "phfts", "wfts"] {
            assert!(show(&format!("{name}.v")).starts_with("Fts("), "{name}");
        }
    }

    #[test]
    fn errors() {
        insta::assert_snapshot!(show("0"), @r#"(line 1, column 1): unexpected "0" expecting "not" or operator (eq, gt, ...)"#);
        insta::assert_snapshot!(show("noop.0"), @r#"(line 1, column 1): unexpected "o" expecting "not" or operator (eq, gt, ...)"#);
        insta::assert_snapshot!(show("fts().value"), @r#"(line 1, column 5): unexpected ")" expecting operator (eq, gt, ...)"#);
        insta::assert_snapshot!(show("eq().value"), @r#"(line 1, column 4): unexpected ")" expecting operator (eq, gt, ...)"#);
        insta::assert_snapshot!(show("is().value"), @r#"(line 1, column 3): unexpected "(" expecting operator (eq, gt, ...)"#);
        insta::assert_snapshot!(show("in().value"), @r#"(line 1, column 3): unexpected "(" expecting operator (eq, gt, ...)"#);
        insta::assert_snapshot!(show("is.nil"), @r#"(line 1, column 5): unexpected "i" expecting isVal: (null, not_null, true, false, unknown)"#);
    }
}

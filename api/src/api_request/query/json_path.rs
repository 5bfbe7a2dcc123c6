//! `->key`, `->>key`, `->0`: paths into a JSON value.

use super::combinator::{
    Input, PResult, attempt, char, eof, first_of, label, look_ahead, many, optional, run1, seq, string,
};
use super::expected::Expected;
use super::word::{dashed, quoted};
use crate::api_request::types::{JsonOperand, JsonOperation};

/// Any number of arrows with their operands.
pub(super) fn json_path(input: &mut Input<'_>) -> PResult<Vec<JsonOperation>> {
    many(seq(operation))(input)
}

fn operation(input: &mut Input<'_>) -> PResult<JsonOperation> {
    let wrap: fn(JsonOperand) -> JsonOperation = first_of!(input;
        |input: &mut Input<'_>| attempt(string("->>"))(input).map(|_| JsonOperation::DoubleArrow as fn(_) -> _),
        |input: &mut Input<'_>| attempt(string("->"))(input).map(|_| JsonOperation::Arrow as fn(_) -> _),
    )?;
    first_of!(input;
        attempt(seq(|input| index(input).map(JsonOperand::Idx))),
        attempt(|input: &mut Input<'_>| key(input).map(JsonOperand::Key)),
    )
    .map(wrap)
}

/// Digits with an optional minus; digits that run into other text are a key.
fn index(input: &mut Input<'_>) -> PResult<String> {
    let sign = optional(char('-'))(input)?.unwrap_or('+');
    let digits = run1(|c| c.is_ascii_digit(), &[Expected::Label("digit")])(input)?;
    first_of!(input;
        attempt(look_ahead(string("->"))),
        attempt(look_ahead(string("::"))),
        attempt(look_ahead(string("."))),
        attempt(look_ahead(string(","))),
        attempt(eof),
    )?;
    Ok(format!("{sign}{digits}"))
}

fn key(input: &mut Input<'_>) -> PResult<String> {
    label(
        |input: &mut Input<'_>| first_of!(input; quoted, dashed(key_part)),
        "any non reserved character different from: .,>()",
    )(input)
}

fn key_part(input: &mut Input<'_>) -> PResult<String> {
    run1(|c| !matches!(c, '(' | '-' | ':' | '.' | ',' | '>' | ')'), &[])(input)
        .map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::combinator::parse;
    use super::*;
    use crate::api_request::query::test::failure_of;

    fn show(text: &str) -> String {
        parse("path", text, text, json_path).map_or_else(failure_of, |path| format!("{path:?}"))
    }

    #[test]
    fn paths() {
        insta::assert_snapshot!(show("->text"), @r#"[Arrow(Key("text"))]"#);
        insta::assert_snapshot!(show("->!@#$%^&*_a"), @r#"[Arrow(Key("!@#$%^&*_a"))]"#);
        insta::assert_snapshot!(show("->>1->-2"), @r#"[DoubleArrow(Idx("+1")), Arrow(Idx("-2"))]"#);
        insta::assert_snapshot!(show("->0,other"), @r#"[Arrow(Idx("+0"))]"#);
        insta::assert_snapshot!(show("->0.desc"), @r#"[Arrow(Idx("+0"))]"#);
        insta::assert_snapshot!(show("->\"a.b\"->>c-d"), @r#"[Arrow(Key("a.b")), DoubleArrow(Key("c-d"))]"#);
        insta::assert_snapshot!(show("->1a"), @r#"[Arrow(Key("1a"))]"#);
    }

    #[test]
    fn errors() {
        insta::assert_snapshot!(show("->>-78xy"), @r#"(line 1, column 7): unexpected 'x' expecting digit, "->", "::", ".", "," or end of input"#);
        insta::assert_snapshot!(show("->>--34"), @r#"(line 1, column 5): unexpected "-" expecting digit"#);
        insta::assert_snapshot!(show("->>-xy-4"), @r#"(line 1, column 5): unexpected "x" expecting digit"#);
    }
}

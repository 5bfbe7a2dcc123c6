//! Names: of columns, relations, functions' arguments, casts; and the paths made of them.

use super::combinator::{
    Input, PResult, any_char, char, first_of, label, many, not_followed_by, optional, run0, run1, sep_by1,
    seq,
};
use super::expected::Expected;
use super::json_path;
use crate::api_request::types::{EmbedPath, Field};

/// `parser` with blanks around it dropped.
pub(super) fn lexeme<'a, T>(
    mut parser: impl FnMut(&mut Input<'a>) -> PResult<T>,
) -> impl FnMut(&mut Input<'a>) -> PResult<T> {
    let blanks = |input: &mut Input<'a>| run0(|c| c == ' ' || c == '\t', &[])(input);
    seq(move |input| {
        blanks(input)?;
        let value = parser(input)?;
        blanks(input)?;
        Ok(value)
    })
}

/// The dot between the parts of an expression.
pub(super) fn delimiter(input: &mut Input<'_>) -> PResult<char> {
    label(char('.'), "delimiter (.)")(input)
}

/// `"anything"`; a backslash takes the next character as it is.
pub(super) fn quoted(input: &mut Input<'_>) -> PResult<String> {
    seq(|input| {
        char('"')(input)?;
        let parts = many(|input: &mut Input<'_>| {
            first_of!(input;
                |input: &mut Input<'_>| run1(|c| c != '\\' && c != '"', &[])(input).map(str::to_owned),
                seq(|input| {
                    char('\\')(input)?;
                    any_char(input).map(String::from)
                }),
            )
        })(input)?;
        char('"')(input)?;
        Ok(parts.concat())
    })(input)
}

/// Letters, digits, `_`, `$` and inner blanks.
pub(super) fn identifier(input: &mut Input<'_>) -> PResult<String> {
    run1(
        |c| c.is_alphabetic() || c.is_ascii_digit() || matches!(c, '_' | ' ' | '$'),
        &[Expected::Label("letter"), Expected::Label("digit")],
    )(input)
    .map(|text| text.trim().to_owned())
}

/// Parts joined by dashes, where a dash is not the beginning of an arrow.
pub(super) fn dashed<'a>(
    part: impl FnMut(&mut Input<'a>) -> PResult<String>,
) -> impl FnMut(&mut Input<'a>) -> PResult<String> {
    let dash = super::combinator::attempt(seq(|input| {
        char('-')(input)?;
        not_followed_by(|c| c == '>', &[Expected::Char('>')])(input)
    }));
    let mut parts = sep_by1(part, dash);
    move |input| Ok(parts(input)?.join("-"))
}

/// A name, bare or quoted.
pub(super) fn field_name(input: &mut Input<'_>) -> PResult<String> {
    label(
        |input: &mut Input<'_>| first_of!(input; quoted, dashed(identifier)),
        "field name (* or [a..z0..9_$])",
    )(input)
}

/// A name and the JSON path into it.
pub(super) fn field(input: &mut Input<'_>) -> PResult<Field> {
    lexeme(seq(|input| {
        let name = field_name(input)?;
        let json_path = json_path::json_path(input)?;
        Ok(Field { name, json_path })
    }))(input)
}

/// `embed.embed.column->path`: where a parameter applies, and to what.
pub(super) fn tree_path(input: &mut Input<'_>) -> PResult<(EmbedPath, Field)> {
    seq(|input| {
        let mut path = sep_by1(field_name, delimiter)(input)?;
        let json_path = json_path::json_path(input)?;
        let name = path.pop().unwrap_or_default();
        Ok((path, Field { name, json_path }))
    })(input)
}

/// `alias:`, where the colon does not begin a cast.
pub(super) fn alias(input: &mut Input<'_>) -> PResult<Option<String>> {
    optional(super::combinator::attempt(seq(|input| {
        let name = field_name(input)?;
        char(':')(input)?;
        not_followed_by(|c| c == ':', &[Expected::Char(':')])(input)?;
        Ok(name)
    })))(input)
}

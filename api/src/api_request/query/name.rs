//! Names: of columns, relations, functions' arguments, casts; and the paths made of them.

use super::combinator::{
    Input, PResult, char, first_of, label, not_followed_by, optional, run0, run1, sep_by1, seq,
};
use super::expected::Expected;
use super::json_path;
use super::word::{dashed, quoted};
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

/// Letters, digits, `_`, `$` and inner blanks.
pub(super) fn identifier(input: &mut Input<'_>) -> PResult<String> {
    run1(
        |c| c.is_alphabetic() || c.is_ascii_digit() || matches!(c, '_' | ' ' | '$'),
        &[Expected::Label("letter"), Expected::Label("digit")],
    )(input)
    .map(|text| text.trim().to_owned())
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

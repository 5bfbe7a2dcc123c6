//! What names and keys are made of: quoted text, and parts joined by dashes.

use super::combinator::{
    Input, PResult, any_char, attempt, char, first_of, many, not_followed_by, run1, sep_by1, seq,
};
use super::expected::Expected;

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

/// Parts joined by dashes, where a dash is not the beginning of an arrow.
pub(super) fn dashed<'a>(
    part: impl FnMut(&mut Input<'a>) -> PResult<String>,
) -> impl FnMut(&mut Input<'a>) -> PResult<String> {
    let dash = attempt(seq(|input| {
        char('-')(input)?;
        not_followed_by(|c| c == '>', &[Expected::Char('>')])(input)
    }));
    let mut parts = sep_by1(part, dash);
    move |input| Ok(parts(input)?.join("-"))
}

//! `columns=` and `on_conflict=`: lists of column names.

use super::combinator::{Input, PResult, char, sep_by1};
use super::name::{field_name, lexeme};

/// Names separated by commas.
pub(super) fn columns(input: &mut Input<'_>) -> PResult<Vec<String>> {
    sep_by1(field_name, lexeme(char(',')))(input)
}

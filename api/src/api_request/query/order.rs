//! `order=`: the sequence of rows.

use super::combinator::{
    Input, PResult, attempt, char, eof, first_of, look_ahead, optional, sep_by1, seq, string,
};
use super::name::{delimiter, field, field_name, lexeme};
use crate::api_request::types::{OrderDirection, OrderNulls, OrderTerm};

/// Terms separated by commas.
pub(super) fn order(input: &mut Input<'_>) -> PResult<Vec<OrderTerm>> {
    let term = |input: &mut Input<'_>| first_of!(input; attempt(seq(relation_term)), seq(field_term));
    sep_by1(lexeme(term), char(','))(input)
}

fn field_term(input: &mut Input<'_>) -> PResult<OrderTerm> {
    let field = field(input)?;
    let (direction, nulls) = modifiers(input)?;
    Ok(OrderTerm::Field { field, direction, nulls })
}

fn relation_term(input: &mut Input<'_>) -> PResult<OrderTerm> {
    let relation = field_name(input)?;
    char('(')(input)?;
    let field = field(input)?;
    char(')')(input)?;
    let (direction, nulls) = modifiers(input)?;
    Ok(OrderTerm::Relation { relation, field, direction, nulls })
}

fn modifiers(input: &mut Input<'_>) -> PResult<(Option<OrderDirection>, Option<OrderNulls>)> {
    let direction = optional(|input: &mut Input<'_>| {
        first_of!(input;
            word("asc", OrderDirection::Asc),
            word("desc", OrderDirection::Desc),
        )
    })(input)?;
    let nulls = optional(|input: &mut Input<'_>| {
        first_of!(input;
            word("nullsfirst", OrderNulls::First),
            word("nullslast", OrderNulls::Last),
        )
    })(input)?;
    first_of!(input; attempt(look_ahead(char(','))), attempt(eof))?;
    Ok((direction, nulls))
}

/// `.text`.
fn word<'a, T: Copy>(text: &'static str, value: T) -> impl FnMut(&mut Input<'a>) -> PResult<T> {
    attempt(seq(move |input| {
        delimiter(input)?;
        string(text)(input)?;
        Ok(value)
    }))
}

#[cfg(test)]
mod tests {
    use super::super::combinator::parse;
    use super::*;
    use crate::api_request::query::test::failure_of;

    fn show(text: &str) -> String {
        let terms = parse("order", text, text, order);
        terms.map_or_else(failure_of, |terms| {
            let terms: Vec<_> = terms
                .iter()
                .map(|term| match term {
                    OrderTerm::Field { field, direction, nulls } => {
                        format!("{}{:?} {direction:?} {nulls:?}", field.name, field.json_path)
                    }
                    OrderTerm::Relation { relation, field, direction, nulls } => {
                        format!("{relation}({}{:?}) {direction:?} {nulls:?}", field.name, field.json_path)
                    }
                })
                .collect();
            terms.join(" | ")
        })
    }

    #[test]
    fn terms() {
        insta::assert_snapshot!(show("name.desc.nullsfirst"), @"name[] Some(Desc) Some(First)");
        insta::assert_snapshot!(show("a.nullslast, b ,c.asc"), @"a[] None Some(Last) | b[] None None | c[] Some(Asc) None");
        insta::assert_snapshot!(show("json_col->!@#$%^&*_a.asc.nullslast"), @r#"json_col[Arrow(Key("!@#$%^&*_a"))] Some(Asc) Some(Last)"#);
        insta::assert_snapshot!(show("clients(json_col->key).desc.nullsfirst"), @r#"clients(json_col[Arrow(Key("key"))]) Some(Desc) Some(First)"#);
        insta::assert_snapshot!(show("name,clients(name),id"), @"name[] None None | clients(name[]) None None | id[] None None");
    }

    #[test]
    fn errors() {
        insta::assert_snapshot!(show("clients(name,id)"), @r#"(line 1, column 8): unexpected '(' expecting letter, digit, "-", "->>", "->", delimiter (.), "," or end of input"#);
        insta::assert_snapshot!(show("id.ac"), @r#"(line 1, column 4): unexpected "c" expecting "asc", "desc", "nullsfirst" or "nullslast""#);
        insta::assert_snapshot!(show("id.descc"), @r#"(line 1, column 8): unexpected 'c' expecting delimiter (.), "," or end of input"#);
        insta::assert_snapshot!(show("id.nulsfist"), @r#"(line 1, column 4): unexpected "n" expecting "asc", "desc", "nullsfirst" or "nullslast""#);
        insta::assert_snapshot!(show("id.nullslasttt"), @r#"(line 1, column 13): unexpected 't' expecting "," or end of input"#);
        insta::assert_snapshot!(show("id.smth34"), @r#"(line 1, column 4): unexpected "s" expecting "asc", "desc", "nullsfirst" or "nullslast""#);
        insta::assert_snapshot!(show("id.asc.nlsfst"), @r#"(line 1, column 8): unexpected "l" expecting "nullsfirst" or "nullslast""#);
        insta::assert_snapshot!(show("id.asc.nullslasttt"), @r#"(line 1, column 17): unexpected 't' expecting "," or end of input"#);
        insta::assert_snapshot!(show("id.asc.smth34"), @r#"(line 1, column 8): unexpected "s" expecting "nullsfirst" or "nullslast""#);
    }
}

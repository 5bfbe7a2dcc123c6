//! `select=`: the shape of the answer.

use super::combinator::{
    Input, PResult, attempt, char, eof, first_of, look_ahead, nested, optional, sep_by1, seq, string,
};
use super::name::{alias, field, field_name, identifier, lexeme};
use crate::api_request::types::{AggregateFunction, Cast, Field, Hint, JoinType, SelectItem, SelectTree};

/// Items separated by commas; nothing at all selects nothing.
pub(super) fn select(input: &mut Input<'_>) -> PResult<Vec<SelectTree>> {
    Ok(optional(sep_by1(tree, lexeme(char(','))))(input)?.unwrap_or_default())
}

fn tree(input: &mut Input<'_>) -> PResult<SelectTree> {
    first_of!(input;
        seq(|input| embed(attempt(spread), input)),
        seq(|input| embed(attempt(relation), input)),
        |input: &mut Input<'_>| column(input).map(|item| SelectTree { item, children: Vec::new() }),
    )
}

/// An embedded relation and what is selected from it.
fn embed<'a>(
    mut head: impl FnMut(&mut Input<'a>) -> PResult<SelectItem>,
    input: &mut Input<'a>,
) -> PResult<SelectTree> {
    let item = head(input)?;
    char('(')(input)?;
    let children = nested(select)(input)?;
    char(')')(input)?;
    Ok(SelectTree { item, children })
}

fn spread(input: &mut Input<'_>) -> PResult<SelectItem> {
    lexeme(seq(|input| {
        string("...")(input)?;
        let name = field_name(input)?;
        let (hint, join) = embed_parameters(input)?;
        attempt(look_ahead(string("(")))(input)?;
        Ok(SelectItem::Spread { name, hint, join })
    }))(input)
}

fn relation(input: &mut Input<'_>) -> PResult<SelectItem> {
    lexeme(seq(|input| {
        let alias = alias(input)?;
        let name = field_name(input)?;
        if name == "count" {
            // `count()` is an aggregate, never a relation.
            return super::combinator::reject(input);
        }
        let (hint, join) = embed_parameters(input)?;
        attempt(look_ahead(string("(")))(input)?;
        Ok(SelectItem::Relation { name, alias, hint, join })
    }))(input)
}

enum EmbedParameter {
    Hint(Hint),
    Join(JoinType),
}

/// `!hint` and `!inner`/`!left` in any order; of two of a kind the first counts.
fn embed_parameters(input: &mut Input<'_>) -> PResult<(Option<Hint>, Option<JoinType>)> {
    let (mut hint, mut join) = (None, None);
    for _ in 0..2 {
        match optional(seq(embed_parameter))(input)? {
            Some(EmbedParameter::Hint(name)) => hint = hint.or(Some(name)),
            Some(EmbedParameter::Join(kind)) => join = join.or(Some(kind)),
            None => {}
        }
    }
    Ok((hint, join))
}

fn embed_parameter(input: &mut Input<'_>) -> PResult<EmbedParameter> {
    char('!')(input)?;
    first_of!(input;
        |input: &mut Input<'_>| attempt(string("left"))(input).map(|_| EmbedParameter::Join(JoinType::Left)),
        |input: &mut Input<'_>| attempt(string("inner"))(input).map(|_| EmbedParameter::Join(JoinType::Inner)),
        |input: &mut Input<'_>| attempt(field_name)(input).map(EmbedParameter::Hint),
    )
}

/// `*`, `count()` or a column with its path, casts and aggregate.
fn column(input: &mut Input<'_>) -> PResult<SelectItem> {
    lexeme(|input: &mut Input<'_>| first_of!(input; attempt(seq(star)), attempt(seq(count)), seq(plain)))(
        input,
    )
}

fn star(input: &mut Input<'_>) -> PResult<SelectItem> {
    string("*")(input)?;
    end(input)?;
    Ok(SelectItem::Field { field: all(), aggregate: None, aggregate_cast: None, cast: None, alias: None })
}

fn count(input: &mut Input<'_>) -> PResult<SelectItem> {
    let alias = alias(input)?;
    string("count()")(input)?;
    let aggregate_cast = cast(input)?;
    end(input)?;
    let aggregate = Some(AggregateFunction::Count);
    Ok(SelectItem::Field { field: all(), aggregate, aggregate_cast, cast: None, alias })
}

fn plain(input: &mut Input<'_>) -> PResult<SelectItem> {
    let alias = alias(input)?;
    let field = field(input)?;
    let field_cast = cast(input)?;
    let aggregate = optional(attempt(seq(|input| {
        char('.')(input)?;
        let function = aggregate_function(input)?;
        string("()")(input)?;
        Ok(function)
    })))(input)?;
    let aggregate_cast = cast(input)?;
    end(input)?;
    Ok(SelectItem::Field { field, aggregate, aggregate_cast, cast: field_cast, alias })
}

fn all() -> Field {
    Field { name: "*".to_owned(), json_path: Vec::new() }
}

fn cast(input: &mut Input<'_>) -> PResult<Option<Cast>> {
    optional(seq(|input| {
        string("::")(input)?;
        identifier(input)
    }))(input)
}

fn aggregate_function(input: &mut Input<'_>) -> PResult<AggregateFunction> {
    first_of!(input;
        |input: &mut Input<'_>| string("sum")(input).map(|_| AggregateFunction::Sum),
        |input: &mut Input<'_>| string("avg")(input).map(|_| AggregateFunction::Avg),
        |input: &mut Input<'_>| string("count")(input).map(|_| AggregateFunction::Count),
        |input: &mut Input<'_>| attempt(string("max"))(input).map(|_| AggregateFunction::Max),
        |input: &mut Input<'_>| attempt(string("min"))(input).map(|_| AggregateFunction::Min),
    )
}

/// Where an item may end.
fn end(input: &mut Input<'_>) -> PResult<()> {
    first_of!(input;
        attempt(look_ahead(string(")"))),
        attempt(look_ahead(string(","))),
        attempt(eof),
    )
}

#[cfg(test)]
mod tests {
    use super::super::combinator::parse;
    use super::*;
    use crate::api_request::query::test::failure_of;

    /// Compact notation of a selection, for tables of cases.
    fn show(text: &str) -> String {
        fn item(tree: &SelectTree) -> String {
            let children: Vec<_> = tree.children.iter().map(item).collect();
            match &tree.item {
                SelectItem::Field { field, aggregate, aggregate_cast, cast, alias } => {
                    format!(
                        "{}{}{:?}{}{}{}",
                        alias.as_ref().map(|a| format!("{a}=")).unwrap_or_default(),
                        field.name,
                        field.json_path,
                        cast.as_ref().map(|c| format!("::{c}")).unwrap_or_default(),
                        aggregate.map(|a| format!(".{a:?}")).unwrap_or_default(),
                        aggregate_cast.as_ref().map(|c| format!("::{c}")).unwrap_or_default(),
                    )
                }
                SelectItem::Relation { name, alias, hint, join } => {
                    format!("rel({name},{alias:?},{hint:?},{join:?}){children:?}")
                }
                SelectItem::Spread { name, hint, join } => {
                    format!("spread({name},{hint:?},{join:?}){children:?}")
                }
            }
        }
        match parse("select parameter", text, text, select) {
            Ok(trees) => trees.iter().map(item).collect::<Vec<_>>().join(" | "),
            Err(error) => failure_of(error),
        }
    }

    #[test]
    fn columns_with_paths_casts_aliases_and_aggregates() {
        insta::assert_snapshot!(show(""), @"");
        insta::assert_snapshot!(show("*"), @"*[]");
        insta::assert_snapshot!(show("id, full name ,a-b"), @"id[] | full name[] | a-b[]");
        insta::assert_snapshot!(show("alias:name->json->>path::cast"), @r#"alias=name[Arrow(Key("json")), DoubleArrow(Key("path"))]::cast"#);
        insta::assert_snapshot!(show("\"a.b\":\"x,(y)\"::text"), @"a.b=x,(y)[]::text");
        insta::assert_snapshot!(show("amount::int.sum()::text,total:count(),count()::text"), @"amount[]::int.Sum::text | total=*[].Count | *[].Count::text");
        insta::assert_snapshot!(show("a.max(),a.min(),a.avg(),a.count()"), @"a[].Max | a[].Min | a[].Avg | a[].Count");
        insta::assert_snapshot!(show("موارد,data->0->-1"), @r#"موارد[] | data[Arrow(Idx("+0")), Arrow(Idx("-1"))]"#);
    }

    #[test]
    fn embeds_and_spreads() {
        insta::assert_snapshot!(show("*,client(*,nested(id))"), @r#"*[] | rel(client,None,None,None)["*[]", "rel(nested,None,None,None)[\"id[]\"]"]"#);
        insta::assert_snapshot!(show("a:rel!hint!inner(*)"), @r#"rel(rel,Some("a"),Some("hint"),Some(Inner))["*[]"]"#);
        insta::assert_snapshot!(show("rel!inner!hint(),...other!left(id)"), @r#"rel(rel,None,Some("hint"),Some(Inner))[] | spread(other,None,Some(Left))["id[]"]"#);
    }

    #[test]
    fn errors() {
        insta::assert_snapshot!(show("id,clients(name[])"), @r#"(line 1, column 16): unexpected '[' expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input"#);
        insta::assert_snapshot!(show("data->>-78xy"), @r#"(line 1, column 11): unexpected 'x' expecting digit, "->", "::", ".", "," or end of input"#);
        insta::assert_snapshot!(show("name!hint"), @r#"(line 1, column 5): unexpected '!' expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input"#);
        insta::assert_snapshot!(show("*!hint"), @"");
        insta::assert_snapshot!(show("name::"), @"(line 1, column 7): unexpected end of input expecting letter or digit");
        insta::assert_snapshot!(show("data->(!@#$%^&*_d->>!@#$%^&*_e::integer"), @r#"(line 1, column 7): unexpected "(" expecting "-", digit or any non reserved character different from: .,>()"#);
        insta::assert_snapshot!(show("a,"), @r#"(line 1, column 3): unexpected end of input expecting "...", field name (* or [a..z0..9_$]), "*" or "count()""#);
        insta::assert_snapshot!(show("alias:...rel(*)"), @r#"(line 1, column 7): unexpected "." expecting ":" or field name (* or [a..z0..9_$])"#);
        insta::assert_snapshot!(show("a(b"), @r#"(line 1, column 4): unexpected end of input expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input"#);
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = format!("{}id{}", "a(".repeat(64), ")".repeat(64));
        assert!(parse("select parameter", &deep, &deep, select).is_ok());
        let deeper = "a(".repeat(20_000);
        assert!(show(&deeper).ends_with("nested deeper than 64 levels"));
    }
}

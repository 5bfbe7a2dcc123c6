//! The query string → [`QueryParams`]. One file per parameter, over a grammar that reports positions.

mod columns;
mod combinator;
mod expected;
mod filter;
mod json_path;
mod logic;
mod name;
mod order;
pub(crate) mod pairs;
mod select;
pub(crate) mod shape;
#[cfg(test)]
mod test;
mod word;

use std::borrow::Cow;
use std::collections::BTreeSet;

use indexmap::IndexMap;

use self::combinator::{Input, PResult, eof, parse as run, rest, seq};
use super::range;
use super::types::{EmbedPath, Filter, LogicTree, OpExpr, OrderTerm, QueryParams, Range};
use crate::config::Unread;
use crate::error::ApiRequestError;

/// A parameter with its value, as text.
type Parameter<'a> = (&'a str, &'a str);

/// Parses a query string (without its question mark).
///
/// In a function call by `GET` (`is_call`) a parameter whose value is no operator expression is an argument. Text behind
/// the end of an expression is passed over, unless `unread` says otherwise.
pub fn parse(query: &[u8], is_call: bool, unread: Unread) -> Result<QueryParams, ApiRequestError> {
    let pairs = pairs::split(query);
    let texts = pairs
        .iter()
        .map(|(name, value)| {
            let value = value.as_deref().map(std::str::from_utf8).transpose()?;
            Ok((std::str::from_utf8(name)?, value))
        })
        .collect::<Result<Vec<_>, std::str::Utf8Error>>()
        .map_err(|error| {
            ApiRequestError::QueryParam(
                "failed to parse the query string".to_owned(),
                format!("it must be percent-encoded UTF-8: {error}"),
            )
        })?;

    let first = |wanted: &str| texts.iter().find(|(name, _)| *name == wanted).and_then(|(_, value)| *value);
    let given: Vec<Parameter<'_>> =
        texts.iter().filter_map(|(name, value)| value.map(|value| (*name, value))).collect();
    let ending = |words: &'static [&'static str]| {
        given.iter().copied().filter(move |(name, _)| words.contains(&last_word(name)))
    };

    let order = ending(&["order"]).map(|it| order_parameter(it, unread)).collect::<Result<Vec<_>, _>>()?;
    let logic =
        ending(&["and", "or"]).map(|it| logic_parameter(it, unread)).collect::<Result<Vec<_>, _>>()?;
    let columns = first("columns").map(|text| column_list("columns parameter", text, unread)).transpose()?;
    let select_text = first("select").unwrap_or("*");
    let select = read(unread, "select parameter", select_text, select_text, select::select)?;

    let mut filters = Vec::new();
    let mut params = Vec::new();
    let mut filter_fields = BTreeSet::new();
    for (name, value) in given.iter().copied().filter(|(name, _)| is_filter(name)) {
        filter_fields.insert(name.to_owned());
        let (path, filter) = filter_parameter(name, value, is_call, unread)?;
        match filter.op_expr {
            OpExpr::NoOp(value) => params.push((filter.field.name, value)),
            OpExpr::Expr { .. } => filters.push((path, filter)),
        }
    }
    let (root, not_root): (Vec<_>, Vec<_>) = filters.iter().cloned().partition(|(path, _)| path.is_empty());
    let on_conflict =
        first("on_conflict").map(|text| column_list("on_conflict parameter", text, unread)).transpose()?;

    Ok(QueryParams {
        canonical: pairs::canonical(&pairs),
        params,
        ranges: ranges(&given, unread)?,
        order,
        logic,
        columns: columns.map(|names| names.into_iter().collect()),
        select,
        filters,
        filters_root: root.into_iter().map(|(_, filter)| filter).collect(),
        filters_not_root: not_root,
        filter_fields,
        on_conflict,
    })
}

/// Whether a parameter is given with a value. Of one given twice, the first counts.
pub(super) fn has_value(query: &[u8], wanted: &str) -> bool {
    let parts = query.split(|byte| matches!(byte, b'&' | b';'));
    let mut pairs = parts.map(|part| match memchr::memchr(b'=', part) {
        Some(at) => (&part[..at], true),
        None => (part, false),
    });
    let is_wanted = |name: &[u8]| match name.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        true => pairs::decode(name, true) == wanted.as_bytes(),
        false => name == wanted.as_bytes(),
    };
    pairs.find(|(name, _)| is_wanted(name)).is_some_and(|(_, has_value)| has_value)
}

/// Runs a grammar, over the whole text where nothing may be left unread.
fn read<'a, T>(
    unread: Unread,
    what: &str,
    shown: &str,
    text: &'a str,
    grammar: impl Fn(&mut Input<'a>) -> PResult<T>,
) -> Result<T, ApiRequestError> {
    run(what, shown, text, complete(unread, grammar))
}

/// A grammar that reaches to the end of the text, where nothing may be left unread.
fn complete<'a, T>(
    unread: Unread,
    grammar: impl Fn(&mut Input<'a>) -> PResult<T>,
) -> impl FnMut(&mut Input<'a>) -> PResult<T> {
    seq(move |input| {
        let value = grammar(input)?;
        if unread == Unread::Refuse {
            eof(input)?;
        }
        Ok(value)
    })
}

/// The last part of a parameter's name, which tells what kind it is.
pub(super) fn last_word(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// The parameter that filters by a column: its name, quoted where it would be read as something else.
pub(crate) fn parameter_name(column: &str) -> Cow<'_, str> {
    let read = run("name", column, column, complete(Unread::Refuse, name::field_name));
    if is_filter(column) && read.is_ok_and(|read| read == column) {
        return Cow::Borrowed(column);
    }
    Cow::Owned(format!("\"{}\"", column.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// Whether a parameter is not one of the reserved ones.
fn is_filter(name: &str) -> bool {
    !matches!(last_word(name), "order" | "limit" | "offset" | "and" | "or")
        && !matches!(name, "select" | "columns" | "on_conflict")
}

fn order_parameter(
    (name, value): Parameter<'_>,
    unread: Unread,
) -> Result<(EmbedPath, Vec<OrderTerm>), ApiRequestError> {
    let (path, _) = read(unread, "tree path", name, name, name::tree_path)?;
    let terms = run("order", value, value, order::order)?;
    Ok((path, terms))
}

fn logic_parameter(
    (name, value): Parameter<'_>,
    unread: Unread,
) -> Result<(EmbedPath, LogicTree), ApiRequestError> {
    let (path, operator) = read(unread, "logic path", name, name, logic::logic_path)?;
    // `or=(…)` is read as `or(…)`, the same as inside a tree.
    let tree = read(unread, "logic tree", value, &format!("{operator}{value}"), logic::logic_tree)?;
    Ok((path, tree))
}

fn filter_parameter(
    name: &str,
    value: &str,
    is_call: bool,
    unread: Unread,
) -> Result<(EmbedPath, Filter), ApiRequestError> {
    if unread == Unread::Refuse {
        refuse_cast(name)?;
    }
    let (path, field) = read(unread, "tree path", name, name, name::tree_path)?;
    let op_expr = if is_call {
        // Anything but an operator expression is an argument's value, and no text of it is unread.
        run("filter", value, value, combinator::optional(complete(unread, filter::filter_value)))?
            .unwrap_or_else(|| OpExpr::NoOp(value.to_owned()))
    } else {
        read(unread, "filter", value, value, filter::filter_value)?
    };
    Ok((path, Filter { field, op_expr }))
}

/// A cast looks as if it were compared with; the grammar of filters has none.
fn refuse_cast(name: &str) -> Result<(), ApiRequestError> {
    let left = run(
        "tree path",
        name,
        name,
        seq(|input| {
            name::tree_path(input)?;
            rest(input).map(str::to_owned)
        }),
    )?;
    if !left.starts_with("::") {
        return Ok(());
    }
    Err(ApiRequestError::UnreadParameter {
        parameter: name.to_owned(),
        why: format!("a filter has no cast, so '{left}' has no effect"),
    })
}

fn column_list(what: &str, text: &str, unread: Unread) -> Result<Vec<String>, ApiRequestError> {
    read(unread, what, text, text, columns::columns)
}

/// Windows by path. Of a parameter given twice the last counts.
fn ranges(given: &[Parameter<'_>], unread: Unread) -> Result<Vec<(EmbedPath, Range)>, ApiRequestError> {
    let mut texts: IndexMap<&str, (Option<&str>, Option<&str>)> = IndexMap::new();
    for (name, value) in given {
        let word = last_word(name);
        let prefix = &name[..name.len() - word.len()];
        match word {
            "limit" => texts.entry(prefix).or_default().0 = Some(value),
            "offset" => texts.entry(prefix).or_default().1 = Some(value),
            _ => {}
        }
    }
    texts
        .into_iter()
        .map(|(prefix, (limit, offset))| {
            let name = format!("{prefix}limit");
            let (path, _) = read(unread, "tree path", &name, &name, name::tree_path)?;
            Ok((path, range::from_parameters(limit, offset)))
        })
        .collect()
}

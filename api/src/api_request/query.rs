//! The query string → [`QueryParams`]. One file per parameter, over a grammar that reports positions.

mod columns;
mod combinator;
mod expected;
mod filter;
mod json_path;
mod logic;
mod name;
mod order;
pub(super) mod pairs;
mod select;
pub(crate) mod shape;
#[cfg(test)]
mod test;

use std::collections::BTreeSet;

use indexmap::IndexMap;

use self::combinator::parse as run;
use super::range;
use super::types::{EmbedPath, Filter, LogicTree, OpExpr, OrderTerm, QueryParams, Range};
use crate::error::ApiRequestError;

/// A parameter with its value, as text.
type Parameter<'a> = (&'a str, &'a str);

/// Parses a query string (without its question mark).
///
/// In a function call by `GET` (`is_call`) a parameter whose value is no operator expression is an argument.
pub fn parse(query: &[u8], is_call: bool) -> Result<QueryParams, ApiRequestError> {
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

    let order = ending(&["order"]).map(order_parameter).collect::<Result<Vec<_>, _>>()?;
    let logic = ending(&["and", "or"]).map(logic_parameter).collect::<Result<Vec<_>, _>>()?;
    let columns = first("columns").map(|text| column_list("columns parameter", text)).transpose()?;
    let select_text = first("select").unwrap_or("*");
    let select = run("select parameter", select_text, select_text, select::select)?;

    let mut filters = Vec::new();
    let mut params = Vec::new();
    let mut filter_fields = BTreeSet::new();
    for (name, value) in given.iter().copied().filter(|(name, _)| is_filter(name)) {
        filter_fields.insert(name.to_owned());
        let (path, filter) = filter_parameter(name, value, is_call)?;
        match filter.op_expr {
            OpExpr::NoOp(value) => params.push((filter.field.name, value)),
            OpExpr::Expr { .. } => filters.push((path, filter)),
        }
    }
    let (root, not_root): (Vec<_>, Vec<_>) = filters.iter().cloned().partition(|(path, _)| path.is_empty());
    let on_conflict =
        first("on_conflict").map(|text| column_list("on_conflict parameter", text)).transpose()?;

    Ok(QueryParams {
        canonical: pairs::canonical(&pairs),
        params,
        ranges: ranges(&given)?,
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

fn last_word(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Whether a parameter is none of the reserved ones.
fn is_filter(name: &str) -> bool {
    !matches!(last_word(name), "order" | "limit" | "offset" | "and" | "or")
        && !matches!(name, "select" | "columns" | "on_conflict")
}

fn order_parameter((name, value): Parameter<'_>) -> Result<(EmbedPath, Vec<OrderTerm>), ApiRequestError> {
    let (path, _) = run("tree path", name, name, name::tree_path)?;
    let terms = run("order", value, value, order::order)?;
    Ok((path, terms))
}

fn logic_parameter((name, value): Parameter<'_>) -> Result<(EmbedPath, LogicTree), ApiRequestError> {
    let (path, operator) = run("logic path", name, name, logic::logic_path)?;
    // `or=(…)` is read as `or(…)`, the same as inside a tree.
    let tree = run("logic tree", value, &format!("{operator}{value}"), logic::logic_tree)?;
    Ok((path, tree))
}

fn filter_parameter(name: &str, value: &str, is_call: bool) -> Result<(EmbedPath, Filter), ApiRequestError> {
    let (path, field) = run("tree path", name, name, name::tree_path)?;
    let op_expr = if is_call {
        run("filter", value, value, combinator::optional(filter::filter_value))?
            .unwrap_or_else(|| OpExpr::NoOp(value.to_owned()))
    } else {
        run("filter", value, value, filter::filter_value)?
    };
    Ok((path, Filter { field, op_expr }))
}

fn column_list(what: &str, text: &str) -> Result<Vec<String>, ApiRequestError> {
    run(what, text, text, columns::columns)
}

/// Windows by path. Of a parameter given twice the last counts.
fn ranges(given: &[Parameter<'_>]) -> Result<Vec<(EmbedPath, Range)>, ApiRequestError> {
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
            let (path, _) = run("tree path", &name, &name, name::tree_path)?;
            Ok((path, range::from_parameters(limit, offset)))
        })
        .collect()
}

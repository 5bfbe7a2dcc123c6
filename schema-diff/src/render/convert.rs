//! How a column's values get from one type to another one.

use crate::model::{CastContext, Catalog, Column};
use crate::quote::ident;

/// The `using` clause, and what may be lost on the way.
pub(super) struct Conversion {
    pub(super) using: Option<String>,
    pub(super) loss: Option<String>,
    /// Whether the table's rows are written again.
    pub(super) rewrites: bool,
}

/// Types that hold any text.
fn is_text(it: &str) -> bool {
    matches!(it, "text" | "character varying" | "character" | "name" | "\"char\"")
}

/// Whole numbers: what does not fit is refused, never changed.
fn is_integer(it: &str) -> bool {
    matches!(it, "smallint" | "integer" | "bigint")
}

/// From `x` to `y`; `replaced`: the type of the same name is another one now.
pub(super) fn conversion(
    catalog: &Catalog,
    name: &str,
    x: &Column,
    y: &Column,
    replaced: bool,
) -> Conversion {
    let column = ident(name);
    let (old, new) = (x.base_type.as_str(), y.base_type.as_str());
    let through_text = || {
        let array = if old.ends_with("[]") && new.ends_with("[]") { "[]" } else { "" };
        format!("{column}::text{array}::{}", y.r#type)
    };
    if replaced && (old == new || x.r#type == y.r#type) && !is_built_in_base(x) {
        return Conversion { using: Some(through_text()), loss: None, rewrites: true };
    }
    if old == new {
        let loss = (rounds(old) && shrinks(x.typmod, y.typmod))
            .then(|| format!("values of {name} are rounded to {}", y.r#type));
        let using = (x.r#type != y.r#type
            && (x.base_type != x.r#type && !x.r#type.contains('(') || replaced))
            .then(|| format!("{column}::{}", y.r#type));
        let rewrites =
            x.r#type != y.r#type && (shrinks(x.typmod, y.typmod) || rounds(old) || using.is_some());
        return Conversion { using, loss, rewrites };
    }
    match catalog.casts.get(&(old.to_owned(), new.to_owned())) {
        Some(CastContext::Implicit) => {
            let rewrites = !(is_text(old) && is_text(new));
            Conversion { using: domain_cast(x, y, &column), loss: None, rewrites }
        }
        Some(context) => {
            let loses = !(is_text(new) || is_integer(old) && is_integer(new) || is_text(old));
            let loss = loses
                .then(|| format!("values of {name} that {} does not hold exactly are changed", y.r#type));
            let using = (*context == CastContext::Explicit || domain_cast(x, y, &column).is_some())
                .then(|| format!("{column}::{}", y.r#type));
            Conversion { using, loss, rewrites: true }
        }
        None if is_text(new) || is_text(old) => {
            Conversion { using: Some(format!("{column}::{}", y.r#type)), loss: None, rewrites: true }
        }
        None => Conversion { using: Some(through_text()), loss: None, rewrites: true },
    }
}

/// A domain over a type that casts to the other one: the cast has to be written.
fn domain_cast(x: &Column, y: &Column, column: &str) -> Option<String> {
    let plain = |it: &Column| it.r#type.starts_with(it.base_type.as_str());
    (!plain(x) || !plain(y)).then(|| format!("{column}::{}", y.r#type))
}

/// A domain over a built-in type.
fn is_built_in_base(x: &Column) -> bool {
    !x.r#type.starts_with(x.base_type.as_str()) && !x.base_type.contains('.')
}

fn rounds(base: &str) -> bool {
    base == "numeric" || base.starts_with("time") || base == "interval"
}

/// Modifiers are encoded by type; less of one is less of what it holds.
fn shrinks(from: i32, to: i32) -> bool {
    to >= 0 && (from < 0 || to < from || scale(to) < scale(from))
}

/// The scale in the modifier of `numeric`.
fn scale(typmod: i32) -> i32 {
    (typmod - 4) & 0x7ff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numeric_shrinks_by_precision_or_scale() {
        let numeric = |precision: i32, scale: i32| ((precision << 16) | scale) + 4;
        assert!(!shrinks(numeric(4, 1), numeric(10, 4)));
        assert!(shrinks(numeric(10, 4), numeric(10, 2)));
        assert!(shrinks(numeric(10, 4), numeric(12, 2)));
        assert!(shrinks(-1, numeric(10, 4)));
        assert!(!shrinks(numeric(4, 1), -1));
    }
}

//! Sequences, those of identity columns too.

use crate::id::{Id, Kind};
use crate::model::{Object, Sequence, SequenceOptions, SequenceOwner};
use crate::quote::{ident, literal};
use crate::statement::Statement;

use super::Ctx;
use super::attributes::owner_of;

/// What a sequence has that says nothing of itself.
fn usual(r#type: &str, increment: i64) -> SequenceOptions {
    let (low, high) = match r#type {
        "smallint" => (i64::from(i16::MIN), i64::from(i16::MAX)),
        "integer" => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    let (min, max) = if increment > 0 { (1, high) } else { (low, -1) };
    let start = if increment > 0 { min } else { max };
    SequenceOptions { r#type: r#type.to_owned(), start, increment, min, max, cache: 1, cycle: false }
}

/// Options that differ from the usual ones, as SQL.
pub(super) fn options_beside_default(it: &SequenceOptions) -> Vec<String> {
    let usual = usual(&it.r#type, it.increment);
    let start = if it.increment > 0 { it.min } else { it.max };
    let mut out = Vec::new();
    if it.increment != 1 {
        out.push(format!("increment by {}", it.increment));
    }
    if it.min != usual.min {
        out.push(format!("minvalue {}", it.min));
    }
    if it.max != usual.max {
        out.push(format!("maxvalue {}", it.max));
    }
    if it.start != start {
        out.push(format!("start with {}", it.start));
    }
    if it.cache != 1 {
        out.push(format!("cache {}", it.cache));
    }
    if it.cycle {
        out.push("cycle".to_owned());
    }
    out
}

pub(super) fn create(ctx: &Ctx<'_>, b: &Object, it: &Sequence) -> Vec<Statement> {
    if it.identity {
        // Its column has made it.
        return Vec::new();
    }
    let unlogged = if it.unlogged { "unlogged " } else { "" };
    let mut sql = format!("create {unlogged}sequence {}", b.id.qualified());
    if it.options.r#type != "bigint" {
        sql.push_str(&format!(" as {}", it.options.r#type));
    }
    for option in options_beside_default(&it.options) {
        sql.push_str(&format!(" {option}"));
    }
    let mut out = vec![Statement::new(sql)];
    if let Some(column) = owner_of(ctx.to, &b.id) {
        out.extend(go_on_after(ctx, &b.id, &it.options, &column));
    }
    out
}

/// Lets a new sequence go on after the numbers that a column has already.
pub(super) fn go_on_after(
    ctx: &Ctx<'_>,
    sequence: &Id,
    it: &SequenceOptions,
    column: &Id,
) -> Option<Statement> {
    let kept = ctx.from.column(column)?;
    let is_number = |it: &str| matches!(it, "smallint" | "integer" | "bigint");
    let unchanged =
        ctx.to.column(column).is_some_and(|it| is_number(&it.base_type)) && is_number(&kept.base_type);
    if !ctx.stays(&column.relation()) || ctx.changes.drops(column) || !unchanged {
        return None;
    }
    let (last, beyond) = if it.increment > 0 { ("max", ">=") } else { ("min", "<=") };
    let (name, table) = (ident(&column.sub), column.qualified());
    Some(Statement::new(format!(
        "select pg_catalog.setval({}, {last}({name})) from {table} having {last}({name}) {beyond} {}",
        regclass(sequence),
        it.start
    )))
}

pub(super) fn create_owner(b: &Object, it: &SequenceOwner) -> Vec<Statement> {
    let column = Id::new(Kind::Column, &it.schema, &it.table, &it.column);
    let (sequence, table, column) = (b.id.qualified(), column.qualified(), ident(&column.sub));
    vec![Statement::new(format!("alter sequence {sequence} owned by {table}.{column}"))]
}

pub(super) fn alter(b: &Object, x: &Sequence, y: &Sequence) -> Vec<Statement> {
    if y.identity {
        // Told by its column.
        return Vec::new();
    }
    let name = b.id.qualified();
    let mut out = option_changes(&name, &x.options, &y.options);
    if x.unlogged != y.unlogged {
        let kind = if y.unlogged { "unlogged" } else { "logged" };
        out.push(Statement::new(format!("alter sequence {name} set {kind}")));
    }
    out
}

pub(super) fn option_changes(name: &str, x: &SequenceOptions, y: &SequenceOptions) -> Vec<Statement> {
    let mut parts = Vec::new();
    if x.r#type != y.r#type {
        parts.push(format!("as {}", y.r#type));
    }
    if x.increment != y.increment {
        parts.push(format!("increment by {}", y.increment));
    }
    if x.min != y.min || x.r#type != y.r#type {
        parts.push(format!("minvalue {}", y.min));
    }
    if x.max != y.max || x.r#type != y.r#type {
        parts.push(format!("maxvalue {}", y.max));
    }
    if x.start != y.start {
        parts.push(format!("start with {}", y.start));
    }
    if x.cache != y.cache {
        parts.push(format!("cache {}", y.cache));
    }
    if x.cycle != y.cycle {
        parts.push(if y.cycle { "cycle".to_owned() } else { "no cycle".to_owned() });
    }
    if parts.is_empty() {
        return Vec::new();
    }
    let mut out = Vec::new();
    if y.min > x.min || y.max < x.max {
        // The last value has to lie within the new bounds before they hold.
        let (low, high) = (y.min.max(x.min), y.max.min(x.max));
        if low <= high {
            out.push(Statement::new(format!(
                "select pg_catalog.setval({}, least(greatest(last_value, {low}), {high}), is_called) from {name}",
                literal(name)
            )));
        } else {
            parts.push(format!("restart with {}", y.start));
        }
    }
    out.push(Statement::new(format!("alter sequence {name} {}", parts.join(" "))));
    out
}

/// The text literal of a sequence's or table's name, as `regclass` takes it.
fn regclass(id: &Id) -> String {
    literal(&id.qualified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_is_not_said() {
        assert!(options_beside_default(&usual("integer", 1)).is_empty());
        assert_eq!(options_beside_default(&usual("bigint", -1)), ["increment by -1"]);
        let custom = SequenceOptions { start: 7, cache: 3, ..usual("smallint", 1) };
        assert_eq!(options_beside_default(&custom), ["start with 7", "cache 3"]);
    }

    #[test]
    fn narrower_bounds_move_the_last_value_first() {
        let old = usual("bigint", 1);
        let new = SequenceOptions { min: 5, max: 500, start: 10, ..old.clone() };
        let sql: Vec<String> = option_changes("s.q", &old, &new).into_iter().map(|it| it.sql).collect();
        assert!(sql[0].contains("greatest(last_value, 5), 500"), "{sql:?}");
        assert_eq!(sql[1], "alter sequence s.q minvalue 5 maxvalue 500 start with 10");
    }
}

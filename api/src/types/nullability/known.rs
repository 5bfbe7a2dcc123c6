//! What is known of functions and operators that come with the server: which of them give no null for arguments that
//! are none.
//!
//! Functions go by their name in the server's sources, since one SQL name may stand for several (`upper` of a text, and
//! of a range, which may be null). What is not listed may give null: `to_char` of an infinite time, `substring` by a
//! pattern, `extract` of what an infinite date does not have.

use super::catalog::{Function, Oid};

/// Operators, whatever their operands.
const OPERATORS: &[&str] = &[
    "+", "-", "*", "/", "%", "^", "||", "=", "<>", "<", "<=", ">", ">=", "~~", "!~~", "~~*", "!~~*", "~",
    "!~", "~*", "!~*", "&", "|", "@>", "<@", "&&", "^@", "<<", ">>", "~<~", "~<=~", "~>~", "~>=~",
];

/// Functions that give no null for arguments that are none.
const TOTAL: &[&str] = &[
    "upper",
    "lower",
    "initcap",
    "textlen",
    "bpcharlen",
    "textoctetlen",
    "bpcharoctetlen",
    "byteaoctetlen",
    "btrim",
    "btrim1",
    "ltrim",
    "ltrim1",
    "rtrim",
    "rtrim1",
    "lpad",
    "rpad",
    "replace_text",
    "text_reverse",
    "repeat",
    "text_left",
    "text_right",
    "text_substr",
    "text_substr_no_len",
    "translate",
    "textpos",
    "ascii",
    "chr",
    "md5_text",
    "textcat",
    "int2abs",
    "int4abs",
    "int8abs",
    "float4abs",
    "float8abs",
    "numeric_abs",
    "dround",
    "dceil",
    "dfloor",
    "dtrunc",
    "dsqrt",
    "dpow",
    "dexp",
    "dlog1",
    "dlog10",
    "numeric_round",
    "numeric_ceil",
    "numeric_floor",
    "numeric_trunc",
    "numeric_sqrt",
    "numeric_power",
    "int4mod",
    "int8mod",
    "int2mod",
    "numeric_mod",
    "now",
    "clock_timestamp",
    "statement_timestamp",
    "gen_random_uuid",
    "drandom",
    "timestamp_trunc",
    "timestamptz_trunc",
    "timestamptz_trunc_zone",
    "interval_trunc",
    "timestamptz_zone",
    "timestamp_zone",
    "timestamptz_izone",
    "timestamp_izone",
    "make_date",
    "array_cardinality",
    "to_json",
    "to_jsonb",
    "row_to_json",
    "row_to_json_pretty",
    "hashtext",
    "current_user",
    "session_user",
    "current_database",
    "textlike",
    "textnlike",
    "textregexeq",
    "starts_with",
];

/// Functions of any number of arguments that never give null, whatever is in them.
const NEVER: &[&str] =
    &["text_concat", "jsonb_build_object", "json_build_object", "jsonb_build_array", "json_build_array"];
/// The same where their first argument is not null.
const NEVER_BY_FIRST: &[&str] = &["text_concat_ws", "text_format", "text_format_nv"];

/// Aggregates that give null only where all they are given is null, and for no row at all.
const AGGREGATES: &[&str] = &[
    "sum",
    "min",
    "max",
    "avg",
    "bool_and",
    "bool_or",
    "every",
    "bit_and",
    "bit_or",
    "bit_xor",
    "string_agg",
    "any_value",
];
/// Aggregates that give null for no row at all, and only then.
const COLLECTING: &[&str] = &["array_agg", "json_agg", "jsonb_agg"];
/// Window functions that give a number for every row.
const NUMBERING: &[&str] = &["row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "count"];
/// Functions in FROM whose first column is never null.
const ROWS: &[&str] = &["generate_series", "generate_subscripts", "json_object_keys", "jsonb_object_keys"];

/// Points, lines, boxes, paths, polygons and circles.
const SHAPES: &[Oid] = &[600, 601, 602, 603, 604, 628, 718];
/// Types whose conversions among each other give no null. Times of day are left out: an infinite timestamp has none.
const CONVERTIBLE: &[Oid] = &[
    16, 17, 18, 19, 20, 21, 23, 25, 26, 700, 701, 790, 1042, 1043, 1082, 1114, 1184, 1186, 1560, 1562, 1700,
    2205, 2950,
];

fn is(function: &Function, list: &[&str]) -> bool {
    function.source.as_deref().is_some_and(|it| list.contains(&it))
}

fn is_named(function: &Function, list: &[&str]) -> bool {
    function.name.as_deref().is_some_and(|it| list.contains(&it))
}

/// Whether an operator gives no null for operands that are none. Of shapes some do: the sum of two closed paths.
pub(super) fn is_total_operator(name: &str, result: Option<Oid>) -> bool {
    OPERATORS.contains(&name) && !result.is_some_and(|it| SHAPES.contains(&it))
}

/// Whether a function gives no null for arguments that are none.
pub(super) fn is_total(function: &Function) -> bool {
    is(function, TOTAL)
}

/// How many of the first arguments of a variadic function must not be null for its result not to be.
pub(super) fn needed_of_variadic(function: &Function) -> Option<usize> {
    if is(function, NEVER) { Some(0) } else { is(function, NEVER_BY_FIRST).then_some(1) }
}

/// Whether a conversion never turns a value into null.
pub(super) fn is_total_conversion(from: Oid, to: Oid) -> bool {
    CONVERTIBLE.contains(&from) && CONVERTIBLE.contains(&to)
}

/// `count`.
pub(super) fn counts(function: &Function) -> bool {
    is_named(function, &["count"])
}

/// Gives null for no row, or for nulls only.
pub(super) fn aggregates(function: &Function) -> bool {
    is_named(function, AGGREGATES)
}

/// Gives null for no row only.
pub(super) fn collects(function: &Function) -> bool {
    is_named(function, COLLECTING)
}

/// Gives every row a number.
pub(super) fn numbers(function: &Function) -> bool {
    is_named(function, NUMBERING)
}

/// Gives rows whose first column is never null.
pub(super) fn gives_rows(function: &Function) -> bool {
    is_named(function, ROWS)
}

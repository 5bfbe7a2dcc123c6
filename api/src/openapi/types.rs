//! Postgres types in terms of the format.

use serde_json::value::RawValue;

use super::model::Items;

/// The type of a column or argument; none where any JSON is possible.
pub(super) fn type_of(pg_type: &str) -> Option<&'static str> {
    match pg_type {
        "boolean" => Some("boolean"),
        "smallint" | "integer" | "bigint" => Some("integer"),
        "numeric" | "real" | "double precision" => Some("number"),
        "json" | "jsonb" => None,
        other if other.ends_with("[]") => Some("array"),
        _ => Some("string"),
    }
}

/// The format: the Postgres type itself, save where the specification has a name.
pub(super) fn format_of(pg_type: &str) -> &str {
    match pg_type {
        "smallint" | "integer" => "int32",
        "bigint" => "int64",
        other => other,
    }
}

/// What an array type holds; none for other types.
pub(super) fn items_of(pg_type: &str) -> Option<Items<'_>> {
    match type_of(pg_type) {
        Some("array") => Some(Items { r#type: type_of(element_of(pg_type)), ..Items::default() }),
        _ => None,
    }
}

/// The element type of an array type.
pub(super) fn element_of(pg_type: &str) -> &str {
    pg_type.strip_suffix("[]").unwrap_or(pg_type)
}

/// A default expression as JSON, where it is a plain literal.
pub(super) fn default_of(pg_type: &str, expression: &str) -> Option<Box<RawValue>> {
    let text = match type_of(pg_type) {
        Some("string") => {
            let literal = expression.strip_suffix(pg_type).and_then(|it| it.strip_suffix("::"));
            format!("\"{}\"", literal.map_or(expression, |it| it.trim_matches('\'')))
        }
        _ => expression.to_owned(),
    };
    RawValue::from_string(text).ok()
}

/// The value of a default expression as JSON, where it is a literal. What is computed when a row is inserted has no
/// value that could be told.
pub(super) fn literal_of(pg_type: &str, expression: &str) -> Option<Box<RawValue>> {
    let text = literal_text(expression)?;
    let json = match type_of(pg_type) {
        Some("string") => serde_json::to_string(&text).ok()?,
        Some("array") => return None,
        // Numbers, truth values and JSON are read from their text.
        _ => text,
    };
    RawValue::from_string(json).ok()
}

/// `'text'::type`, or a number or truth value as it is.
fn literal_text(expression: &str) -> Option<String> {
    let Some(mut rest) = expression.strip_prefix('\'') else {
        let is_number =
            !expression.is_empty() && expression.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        return (is_number || matches!(expression, "true" | "false")).then(|| expression.to_owned());
    };
    let mut text = String::new();
    loop {
        let (part, after) = rest.split_once('\'')?;
        text.push_str(part);
        match after.strip_prefix('\'') {
            Some(next) => {
                text.push('\'');
                rest = next;
            }
            None => {
                rest = after;
                break;
            }
        }
    }
    let is_type = |c: char| {
        c.is_alphanumeric() || matches!(c, ':' | '_' | ' ' | '.' | '"' | '[' | ']' | '(' | ')' | ',')
    };
    (rest.is_empty() || (rest.starts_with("::") && rest.chars().all(is_type))).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_formats_of_every_family() {
        for (pg_type, ty, format) in [
            ("character varying", Some("string"), "character varying"),
            ("character", Some("string"), "character"),
            ("text", Some("string"), "text"),
            ("boolean", Some("boolean"), "boolean"),
            ("smallint", Some("integer"), "int32"),
            ("integer", Some("integer"), "int32"),
            ("bigint", Some("integer"), "int64"),
            ("numeric", Some("number"), "numeric"),
            ("real", Some("number"), "real"),
            ("double precision", Some("number"), "double precision"),
            ("json", None, "json"),
            ("jsonb", None, "jsonb"),
            ("uuid", Some("string"), "uuid"),
            ("integer[]", Some("array"), "integer[]"),
        ] {
            assert_eq!((type_of(pg_type), format_of(pg_type)), (ty, format), "{pg_type}");
        }
        assert_eq!(items_of("integer[]").unwrap().r#type, Some("integer"));
        assert_eq!(items_of("jsonb[]").unwrap().r#type, None);
        assert!(items_of("integer").is_none());
    }

    #[test]
    fn a_literal_is_told_and_an_expression_is_not() {
        for (pg_type, expression, expected) in [
            ("text", "'a'::text", Some("\"a\"")),
            ("text", "'it''s \"x\"'::text", Some("\"it's \\\"x\\\"\"")),
            ("character varying", "'a'::character varying(10)", Some("\"a\"")),
            ("api.mood", "'happy'::api.mood", Some("\"happy\"")),
            ("date", "'1900-01-01'::date", Some("\"1900-01-01\"")),
            ("text", "''::text", Some("\"\"")),
            ("integer", "42", Some("42")),
            ("integer", "'-42'::integer", Some("-42")),
            ("numeric", "1.50", Some("1.50")),
            ("boolean", "false", Some("false")),
            ("jsonb", "'{\"a\": 1}'::jsonb", Some("{\"a\": 1}")),
            ("uuid", "gen_random_uuid()", None),
            ("timestamp with time zone", "now()", None),
            ("text", "CURRENT_USER", None),
            ("text", "('a'::text || 'b'::text)", None),
            ("text", "'a'::text || 'b'::text", None),
            ("text", "NULL::text", None),
            ("integer", "nextval('seq'::regclass)", None),
            ("text[]", "'{}'::text[]", None),
            ("integer", "'x'::integer", None),
            ("text", "", None),
        ] {
            let found = literal_of(pg_type, expression);
            assert_eq!(found.as_deref().map(RawValue::get), expected, "{expression}");
        }
    }

    #[test]
    fn default_is_json_only_for_literals() {
        for (pg_type, expression, expected) in [
            ("text", "'a'::text", Some(r#""a""#)),
            ("date", "'1900-01-01'::date", Some(r#""1900-01-01""#)),
            ("text", "CURRENT_USER", Some(r#""CURRENT_USER""#)),
            ("text", r#"'"'::text"#, None),
            ("integer", "42", Some("42")),
            ("numeric", "1.50", Some("1.50")),
            ("integer", "nextval('seq'::regclass)", None),
            ("boolean", "false", Some("false")),
            ("jsonb", "'{}'::jsonb", None),
            ("text[]", "'{}'::text[]", None),
        ] {
            let found = default_of(pg_type, expression);
            assert_eq!(found.as_deref().map(RawValue::get), expected, "{expression}");
        }
    }
}

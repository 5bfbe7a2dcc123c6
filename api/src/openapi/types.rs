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
        Some("array") => Some(Items { r#type: type_of(element_of(pg_type)), format: None }),
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

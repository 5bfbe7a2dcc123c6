//! Overloads that differ by the types of their parameters only, told apart by the values in a JSON body.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::families::{Family, family_of};
use crate::schema_cache::routine::Routine;

/// The kind of a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Boolean,
    Number { whole: bool },
    String,
    Array,
    Object,
}

/// The one candidate whose parameters are of the kinds that the body's values have; `None` where there is no such candidate, or more
/// than one, or where the body is no object.
///
/// Values of a query string or form are texts, which say nothing of their type.
pub(super) fn by_body<'a>(candidates: &[&'a Routine], body: &[u8]) -> Option<&'a Routine> {
    let kinds: HashMap<String, Kind> = serde_json::from_slice(body).ok()?;
    let mut fitting = candidates.iter().filter(|routine| {
        routine
            .params
            .iter()
            .all(|param| kinds.get(&param.name).is_none_or(|kind| is_natural(*kind, &param.data_type)))
    });
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// Whether JSON shows values of this type that way. Narrower than what a type can be read from: any of them takes a
/// string, and then nothing could be told apart.
fn is_natural(kind: Kind, data_type: &str) -> bool {
    let family = family_of(data_type);
    match kind {
        Kind::Null => true,
        Kind::Boolean => family == Family::Boolean,
        Kind::Number { whole } => {
            family == Family::Number && (whole || !matches!(data_type, "smallint" | "integer" | "bigint"))
        }
        Kind::String => matches!(family, Family::Strict | Family::Text | Family::Other),
        Kind::Array => matches!(family, Family::Array | Family::Json),
        Kind::Object => matches!(family, Family::Json | Family::Hstore | Family::Other),
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Kind, E> {
        Ok(Kind::Boolean)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Kind, E> {
        Ok(Kind::Number { whole: true })
    }

    fn visit_u64<E>(self, _: u64) -> Result<Kind, E> {
        Ok(Kind::Number { whole: true })
    }

    fn visit_f64<E>(self, _: f64) -> Result<Kind, E> {
        Ok(Kind::Number { whole: false })
    }

    fn visit_str<E>(self, _: &str) -> Result<Kind, E> {
        Ok(Kind::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Kind, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Kind::Array)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Kind::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema_cache::identifiers::QualifiedIdentifier;
    use crate::schema_cache::routine::{PgType, RetType, RoutineParam, Volatility};

    /// A function of these parameters, each `name type`.
    fn overload(params: &[&str]) -> Routine {
        let param = |text: &&str| {
            let (name, data_type) = text.split_once(' ').unwrap();
            RoutineParam {
                name: name.to_owned(),
                data_type: data_type.to_owned(),
                type_max_length: data_type.to_owned(),
                required: true,
                variadic: false,
            }
        };
        Routine {
            schema: "test".into(),
            name: "f".into(),
            description: None,
            params: params.iter().map(param).collect(),
            return_type: RetType::Single(PgType::Scalar(QualifiedIdentifier::new("pg_catalog", "int4"))),
            volatility: Volatility::Volatile,
            has_variadic: false,
            isolation: None,
            settings: Vec::new(),
        }
    }

    /// Which of these types for `a` a value chooses.
    fn chosen(types: &[&str], value: &str) -> String {
        let overloads: Vec<Routine> = types.iter().map(|ty| overload(&[&format!("a {ty}")])).collect();
        let candidates: Vec<&Routine> = overloads.iter().collect();
        let body = format!("{{\"a\":{value}}}");
        by_body(&candidates, body.as_bytes())
            .map_or_else(|| "ambiguous".to_owned(), |it| it.params[0].data_type.clone())
    }

    #[test]
    fn the_kind_of_a_value_chooses() {
        for (types, value, expected) in [
            (&["text", "integer"][..], "1", "integer"),
            (&["text", "integer"], "\"1\"", "text"),
            (&["text", "integer"], "null", "ambiguous"),
            (&["text", "integer"], "true", "ambiguous"),
            (&["integer", "numeric"], "1.5", "numeric"),
            (&["integer", "numeric"], "1", "ambiguous"),
            (&["numeric", "double precision"], "1.5", "ambiguous"),
            (&["boolean", "text"], "false", "boolean"),
            (&["date", "integer"], "\"2024-01-01\"", "date"),
            (&["date", "text"], "\"2024-01-01\"", "ambiguous"),
            (&["integer[]", "integer"], "[1]", "integer[]"),
            (&["integer[]", "jsonb"], "[1]", "ambiguous"),
            (&["jsonb", "text"], "{\"b\":1}", "jsonb"),
            (&["hstore", "text[]"], "{}", "hstore"),
            (&["jsonb", "text"], "1", "ambiguous"),
            (&["test.mood", "integer"], "\"happy\"", "test.mood"),
        ] {
            assert_eq!(chosen(types, value), expected, "{types:?} {value}");
        }
    }

    #[test]
    fn all_arguments_count_and_anything_but_an_object_chooses_nothing() {
        let (a, b) = (overload(&["a integer", "b text"]), overload(&["a integer", "b boolean"]));
        let choose = |body: &str| by_body(&[&a, &b], body.as_bytes()).cloned();
        assert_eq!(choose(r#"{"a":1,"b":"x"}"#), Some(a.clone()));
        assert_eq!(choose(r#"{"a":1,"b":true}"#), Some(b.clone()));
        assert_eq!(choose(r#"{"a":"x","b":true}"#), None);
        for body in ["", "[]", r#"[{"a":1,"b":true}]"#, "{", "1"] {
            assert_eq!(choose(body), None, "{body}");
        }
    }
}

//! The body → [`Payload`], as far as it must be understood before the database sees it.
//!
//! JSON values are not built: only the keys are read, the text goes to the database as it came.

pub(crate) mod shape;

use std::collections::BTreeSet;
use std::fmt;

use bytes::Bytes;
use indexmap::IndexMap;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::csv::{self, Dialect, Field};
use super::query::pairs;
use super::types::{Action, DbAction, InvokeMethod, Mutation, Payload};
use crate::error::ApiRequestError;
use crate::media_type::MediaType;
use crate::schema_cache::identifiers::FieldName;

/// Reads the body where the action has one. Returns it with the columns it (or `columns=`) names.
pub(super) fn read(
    body: Bytes,
    content_type: &MediaType,
    dialect: Dialect,
    columns: Option<&BTreeSet<FieldName>>,
    action: &Action,
) -> Result<(Option<Payload>, BTreeSet<FieldName>), ApiRequestError> {
    let (is_call, columns) = match action {
        Action::Db(DbAction::RelationMutation(_, Mutation::Create | Mutation::Update)) => (false, columns),
        Action::Db(DbAction::RelationMutation(_, Mutation::SingleUpsert)) => (false, None),
        Action::Db(DbAction::Routine(_, InvokeMethod::Inv)) => (true, columns),
        _ => return Ok((None, BTreeSet::new())),
    };
    let body = match content_type {
        MediaType::ApplicationJson | MediaType::TextCsv => without_byte_order_mark(body),
        _ => body,
    };
    let payload = match content_type {
        MediaType::ApplicationJson if columns.is_some() => Payload::RawJson(body),
        MediaType::ApplicationJson if is_call && body.is_empty() => {
            Payload::ProcessedJson { raw: body, keys: BTreeSet::new() }
        }
        MediaType::ApplicationJson => json(body)?,
        MediaType::TextCsv => csv(&body, dialect)?,
        MediaType::UrlEncoded if is_call => {
            let pairs = url_encoded(&body)?;
            let keys = pairs.iter().map(|(name, _)| name.clone()).collect();
            Payload::ProcessedUrlEncoded { pairs, keys }
        }
        MediaType::UrlEncoded => {
            let object: IndexMap<String, String> = url_encoded(&body)?.into_iter().collect();
            let keys = object.keys().cloned().collect();
            Payload::ProcessedJson { raw: encode(&object)?, keys }
        }
        MediaType::TextPlain | MediaType::TextXml | MediaType::OctetStream if is_call => Payload::Raw(body),
        other => return Err(invalid(format!("Content-Type not acceptable: {other}"))),
    };
    let named = match &payload {
        Payload::ProcessedJson { keys, .. } | Payload::ProcessedUrlEncoded { keys, .. } => keys.clone(),
        Payload::RawJson(_) => columns.cloned().unwrap_or_default(),
        Payload::Raw(_) => BTreeSet::new(),
    };
    Ok((Some(payload), named))
}

fn invalid(message: impl Into<String>) -> ApiRequestError {
    ApiRequestError::InvalidBody(message.into())
}

fn encode(value: &impl serde::Serialize) -> Result<Bytes, ApiRequestError> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| invalid(error.to_string()))
}

fn json(body: Bytes) -> Result<Payload, ApiRequestError> {
    let shape = std::str::from_utf8(&body).ok().and_then(|text| serde_json::from_str(text).ok());
    match shape.ok_or_else(|| invalid("Empty or invalid json"))? {
        Shape::Rows(keys) => Ok(Payload::ProcessedJson { raw: body, keys }),
        Shape::Mixed => Err(invalid("All object keys must match")),
        Shape::Nothing => Ok(no_rows()),
    }
}

/// What stands for a body without rows.
fn no_rows() -> Payload {
    Payload::ProcessedJson { raw: Bytes::from_static(b"[]"), keys: BTreeSet::new() }
}

/// Spreadsheets and some editors begin a UTF-8 text with the mark; it is no part of the text.
fn without_byte_order_mark(body: Bytes) -> Bytes {
    if body.starts_with(b"\xef\xbb\xbf") { body.slice(3..) } else { body }
}

/// CSV becomes a JSON array of objects; the word `NULL` becomes null, everything else a string.
fn csv(body: &[u8], dialect: Dialect) -> Result<Payload, ApiRequestError> {
    let records = csv::parse(body, dialect).map_err(invalid)?;
    let Some((header, rows)) = records.split_first() else { return Ok(no_rows()) };
    let Some(first) = rows.first() else { return Ok(no_rows()) };
    let width = first.len().min(header.len());
    let fits = |row: &Vec<Field>| match dialect.strict {
        true => row.len() == header.len(),
        false => row.len().min(header.len()) == width,
    };
    if !rows.iter().all(fits) {
        return Err(invalid("All lines must have same number of fields"));
    }
    let objects: Vec<IndexMap<&str, Option<&str>>> = rows
        .iter()
        .map(|row| {
            header
                .iter()
                .zip(row)
                .map(|((name, _), (value, quoted))| {
                    let is_null = value == "NULL" && !(*quoted && dialect.strict);
                    (name.as_str(), (!is_null).then_some(value.as_str()))
                })
                .collect()
        })
        .collect();
    let keys = header.iter().take(width).map(|(name, _)| name.clone()).collect();
    Ok(Payload::ProcessedJson { raw: encode(&objects)?, keys })
}

fn url_encoded(body: &[u8]) -> Result<Vec<(String, String)>, ApiRequestError> {
    let text = |bytes: Vec<u8>| {
        String::from_utf8(bytes).map_err(|_| invalid("Form values must be percent-encoded UTF-8"))
    };
    pairs::split(body)
        .into_iter()
        .map(|(name, value)| Ok((text(name)?, text(value.unwrap_or_default())?)))
        .collect()
}

/// What a JSON body is, as far as rows are concerned.
enum Shape {
    /// One object, or an array of objects that all have these keys.
    Rows(BTreeSet<FieldName>),
    /// An array of anything else.
    Mixed,
    /// An empty array, or a scalar: no rows.
    Nothing,
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Shape, A::Error> {
        keys_of(map).map(Shape::Rows)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
        let Some(first) = seq.next_element::<Element>()? else { return Ok(Shape::Nothing) };
        let mut uniform = first.0;
        while let Some(element) = seq.next_element::<Element>()? {
            if element.0 != uniform {
                uniform = None;
            }
        }
        Ok(uniform.map_or(Shape::Mixed, Shape::Rows))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::Nothing)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Nothing)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::Nothing)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::Nothing)
    }

    fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::Nothing)
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Nothing)
    }
}

/// Keys of an array's element, where it is an object.
struct Element(Option<BTreeSet<FieldName>>);

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ElementVisitor)
    }
}

struct ElementVisitor;

impl<'de> Visitor<'de> for ElementVisitor {
    type Value = Element;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Element, A::Error> {
        keys_of(map).map(|keys| Element(Some(keys)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Element, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Element(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Element, E> {
        Ok(Element(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Element, E> {
        Ok(Element(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Element, E> {
        Ok(Element(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Element, E> {
        Ok(Element(None))
    }

    fn visit_str<E>(self, _: &str) -> Result<Element, E> {
        Ok(Element(None))
    }

    fn visit_unit<E>(self) -> Result<Element, E> {
        Ok(Element(None))
    }
}

fn keys_of<'de, A: MapAccess<'de>>(mut map: A) -> Result<BTreeSet<FieldName>, A::Error> {
    let mut keys = BTreeSet::new();
    while let Some((key, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
        keys.insert(key);
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema_cache::identifiers::QualifiedIdentifier;
    use proptest::prelude::*;

    fn table(mutation: Mutation) -> Action {
        Action::Db(DbAction::RelationMutation(QualifiedIdentifier::new("test", "t"), mutation))
    }

    fn function() -> Action {
        Action::Db(DbAction::Routine(QualifiedIdentifier::new("test", "f"), InvokeMethod::Inv))
    }

    fn show(action: &Action, content_type: &str, body: &str) -> String {
        let content_type = MediaType::parse(content_type);
        match read(Bytes::copy_from_slice(body.as_bytes()), &content_type, Dialect::PLAIN, None, action) {
            Ok((payload, columns)) => {
                let payload = match payload {
                    None => "none".to_owned(),
                    Some(Payload::ProcessedJson { raw, .. }) => {
                        format!("json {}", String::from_utf8_lossy(&raw))
                    }
                    Some(Payload::ProcessedUrlEncoded { pairs, .. }) => format!("form {pairs:?}"),
                    Some(Payload::RawJson(raw) | Payload::Raw(raw)) => {
                        format!("raw {}", String::from_utf8_lossy(&raw))
                    }
                };
                format!("{payload} naming {columns:?}")
            }
            Err(ApiRequestError::InvalidBody(message)) => message,
            Err(other) => format!("another error: {other:?}"),
        }
    }

    #[test]
    fn json_rows() {
        let show = |body| show(&table(Mutation::Create), "application/json", body);
        insta::assert_snapshot!(show(r#"{"a":1,"b":{"c":2}}"#), @r#"json {"a":1,"b":{"c":2}} naming {"a", "b"}"#);
        insta::assert_snapshot!(show(r#"[{"a":1,"b":2},{"b":1,"a":[{"x":1}]}]"#), @r#"json [{"a":1,"b":2},{"b":1,"a":[{"x":1}]}] naming {"a", "b"}"#);
        insta::assert_snapshot!(show(r#"[{},{}]"#), @"json [{},{}] naming {}");
        insta::assert_snapshot!(show("[]"), @"json [] naming {}");
        insta::assert_snapshot!(show("3"), @"json [] naming {}");
        insta::assert_snapshot!(show("null"), @"json [] naming {}");
        insta::assert_snapshot!(show(r#"{"a":1,"a":2}"#), @r#"json {"a":1,"a":2} naming {"a"}"#);
    }

    #[test]
    fn json_that_is_refused() {
        let show = |body| show(&table(Mutation::Create), "application/json", body);
        for mixed in
            [r#"[{"a":1},{"b":1}]"#, r#"[{"a":1},3]"#, r#"[3,{"a":1}]"#, "[1,2]", "[[]]", r#"[null,{}]"#]
        {
            assert_eq!(show(mixed), "All object keys must match", "{mixed}");
        }
        for broken in ["", "}{ x = 2", r#"{"a":1"#, r#"{"a":1} x"#, "[1,", "nul", "{\"a\":\"\u{1}\"}"] {
            assert_eq!(show(broken), "Empty or invalid json", "{broken}");
        }
    }

    #[test]
    fn csv_rows() {
        let show = |body| show(&table(Mutation::Create), "text/csv", body);
        insta::assert_snapshot!(show("a,b\nbar,baz\nNULL,foo"), @r#"json [{"a":"bar","b":"baz"},{"a":null,"b":"foo"}] naming {"a", "b"}"#);
        insta::assert_snapshot!(show("a,b\n"), @"json [] naming {}");
        insta::assert_snapshot!(show("a,b\n1\n2"), @r#"json [{"a":"1"},{"a":"2"}] naming {"a"}"#);
        insta::assert_snapshot!(show("a,b\n1,2,3"), @r#"json [{"a":"1","b":"2"}] naming {"a", "b"}"#);
        insta::assert_snapshot!(show("a,b\n1,2\n3"), @"All lines must have same number of fields");
    }

    #[test]
    fn strict_csv_says_what_it_would_cut() {
        let strict = Dialect::new(None, true).unwrap();
        let show = |body: &'static str| {
            let body = Bytes::from_static(body.as_bytes());
            match read(body, &MediaType::TextCsv, strict, None, &table(Mutation::Create)) {
                Ok((Some(Payload::ProcessedJson { raw, .. }), _)) => {
                    String::from_utf8_lossy(&raw).into_owned()
                }
                other => format!("{:?}", other.map(|_| "no rows")),
            }
        };
        assert_eq!(show("a,b\nNULL,\"NULL\""), r#"[{"a":null,"b":"NULL"}]"#);
        assert_eq!(show("a\n\"\""), r#"[{"a":""}]"#);
        for ragged in ["a,b\n1,2,3", "a,b\n1"] {
            assert!(show(ragged).contains("All lines must have same number of fields"), "{ragged}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_body() {
        let show = |action, content_type, body| show(&action, content_type, body);
        assert_eq!(
            show(table(Mutation::Create), "text/csv", "\u{feff}a\n1"),
            r#"json [{"a":"1"}] naming {"a"}"#
        );
        let json = show(table(Mutation::Create), "application/json", "\u{feff}{\"a\":1}");
        assert_eq!(json, r#"json {"a":1} naming {"a"}"#);
        assert_eq!(show(function(), "text/plain", "\u{feff}a"), "raw \u{feff}a naming {}");
    }

    #[test]
    fn forms() {
        insta::assert_snapshot!(show(&table(Mutation::Create), "application/x-www-form-urlencoded", "a=1&b=x+y&a=%C3%A9"), @r#"json {"a":"é","b":"x y"} naming {"a", "b"}"#);
        insta::assert_snapshot!(show(&function(), "application/x-www-form-urlencoded", "v=1&v=2&w"), @r#"form [("v", "1"), ("v", "2"), ("w", "")] naming {"v", "w"}"#);
        insta::assert_snapshot!(show(&function(), "application/x-www-form-urlencoded", "v=%ff"), @"Form values must be percent-encoded UTF-8");
    }

    #[test]
    fn functions_take_any_single_value() {
        insta::assert_snapshot!(show(&function(), "text/plain", "hi"), @"raw hi naming {}");
        insta::assert_snapshot!(show(&function(), "application/octet-stream", "hi"), @"raw hi naming {}");
        insta::assert_snapshot!(show(&function(), "application/json", ""), @"json  naming {}");
        insta::assert_snapshot!(show(&function(), "image/png", "hi"), @"Content-Type not acceptable: image/png");
        insta::assert_snapshot!(show(&table(Mutation::Update), "text/plain", "hi"), @"Content-Type not acceptable: text/plain");
    }

    #[test]
    fn actions_without_a_body_do_not_look_at_it() {
        assert_eq!(show(&table(Mutation::Delete), "image/png", "x"), "none naming {}");
        assert_eq!(show(&Action::SchemaInfo, "image/png", "x"), "none naming {}");
    }

    #[test]
    fn named_columns_leave_the_json_unread() {
        let columns = BTreeSet::from(["x".to_owned()]);
        let json = MediaType::ApplicationJson;
        let read = |mutation| {
            read(Bytes::from_static(b"{oops"), &json, Dialect::PLAIN, Some(&columns), &table(mutation))
        };
        let (payload, named) = read(Mutation::Create).unwrap();
        assert!(matches!(payload, Some(Payload::RawJson(raw)) if raw == "{oops"));
        assert_eq!(named, columns);
        // A PUT replaces the whole row, so there is nothing to choose.
        assert!(read(Mutation::SingleUpsert).is_err());
    }

    #[test]
    fn deep_json_is_no_danger() {
        let deep = format!("[{{\"a\":{}{}}}]", "[".repeat(200_000), "]".repeat(200_000));
        assert!(show(&table(Mutation::Create), "application/json", &deep).ends_with("naming {\"a\"}"));
        assert_eq!(
            show(&table(Mutation::Create), "application/json", &"[".repeat(200_000)),
            "Empty or invalid json"
        );
    }

    proptest! {
        #[test]
        fn any_body_is_answered(body in "[\\[\\]{}\",:a1 \\\\u]{0,24}") {
            let _ = show(&table(Mutation::Create), "application/json", &body);
            let _ = show(&table(Mutation::Create), "text/csv", &body);
            let _ = show(&function(), "application/x-www-form-urlencoded", &body);
        }
    }
}

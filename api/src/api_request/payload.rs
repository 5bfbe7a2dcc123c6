//! The body → [`Payload`], as far as it must be understood before the database sees it.
//!
//! JSON values are not built: only the keys are read, the text goes to the database as it came. What is made of a
//! body of another type is made as it is read, so that nothing here needs more than a small multiple of the body.

pub(super) mod keys;
pub(crate) mod outline;

use std::collections::BTreeSet;

use bytes::Bytes;
use indexmap::IndexMap;

use super::csv::{self, Dialect};
use super::limits::MAX_NAMES;
use super::query::pairs;
use super::types::{Action, DbAction, InvokeMethod, Mutation, Payload};
use crate::error::ApiRequestError;
use crate::media_type::MediaType;
use crate::schema_cache::identifiers::FieldName;
use outline::{BodyOutline, Kind};

/// Fields of a form that is a function's arguments; only a variadic one takes several.
const MAX_FIELDS: usize = 100_000;

/// The body is anything but an object.
pub(crate) fn is_array(body: &Bytes) -> bool {
    let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    body.iter().find(|byte| !blank(byte)) != Some(&b'{')
}

/// Takes the body where the action has one. Returns it with the columns it (or `columns=`) names.
pub(super) fn read(
    body: &BodyOutline,
    content_type: &MediaType,
    dialect: Dialect,
    columns: Option<&BTreeSet<FieldName>>,
    action: &Action,
) -> Result<(Option<Payload>, BTreeSet<FieldName>), ApiRequestError> {
    let is_call = match action {
        Action::Db(DbAction::RelationMutation(_, Mutation::Delete)) => return Ok((None, BTreeSet::new())),
        Action::Db(DbAction::RelationMutation(..)) => false,
        Action::Db(DbAction::Routine(_, InvokeMethod::Inv)) => true,
        _ => return Ok((None, BTreeSet::new())),
    };
    let body_text = || body.text.clone();
    let payload = match content_type {
        MediaType::ApplicationJson => match &body.kind {
            Kind::Unread => Payload::RawJson(body_text()),
            Kind::Empty if is_call => Payload::ProcessedJson { raw: body_text(), keys: BTreeSet::new() },
            Kind::Rows(keys) => Payload::ProcessedJson { raw: body_text(), keys: keys.clone() },
            Kind::Mixed => return Err(invalid("All object keys must match")),
            Kind::Nothing => no_rows(),
            Kind::Empty | Kind::Broken | Kind::None | Kind::Other => {
                return Err(invalid("Empty or invalid json"));
            }
        },
        MediaType::TextCsv => csv(&body.text, dialect)?,
        MediaType::UrlEncoded if is_call => {
            let pairs = url_encoded(&body.text)?;
            let keys = pairs.iter().map(|(name, _)| name.clone()).collect();
            Payload::ProcessedUrlEncoded { pairs, keys }
        }
        MediaType::UrlEncoded => {
            let object = form(&body.text)?;
            let keys = object.keys().cloned().collect();
            Payload::ProcessedJson { raw: encode(&object)?, keys }
        }
        MediaType::TextPlain | MediaType::TextXml | MediaType::OctetStream if is_call => {
            Payload::Raw(body_text())
        }
        other => return Err(invalid(format!("Content-Type not acceptable: {other}"))),
    };
    let creates = matches!(action, Action::Db(DbAction::RelationMutation(_, Mutation::Create)));
    let named = match &payload {
        // The header names what there is, and the request may choose among that.
        Payload::ProcessedJson { keys, .. } if *content_type == MediaType::TextCsv && creates => {
            columns.unwrap_or(keys).clone()
        }
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

/// What stands for a body without rows.
fn no_rows() -> Payload {
    Payload::ProcessedJson { raw: Bytes::from_static(b"[]"), keys: BTreeSet::new() }
}

fn csv(body: &[u8], dialect: Dialect) -> Result<Payload, ApiRequestError> {
    Ok(csv::to_json(body, dialect)?.map_or_else(no_rows, |(raw, names)| Payload::ProcessedJson {
        raw,
        keys: names.into_iter().collect(),
    }))
}

/// Fields by name; of those with one name the last counts.
fn form(body: &[u8]) -> Result<IndexMap<String, String>, ApiRequestError> {
    let mut object = IndexMap::new();
    for pair in pairs::iter(body) {
        let (name, value) = texts(pair)?;
        object.insert(name, value);
        if object.len() > MAX_NAMES {
            return Err(invalid(format!("A form may have at most {MAX_NAMES} names")));
        }
    }
    Ok(object)
}

fn url_encoded(body: &[u8]) -> Result<Vec<(String, String)>, ApiRequestError> {
    let mut fields = Vec::new();
    for pair in pairs::iter(body) {
        if fields.len() == MAX_FIELDS {
            return Err(invalid(format!("A form may have at most {MAX_FIELDS} fields")));
        }
        fields.push(texts(pair)?);
    }
    Ok(fields)
}

fn texts((name, value): pairs::Pair) -> Result<(String, String), ApiRequestError> {
    let text = |bytes: Vec<u8>| {
        String::from_utf8(bytes).map_err(|_| invalid("Form values must be percent-encoded UTF-8"))
    };
    Ok((text(name)?, text(value.unwrap_or_default())?))
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
        let body = BodyOutline::read(Bytes::copy_from_slice(body.as_bytes()), &content_type, false);
        match read(&body, &content_type, Dialect::PLAIN, None, action) {
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
        let body = BodyOutline::read(Bytes::from_static(b"{oops"), &json, true);
        let (payload, named) =
            read(&body, &json, Dialect::PLAIN, Some(&columns), &table(Mutation::Create)).unwrap();
        assert!(matches!(payload, Some(Payload::RawJson(raw)) if raw == "{oops"));
        assert_eq!(named, columns);
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

    #[test]
    fn names_and_fields_are_bounded() {
        let form = "application/x-www-form-urlencoded";
        let distinct: String = (0..=MAX_NAMES).map(|it| format!("a{it}&")).collect();
        assert_eq!(show(&table(Mutation::Create), form, &distinct), "A form may have at most 1664 names");
        // However often it comes, it is one name.
        let same = show(&table(Mutation::Create), form, &"a=1&".repeat(MAX_FIELDS + 1));
        assert_eq!(same, r#"json {"a":"1"} naming {"a"}"#);
        assert_eq!(
            show(&function(), form, &"&".repeat(MAX_FIELDS + 2)),
            "A form may have at most 100000 fields"
        );
        let object =
            format!("{{{}}}", (0..5000).map(|it| format!("\"a{it}\":1")).collect::<Vec<_>>().join(","));
        let json = MediaType::ApplicationJson;
        let body = BodyOutline::read(Bytes::from(object), &json, false);
        let (_, named) = read(&body, &json, Dialect::PLAIN, None, &function()).unwrap();
        assert_eq!(named.len(), MAX_NAMES);
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

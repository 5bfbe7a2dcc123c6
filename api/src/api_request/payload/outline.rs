//! A body, as far as it is read before the database sees it.
//!
//! Two JSON bodies of one outline are planned alike. Anything but JSON is read anew each time.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::keys::Shape;
use crate::media_type::MediaType;
use crate::schema_cache::identifiers::FieldName;

/// What is known of a body, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BodyOutline {
    pub(super) kind: Kind,
    is_array: bool,
    pub(in crate::api_request) text: Bytes,
}

/// What is known of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// The method has none, or none that matters.
    None,
    /// JSON that is left to the database, because `columns=` tells what it holds.
    Unread,
    /// JSON: one object, or an array of objects that all have these keys.
    Rows(BTreeSet<FieldName>),
    /// JSON: an array of anything else.
    Mixed,
    /// JSON: an empty array or a scalar.
    Nothing,
    /// Not there.
    Empty,
    /// No JSON, though it says it were.
    Broken,
    /// Of another type, to be read as a whole.
    Other,
}

impl BodyOutline {
    /// No body.
    pub(crate) fn none() -> Self {
        Self { kind: Kind::None, is_array: true, text: Bytes::new() }
    }

    /// Reads a body; `chosen` tells that the request names the columns.
    pub(crate) fn read(text: Bytes, content_type: &MediaType, chosen: bool) -> Self {
        let kind = match content_type {
            MediaType::ApplicationJson if chosen => Kind::Unread,
            MediaType::ApplicationJson if text.is_empty() => Kind::Empty,
            MediaType::ApplicationJson => {
                match std::str::from_utf8(&text).ok().and_then(|text| serde_json::from_str(text).ok()) {
                    Some(Shape::Rows(keys)) => Kind::Rows(keys),
                    Some(Shape::Mixed) => Kind::Mixed,
                    Some(Shape::Nothing) => Kind::Nothing,
                    None => Kind::Broken,
                }
            }
            _ => Kind::Other,
        };
        Self { kind, is_array: super::is_array(&text), text }
    }

    /// It is an array rather than an object, as far as its first character tells.
    pub(crate) fn is_array(&self) -> bool {
        self.is_array
    }

    /// Nothing but its outline matters to a plan.
    pub(crate) fn is_told_by_shape(&self) -> bool {
        matches!(self.kind, Kind::None | Kind::Unread | Kind::Rows(_))
    }

    /// Another body of the same outline.
    pub(crate) fn with_text(&self, text: Bytes) -> Self {
        Self { text, ..self.clone() }
    }

    /// Appends what tells this outline from others, as far as they are told by their shape.
    pub(crate) fn push_key(&self, key: &mut Vec<u8>) {
        let Self { kind, is_array, text: _ } = self;
        let tag = match kind {
            Kind::None => return,
            Kind::Unread => b'u',
            Kind::Rows(_) => b'r',
            Kind::Mixed => b'm',
            Kind::Nothing => b'n',
            Kind::Empty => b'e',
            Kind::Broken => b'b',
            Kind::Other => b'o',
        };
        key.extend_from_slice(&[b'\n', tag, if *is_array { b'[' } else { b'{' }]);
        if let Kind::Rows(names) = kind {
            for name in names {
                // The length, because a name may hold anything.
                key.extend_from_slice(&name.len().to_le_bytes());
                key.extend_from_slice(name.as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(body: &'static str) -> BodyOutline {
        BodyOutline::read(Bytes::from_static(body.as_bytes()), &MediaType::ApplicationJson, false)
    }

    fn key(outline: &BodyOutline) -> Vec<u8> {
        let mut key = Vec::new();
        outline.push_key(&mut key);
        key
    }

    #[test]
    fn keys_and_kind_are_told_apart_and_values_are_not() {
        let of = |body| key(&outline(body));
        assert_eq!(of(r#"{"a":1,"b":2}"#), of(r#" {"b":null,"a":{"c":1}}"#));
        assert_eq!(of(r#"[{"a":1},{"a":2}]"#), of(r#"[{"a":3}]"#));
        let different = [
            r#"{"a":1}"#,
            r#"[{"a":1}]"#,
            r#"{"b":1}"#,
            r#"{"ab":1,"c":2}"#,
            r#"{"a":1,"bc":2}"#,
            r#"{"ab":1}"#,
            r#"{"a":1,"b":2}"#,
            "[]",
            "",
            "{",
            "[1]",
        ];
        let keys: BTreeSet<_> = different.iter().map(|body| of(body)).collect();
        assert_eq!(keys.len(), different.len());
    }

    #[test]
    fn with_columns_only_the_first_character_is_looked_at() {
        let of = |body| BodyOutline::read(Bytes::from_static(body), &MediaType::ApplicationJson, true);
        assert_eq!(key(&of(br#"{"a":1}"#)), key(&of(b"{")));
        assert_ne!(key(&of(b"{}")), key(&of(b"[]")));
    }

    #[test]
    fn only_rows_are_told_by_their_shape() {
        for body in ["", "[]", "1", "null", "[1]", r#"[{"a":1},{"b":1}]"#, "{", r#"{"a":1}}"#] {
            assert!(!outline(body).is_told_by_shape(), "{body}");
        }
        assert!(outline("{}").is_told_by_shape());
        let csv = BodyOutline::read(Bytes::from_static(b"{}"), &MediaType::TextCsv, true);
        assert!(!csv.is_told_by_shape());
    }
}

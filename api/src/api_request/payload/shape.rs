//! A body apart from its values.
//!
//! Two JSON bodies of one shape are planned alike. Anything but JSON is read anew each time.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::header;
use http::request::Parts;

use super::keys::Shape;
use crate::schema_cache::identifiers::FieldName;

/// What planning looks at of a JSON body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BodyShape {
    /// Keys, unless `columns=` tells them.
    keys: Option<BTreeSet<FieldName>>,
    /// It is an array rather than an object.
    is_array: bool,
}

impl BodyShape {
    /// The shape of a body of rows; `None` for anything else, and for what is no JSON.
    pub(crate) fn of(head: &Parts, body: &Bytes) -> Option<Self> {
        let mut types = head.headers.get_all(header::CONTENT_TYPE).iter();
        let is_json = types.next().is_none_or(|it| it.as_bytes() == b"application/json");
        if !is_json || types.next().is_some() {
            return None;
        }
        let query = head.uri.query().unwrap_or_default().as_bytes();
        let has_columns = query.split(|it| matches!(it, b'&' | b';')).any(|it| it.starts_with(b"columns="));
        let keys = if has_columns {
            None
        } else {
            match serde_json::from_str(std::str::from_utf8(body).ok()?).ok()? {
                Shape::Rows(keys) => Some(keys),
                Shape::Mixed | Shape::Nothing => return None,
            }
        };
        Some(Self { keys, is_array: crate::sql::is_array(body) })
    }

    /// Appends what tells this shape from others.
    pub(crate) fn push_key(&self, key: &mut Vec<u8>) {
        key.extend_from_slice(if self.is_array { b"\n[" } else { b"\n{" });
        for name in self.keys.iter().flatten() {
            // The length, because a name may hold anything.
            key.extend_from_slice(&name.len().to_le_bytes());
            key.extend_from_slice(name.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(uri: &str, content_type: Option<&str>, body: &'static str) -> Option<BodyShape> {
        let mut builder = http::Request::builder().method("POST").uri(uri);
        if let Some(content_type) = content_type {
            builder = builder.header("content-type", content_type);
        }
        let (head, ()) = builder.body(()).unwrap().into_parts();
        BodyShape::of(&head, &Bytes::from_static(body.as_bytes()))
    }

    fn key(shape: &BodyShape) -> Vec<u8> {
        let mut key = Vec::new();
        shape.push_key(&mut key);
        key
    }

    #[test]
    fn keys_and_kind_are_the_shape() {
        let of = |body| shape("/t", None, body).unwrap();
        assert_eq!(of(r#"{"a":1,"b":2}"#), of(r#" {"b":null,"a":{"c":1}}"#));
        assert_eq!(of(r#"[{"a":1},{"a":2}]"#), of(r#"[{"a":3}]"#));
        assert_ne!(of(r#"{"a":1}"#), of(r#"[{"a":1}]"#));
        assert_ne!(of(r#"{"a":1}"#), of(r#"{"b":1}"#));
    }

    #[test]
    fn keys_are_told_apart() {
        let of = |body| key(&shape("/t", None, body).unwrap());
        assert_ne!(of(r#"{"ab":1,"c":2}"#), of(r#"{"a":1,"bc":2}"#));
        assert_ne!(of(r#"{"ab":1}"#), of(r#"{"a":1,"b":2}"#));
    }

    #[test]
    fn with_columns_only_the_kind_is() {
        let of = |body| shape("/t?columns=a&x=1", None, body).unwrap();
        assert_eq!(of(r#"{"a":1}"#), of(r#"{"b":1}"#));
        assert_ne!(of(r#"{"a":1}"#), of(r#"[{"b":1}]"#));
        // Whether it is JSON at all is for the database to say.
        assert_eq!(of("{"), of("{}"));
    }

    #[test]
    fn anything_else_has_none() {
        for body in ["", "[]", "1", "null", "[1]", r#"[{"a":1},{"b":1}]"#, "{", r#"{"a":1}}"#] {
            assert_eq!(shape("/t", None, body), None, "{body}");
        }
        assert_eq!(shape("/t", Some("text/csv"), "{}"), None);
        assert!(shape("/t", Some("application/json"), "{}").is_some());
    }
}

//! The values of one JSON object as binds, where that means what Postgres makes of the object itself.
//!
//! `json_to_record` reads each value by the input function of its column's type, and so does a bind. The bind
//! is read earlier, though: before privileges are looked at, and without the column's length. Therefore
//! [`reading`] takes only what a type cannot refuse. Whatever else comes, whether good or bad, leaves the
//! object to Postgres, so that every error is the one it always was.

mod reading;

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::statement::{Param, ParamType};
use crate::schema_cache::identifiers::FieldName;
use reading::{Reading, is_harmless};

/// Columns and how each reads its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns(Vec<(FieldName, Reading)>);

impl Columns {
    /// `None` where a type is left to Postgres.
    pub(super) fn of<'a>(columns: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Self> {
        let readings = columns.into_iter().map(|(name, ty)| Some((name.to_owned(), Reading::of(ty)?)));
        readings.collect::<Option<Vec<_>>>().map(Self)
    }

    /// The binds of an object; `None` where it is left to Postgres. What is missing is null.
    pub(super) fn binds(&self, body: &[u8]) -> Option<Vec<Param>> {
        let text = std::str::from_utf8(body).ok()?;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let binds = deserializer.deserialize_map(Object(self)).ok()??;
        deserializer.end().ok()?;
        Some(binds)
    }
}

struct Object<'a>(&'a Columns);

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Option<Vec<Param>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Columns(columns) = self.0;
        let mut binds = vec![Param { value: None, ty: ParamType::Unknown }; columns.len()];
        let mut fits = true;
        while let Some(key) = map.next_key::<Key<'de>>()? {
            let raw: &RawValue = map.next_value()?;
            fits &= !key.0.contains('\0');
            // Of keys that come twice the last counts.
            match columns.iter().position(|(name, _)| *name == key.0) {
                Some(at) if raw.get() == "null" => binds[at].value = None,
                Some(at) => match columns[at].1.read(raw.get()) {
                    Some(value) => binds[at].value = Some(value),
                    None => fits = false,
                },
                // Postgres reads it all the same.
                None => fits &= is_harmless(raw.get()),
            }
        }
        Ok(fits.then_some(binds))
    }
}

/// A key, borrowed where it holds no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowed;
        impl<'de> Visitor<'de> for Borrowed {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Borrowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn binds(body: &str) -> Option<Vec<Option<String>>> {
        let columns = Columns::of([("a", "integer"), ("b", "text")]).unwrap();
        let text = |it: Param| it.value.map(|it| String::from_utf8(it.to_vec()).unwrap());
        Some(columns.binds(body.as_bytes())?.into_iter().map(text).collect())
    }

    #[test]
    fn objects_are_read_as_json_to_record_reads_them() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(binds(r#" {"b" : "x", "a":1} "#), Some(vec![some("1"), some("x")]));
        assert_eq!(binds(r#"{"a":null}"#), Some(vec![None, None]));
        assert_eq!(binds(r#"{"a":1,"a":2,"\u0061":3,"c":[true]}"#), Some(vec![some("3"), None]));
        for left in
            ["", "[]", "{", "{}x", r#"{"a":"x"}"#, r#"{"c":"\u0000"}"#, r#"{"\u0000":1}"#, r#"[{"a":1}]"#]
        {
            assert_eq!(binds(left), None, "{left}");
        }
    }

    proptest! {
        #[test]
        fn no_body_is_too_odd(body in "[\\[\\]{}\",:ab1e.\\\\u]{0,24}") {
            let _ = binds(&body);
        }
    }
}

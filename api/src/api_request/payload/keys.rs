//! A JSON body's keys, without its values.
//!
//! Of the names, only as many are kept as a relation could have columns; whether all objects of an array have
//! the same ones is told by hashes, which take less room than the names do in the body.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::hash::BuildHasher as _;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::api_request::limits::MAX_NAMES;
use crate::schema_cache::identifiers::FieldName;

/// What a JSON body is, as far as rows are concerned.
pub(super) enum Shape {
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

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut names = Names::default();
        while map.next_key_seed(&mut names)?.is_some() {
            map.next_value::<IgnoredAny>()?;
        }
        Ok(Shape::Rows(names.0))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
        let mut objects = Objects::default();
        let mut all_are = true;
        while let Some(is_like_the_first) = seq.next_element_seed(&mut objects)? {
            all_are &= is_like_the_first;
        }
        Ok(match (objects.n_seen, all_are) {
            (0, _) => Shape::Nothing,
            (_, true) => Shape::Rows(objects.names.0),
            (_, false) => Shape::Mixed,
        })
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

/// Keys, up to [`MAX_NAMES`].
#[derive(Default)]
struct Names(BTreeSet<FieldName>);

impl Names {
    fn add(&mut self, name: &str) {
        if self.0.len() < MAX_NAMES && !self.0.contains(name) {
            self.0.insert(name.to_owned());
        }
    }
}

impl<'de> DeserializeSeed<'de> for &mut Names {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(Key(|name: &str| self.add(name)))
    }
}

/// The objects of an array, each compared with the first.
#[derive(Default)]
pub(in crate::api_request) struct Objects {
    n_seen: u64,
    names: Names,
    /// Hashes of the first one's keys, each with the number of the object that had it last.
    keys: HashMap<u64, u64>,
    hasher: RandomState,
    /// Different keys of the present object.
    n_keys: usize,
    /// It has a key that the first one has not.
    is_other: bool,
}

impl Objects {
    /// Whether a text is an object with the keys of the first one, or with any; `None` if it is none.
    pub(in crate::api_request) fn add_text(&mut self, text: &[u8], any_keys: bool) -> Option<bool> {
        if text.first() != Some(&b'{') {
            return None;
        }
        let text = std::str::from_utf8(text).ok()?;
        if any_keys {
            return serde_json::from_str::<IgnoredAny>(text).ok().map(|_| true);
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let is_like_the_first = (&mut *self).deserialize(&mut deserializer).ok()?;
        deserializer.end().ok()?;
        Some(is_like_the_first)
    }

    fn add(&mut self, name: &str) {
        let hash = self.hasher.hash_one(name);
        if self.n_seen == 1 {
            self.keys.insert(hash, 1);
            self.names.add(name);
            return;
        }
        match self.keys.get_mut(&hash) {
            Some(last) if *last == self.n_seen => {}
            Some(last) => {
                *last = self.n_seen;
                self.n_keys += 1;
            }
            None => self.is_other = true,
        }
    }
}

/// Whether an element is an object with the keys of the first.
impl<'de> DeserializeSeed<'de> for &mut Objects {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        self.n_seen += 1;
        (self.n_keys, self.is_other) = (0, false);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Objects {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while map.next_key_seed(KeyOf(self))?.is_some() {
            map.next_value::<IgnoredAny>()?;
        }
        Ok(self.n_seen == 1 || !self.is_other && self.n_keys == self.keys.len())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(false)
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }
}

/// A key of an object among others.
struct KeyOf<'a>(&'a mut Objects);

impl<'de> DeserializeSeed<'de> for KeyOf<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(Key(|name: &str| self.0.add(name)))
    }
}

/// Hands over a key without keeping it.
struct Key<F>(F);

impl<F: FnOnce(&str)> Visitor<'_> for Key<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, name: &str) -> Result<(), E> {
        self.0(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    /// What a body is by its values, as the rule is written down.
    fn by_values(body: &Value) -> Option<Option<BTreeSet<String>>> {
        let keys = |it: &Map<String, Value>| it.keys().cloned().collect::<BTreeSet<_>>();
        match body {
            Value::Object(object) => Some(Some(keys(object))),
            Value::Array(elements) if !elements.is_empty() => {
                let each: Option<BTreeSet<_>> = elements.iter().map(|it| it.as_object().map(keys)).collect();
                Some(each.filter(|it| it.len() == 1).and_then(|it| it.into_iter().next()))
            }
            _ => None,
        }
    }

    proptest! {
        #[test]
        fn keys_are_those_of_the_values(
            rows in prop::collection::vec(prop::collection::vec("[ab\"é]{0,1}", 0..4), 0..4),
            stray in prop::option::of(Just(Value::Null)),
        ) {
            let object = |names: &Vec<String>| {
                Value::Object(names.iter().map(|it| (it.clone(), Value::from(1))).collect())
            };
            let body = Value::Array(rows.iter().map(object).chain(stray).collect());
            let shape: Shape = serde_json::from_str(&body.to_string()).unwrap();
            let shape = match shape {
                Shape::Rows(keys) => Some(Some(keys)),
                Shape::Mixed => Some(None),
                Shape::Nothing => None,
            };
            prop_assert_eq!(shape, by_values(&body));
        }
    }

    #[test]
    fn beyond_the_names_kept_keys_are_still_compared() {
        let row = |n: usize| {
            let keys: Vec<_> = (0..n).map(|it| format!("\"k{it:05}\":0")).collect();
            format!("{{{}}}", keys.join(","))
        };
        let shape = |body: String| serde_json::from_str::<Shape>(&body).unwrap();
        let n = MAX_NAMES + 100;
        assert!(
            matches!(shape(format!("[{},{}]", row(n), row(n))), Shape::Rows(names) if names.len() == MAX_NAMES)
        );
        assert!(matches!(shape(format!("[{},{}]", row(n), row(n - 1))), Shape::Mixed));
        assert!(matches!(shape(format!("[{},{}]", row(n), row(n + 1))), Shape::Mixed));
        // A key that comes twice is one.
        assert!(matches!(shape(r#"[{"a":1,"b":1},{"a":1,"a":2}]"#.to_owned()), Shape::Mixed));
        assert!(
            matches!(shape(r#"[{"a":1,"a":1},{"a":1}]"#.to_owned()), Shape::Rows(names) if names.len() == 1)
        );
    }
}

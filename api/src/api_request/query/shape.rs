//! A query string apart from the values that its filters compare with.
//!
//! Two requests of one shape are planned alike; only values differ. What counts as a value is judged by
//! the text alone and rather too narrowly than too widely: the whole of what follows a comparison, which
//! the grammar takes as it is, and plain words as arguments of a function.

use std::borrow::Cow;

use super::is_filter;
use super::pairs;

/// Operators whose value is taken as it is, with their dots.
const COMPARISONS: [&[u8]; 6] = [b"eq.", b"neq.", b"gt.", b"gte.", b"lt.", b"lte."];

/// Stands for the value with this index.
const MARK: u8 = 1;

/// A query string whose values were taken out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shape<'a> {
    parts: Vec<Part<'a>>,
    /// The values, decoded, in order.
    pub(crate) values: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Part<'a> {
    /// Everything up to the value, still encoded.
    before: &'a [u8],
    has_value: bool,
}

impl<'a> Shape<'a> {
    /// Takes a query string apart; `None` where a value is no text.
    pub(crate) fn of(query: &'a [u8], is_call: bool) -> Option<Self> {
        let (mut parts, mut values) = (Vec::new(), Vec::new());
        if query.contains(&MARK) {
            return None;
        }
        for part in query.split(|byte| matches!(byte, b'&' | b';')) {
            let value_at = value_at(part, is_call);
            if let Some(at) = value_at {
                values.push(String::from_utf8(pairs::decode(&part[at..], true)).ok()?);
            }
            let before = value_at.map_or(part, |at| &part[..at]);
            parts.push(Part { before, has_value: value_at.is_some() });
        }
        // A NUL ends a text for Postgres; what the statement room makes of it is not a matter of shape.
        if values.iter().any(|it| it.contains('\0')) {
            return None;
        }
        Some(Self { parts, values })
    }

    /// Appends what tells this shape from others.
    pub(crate) fn push_key(&self, key: &mut Vec<u8>) {
        for part in &self.parts {
            key.push(b'&');
            key.extend_from_slice(part.before);
            if part.has_value {
                key.push(MARK);
            }
        }
    }

    /// The query string with other values, which must need no encoding.
    pub(crate) fn with_values<'v>(&self, mut value: impl FnMut(usize) -> Cow<'v, str>) -> Vec<u8> {
        let (mut query, mut index) = (Vec::new(), 0);
        for (at, part) in self.parts.iter().enumerate() {
            if at > 0 {
                query.push(b'&');
            }
            query.extend_from_slice(part.before);
            if part.has_value {
                query.extend_from_slice(value(index).as_bytes());
                index += 1;
            }
        }
        query
    }
}

/// Where in `name=value` a value begins that does not matter to the plan.
fn value_at(part: &[u8], is_call: bool) -> Option<usize> {
    let equals = memchr::memchr(b'=', part)?;
    let (name, value) = (&part[..equals], &part[equals + 1..]);
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let name = pairs::decode(name, true);
    if !is_filter(std::str::from_utf8(&name).ok()?) {
        return None;
    }
    let comparison = COMPARISONS.iter().find(|it| value.starts_with(it)).map(|it| it.len());
    let word = (is_call && !value.is_empty() && value.iter().all(plain)).then_some(0);
    comparison.or(word).map(|at| equals + 1 + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(query: &str, is_call: bool) -> (String, Vec<String>) {
        let shape = Shape::of(query.as_bytes(), is_call).unwrap();
        let mut key = Vec::new();
        shape.push_key(&mut key);
        (String::from_utf8(key).unwrap().replace('\u{1}', "*"), shape.values)
    }

    #[test]
    fn values_of_comparisons_are_taken_out() {
        assert_eq!(
            show("id=eq.5&name=gte.a%20b+c&select=id&limit=3", false),
            ("&id=eq.*&name=gte.*&select=id&limit=3".into(), vec!["5".into(), "a b c".into()])
        );
        assert_eq!(show("a.id=lt.1;b=eq.", false), ("&a.id=lt.*&b=eq.*".into(), vec!["1".into(), "".into()]));
    }

    #[test]
    fn what_has_a_grammar_stays() {
        for query in [
            "id=in.(1,2)",
            "id=not.eq.1",
            "id=eq(any).{1}",
            "name=like.a*",
            "select=eq.1",
            "order=eq.1",
            "a.limit=eq.1",
            "or=eq.1",
            "x%2Eorder=eq.1",
            "id",
        ] {
            // A name is judged as it is meant.
            assert_eq!(show(query, false), (format!("&{query}"), Vec::<String>::new()));
        }
        assert_eq!(show("a=7&b=x.y", true), ("&a=*&b=x.y".into(), vec!["7".into()]));
        assert_eq!(show("a=7", false), ("&a=7".into(), Vec::<String>::new()));
    }

    #[test]
    fn values_that_are_no_text_are_refused() {
        assert_eq!(Shape::of(b"id=eq.%ff", false), None);
        assert_eq!(Shape::of(b"id=eq.%00", false), None);
        assert_eq!(Shape::of(b"id=\x01", false), None);
    }

    #[test]
    fn other_values_are_put_in() {
        let shape = Shape::of(b"a=eq.1&select=b&c=gt.2", false).unwrap();
        let query = shape.with_values(|at| format!("v{at}").into());
        assert_eq!(query, b"a=eq.v0&select=b&c=gt.v1");
    }
}

//! Result rows in text format, and reading values out of them.

use std::sync::Arc;

use bytes::Bytes;
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::DataRowBody;

use crate::error::DbError;

/// Type OID of `bytea`.
pub(super) const BYTEA_OID: u32 = 17;

/// What one statement returned.
#[derive(Clone, Default)]
pub(super) struct Rows {
    /// Type OIDs of the result columns; domains come as their base type.
    pub(super) columns: Arc<[u32]>,
    /// `bytea` columns are in binary format; all others are text always.
    pub(super) binary_bytea: bool,
    /// Rows as they came.
    pub(super) rows: Vec<DataRowBody>,
}

impl Rows {
    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// A value, or SQL NULL.
    pub(super) fn value(&self, row: usize, col: usize) -> Result<Option<Bytes>, DbError> {
        let row = self.rows.get(row).ok_or_else(|| unexpected("a row is missing"))?;
        let range = row
            .ranges()
            .nth(col)
            .map_err(|_| unexpected("a row is malformed"))?
            .ok_or_else(|| unexpected("a column is missing"))?;
        Ok(range.map(|it| row.buffer_bytes().slice(it)))
    }

    /// A value as UTF-8.
    pub(super) fn text(&self, row: usize, col: usize) -> Result<Option<String>, DbError> {
        self.value(row, col)?
            .map(|it| String::from_utf8(it.into()).map_err(|_| unexpected("a text is not UTF-8")))
            .transpose()
    }

    /// An integer; the empty string, which statements use where a column does not apply, is zero.
    pub(super) fn int(&self, row: usize, col: usize) -> Result<Option<i64>, DbError> {
        let Some(value) = self.value(row, col)? else { return Ok(None) };
        if value.is_empty() {
            return Ok(Some(0));
        }
        let text = std::str::from_utf8(&value).ok();
        match text.and_then(|it| it.parse().ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(unexpected("an integer is not readable")),
        }
    }

    /// A value as the bytes of a response body: `bytea` is raw, everything else its text.
    pub(super) fn body(&self, row: usize, col: usize) -> Result<Option<Bytes>, DbError> {
        let Some(value) = self.value(row, col)? else { return Ok(None) };
        if self.columns.get(col) == Some(&BYTEA_OID) && !self.binary_bytea {
            return decode_bytea(&value).map(Some);
        }
        Ok(Some(value))
    }
}

/// Decodes `bytea`'s text form, of either `bytea_output`.
fn decode_bytea(text: &[u8]) -> Result<Bytes, DbError> {
    let malformed = || unexpected("a bytea is malformed");
    if let Some(hex) = text.strip_prefix(b"\\x") {
        let digit = |it: u8| char::from(it).to_digit(16).and_then(|it| u8::try_from(it).ok());
        return hex
            .chunks(2)
            .map(|pair| match pair {
                [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
                _ => None,
            })
            .collect::<Option<Vec<u8>>>()
            .map(Into::into)
            .ok_or_else(malformed);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'\\', [b'\\', tail @ ..]) => {
                bytes.push(b'\\');
                tail
            }
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                tail
            }
            (b'\\', _) => return Err(malformed()),
            (byte, tail) => {
                bytes.push(*byte);
                tail
            }
        };
    }
    Ok(bytes.into())
}

/// Splits a one-dimensional array's text form (`{a,"b,c",NULL}`) into its elements.
pub(super) fn parse_array(text: &str) -> Result<Vec<Option<String>>, DbError> {
    let malformed = || unexpected("an array is malformed");
    let inner = text.strip_prefix('{').and_then(|it| it.strip_suffix('}')).ok_or_else(malformed)?;
    let mut items = Vec::new();
    if inner.is_empty() {
        return Ok(items);
    }
    let mut chars = inner.chars().peekable();
    loop {
        let mut item = String::new();
        if chars.next_if_eq(&'"').is_some() {
            loop {
                match chars.next().ok_or_else(malformed)? {
                    '"' => break,
                    '\\' => item.push(chars.next().ok_or_else(malformed)?),
                    c => item.push(c),
                }
            }
            items.push(Some(item));
        } else {
            while let Some(c) = chars.next_if(|it| *it != ',') {
                item.push(if c == '\\' { chars.next().ok_or_else(malformed)? } else { c });
            }
            items.push((item != "NULL").then_some(item));
        }
        match chars.next() {
            None => return Ok(items),
            Some(',') => {}
            Some(_) => return Err(malformed()),
        }
    }
}

fn unexpected(what: &str) -> DbError {
    DbError::UnexpectedResult(what.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[Option<&str>]) {
        let parsed = parse_array(text).unwrap();
        let parsed: Vec<_> = parsed.iter().map(Option::as_deref).collect();
        assert_eq!(parsed, expected, "{text}");
    }

    #[test]
    fn parse_array_of_every_quoting() {
        check("{}", &[]);
        check("{a}", &[Some("a")]);
        check("{id=eq.1,name=eq.x}", &[Some("id=eq.1"), Some("name=eq.x")]);
        check(r#"{"a,b","c\"d\\e",""}"#, &[Some("a,b"), Some(r#"c"d\e"#), Some("")]);
        check(r#"{NULL,"NULL",null}"#, &[None, Some("NULL"), Some("null")]);
    }

    #[test]
    fn decode_bytea_of_both_outputs() {
        for (text, expected) in
            [(r"\x", &b""[..]), (r"\x00fFa0", b"\x00\xff\xa0"), ("", b""), (r"a\\b\000\377", b"a\\b\x00\xff")]
        {
            assert_eq!(decode_bytea(text.as_bytes()).unwrap(), expected, "{text}");
        }
        for text in [r"\x0", r"\xzz", r"\4", r"\400", "\\"] {
            assert!(decode_bytea(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn parse_array_malformed_is_error() {
        for text in ["", "{", "a", "{\"a}", "{\"a\"b}", "{a\\}"] {
            assert!(parse_array(text).is_err(), "{text}");
        }
    }
}

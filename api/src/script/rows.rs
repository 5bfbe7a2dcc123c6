//! Result rows in text format, and reading values out of them.

use bytes::Bytes;
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::DataRowBody;

use crate::error::DbError;
use crate::spool::Spooled;

/// Rows as JSON.
#[derive(Clone)]
pub(crate) struct Encoded {
    /// The body, unless it was spooled.
    pub(crate) body: Bytes,
    pub(crate) spooled: Option<Spooled>,
    pub(crate) n_rows: usize,
}

/// What one statement returned.
#[derive(Clone, Default)]
pub struct Rows {
    /// Rows as they came.
    pub(crate) rows: Vec<DataRowBody>,
    /// The rows of a query that were made a body as they came; then `rows` is what is asked for with it.
    pub(crate) encoded: Option<Encoded>,
}

impl Rows {
    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// A value, or SQL NULL.
    pub(crate) fn value(&self, row: usize, col: usize) -> Result<Option<Bytes>, DbError> {
        let row = self.rows.get(row).ok_or_else(|| unexpected("a row is missing"))?;
        let range = row
            .ranges()
            .nth(col)
            .map_err(|_| unexpected("a row is malformed"))?
            .ok_or_else(|| unexpected("a column is missing"))?;
        Ok(range.map(|it| row.buffer_bytes().slice(it)))
    }

    /// A value as UTF-8.
    pub(crate) fn text(&self, row: usize, col: usize) -> Result<Option<String>, DbError> {
        self.value(row, col)?
            .map(|it| String::from_utf8(it.into()).map_err(|_| unexpected("a text is not UTF-8")))
            .transpose()
    }

    /// An integer; the empty string, which statements use where a column does not apply, is zero.
    pub(crate) fn int(&self, row: usize, col: usize) -> Result<Option<i64>, DbError> {
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
}

/// Splits a one-dimensional array's text form (`{a,"b,c",NULL}`) into its elements.
pub(crate) fn parse_array(text: &str) -> Result<Vec<Option<String>>, DbError> {
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
    fn parse_array_malformed_is_error() {
        for text in ["", "{", "a", "{\"a}", "{\"a\"b}", "{a\\}"] {
            assert!(parse_array(text).is_err(), "{text}");
        }
    }
}

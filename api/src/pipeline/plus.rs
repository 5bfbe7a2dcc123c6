//! A hint for the commonest slip in query strings: `+02:00` is sent with its plus as it is, which stands for a space.

use crate::api_request::query::pairs;
use crate::error::DbError;

const HINT: &str =
    "A '+' in a query string or form stands for a space. If a plus was meant, write it as '%2B'.";

/// Adds the hint where the database could not read a value (SQLSTATE class 22), gave no hint itself, and the value
/// holds a space that was sent as a plus. `texts` are what was sent: query string, form.
pub(super) fn hint<'a>(error: &mut DbError, texts: impl Iterator<Item = &'a [u8]>) {
    let DbError::Server { code, message, hint: hint @ None, .. } = error else { return };
    if !code.starts_with("22") {
        return;
    }
    let Some(value) = quoted(message).filter(|it| it.contains(' ')) else { return };
    if texts.flat_map(parts).any(|part| came_from_plus(part, value.as_bytes())) {
        *hint = Some(HINT.to_owned());
    }
}

/// The value that a message repeats: `invalid input syntax for type date: "x"`.
fn quoted(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once('"')?;
    let (value, _) = rest.rsplit_once('"')?;
    Some(value)
}

fn parts(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| matches!(byte, b'&' | b';')).filter(|part| part.contains(&b'+'))
}

/// Whether the value stands in what was sent, with a plus for one of its spaces.
fn came_from_plus(part: &[u8], value: &[u8]) -> bool {
    // A plus is one byte before and after, so both texts have the same places.
    let (as_meant, as_read) = (pairs::decode(part, false), pairs::decode(part, true));
    memchr::memmem::find_iter(&as_read, value).any(|at| as_meant[at..at + value.len()].contains(&b'+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hinted(code: &str, message: &str, query: &str, own: Option<&str>) -> Option<String> {
        let mut error = DbError::Server {
            code: code.into(),
            message: message.into(),
            detail: None,
            hint: own.map(str::to_owned),
            authenticated: true,
            cause: crate::error::Cause::Statement,
        };
        hint(&mut error, std::iter::once(query.as_bytes()));
        match error {
            DbError::Server { hint, .. } => hint,
            _ => None,
        }
    }

    #[test]
    fn a_plus_that_became_a_space_is_told_of() {
        let message = "invalid input syntax for type timestamp with time zone: \"2024-01-01T00:00:00 02:00\"";
        for query in [
            "ts=gt.2024-01-01T00:00:00+02:00",
            "a=eq.1&ts=gt.2024-01-01T00%3A00%3A00+02%3A00",
            "or=(ts.gt.2024-01-01T00:00:00+02:00,a.eq.1)",
            "ts=in.(2024-01-01T00:00:00+02:00)",
            "at=2024-01-01T00:00:00+02:00",
        ] {
            assert_eq!(hinted("22007", message, query, None).as_deref(), Some(HINT), "{query}");
        }
    }

    #[test]
    fn nothing_is_added_where_there_was_no_plus_or_there_is_a_hint() {
        let message = "invalid input syntax for type integer: \"a b\"";
        assert_eq!(hinted("22P02", message, "id=eq.a%20b", None), None);
        assert_eq!(hinted("22P02", message, "id=eq.a%20b&name=eq.c+d", None), None);
        assert_eq!(hinted("22P02", message, "id=eq.a%2Bb", None), None);
        assert_eq!(hinted("42703", message, "id=eq.a+b", None), None);
        assert_eq!(hinted("22P02", message, "id=eq.a+b", Some("own")).as_deref(), Some("own"));
        assert_eq!(hinted("22P02", "no quotes", "id=eq.a+b", None), None);
        assert_eq!(hinted("22P02", "odd \" quote", "id=eq.a+b", None), None);
    }
}

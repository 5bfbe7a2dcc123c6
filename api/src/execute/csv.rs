//! Rows in text format → lines of CSV, byte for byte as the text form of a row that Postgres writes. Pure.

use bytes::BytesMut;

/// Appends the names of the columns.
pub(super) fn header<'a>(out: &mut BytesMut, names: impl Iterator<Item = &'a [u8]>) {
    for (index, name) in names.enumerate() {
        if index > 0 {
            out.extend_from_slice(b",");
        }
        out.extend_from_slice(name);
    }
}

/// Appends a value as `record_out` does: in quotes where it is empty or has anything special in it; quotes and
/// backslashes are doubled.
pub(super) fn field(out: &mut BytesMut, text: &[u8]) {
    let is_special = |it: &u8| {
        matches!(it, b'"' | b'\\' | b'(' | b')' | b',' | b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
    };
    if !text.is_empty() && !text.iter().any(is_special) {
        out.extend_from_slice(text);
        return;
    }
    out.extend_from_slice(b"\"");
    let mut rest = text;
    while let Some(at) = rest.iter().position(|it| matches!(it, b'"' | b'\\')) {
        let (plain, from) = rest.split_at(at);
        out.extend_from_slice(plain);
        out.extend_from_slice(&[from[0], from[0]]);
        rest = &from[1..];
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(b"\"");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_as_postgres_quotes_them() {
        let show = |text: &str| {
            let mut out = BytesMut::new();
            field(&mut out, text.as_bytes());
            String::from_utf8(out.to_vec()).unwrap()
        };
        for plain in ["a", "1.5", "{1}", "é", "a-b:c"] {
            assert_eq!(show(plain), plain);
        }
        for (text, expected) in [
            ("", r#""""#),
            ("a b", r#""a b""#),
            ("a,b", r#""a,b""#),
            (r#"a"b"#, r#""a""b""#),
            (r"a\b", r#""a\\b""#),
            ("(x)", r#""(x)""#),
            ("l\nm", "\"l\nm\""),
        ] {
            assert_eq!(show(text), expected);
        }
    }
}

//! The query string as text: splitting, decoding, and the canonical form.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// A name and, where there is an equals sign, a value; decoded to bytes.
pub(crate) type Pair = (Vec<u8>, Option<Vec<u8>>);

/// Bytes that stay as they are in the canonical form.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Splits at `&` and `;`, decodes `%XX` and `+`. A percent sign without two hex digits stands for itself.
pub(crate) fn split(query: &[u8]) -> Vec<Pair> {
    iter(query).collect()
}

/// The same, one after the other.
pub(crate) fn iter(query: &[u8]) -> impl Iterator<Item = Pair> + '_ {
    let is_separator = |b: &u8| matches!(b, b'&' | b';');
    // A last one ends a pair and begins none.
    let query = match query {
        [] => None,
        [before @ .., last] if is_separator(last) => Some(before),
        whole => Some(whole),
    };
    query.into_iter().flat_map(move |it| it.split(is_separator)).map(|part| {
        match memchr::memchr(b'=', part) {
            Some(at) => (decode(&part[..at], true), Some(decode(&part[at + 1..], true))),
            None => (decode(part, true), None),
        }
    })
}

/// Percent-decodes; `plus` also turns `+` into a space.
pub(crate) fn decode(text: &[u8], plus: bool) -> Vec<u8> {
    if plus && memchr::memchr(b'+', text).is_some() {
        // Before decoding: a literal plus arrives as %2B.
        let spaced: Vec<u8> = text.iter().map(|&b| if b == b'+' { b' ' } else { b }).collect();
        return percent_encoding::percent_decode(&spaced).collect();
    }
    percent_encoding::percent_decode(text).collect()
}

/// `name=value&…` sorted by name; values of a name that occurs more than once are joined by commas.
pub(crate) fn canonical(pairs: &[Pair]) -> String {
    let mut sorted: Vec<&Pair> = pairs.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let mut out = String::new();
    for group in sorted.chunk_by(|a, b| a.0 == b.0) {
        if !out.is_empty() {
            out.push('&');
        }
        out.extend(percent_encode(&group[0].0, ENCODED));
        out.push('=');
        for (at, (_, value)) in group.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            out.extend(percent_encode(value.as_deref().unwrap_or_default(), ENCODED));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical_of(query: &str) -> String {
        canonical(&split(query.as_bytes()))
    }

    #[test]
    fn canonical_form_is_sorted_and_encoded() {
        assert_eq!(canonical_of("a=1&c=3&b=2&d"), "a=1&b=2&c=3&d=");
        assert_eq!(canonical_of("id=gt.1&id=lt.9"), "id=gt.1,lt.9");
        assert_eq!(canonical_of("name=eq.a%20b+c%2B&x=%C3%A9"), "name=eq.a%20b%20c%2B&x=%C3%A9");
        assert_eq!(canonical_of(""), "");
    }

    #[test]
    fn decoding_leaves_broken_escapes_alone() {
        assert_eq!(decode(b"100%25%zz%4", false), b"100%%zz%4");
        assert_eq!(decode(b"a+b%2B", true), b"a b+");
        assert_eq!(decode(b"a+b", false), b"a+b");
    }

    #[test]
    fn separators_may_be_semicolons_and_the_last_one_is_free() {
        let pairs = split(b"a=1;b&&c=&");
        let names: Vec<_> = pairs.iter().map(|(name, value)| (name.as_slice(), value.as_deref())).collect();
        assert_eq!(
            names,
            [(&b"a"[..], Some(&b"1"[..])), (&b"b"[..], None), (&b""[..], None), (&b"c"[..], Some(&b""[..])),]
        );
    }
}

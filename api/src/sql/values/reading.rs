//! How the type of a column reads a value of JSON, as far as it cannot refuse it.

use std::borrow::Cow;

use bytes::Bytes;

/// More digits than this are left to Postgres.
const MAX_DIGITS: usize = 100;
/// The same for `real`, whose values end at 38 digits.
const MAX_FLOAT: usize = 30;
/// Nested values that are longer are left to Postgres.
const MAX_NESTED: usize = 64 * 1024;
/// The same for those that are deeper.
const MAX_DEPTH: usize = 64;

/// How a column's type reads the values of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// `text`, or `character varying` with its length.
    Text(Option<usize>),
    /// An integer of so many bits.
    Integer(u32),
    /// `numeric`, with the digits before and after the point.
    Numeric(Option<(usize, usize)>),
    Float,
    Boolean,
    Uuid,
    Date,
    /// `timestamp`; one with time zone has to bring its offset, so that no setting matters.
    Timestamp {
        with_offset: bool,
    },
    /// `json` and `jsonb`.
    Json,
}

impl Reading {
    /// Of a type, as the catalog prints it; `None` for what is left to Postgres.
    pub(super) fn of(type_name: &str) -> Option<Self> {
        // Postgres' own types have their schema in a statement, unless their names are keywords.
        let type_name = type_name.strip_prefix("pg_catalog.").unwrap_or(type_name);
        Some(match type_name {
            "text" | "character varying" => Self::Text(None),
            "smallint" => Self::Integer(16),
            "integer" => Self::Integer(32),
            "bigint" => Self::Integer(64),
            "numeric" => Self::Numeric(None),
            "real" | "double precision" => Self::Float,
            "boolean" => Self::Boolean,
            "uuid" => Self::Uuid,
            "date" => Self::Date,
            "json" | "jsonb" => Self::Json,
            _ => {
                if let Some(with_offset) = has_time_zone(type_name) {
                    return Some(Self::Timestamp { with_offset });
                }
                if let Some(length) = arguments(type_name, "character varying(") {
                    return Some(Self::Text(Some(length.parse().ok()?)));
                }
                let (precision, scale) = arguments(type_name, "numeric(")?.split_once(',')?;
                let (precision, scale) = (precision.parse::<usize>().ok()?, scale.parse().ok()?);
                Self::Numeric(Some((precision.checked_sub(scale)?, scale)))
            }
        })
    }

    /// The text of a value that is not null.
    pub(super) fn read(self, raw: &str) -> Option<Bytes> {
        let owned = |text: &str| Some(Bytes::copy_from_slice(text.as_bytes()));
        match (self, Token::of(raw)?) {
            (Self::Text(length), token) => {
                let text: Cow<'_, str> = match token {
                    Token::String(it) => it,
                    Token::Nested if !is_harmless(raw) => return None,
                    Token::Nested | Token::Number | Token::Boolean => raw.into(),
                };
                let fits = length.is_none_or(|it| text.len() <= it || text.chars().count() <= it);
                (fits && !text.contains('\0')).then(|| owned(&text)).flatten()
            }
            (Self::Integer(bits), Token::Number | Token::String(_)) => {
                let text = unquoted(raw);
                let number: i64 = is_number(text).then(|| text.parse().ok())??;
                let limit = i64::MAX >> (64 - bits);
                (-limit - 1..=limit).contains(&number).then(|| owned(text))?
            }
            (Self::Numeric(limits), Token::Number | Token::String(_)) => {
                let text = unquoted(raw);
                let (whole, fraction) = digits(text)?;
                let whole = whole.trim_start_matches('0').len();
                let (max_whole, max_fraction) = limits.unwrap_or((MAX_DIGITS, MAX_DIGITS));
                let fits = whole <= max_whole && fraction.len() <= max_fraction && text.len() <= MAX_DIGITS;
                fits.then(|| owned(text))?
            }
            (Self::Float, Token::Number | Token::String(_)) => {
                let text = unquoted(raw);
                digits(text)?;
                (text.len() <= MAX_FLOAT).then(|| owned(text))?
            }
            (Self::Boolean | Self::Json, Token::Boolean) => owned(raw),
            (Self::Uuid, Token::String(text)) => is_uuid(&text).then(|| owned(&text))?,
            (Self::Date, Token::String(text)) => is_date(&text).then(|| owned(&text))?,
            (Self::Timestamp { with_offset }, Token::String(text)) => {
                is_point_in_time(&text, with_offset).then(|| owned(&text))?
            }
            (Self::Json, Token::Number | Token::Nested | Token::String(_)) => {
                is_harmless(raw).then(|| owned(raw))?
            }
            _ => None,
        }
    }
}

/// What a JSON value that is not null begins with.
enum Token<'a> {
    /// Decoded.
    String(Cow<'a, str>),
    Number,
    Boolean,
    /// An object or an array.
    Nested,
}

impl<'a> Token<'a> {
    fn of(raw: &'a str) -> Option<Self> {
        Some(match raw.as_bytes().first()? {
            b'"' => Self::String(match raw.contains('\\') {
                false => unquoted(raw).into(),
                // What these stand for may be no text, or none in the database's encoding.
                true if raw.contains("\\u") => return None,
                true => serde_json::from_str::<String>(raw).ok()?.into(),
            }),
            b't' | b'f' => Self::Boolean,
            b'{' | b'[' => Self::Nested,
            _ => Self::Number,
        })
    }
}

/// What is between the brackets of a type's name.
fn arguments<'a>(type_name: &'a str, before: &str) -> Option<&'a str> {
    type_name.strip_prefix(before)?.strip_suffix(')')
}

/// Whether a `timestamp` is one with time zone; `None` for other types.
fn has_time_zone(type_name: &str) -> Option<bool> {
    let rest = type_name.strip_prefix("timestamp")?;
    let (precision, with_time_zone) = match rest.strip_suffix(" with time zone") {
        Some(precision) => (precision, true),
        None => (rest.strip_suffix(" without time zone")?, false),
    };
    let known = precision.is_empty() || matches!(precision.as_bytes(), [b'(', b'0'..=b'6', b')']);
    known.then_some(with_time_zone)
}

/// A string without its quotes; anything else as it is. Escapes stay, so that the text of a number has none.
fn unquoted(raw: &str) -> &str {
    raw.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(raw)
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit())
}

/// An integer as JSON writes it.
fn is_number(text: &str) -> bool {
    all_digits(text.strip_prefix('-').unwrap_or(text))
}

/// The digits before and after the point of a number without exponent.
fn digits(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('-').unwrap_or(text);
    match text.split_once('.') {
        Some((whole, fraction)) => (all_digits(whole) && all_digits(fraction)).then_some((whole, fraction)),
        None => all_digits(text).then_some((text, "")),
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Two digits, not above a limit.
fn pair(text: &str, max: u8) -> Option<u8> {
    let &[tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = text.as_bytes() else { return None };
    let number = (tens - b'0') * 10 + (ones - b'0');
    (number <= max).then_some(number)
}

/// `YYYY-MM-DD`, which means the same whatever `DateStyle` says.
fn is_date(text: &str) -> bool {
    let of = || {
        let (year, rest) = text.split_once('-')?;
        let (month, day) = rest.split_once('-')?;
        let year: u16 = (year.len() == 4 && all_digits(year)).then(|| year.parse().ok())??;
        let month = pair(month, 12)?;
        let days = match month {
            2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        (year > 0 && month > 0 && pair(day, days)? > 0).then_some(())
    };
    of().is_some()
}

/// A date and a time of day, and an offset where there has to be one.
fn is_point_in_time(text: &str, with_offset: bool) -> bool {
    let of = || {
        let (date, rest) = text.split_at_checked(10)?;
        let rest = rest.strip_prefix(['T', ' '])?;
        let (time, offset) = match rest.find(['Z', '+', '-']) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let mut parts = time.split(':');
        pair(parts.next()?, 23)?;
        pair(parts.next()?, 59)?;
        if let Some(seconds) = parts.next() {
            let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
            pair(seconds, 59)?;
            (all_digits(fraction) && fraction.len() <= 6).then_some(())?;
        }
        let offset = match offset {
            "" => !with_offset,
            "Z" => true,
            _ => {
                let (hours, minutes) = offset[1..].split_once(':').unwrap_or((&offset[1..], "00"));
                pair(hours, 14).is_some() && pair(minutes, 59).is_some()
            }
        };
        (is_date(date) && parts.next().is_none() && offset).then_some(())
    };
    of().is_some()
}

/// JSON in which Postgres can find nothing wrong: neither escapes nor exponents, not large, not deep.
pub(super) fn is_harmless(raw: &str) -> bool {
    let (mut in_string, mut depth, mut n_digits) = (false, 0_usize, 0_usize);
    let mut deepest = 0;
    for byte in raw.bytes() {
        let after_digit = n_digits > 0;
        n_digits = if byte.is_ascii_digit() && !in_string { n_digits + 1 } else { 0 };
        match byte {
            b'\\' => return false,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'e' | b'E' if after_digit => return false,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if n_digits > MAX_DIGITS {
            return false;
        }
        deepest = deepest.max(depth);
    }
    deepest <= MAX_DEPTH && raw.len() <= MAX_NESTED
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(type_name: &str, raw: &str) -> Option<String> {
        let text = Reading::of(type_name).unwrap().read(raw)?;
        Some(String::from_utf8(text.to_vec()).unwrap())
    }

    #[track_caller]
    fn check(type_name: &str, taken: &[&str], left: &[&str]) {
        for raw in taken {
            let plain = match type_name.starts_with("json") {
                true => (*raw).to_owned(),
                false => serde_json::from_str::<String>(raw).unwrap_or_else(|_| (*raw).to_owned()),
            };
            assert_eq!(reads(type_name, raw), Some(plain), "{type_name}: {raw}");
        }
        for raw in left {
            assert_eq!(reads(type_name, raw), None, "{type_name}: {raw}");
        }
    }

    #[test]
    fn what_a_type_cannot_refuse_is_taken() {
        check("text", &["\"\"", "\"a\\\"\\n\"", "1e5", "true", "[1, {}]"], &["\"\\u0041\"", "[\"\\n\"]"]);
        check("character varying(3)", &["\"abc\"", "\"éáí\"", "123"], &["\"abcd\"", "1234", "false"]);
        check(
            "smallint",
            &["-32768", "32767", "\"7\"", "-0"],
            &["32768", "-32769", "1.0", "1e2", "\" 7\"", "true"],
        );
        check("integer", &["2147483647", "\"007\""], &["2147483648", "\"\"", "\"-\"", "\"+1\"", "[]"]);
        check("bigint", &["-9223372036854775808"], &["9223372036854775808", "\"0x1\""]);
        check("numeric", &["1.50", "-0.0", "\"12\""], &["1e5", "\"NaN\"", "\".5\"", "\"5.\""]);
        check("numeric(5,2)", &["999.99", "0999.9", "-1"], &["1000", "9.999"]);
        check("double precision", &["0.1", "-7"], &["1e400", "\"inf\""]);
        check("boolean", &["true", "false"], &["\"true\"", "1"]);
        check(
            "uuid",
            &["\"A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11\""],
            &["\"a0eebc999c0b4ef8bb6d6bb9bd380a11\"", "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g\"", "1"],
        );
        check("json", &["{\"a\": [1, 2.5]}", "\"x\"", "1.50", "true"], &["\"\\n\"", "1e5", "{\"a\":1E5}"]);
    }

    #[test]
    fn days_and_times_are_taken_where_they_exist() {
        check(
            "date",
            &["\"2024-02-29\"", "\"2000-02-29\"", "\"0001-01-01\"", "\"9999-12-31\""],
            &[
                "\"2023-02-29\"",
                "\"1900-02-29\"",
                "\"0000-01-01\"",
                "\"2024-00-01\"",
                "\"2024-04-31\"",
                "\"now\"",
                "\"2024-1-1\"",
            ],
        );
        for type_name in ["timestamp with time zone", "timestamp(3) without time zone"] {
            check(
                type_name,
                &[
                    "\"2024-02-29T23:59Z\"",
                    "\"2024-02-29 23:59:59.123456Z\"",
                    "\"2024-02-29T00:00:00-08:30\"",
                ],
                &[
                    "\"2024-02-29\"",
                    "\"2024-02-29T24:00\"",
                    "\"2024-02-29T10:00:60\"",
                    "\"2024-02-29T10:00:00.1234567\"",
                    "\"2024-02-29T10:00:00+15\"",
                    "\"2024-02-29T10:00:00:00\"",
                    "\"2024-02-29T10\"",
                    "\"éééééé\"",
                ],
            );
        }
    }

    #[test]
    fn no_setting_matters() {
        check("timestamp without time zone", &["\"2024-02-29T23:59\""], &[]);
        check("timestamp with time zone", &["\"2024-02-29T23:59+02\""], &["\"2024-02-29T23:59\""]);
    }

    #[test]
    fn types_of_another_kind_are_left() {
        for type_name in [
            "character(3)",
            "text[]",
            "public.text",
            "bytea",
            "interval",
            "mood",
            "numeric(2,5)",
            "numeric(2,-1)",
            "timestamp(7) with time zone",
            "",
        ] {
            assert_eq!(Reading::of(type_name), None, "{type_name}");
        }
    }

    #[test]
    fn deep_and_long_json_is_left() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(
            reads("json", &nested(MAX_DEPTH)).is_some() && reads("json", &nested(MAX_DEPTH + 1)).is_none()
        );
        assert_eq!(reads("json", &"1".repeat(MAX_DIGITS + 1)), None);
        assert_eq!(reads("json", &format!("\"{}\"", "x".repeat(MAX_NESTED))), None);
    }
}

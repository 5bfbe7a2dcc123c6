//! Decimals that fit `numeric(6,2)` and are greater than zero, read from text without floats.

use std::fmt;

/// Largest value the column holds, in hundredths.
const MAX_HUNDREDTHS: u32 = 999_999;

/// A positive decimal with two fraction digits.
///
/// Invariant: `1 <= hundredths <= 999_999`, so it fits `numeric(6,2)` and its `> 0` check as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Measure {
    hundredths: u32,
}

/// Why a text is no [`Measure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MeasureError {
    /// Not a number at all.
    #[error("not a number")]
    NotNumeric,
    /// A number (or NaN, or infinite), but not between 0.01 and 9999.99 after rounding.
    #[error("out of range")]
    OutOfRange,
}

impl Measure {
    /// Reads a decimal in JSON's or Postgres's spelling, rounding half away from zero as Postgres does.
    pub fn parse(text: &str) -> Result<Self, MeasureError> {
        let text = text.trim();
        let (is_negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if ["nan", "inf", "infinity"].iter().any(|name| unsigned.eq_ignore_ascii_case(name)) {
            return Err(MeasureError::OutOfRange);
        }
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, read_exponent(exponent)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() && fraction.is_empty()
            || !whole.bytes().chain(fraction.bytes()).all(|it| it.is_ascii_digit())
        {
            return Err(MeasureError::NotNumeric);
        }
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|it| it - b'0').collect();
        // Number of digits before the point once the exponent is applied.
        let point = i64::try_from(whole.len()).unwrap_or(i64::MAX).saturating_add(exponent);
        let hundredths = round_to_hundredths(&digits, point).ok_or(MeasureError::OutOfRange)?;
        if is_negative || hundredths == 0 || hundredths > MAX_HUNDREDTHS {
            return Err(MeasureError::OutOfRange);
        }
        Ok(Self { hundredths })
    }
}

/// An exponent of any length; beyond what can matter it saturates.
fn read_exponent(text: &str) -> Result<i64, MeasureError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|it| it.is_ascii_digit()) {
        return Err(MeasureError::NotNumeric);
    }
    let size = digits.parse::<i64>().unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
    Ok(if text.starts_with('-') { -size } else { size })
}

/// Digits with a decimal point before index `point`, in hundredths; `None` when that is far too large.
fn round_to_hundredths(digits: &[u8], point: i64) -> Option<u32> {
    let n_leading_zeros = digits.iter().take_while(|it| **it == 0).count();
    let significant = &digits[n_leading_zeros..];
    if significant.is_empty() {
        return Some(0);
    }
    // Digits of the result in hundredths; the one after them decides the rounding.
    let n_kept = point.saturating_sub(i64::try_from(n_leading_zeros).ok()?).saturating_add(2);
    if n_kept > 7 {
        return None;
    }
    if n_kept < 0 {
        return Some(0);
    }
    let n_kept = usize::try_from(n_kept).ok()?;
    let digit = |index: usize| u32::from(significant.get(index).copied().unwrap_or(0));
    let kept = (0..n_kept).fold(0_u32, |sum, index| sum * 10 + digit(index));
    Some(kept + u32::from(digit(n_kept) >= 5))
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.hundredths / 100, self.hundredths % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, MeasureError>) {
        assert_eq!(Measure::parse(text).map(|it| it.to_string()), expected.map(ToOwned::to_owned), "{text}");
    }

    #[test]
    fn decimals_keep_two_digits_and_round_as_postgres_does() {
        for (text, stored) in [
            ("1", "1.00"),
            ("0.1", "0.10"),
            ("12.345", "12.35"),
            ("12.344999", "12.34"),
            ("0.005", "0.01"),
            ("9999.99", "9999.99"),
            ("9999.994", "9999.99"),
            ("1e2", "100.00"),
            ("1.5E-1", "0.15"),
            ("000123.4", "123.40"),
            ("0.000000000001e12", "1.00"),
            (".5", "0.50"),
            ("7.", "7.00"),
            (" 3 ", "3.00"),
        ] {
            check(text, Ok(stored));
        }
    }

    #[test]
    fn numbers_that_do_not_fit_are_out_of_range() {
        for text in [
            "0",
            "-1",
            "-0",
            "0.004",
            "0.00499999",
            "9999.995",
            "10000",
            "1e400",
            "1e-400",
            "1e99999999999999999999",
            "NaN",
            "-Infinity",
            "inf",
            "99999999999999999999999999999999",
        ] {
            check(text, Err(MeasureError::OutOfRange));
        }
    }

    #[test]
    fn anything_else_is_not_a_number() {
        for text in ["", "-", ".", "e5", "1e", "1e+", "abc", "1,5", "0x10", "1 2", "١"] {
            check(text, Err(MeasureError::NotNumeric));
        }
    }

    proptest::proptest! {
        #[test]
        fn reading_never_panics(text in ".{0,40}") {
            let _ = Measure::parse(&text);
        }

        #[test]
        fn what_is_printed_reads_back(hundredths in 1_u32..=MAX_HUNDREDTHS) {
            let measure = Measure { hundredths };
            proptest::prop_assert_eq!(Measure::parse(&measure.to_string()), Ok(measure));
        }
    }
}

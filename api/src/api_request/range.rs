//! Windows of rows: `limit=`, `offset=` and the `Range` header, and how they combine.

use http::{HeaderValue, Method};

use super::types::{EmbedPath, Range};
use crate::error::{ApiRequestError, RangeError};

/// Bounds of a window, both included. `upper < lower` is an empty window, which is an error everywhere but
/// for `limit=0`. Wide enough that no sum of an offset and a limit overflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    lower: i128,
    upper: Option<i128>,
}

impl Bounds {
    const ALL: Self = Self { lower: 0, upper: None };

    fn is_empty(self) -> bool {
        self.upper.is_some_and(|upper| upper < self.lower)
    }

    fn intersect(self, other: Self) -> Self {
        let upper = match (self.upper, other.upper) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self { lower: self.lower.max(other.lower), upper }
    }
}

impl From<Range> for Bounds {
    fn from(range: Range) -> Self {
        let lower = i128::from(range.offset);
        Self { lower, upper: range.limit.map(|limit| lower + i128::from(limit) - 1) }
    }
}

impl From<Bounds> for Range {
    fn from(bounds: Bounds) -> Self {
        let clamp = |number: i128| i64::try_from(number).unwrap_or(i64::MAX);
        let limit = bounds.upper.map(|upper| clamp(upper - bounds.lower + 1));
        Self { offset: clamp(bounds.lower), limit }
    }
}

/// A window from the texts of `limit=` and `offset=`. Text that is no number does not restrict.
pub(super) fn from_parameters(limit: Option<&str>, offset: Option<&str>) -> Range {
    let limit = limit.map(parse_integer);
    match (limit, offset) {
        (None, None) => Range::ALL,
        (Some(limit), None) => Range { offset: 0, limit },
        (None, Some(offset)) => Range { offset: parse_integer(offset).unwrap_or(0), limit: None },
        // An offset beside an unreadable limit leaves nothing, which is reported as a bad limit.
        (Some(limit), Some(offset)) => {
            Range { offset: parse_integer(offset).unwrap_or(0), limit: Some(limit.unwrap_or(0)) }
        }
    }
}

/// Whether a `Range` header asks for less than everything, for whatever method.
pub(super) fn is_asked_for(header: Option<&HeaderValue>) -> bool {
    from_header(header) != Bounds::ALL
}

/// The number that a parameter's value is read as.
pub(super) fn integer(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok().and_then(parse_integer)
}

/// Numbers beyond 64 bits stand for the largest there is.
fn parse_integer(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX }))
}

/// Combines the top level's parameters with the `Range` header.
///
/// Returns the top-level window, and all windows by path, the top level among them.
pub(super) fn combine(
    method: &Method,
    header: Option<&HeaderValue>,
    mut ranges: Vec<(EmbedPath, Range)>,
) -> Result<(Range, Vec<(EmbedPath, Range)>), ApiRequestError> {
    // RFC 9110: `Range` is defined for GET only.
    let header = if method == Method::GET { from_header(header) } else { Bounds::ALL };
    let top = ranges.iter().position(|(path, _)| path.is_empty());
    let parameters = top.map_or(Range::ALL, |at| ranges[at].1);
    let combined = if parameters == (Range { offset: 0, limit: Some(0) }) {
        // `limit=0` is the one legal empty window: it asks for the shape of the answer.
        parameters
    } else {
        let bounds = header.intersect(parameters.into());
        if header.is_empty() || Bounds::from(parameters).is_empty() || bounds.is_empty() {
            let reason = if header.is_empty() { RangeError::LowerGtUpper } else { RangeError::NegativeLimit };
            return Err(ApiRequestError::InvalidRange(reason));
        }
        bounds.into()
    };
    if method == Method::PUT && combined != Range::ALL {
        return Err(ApiRequestError::PutLimitNotAllowed);
    }
    match top {
        Some(at) => ranges[at].1 = combined,
        None => ranges.push((EmbedPath::new(), combined)),
    }
    Ok((combined, ranges))
}

/// `Range: 0-9` or `Range: 10-`; anything else asks for everything.
fn from_header(header: Option<&HeaderValue>) -> Bounds {
    let bounds = || {
        let text = header?.to_str().ok()?;
        let (lower, upper) = text.split_once('-')?;
        let number = |text: &str| {
            text.bytes().all(|b| b.is_ascii_digit()).then(|| parse_integer(text).map(i128::from))
        };
        let (lower, upper) = (number(lower)??, number(upper)?);
        Some(Bounds { lower, upper })
    };
    bounds().unwrap_or(Bounds::ALL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(method: &Method, query: &str, header: Option<&str>) -> String {
        let header = header.map(|it| HeaderValue::from_str(it).unwrap());
        let ranges = super::super::query::parse(query.as_bytes(), false, crate::config::Unread::Ignore)
            .unwrap()
            .ranges;
        match combine(method, header.as_ref(), ranges) {
            Ok((top, ranges)) => {
                assert!(ranges.contains(&(EmbedPath::new(), top)), "the top level is always among them");
                let limit = top.limit.map_or_else(|| "all".to_owned(), |limit| limit.to_string());
                format!("{limit} from {}", top.offset)
            }
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn parameters() {
        let show = |query| show(&Method::GET, query, None);
        assert_eq!(show(""), "all from 0");
        assert_eq!(show("limit=3"), "3 from 0");
        assert_eq!(show("offset=2"), "all from 2");
        assert_eq!(show("limit=3&offset=2"), "3 from 2");
        assert_eq!(show("limit=3&limit=5"), "5 from 0");
        assert_eq!(show("limit=x"), "all from 0");
        assert_eq!(show("offset=-4"), "all from 0");
        assert_eq!(show("offset=-4&limit=10"), "6 from 0");
        assert_eq!(show("limit=0"), "0 from 0");
        assert_eq!(show("limit=0&offset=5"), "InvalidRange(NegativeLimit)");
        assert_eq!(show("limit=-1"), "InvalidRange(NegativeLimit)");
        assert_eq!(show("limit=99999999999999999999"), format!("{} from 0", i64::MAX));
        assert_eq!(
            show("limit=9223372036854775807&offset=9223372036854775807"),
            format!("{0} from {0}", i64::MAX)
        );
        assert_eq!(
            show("offset=-9223372036854775808&limit=-9223372036854775808"),
            "InvalidRange(NegativeLimit)"
        );
    }

    #[test]
    fn the_header_narrows_what_the_parameters_allow() {
        let show = |query, header| show(&Method::GET, query, Some(header));
        assert_eq!(show("", "0-1"), "2 from 0");
        assert_eq!(show("", "10-"), "all from 10");
        assert_eq!(show("limit=3", "0-1"), "2 from 0");
        assert_eq!(show("limit=3", "2-9"), "1 from 2");
        assert_eq!(show("limit=0", "2-9"), "0 from 0");
        assert_eq!(show("limit=3", "5-9"), "InvalidRange(NegativeLimit)");
        assert_eq!(show("", "1-0"), "InvalidRange(LowerGtUpper)");
        assert_eq!(show("limit=3", "1-0"), "InvalidRange(LowerGtUpper)");
        assert_eq!(show("", "bytes=0-1"), "all from 0");
        assert_eq!(show("", "-5"), "all from 0");
    }

    #[test]
    fn the_header_counts_for_get_only_and_put_has_no_window() {
        assert_eq!(show(&Method::HEAD, "", Some("0-1")), "all from 0");
        assert_eq!(show(&Method::PUT, "", Some("0-1")), "all from 0");
        assert_eq!(show(&Method::PUT, "limit=1", None), "PutLimitNotAllowed");
        assert_eq!(show(&Method::PUT, "a.limit=1", None), "all from 0");
    }

    #[test]
    fn embedded_windows_are_as_written() {
        let ranges = |query: &str| {
            super::super::query::parse(query.as_bytes(), false, crate::config::Unread::Ignore).unwrap().ranges
        };
        let path = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(ranges("a.b.limit=2&a.b.offset=1"), [(path.clone(), Range { offset: 1, limit: Some(2) })]);
        assert_eq!(ranges("a.b.limit=-2"), [(path, Range { offset: 0, limit: Some(-2) })]);
    }
}

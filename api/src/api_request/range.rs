//! Windows of rows: `limit=`, `offset=` and the `Range` header, and how they combine.

use http::{HeaderMap, Method, header};

use super::types::{EmbedPath, Range};
use crate::error::{ApiRequestError, RangeError};

/// Bounds of a window, both included. `upper < lower` is an empty window, which is an error everywhere but
/// for `limit=0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    lower: i64,
    upper: Option<i64>,
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
        let upper = range.limit.map(|limit| range.offset.saturating_add(limit).saturating_sub(1));
        Self { lower: range.offset, upper }
    }
}

impl From<Bounds> for Range {
    fn from(bounds: Bounds) -> Self {
        let limit = bounds.upper.map(|upper| upper.saturating_sub(bounds.lower).saturating_add(1));
        Self { offset: bounds.lower, limit }
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
    headers: &HeaderMap,
    mut ranges: Vec<(EmbedPath, Range)>,
) -> Result<(Range, Vec<(EmbedPath, Range)>), ApiRequestError> {
    // RFC 9110: `Range` is defined for GET only.
    let header = if method == Method::GET { from_header(headers) } else { Bounds::ALL };
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
fn from_header(headers: &HeaderMap) -> Bounds {
    let bounds = || {
        let text = headers.get(header::RANGE)?.to_str().ok()?;
        let (lower, upper) = text.split_once('-')?;
        let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| parse_integer(text));
        let (lower, upper) = (number(lower)??, number(upper)?);
        Some(Bounds { lower, upper })
    };
    bounds().unwrap_or(Bounds::ALL)
}

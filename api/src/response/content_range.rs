//! `Content-Range`, and the status that a window of rows comes to.

use http::StatusCode;

use crate::api_request::types::Range;
use crate::script::result::ResultSet;

/// The rows that an answer holds out of those there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    lower: i64,
    upper: i64,
    total: Option<i64>,
}

impl Window {
    /// What was asked for, and what came.
    pub fn of_rows(asked: Range, rows: &ResultSet) -> Self {
        let lower = asked.offset;
        let upper = lower.saturating_add(rows.query_total).saturating_sub(1);
        Self { lower, upper, total: rows.table_total }
    }

    /// 416 beyond the last row, 206 for a part of a known whole, else 200.
    pub fn status(&self) -> StatusCode {
        match self.total {
            Some(total) if self.lower > total => StatusCode::RANGE_NOT_SATISFIABLE,
            Some(total) if self.upper.saturating_sub(self.lower).saturating_add(1) < total => {
                StatusCode::PARTIAL_CONTENT
            }
            _ => StatusCode::OK,
        }
    }

    /// Value of `Content-Range`.
    pub fn header(&self) -> String {
        header(self.lower, self.upper, self.total)
    }

    /// (offset asked for, total), for the error about an offset beyond the last row.
    pub fn out_of_bounds(&self) -> (String, String) {
        (self.lower.to_string(), self.total.unwrap_or(0).to_string())
    }
}

/// `lower-upper/total`, with `*` for an empty range and for an unknown total.
pub fn header(lower: i64, upper: i64, total: Option<i64>) -> String {
    let total_text = total.map_or_else(|| "*".to_owned(), |total| total.to_string());
    if total != Some(0) && lower <= upper {
        format!("{lower}-{upper}/{total_text}")
    } else {
        format!("*/{total_text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(offset: i64, rows: i64, total: Option<i64>) -> String {
        let rows = ResultSet { query_total: rows, table_total: total, ..ResultSet::default() };
        let window = Window::of_rows(Range { offset, limit: None }, &rows);
        format!("{} {}", window.status().as_u16(), window.header())
    }

    #[test]
    fn windows() {
        assert_eq!(show(0, 15, None), "200 0-14/*");
        assert_eq!(show(0, 0, None), "200 */*");
        assert_eq!(show(0, 15, Some(15)), "200 0-14/15");
        assert_eq!(show(3, 2, Some(15)), "206 3-4/15");
        assert_eq!(show(0, 0, Some(0)), "200 */0");
        assert_eq!(show(1, 0, Some(0)), "416 */0");
        assert_eq!(show(15, 0, Some(15)), "206 */15");
        assert_eq!(show(100, 0, Some(15)), "416 */15");
    }
}

//! Which body a window of rows gets.

use bytes::Bytes;
use http::StatusCode;

use super::content_range::Window;
use crate::config::AppConfig;
use crate::error::{ApiRequestError, Error, RangeError, http::error_body};

/// The rows; nothing for `HEAD`; an error where the window lies beyond the last row.
pub(super) fn of_window(window: &Window, headers_only: bool, rows: Bytes, conf: &AppConfig) -> Bytes {
    if headers_only {
        return Bytes::new();
    }
    if window.status() != StatusCode::RANGE_NOT_SATISFIABLE {
        return rows;
    }
    let (offset, total) = window.out_of_bounds();
    let error = ApiRequestError::InvalidRange(RangeError::OutOfBounds(offset, total));
    error_body(&Error::from(error), conf.client_error_verbosity)
}

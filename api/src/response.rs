//! [`crate::execute::DbResult`] → HTTP. Pure.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

/// A response, before the server adds what concerns every response (`Date`, `Server`, CORS, timing).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgrstResponse {
    /// Status.
    pub status: StatusCode,
    /// Reason phrase, where the database chose one; otherwise the status' own.
    pub reason: Option<String>,
    /// Headers in order.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Body.
    pub body: Bytes,
}

//! An error as a response.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::PgrstResponse;
use crate::error::http::for_clients;
use crate::error::{Error, Verbosity};
use crate::framing;

/// The response to a request that failed.
pub fn error_response(error: &Error, verbosity: Verbosity) -> PgrstResponse {
    let rendered = for_clients(error);
    let body = rendered.body(verbosity);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let proxy_status = format!("PostgREST; error={}", rendered.code);
    for (name, value) in [("proxy-status".to_owned(), proxy_status)].into_iter().chain(rendered.headers) {
        // Codes and headers may come from the database: what HTTP cannot carry is left out, and what says where the
        // message ends is ours.
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
            && !framing::is_framing(&name)
        {
            headers.append(name, value);
        }
    }
    PgrstResponse { reason: rendered.reason, ..PgrstResponse::new(rendered.status, headers, body) }
}

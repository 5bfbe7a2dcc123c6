//! What of an answer is the server's own and never chosen by the database: where a message ends and the connection
//! it travels on.
//!
//! A length or an encoding that is not that of the body that follows makes clients and proxies take part of an
//! answer for another one.

use http::{HeaderName, StatusCode};

/// Names of such headers, in lower case.
pub(crate) const HEADERS: [&str; 9] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// Whether a header belongs to the connection or says where the message ends (RFC 9110, 7.6.1).
pub(crate) fn is_framing(name: &HeaderName) -> bool {
    HEADERS.contains(&name.as_str())
}

/// A status that ends an exchange: those below 200 announce another answer.
pub(crate) fn final_status(number: u16) -> Option<StatusCode> {
    StatusCode::from_u16(number).ok().filter(|it| it.as_u16() >= 200)
}

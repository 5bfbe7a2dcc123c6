//! Cross-origin requests (the Fetch standard's CORS protocol).

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method};

use crate::config::AppConfig;

const METHODS: [&str; 7] = ["GET", "POST", "PATCH", "PUT", "DELETE", "OPTIONS", "HEAD"];
/// PostgREST does not have it, so it is named to those alone that ask for it.
const QUERY: &str = "QUERY";
const EXPOSED: &str = "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, Transfer-Encoding, Range-Unit";
/// Headers that any request may carry.
const SAFELISTED: [&str; 3] = ["Accept", "Accept-Language", "Content-Language"];
/// How long a browser may remember an answer: a day, in seconds.
const MAX_AGE: &str = "86400";

/// What CORS asks of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cors {
    /// Nothing: not cross-origin, or not allowed (the browser then refuses by itself).
    None,
    /// Add these headers to the answer.
    Actual(HeaderMap),
    /// A preflight: answer 200 with these headers and no body, without asking anyone else.
    Preflight(HeaderMap),
}

/// Decides what CORS asks of the answer to a request with these headers.
pub fn headers(conf: &AppConfig, method: &Method, request: &HeaderMap) -> Cors {
    let is_websocket =
        request.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let Some(origin) = request.get(ORIGIN).filter(|_| !is_websocket) else { return Cors::None };

    let allowed = &conf.server_cors_allowed_origins;
    let mut headers = HeaderMap::new();
    if allowed.is_empty() {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else if allowed.iter().any(|it| it.as_bytes() == origin.as_bytes()) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    } else {
        return Cors::None;
    }
    if method == Method::OPTIONS {
        return preflight(headers, request).map_or(Cors::None, Cors::Preflight);
    }
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    if conf.pgapp_etag {
        headers.append(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("ETag"));
    }
    Cors::Actual(headers)
}

/// `None` where this is no preflight we can answer; the request is then an ordinary `OPTIONS`.
fn preflight(mut headers: HeaderMap, request: &HeaderMap) -> Option<HeaderMap> {
    let method = request.get(ACCESS_CONTROL_REQUEST_METHOD)?.to_str().ok()?;
    let mut methods = METHODS.join(", ");
    if method == QUERY {
        methods.push_str(", ");
        methods.push_str(QUERY);
    } else if !METHODS.contains(&method) {
        return None;
    }
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_str(&methods).ok()?);
    if let Some(asked) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        // Whatever is asked for is allowed: what a request may do is decided by its token.
        let asked: Vec<&str> = asked.to_str().ok()?.split(',').map(str::trim).collect();
        let mut names = vec!["Authorization"];
        names.extend(&asked);
        let more = SAFELISTED.iter().filter(|name| !asked.iter().any(|it| it.eq_ignore_ascii_case(name)));
        names.extend(more);
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_str(&names.join(", ")).ok()?);
    }
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    Some(headers)
}

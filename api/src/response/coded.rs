//! Whether a response is sent in a coding, and what its headers say then.

use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, VARY,
};
use http::{Method, StatusCode};

use super::PgrstResponse;
use crate::coding::{Coding, accepted, encoded};

/// Bodies from this length on are encoded: below, headers and a packet cost more than is saved.
const MIN_LENGTH: u64 = 1024;
/// Bodies up to this length are encoded before they are sent, so that their length can be told.
const AT_ONCE: usize = 64 * 1024;

/// Chooses the coding that the client accepts, and tells caches that there are several.
///
/// A strong `ETag` is one of the body as sent, so each coding has its own.
pub(crate) fn apply(method: &Method, headers: &HeaderMap, response: &mut PgrstResponse) {
    if !is_worth_it(method, response) {
        return;
    }
    response.headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    let Some(coding) = accepted(headers) else { return };
    // There is no body to encode, and what it would have been was not kept.
    if *method != Method::HEAD {
        let is_ready = response.spooled.is_none() && response.stream.is_none();
        if is_ready && response.body.len() <= AT_ONCE {
            match encoded(coding, &response.body) {
                Ok(body) if body.len() < response.body.len() => {
                    response.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
                    response.body = body;
                }
                // As it is, it is shorter.
                Ok(_) | Err(_) => return,
            }
        } else {
            response.headers.remove(CONTENT_LENGTH);
            response.coding = Some(coding);
        }
    }
    response.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    mark_tag(&mut response.headers, coding);
}

/// Its body is long enough, of a type that gets shorter, and is not encoded already.
fn is_worth_it(method: &Method, response: &PgrstResponse) -> bool {
    let length = match &response.spooled {
        Some(spooled) => spooled.len(),
        // How long it gets is not known; long, as it did not come at once.
        None if response.stream.is_some() => MIN_LENGTH,
        None => response.body.len() as u64,
    };
    let has_no_body = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&response.status);
    let headers = &response.headers;
    let forbids = |it: &HeaderValue| {
        it.to_str().is_ok_and(|it| it.split(',').any(|it| it.trim().eq_ignore_ascii_case("no-transform")))
    };
    length >= MIN_LENGTH
        && !has_no_body
        && *method != Method::CONNECT
        && !headers.contains_key(CONTENT_ENCODING)
        && !headers.get_all(CACHE_CONTROL).iter().any(forbids)
        && headers.get(CONTENT_TYPE).is_some_and(|it| is_text(it.as_bytes()))
}

/// A type whose bodies are text; others, such as images, are compressed as they are.
fn is_text(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    let essence = String::from_utf8_lossy(essence).trim().to_ascii_lowercase();
    let Some((kind, name)) = essence.split_once('/') else { return false };
    match kind {
        "text" => true,
        "application" | "image" | "model" => {
            let words = ["json", "xml", "x-ndjson", "ndjson", "jsonl", "javascript", "sql", "yaml", "x-yaml"];
            words.contains(&name) || name.ends_with("+json") || name.ends_with("+xml")
        }
        _ => false,
    }
}

/// `"abc"` → `"abc-gzip"`.
fn mark_tag(headers: &mut HeaderMap, coding: Coding) {
    let marked = headers.get(ETAG).and_then(|it| {
        let tag = it.to_str().ok().filter(|it| !it.starts_with("W/"))?.strip_suffix('"')?;
        HeaderValue::try_from(format!("{tag}-{}\"", coding.name())).ok()
    });
    if let Some(tag) = marked {
        headers.insert(ETAG, tag);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::header::ACCEPT_ENCODING;

    use super::*;

    fn applied(
        length: usize,
        content_type: &'static str,
        more: &[(&'static str, &'static str)],
    ) -> PgrstResponse {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        headers.insert(ETAG, HeaderValue::from_static("\"t\""));
        for (name, value) in more {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        let mut response = PgrstResponse::new(StatusCode::OK, headers, Bytes::from(vec![b'x'; length]));
        let asked = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("gzip"))]);
        apply(&Method::GET, &asked, &mut response);
        response
    }

    #[test]
    fn text_that_is_long_enough_is_encoded() {
        for content_type in [
            "application/json; charset=utf-8",
            "text/csv",
            "application/vnd.pgrst.object+json",
            "application/openapi+json",
            "image/svg+xml",
            "application/x-ndjson",
        ] {
            let response = applied(1024, content_type, &[]);
            assert_eq!(response.headers[CONTENT_ENCODING], "gzip", "{content_type}");
            assert_eq!(response.headers[VARY], "Accept-Encoding");
            assert_eq!(response.headers[ETAG], "\"t-gzip\"");
            assert_eq!(response.headers[CONTENT_LENGTH], response.body.len().to_string());
            assert!(response.body.len() < 100);
        }
        let long = applied(AT_ONCE + 1, "text/plain", &[]);
        assert_eq!(long.coding, Some(Coding::Gzip));
        assert!(!long.headers.contains_key(CONTENT_LENGTH));
    }

    #[test]
    fn the_rest_is_sent_as_it_is() {
        let is_plain = |it: PgrstResponse| {
            !it.headers.contains_key(VARY)
                && it.headers[ETAG] == "\"t\""
                && it.headers.contains_key(CONTENT_LENGTH)
        };
        assert!(is_plain(applied(1023, "text/plain", &[])));
        assert!(is_plain(applied(5000, "image/png", &[])));
        assert!(is_plain(applied(5000, "application/octet-stream", &[])));
        assert!(is_plain(applied(5000, "text/plain", &[("content-encoding", "br")])));
        assert!(is_plain(applied(5000, "text/plain", &[("cache-control", "private, No-Transform")])));
    }
}

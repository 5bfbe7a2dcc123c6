//! `ETag` and `If-None-Match` (RFC 9110, sections 8.8.3 and 13.1.2).

use std::io;

use aws_lc_rs::digest::{Context, SHA256};
use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue,
    IF_NONE_MATCH,
};
use http::{Method, StatusCode};

use super::PgrstResponse;
use crate::coding::Coding;
use crate::plan::{ActionPlan, CrudKind};
use crate::schema_cache::routine::Volatility;

/// Bytes of the digest that are shown: collisions would need 2^64 answers.
const LENGTH: usize = 16;

/// Whether answers of this plan have a tag: reads of relations and calls of functions that are not `VOLATILE`, by
/// `GET` and `HEAD`.
pub(crate) fn has_tag(plan: &ActionPlan, method: &Method) -> bool {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    reads
        && match plan {
            ActionPlan::Crud(plan) => match &plan.kind {
                CrudKind::Read { .. } => true,
                CrudKind::Call { routine, .. } => routine.volatility != Volatility::Volatile,
                CrudKind::Mutate { .. } => false,
            },
            _ => false,
        }
}

/// Tags a successful answer that has no tag yet, by its type and its bytes.
///
/// # Errors
///
/// A body in a file that cannot be read.
pub(crate) async fn tag(response: &mut PgrstResponse) -> io::Result<()> {
    let succeeded = [StatusCode::OK, StatusCode::PARTIAL_CONTENT].contains(&response.status);
    if !succeeded || response.headers.contains_key(ETAG) || response.stream.is_some() {
        return Ok(());
    }
    let mut digest = Context::new(&SHA256);
    digest.update(response.headers.get(CONTENT_TYPE).map_or(b"", HeaderValue::as_bytes));
    digest.update(b"\n");
    match &response.spooled {
        Some(spooled) => {
            let mut offset = 0;
            while offset < spooled.len() {
                let bytes = spooled.read(offset).await?;
                if bytes.is_empty() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                digest.update(&bytes);
                offset += bytes.len() as u64;
            }
        }
        None => digest.update(&response.body),
    }
    let mut text = String::with_capacity(2 * LENGTH + 2);
    text.push('"');
    for byte in digest.finish().as_ref().iter().take(LENGTH) {
        text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
    }
    text.push('"');
    if let Ok(value) = HeaderValue::try_from(text) {
        response.headers.insert(ETAG, value);
    }
    Ok(())
}

/// Answers 304 where the client has the body already.
pub(crate) fn not_modified(headers: &HeaderMap, response: &mut PgrstResponse) {
    let succeeded = [StatusCode::OK, StatusCode::PARTIAL_CONTENT].contains(&response.status);
    let Some(tag) = response.headers.get(ETAG).filter(|_| succeeded) else { return };
    if !names(headers, tag) {
        return;
    }
    response.status = StatusCode::NOT_MODIFIED;
    response.reason = None;
    response.body.clear();
    response.spooled = None;
    response.coding = None;
    for name in [CONTENT_LENGTH, CONTENT_TYPE, CONTENT_RANGE, CONTENT_ENCODING] {
        response.headers.remove(name);
    }
}

/// Whether `If-None-Match` names the tag. Compared is weakly, as for all `GET`.
fn names(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let opaque = |it: &str| it.trim().trim_start_matches("W/").to_owned();
    let Ok(tag) = tag.to_str().map(opaque) else { return false };
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|it| it.to_str().ok());
    values.flat_map(tags).any(|it| it == "*" || opaque(it) == tag)
}

/// The tag of the same body as it is without a coding.
pub(crate) fn without_coding(tag: &str) -> String {
    let inner = tag.strip_suffix('"').unwrap_or(tag);
    let plain = Coding::ALL.into_iter().find_map(|it| inner.strip_suffix(it.name())?.strip_suffix('-'));
    plain.map_or_else(|| tag.to_owned(), |it| format!("{it}\""))
}

/// The tags of a list. A tag may hold commas.
pub(crate) fn tags(list: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    list.split(move |it| {
        quoted ^= it == '"';
        it == ',' && !quoted
    })
    .map(str::trim)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    async fn tagged(content_type: &'static str, body: &'static str) -> PgrstResponse {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        let mut response = PgrstResponse::new(StatusCode::OK, headers, Bytes::from_static(body.as_bytes()));
        tag(&mut response).await.unwrap();
        response
    }

    #[tokio::test]
    async fn the_tag_is_one_of_type_and_bytes() {
        let json = tagged("application/json", "[]").await.headers[ETAG].clone();
        assert_eq!(json.len(), 2 * LENGTH + 2);
        assert_eq!(json, tagged("application/json", "[]").await.headers[ETAG]);
        assert_ne!(json, tagged("text/csv", "[]").await.headers[ETAG]);
        assert_ne!(json, tagged("application/json", "[1]").await.headers[ETAG]);
    }

    #[tokio::test]
    async fn what_the_client_has_is_not_sent() {
        let response = tagged("application/json", "[]").await;
        let tag = response.headers[ETAG].to_str().unwrap().to_owned();
        let status = |value: &str| {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_str(value).unwrap())]);
            let mut response = response.clone();
            not_modified(&headers, &mut response);
            assert_eq!(response.body.is_empty(), response.status == StatusCode::NOT_MODIFIED);
            response.status
        };
        for value in [tag.clone(), format!("\"a,b\", {tag}"), format!("W/{tag}"), "*".to_owned()] {
            assert_eq!(status(&value), StatusCode::NOT_MODIFIED, "{value}");
        }
        for value in ["\"other\"".to_owned(), tag.trim_matches('"').to_owned(), format!("\"{tag}\"")] {
            assert_eq!(status(&value), StatusCode::OK, "{value}");
        }
    }
}

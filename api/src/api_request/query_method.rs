//! `QUERY`: a `GET` whose query string is its body, for what does not fit a URL.

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::request::Parts;

use crate::error::ApiRequestError;

/// What the body has to be.
const FORM: &str = "application/x-www-form-urlencoded";

/// A query string that came as a body.
#[derive(Clone)]
struct QueryText(Bytes);

/// Whether the request is a `QUERY`.
pub(crate) fn is_query(head: &Parts) -> bool {
    head.method.as_str() == "QUERY"
}

/// Whether the body is one that can be read as a query string.
///
/// # Errors
///
/// Another `Content-Type`, or none.
pub(crate) fn check_type(head: &Parts) -> Result<(), ApiRequestError> {
    let given = head.headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let essence = given.split(|it| *it == b';').next().unwrap_or_default().trim_ascii();
    match essence.eq_ignore_ascii_case(FORM.as_bytes()) {
        true => Ok(()),
        false => Err(ApiRequestError::UnsupportedQueryType(String::from_utf8_lossy(given).into_owned())),
    }
}

/// The same as a `GET`. What the URL has of a query string comes first.
pub(crate) fn as_get(head: &Parts, body: &[u8]) -> Parts {
    let mut head = head.clone();
    let mut text = head.uri.query().unwrap_or_default().as_bytes().to_vec();
    if !text.is_empty() && !body.is_empty() {
        text.push(b'&');
    }
    text.extend_from_slice(body);
    head.method = Method::GET;
    for name in [CONTENT_TYPE, CONTENT_LENGTH] {
        head.headers.remove(name);
    }
    head.extensions.insert(QueryText(text.into()));
    head
}

/// The query string of a request, encoded.
pub(crate) fn text(head: &Parts) -> &[u8] {
    match head.extensions.get::<QueryText>() {
        Some(QueryText(text)) => text,
        None => head.uri.query().unwrap_or_default().as_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(uri: &str, content_type: &str) -> Parts {
        let request = Request::builder().method("QUERY").uri(uri).header(CONTENT_TYPE, content_type);
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_body_goes_on_the_query_string() {
        for (uri, body, query) in
            [("/t", "a=1", "a=1"), ("/t?b=2", "a=1", "b=2&a=1"), ("/t?b=2", "", "b=2"), ("/t", "", "")]
        {
            let get = as_get(&head(uri, FORM), body.as_bytes());
            assert_eq!((get.method.clone(), text(&get)), (Method::GET, query.as_bytes()), "{uri} {body}");
        }
    }

    #[test]
    fn only_forms_are_query_strings() {
        for content_type in [FORM, "Application/X-WWW-Form-Urlencoded; charset=utf-8"] {
            assert_eq!(check_type(&head("/t", content_type)), Ok(()));
        }
        for content_type in ["", "application/json", "text/plain"] {
            let refused = Err(ApiRequestError::UnsupportedQueryType(content_type.to_owned()));
            assert_eq!(check_type(&head("/t", content_type)), refused);
        }
    }
}

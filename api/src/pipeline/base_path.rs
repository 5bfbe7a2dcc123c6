//! A second address of everything: below `pgapp-base-path` is what is at the root.
//!
//! Client libraries of Supabase prepend `/rest/v1` to every path. A path of three segments, or of two of which the
//! first is not `rpc`, addresses nothing at the root, so that nothing is taken away from what is there.

use http::header::{CONTENT_LOCATION, HeaderName, HeaderValue, LOCATION};
use http::request::Parts;
use http::{HeaderMap, Uri};

/// The request as it would have come to the root; `None` where it is not below the base path.
pub(super) fn at_root(base: &str, parts: &Parts) -> Option<Parts> {
    let target = parts.uri.path_and_query()?.as_str();
    let mut uri = parts.uri.clone().into_parts();
    uri.path_and_query = Some(behind(base, target)?.parse().ok()?);
    let mut parts = parts.clone();
    parts.uri = Uri::from_parts(uri).ok()?;
    Some(parts)
}

/// A target without the base path.
fn behind(base: &str, target: &str) -> Option<String> {
    let rest = target.strip_prefix(base).filter(|_| !base.is_empty())?;
    match rest.as_bytes().first() {
        Some(b'/') => Some(rest.to_owned()),
        // A single segment alone may be the name of a relation.
        None | Some(b'?') if base.matches('/').count() > 1 => Some(format!("/{rest}")),
        _ => None,
    }
}

/// Makes the addresses in an answer lead below the base path, where its request was.
pub(super) fn lead_back(base: &str, headers: &mut HeaderMap) {
    let lead = |headers: &mut HeaderMap, name: HeaderName| {
        let Some(place) = headers.get(&name).filter(|it| it.as_bytes().starts_with(b"/")) else { return };
        if let Ok(place) = HeaderValue::from_bytes(&[base.as_bytes(), place.as_bytes()].concat()) {
            headers.insert(name, place);
        }
    };
    lead(headers, LOCATION);
    lead(headers, CONTENT_LOCATION);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_path_is_taken_off_whole() {
        let check = |base: &str, target: &str, expected: Option<&str>| {
            assert_eq!(behind(base, target).as_deref(), expected, "{base} {target}");
        };
        check("/rest/v1", "/rest/v1/todos?select=id", Some("/todos?select=id"));
        check("/rest/v1", "/rest/v1/rpc/f", Some("/rpc/f"));
        check("/rest/v1", "/rest/v1/", Some("/"));
        check("/rest/v1", "/rest/v1", Some("/"));
        check("/rest/v1", "/rest/v1?a=b", Some("/?a=b"));
        check("/rest/v1", "/rest/v10/todos", None);
        check("/rest/v1", "/rest", None);
        check("/rest/v1", "/todos?x=/rest/v1/", None);
        check("/db", "/db/todos", Some("/todos"));
        check("/db", "/db/", Some("/"));
        check("/db", "/db?id=eq.1", None);
        check("", "/todos", None);
    }

    #[test]
    fn addresses_in_an_answer_lead_below_it() {
        let headers =
            |place: &'static str| HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(place))]);
        for (place, expected) in
            [("/todos?id=eq.1", "/rest/v1/todos?id=eq.1"), ("https://a.b/c", "https://a.b/c")]
        {
            let mut headers = headers(place);
            lead_back("/rest/v1", &mut headers);
            assert_eq!(headers[LOCATION], expected);
        }
    }
}

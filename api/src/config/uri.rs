//! The few questions about URIs that settings raise. Pure.

/// Whether the text is a URI of RFC 3986 (with a scheme).
pub(super) fn is_uri(text: &str) -> bool {
    parse(text).is_some()
}

/// Whether the text can stand for the server in the OpenAPI document: an absolute `http(s)` URI
/// with a host, without user, query and fragment, and with a port that exists.
pub(super) fn is_proxy_uri(text: &str) -> bool {
    let Some(uri) = parse(text) else { return false };
    let Some(authority) = uri.authority else { return false };
    let scheme_fits = ["http", "https"].iter().any(|it| uri.scheme.eq_ignore_ascii_case(it));
    let port_fits = match authority.port {
        None | Some("") => true,
        Some(port) => port.parse::<u16>().is_ok_and(|it| it > 0),
    };
    scheme_fits
        && port_fits
        && authority.user.is_none()
        && !authority.host.is_empty()
        && uri.query.is_none()
        && uri.fragment.is_none()
}

struct Uri<'a> {
    scheme: &'a str,
    authority: Option<Authority<'a>>,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

struct Authority<'a> {
    user: Option<&'a str>,
    host: &'a str,
    port: Option<&'a str>,
}

fn parse(text: &str) -> Option<Uri<'_>> {
    let (scheme, rest) = text.split_once(':')?;
    let mut chars = scheme.chars();
    if !chars.next()?.is_ascii_alphabetic()
        || !chars.all(|it| it.is_ascii_alphanumeric() || "+-.".contains(it))
    {
        return None;
    }
    let (rest, fragment) = split_optional(rest, '#');
    let (rest, query) = split_optional(rest, '?');
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => {
            let end = rest.find('/').unwrap_or(rest.len());
            (Some(parse_authority(&rest[..end])?), &rest[end..])
        }
        None => (None, rest),
    };
    let fits = consists_of(path, ":@/")
        && query.is_none_or(|it| consists_of(it, ":@/?"))
        && fragment.is_none_or(|it| consists_of(it, ":@/?"));
    fits.then_some(Uri { scheme, authority, query, fragment })
}

fn parse_authority(text: &str) -> Option<Authority<'_>> {
    let (user, host_port) = match text.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, text),
    };
    let (host, port) = if host_port.starts_with('[') {
        let end = host_port.find(']')?;
        let (host, rest) = host_port.split_at(end + 1);
        let inner = &host[1..end];
        if inner.parse::<std::net::Ipv6Addr>().is_err() && !inner.starts_with(['v', 'V']) {
            return None;
        }
        match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => return None,
        }
    } else {
        let (host, port) = split_optional(host_port, ':');
        if !consists_of(host, "") {
            return None;
        }
        (host, port)
    };
    let fits = user.is_none_or(|it| consists_of(it, ":"))
        && port.is_none_or(|it| it.chars().all(|it| it.is_ascii_digit()));
    fits.then_some(Authority { user, host, port })
}

fn split_optional(text: &str, separator: char) -> (&str, Option<&str>) {
    match text.split_once(separator) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// Unreserved characters, sub-delimiters, percent-encoded bytes, and some more.
fn consists_of(text: &str, more: &str) -> bool {
    let bytes = text.as_bytes();
    let mut i = 0;
    while let Some(&byte) = bytes.get(i) {
        if byte == b'%' {
            match bytes.get(i + 1..i + 3) {
                Some(hex) if hex.iter().all(u8::is_ascii_hexdigit) => i += 3,
                _ => return false,
            }
        } else if byte.is_ascii_alphanumeric()
            || b"-._~!$&'()*+,;=".contains(&byte)
            || more.as_bytes().contains(&byte)
        {
            i += 1;
        } else {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_uri_follows_rfc_3986() {
        for good in
            ["https://postgrest.org", "urn:example:api", "foo://a:b@c:1/d?e#f", "http://[::1]:80/", "a:"]
        {
            assert!(is_uri(good), "{good}");
        }
        for bad in [
            "http://%%localhorst.invalid",
            "foo://%%$$^^.com",
            "no scheme:x",
            "1a:b",
            "http://[zz]/",
            "a:b c",
        ] {
            assert!(!is_uri(bad), "{bad}");
        }
    }

    #[test]
    fn is_proxy_uri_wants_a_plain_http_address() {
        for good in ["https://example.com:8443/basePath", "http://postgrest.com/openapi.json", "HTTP://h"] {
            assert!(is_proxy_uri(good), "{good}");
        }
        for bad in [
            "htp:/@@localhorst.invalid",
            "ftp://example.com",
            "http://user@example.com",
            "http://example.com?a=b",
            "http://example.com#a",
            "http://example.com:65536",
            "http://example.com:0",
            "http:///path",
            "example.com",
        ] {
            assert!(!is_proxy_uri(bad), "{bad}");
        }
    }
}

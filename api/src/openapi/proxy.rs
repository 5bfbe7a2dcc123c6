//! `openapi-server-proxy-uri`: where clients reach this server.

use http::Uri;

/// The parts of the URI that the document states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// `http` or `https`.
    pub scheme: String,
    /// Host name or address.
    pub host: String,
    /// Port, the scheme's own when none is given.
    pub port: u16,
    /// Path, at least `/`.
    pub path: String,
}

impl Proxy {
    /// Reads an absolute HTTP URI without user, query and fragment; none when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok().filter(|_| !text.contains('#'))?;
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let default_port = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let authority = uri.authority()?;
        let host = authority.host();
        let port = match authority.as_str().strip_prefix(host)? {
            "" => default_port,
            port => port.strip_prefix(':')?.parse().ok().filter(|it| *it != 0)?,
        };
        if host.is_empty() || uri.query().is_some() {
            return None;
        }
        Some(Self { scheme, host: host.to_owned(), port, path: uri.path().to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, &str, u16, &str)>) {
        let found = Proxy::parse(text);
        let found = found.as_ref().map(|it| (&*it.scheme, &*it.host, it.port, &*it.path));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn parse_of_absolute_uris() {
        check("https://example.com/openapi.json", Some(("https", "example.com", 443, "/openapi.json")));
        check("HTTP://example.com", Some(("http", "example.com", 80, "/")));
        check("https://example.com:8443/a/b/", Some(("https", "example.com", 8443, "/a/b/")));
        check("http://[::1]:3000", Some(("http", "[::1]", 3000, "/")));
    }

    #[test]
    fn parse_of_anything_else_is_none() {
        for text in [
            "",
            "example.com",
            "/path",
            "ftp://example.com",
            "http://",
            "http://user@example.com",
            "http://example.com:0",
            "http://example.com:65536",
            "http://example.com:port",
            "http://example.com:/",
            "http://example.com/?a=b",
            "http://example.com/#top",
        ] {
            check(text, None);
        }
    }
}

//! Bounds of a request's head and of the names in its body, so that nothing behind them sees more than a request can need. Pure.

use http::{HeaderMap, header};

use crate::config::AppConfig;
use crate::error::ApiRequestError;

/// Names of columns or arguments that are told apart in a body. More than a relation has columns (1600) or a function
/// parameters, so that those beyond it change nothing: there is one already that does not exist.
pub(super) const MAX_NAMES: usize = 1664;

/// Refuses a head with more header lines, bytes or cookies than are allowed.
pub(crate) fn check(conf: &AppConfig, headers: &HeaderMap) -> Result<(), ApiRequestError> {
    let refuse = |what, setting, limit| Err(ApiRequestError::HeadTooLarge { what, setting, limit });
    if headers.len() > conf.pgapp_max_headers {
        return refuse("header lines", "pgapp-max-headers", conf.pgapp_max_headers);
    }
    let n_bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if n_bytes > conf.pgapp_max_header_bytes {
        return refuse("bytes of headers", "pgapp-max-header-bytes", conf.pgapp_max_header_bytes);
    }
    if n_cookies(headers) > conf.pgapp_max_cookies {
        return refuse("cookies", "pgapp-max-cookies", conf.pgapp_max_cookies);
    }
    Ok(())
}

fn n_cookies(headers: &HeaderMap) -> usize {
    let lines = headers.get_all(header::COOKIE).iter();
    lines.map(|it| memchr::memchr_iter(b';', it.as_bytes()).count() + 1).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn conf() -> AppConfig {
        AppConfig {
            pgapp_max_headers: 3,
            pgapp_max_header_bytes: 100,
            pgapp_max_cookies: 4,
            ..AppConfig::default()
        }
    }

    fn setting(headers: &HeaderMap) -> Option<&'static str> {
        match check(&conf(), headers) {
            Ok(()) => None,
            Err(ApiRequestError::HeadTooLarge { setting, .. }) => Some(setting),
            Err(other) => panic!("another error: {other:?}"),
        }
    }

    fn headers(lines: &[(&'static str, String)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn each_bound_holds_and_what_just_fits_passes() {
        assert_eq!(setting(&HeaderMap::new()), None);
        assert_eq!(setting(&headers(&[("a", "x".repeat(99))])), None);
        assert_eq!(setting(&headers(&[("a", "x".repeat(100))])), Some("pgapp-max-header-bytes"));
        let lines = |n| headers(&vec![("a", "x".to_owned()); n]);
        assert_eq!(setting(&lines(3)), None);
        assert_eq!(setting(&lines(4)), Some("pgapp-max-headers"));
        assert_eq!(setting(&headers(&[("cookie", "a=1;b=2;c=3;d=4".to_owned())])), None);
        assert_eq!(setting(&headers(&[("cookie", ";;;;".to_owned())])), Some("pgapp-max-cookies"));
        // HTTP/2 clients may send each on a separate line.
        let crumbs = headers(&[("cookie", "a=1;b=2".to_owned()), ("cookie", "c=3;d=4;e=5".to_owned())]);
        assert_eq!(setting(&crumbs), Some("pgapp-max-cookies"));
    }
}

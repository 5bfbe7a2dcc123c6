//! Content codings (RFC 9110, section 8.4): gzip, Brotli and Zstandard, of requests and of responses.

mod accept;
mod decoder;
mod encoder;

use http::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};

use crate::error::ApiRequestError;

pub(crate) use accept::accepted;
pub(crate) use decoder::decoder;
pub(crate) use encoder::{Encoder, encoded};

/// A coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// `gzip` (RFC 1952).
    Gzip,
    /// `br` (RFC 7932).
    Brotli,
    /// `zstd` (RFC 8878).
    Zstd,
}

impl Coding {
    /// Those there are, the preferred ones first: `docs/performance.md` has the measurements.
    pub(crate) const ALL: [Self; 3] = [Self::Zstd, Self::Brotli, Self::Gzip];

    /// Its name in headers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// The coding of this name. `x-gzip` is an old name of `gzip`.
    fn of_name(name: &str) -> Option<Self> {
        let name = if name.eq_ignore_ascii_case("x-gzip") { "gzip" } else { name };
        Self::ALL.into_iter().find(|it| it.name().eq_ignore_ascii_case(name))
    }

    /// The coding of a request's body; `None` where it has none.
    ///
    /// # Errors
    ///
    /// One that is not supported, or several of them.
    pub(crate) fn of_request(headers: &HeaderMap) -> Result<Option<Self>, ApiRequestError> {
        let values = headers.get_all(CONTENT_ENCODING).iter().map(HeaderValue::as_bytes);
        let names = values
            .flat_map(|it| it.split(|byte| *byte == b','))
            .map(|it| String::from_utf8_lossy(it.trim_ascii()).into_owned())
            .filter(|it| !it.is_empty() && !it.eq_ignore_ascii_case("identity"))
            .collect::<Vec<_>>();
        match &*names {
            [] => Ok(None),
            [name] => match Self::of_name(name) {
                Some(coding) => Ok(Some(coding)),
                None => Err(ApiRequestError::UnsupportedCoding(names.concat())),
            },
            _ => Err(ApiRequestError::UnsupportedCoding(names.join(", "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_request(values: &[&'static str]) -> Result<Option<Coding>, ApiRequestError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_ENCODING, HeaderValue::from_static(value));
        }
        Coding::of_request(&headers)
    }

    #[test]
    fn a_request_has_one_known_coding_or_none() {
        for none in [&[][..], &["identity"], &[""], &["identity, ", "identity"]] {
            assert_eq!(of_request(none), Ok(None), "{none:?}");
        }
        for coding in Coding::ALL {
            assert_eq!(of_request(&[coding.name()]), Ok(Some(coding)));
        }
        assert_eq!(of_request(&["X-GZip"]), Ok(Some(Coding::Gzip)));
        assert_eq!(of_request(&["identity, BR"]), Ok(Some(Coding::Brotli)));
        let unsupported = |names: &str| Err(ApiRequestError::UnsupportedCoding(names.to_owned()));
        assert_eq!(of_request(&["deflate"]), unsupported("deflate"));
        assert_eq!(of_request(&["gzip", "br"]), unsupported("gzip, br"));
    }
}

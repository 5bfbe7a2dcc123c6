//! What parsing and planning read of a request.
//!
//! Plans are kept and used again for requests that differ in values only ([`crate::plan_cache`]). So that
//! two requests of one key cannot be planned differently, parsing and planning get an [`Outline`] and nothing
//! else of the request, whether a plan is kept or not; and the key is made of all of the outline. A new thing
//! to read is a new part of the outline, which [`Outline::push_key`] does not compile without.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::HeaderValue;
use http::request::Parts;
use http::{HeaderMap, Method};

use super::latin1;
use super::payload::outline::BodyOutline;
use super::query::shape::Shape;
use super::types::Preferences;
use super::{preferences, query};
use crate::config::AppConfig;
use crate::media_type::MediaType;

macro_rules! headers {
    ($($name:ident = $text:literal),+ $(,)?) => {
        /// A header that parsing and planning read.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Header { $($name),+ }

        impl Header {
            const ALL: &[Self] = &[$(Self::$name),+];

            fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

headers! {
    Accept = "accept",
    AcceptProfile = "accept-profile",
    ContentProfile = "content-profile",
    ContentType = "content-type",
    Prefer = "prefer",
    Range = "range",
}

/// Those headers, and no others.
#[derive(Clone, Copy)]
pub(crate) struct Headers<'a>(&'a HeaderMap);

impl<'a> Headers<'a> {
    /// Those of a request.
    pub(crate) fn of(head: &'a Parts) -> Self {
        Self(&head.headers)
    }

    /// The first value.
    pub(crate) fn get(self, header: Header) -> Option<&'a HeaderValue> {
        self.0.get(header.name())
    }

    /// All values.
    pub(crate) fn all(self, header: Header) -> impl Iterator<Item = &'a HeaderValue> {
        self.0.get_all(header.name()).iter()
    }

    /// `Content-Type`.
    pub(crate) fn content_type(self) -> MediaType {
        match self.get(Header::ContentType).map(HeaderValue::as_bytes) {
            None | Some(b"application/json") => MediaType::ApplicationJson,
            Some(other) => MediaType::parse(&latin1(other)),
        }
    }
}

/// The part of a request that decides how it is planned, with the values that it is planned with.
pub(crate) struct Outline<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    /// The query string, encoded.
    pub(super) query: Cow<'a, [u8]>,
    pub(super) headers: Headers<'a>,
    pub(super) body: BodyOutline,
}

/// A JSON text without the byte order mark that some editors begin it with (RFC 8259, section 8.1).
fn unmarked(text: Bytes) -> Bytes {
    if text.starts_with(b"\xef\xbb\xbf") { text.slice(3..) } else { text }
}

impl<'a> Outline<'a> {
    /// Reads a request.
    pub(crate) fn of(head: &'a Parts, text: Bytes) -> Self {
        let query = head.uri.query().unwrap_or_default().as_bytes();
        let headers = Headers::of(head);
        let body = match head.method {
            Method::POST | Method::PATCH | Method::PUT => {
                // A PUT replaces the whole row, so there is nothing to choose.
                let chosen = head.method != Method::PUT && query::has_value(query, "columns");
                let content_type = headers.content_type();
                let text = if content_type == MediaType::ApplicationJson { unmarked(text) } else { text };
                BodyOutline::read(text, &content_type, chosen)
            }
            // Others are not read.
            _ => BodyOutline::none(),
        };
        Self { method: &head.method, path: head.uri.path(), query: query.into(), headers, body }
    }

    /// The text of the body.
    pub(crate) fn body_text(&self) -> Bytes {
        self.body.text.clone()
    }

    /// Reads `Prefer`.
    pub(crate) fn preferences(&self, conf: &AppConfig) -> Preferences {
        preferences::from_values(conf, self.headers.all(Header::Prefer))
    }

    /// The query string apart from its values, if this is a request whose plan could serve others.
    pub(crate) fn shape(&self) -> Option<Shape<'_>> {
        let reads = matches!(*self.method, Method::GET | Method::HEAD);
        let fits = *self.method != Method::OPTIONS && self.body.is_told_by_shape();
        fits.then(|| Shape::of(&self.query, reads && self.path.contains("/rpc/")))?
    }

    /// The same request with other values and another body of the same outline.
    pub(crate) fn with_values<'v>(
        &self,
        shape: &Shape<'_>,
        value: impl FnMut(usize) -> Cow<'v, str>,
        body: Bytes,
    ) -> Self {
        Self { query: shape.with_values(value).into(), body: self.body.with_text(body), ..*self }
    }

    /// The body is read as an array rather than an object.
    pub(crate) fn body_is_array(&self) -> bool {
        self.body.is_array()
    }

    /// Appends all that tells this request from those that may be planned otherwise; `shape` is that of its
    /// query string.
    pub(crate) fn push_key(&self, shape: &Shape<'_>, key: &mut Vec<u8>) {
        let Self { method, path, query: _, headers, body } = self;
        key.extend_from_slice(method.as_str().as_bytes());
        key.push(b' ');
        key.extend_from_slice(path.as_bytes());
        key.push(b'?');
        shape.push_key(key);
        for header in Header::ALL {
            for value in headers.all(*header) {
                // No header's value holds a line end.
                key.push(b'\n');
                key.extend_from_slice(header.name().as_bytes());
                key.push(b':');
                key.extend_from_slice(value.as_bytes());
            }
        }
        body.push_key(key);
    }
}

//! HTTP → [`ApiRequest`]: what the caller wants, as a value. Pure.
//!
//! Nothing here knows the schema cache: a request that parsed may still make no sense, which is
//! for `plan` to say.

pub mod types;

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::media_type::MediaType;
use crate::schema_cache::identifiers::{FieldName, Schema};
use types::{Action, EmbedPath, Payload, Preferences, QueryParams, Range};

/// A request, parsed.
#[derive(Debug, Clone)]
pub struct ApiRequest {
    /// What to do, and to which object.
    pub action: Action,
    /// Requested windows by embed path, each path once; the empty path is the top level and is always there.
    pub ranges: Vec<(EmbedPath, Range)>,
    /// Requested window of the top level, `limit`, `offset` and `Range` combined.
    pub top_level_range: Range,
    /// Body, for mutations and calls.
    pub payload: Option<Payload>,
    /// `Prefer` headers.
    pub preferences: Preferences,
    /// Query string.
    pub query: QueryParams,
    /// Columns named by `columns=` or, without it, by the body.
    pub columns: BTreeSet<FieldName>,
    /// Request headers, names in lower case, `cookie` left out; for `request.headers`.
    pub headers: Vec<(String, Bytes)>,
    /// Cookies; for `request.cookies`.
    pub cookies: Vec<(String, String)>,
    /// Raw path; for `request.path`.
    pub path: String,
    /// Method; for `request.method`.
    pub method: http::Method,
    /// Schema chosen by profile header or default.
    pub schema: Schema,
    /// The schema came (or could have come) from a profile header, so the response names it.
    pub negotiated_by_profile: bool,
    /// `Accept`, by descending preference.
    pub accept: Vec<MediaType>,
    /// `Content-Type`.
    pub content_type: MediaType,
}

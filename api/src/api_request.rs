//! HTTP → [`ApiRequest`]: what the caller wants, as a value. Pure.
//!
//! Nothing here knows the schema cache: a request that parsed may still make no sense, which is
//! for `plan` to say.

pub mod types;

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;

use crate::media_type::MediaType;
use crate::schema_cache::identifiers::{FieldName, Schema};
use types::{Action, Payload, Preferences, QueryParams, Range};

/// A request, parsed.
#[derive(Debug, Clone)]
pub struct ApiRequest {
    /// What to do, and to which object.
    pub action: Action,
    /// Requested ranges by embed path joined with NUL (`"limit"` is the top level), limit and `Range` combined.
    pub ranges: HashMap<String, Range>,
    /// Requested range of the top level.
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

//! HTTP → [`ApiRequest`]: what the caller wants, as a value. Pure.
//!
//! Nothing here knows the schema cache: a request that parsed may still make no sense, which is
//! for `plan` to say.

mod csv;
pub(crate) mod limits;
pub(crate) mod outline;
pub(crate) mod payload;
pub mod preferences;
pub mod query;
pub(crate) mod query_method;
mod range;
pub(crate) mod records;
mod resource;
pub mod types;
mod unread;

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{HeaderMap, Method, header};

use crate::config::AppConfig;
use crate::error::ApiRequestError;
use crate::media_type::{self, MediaType};
use crate::schema_cache::identifiers::{FieldName, Schema};
use outline::{Header, Headers, Outline};
use types::{Action, DbAction, EmbedPath, InvokeMethod, Payload, Preferences, QueryParams, Range};

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
    pub method: Method,
    /// Schema chosen by profile header or default.
    pub schema: Schema,
    /// The schema came (or could have come) from a profile header, so the response names it.
    pub negotiated_by_profile: bool,
    /// `Accept`, by descending preference.
    pub accept: Vec<MediaType>,
    /// `Content-Type`.
    pub content_type: MediaType,
}

impl ApiRequest {
    /// Translates a request. Nothing here is checked against the database.
    pub fn from_http(
        conf: &AppConfig,
        preferences: Preferences,
        head: &http::request::Parts,
        body: Bytes,
    ) -> Result<Self, ApiRequestError> {
        let request = Self::from_outline(conf, preferences, &Outline::of(head, body))?;
        Ok(Self { headers: forwarded(&head.headers), cookies: cookies(&head.headers), ..request })
    }

    /// The same without what only the database may look at: headers and cookies are left empty.
    pub(crate) fn from_outline(
        conf: &AppConfig,
        preferences: Preferences,
        outline: &Outline<'_>,
    ) -> Result<Self, ApiRequestError> {
        let Outline { method, path, query, headers, body } = outline;
        let (action, schema, negotiated_by_profile) = target(conf, method, path, *headers)?;
        let is_call = matches!(action, Action::Db(DbAction::Routine(_, InvokeMethod::InvRead(_))));
        let unread = conf.pgapp_unread_parameters;
        let parsed = query::parse(query, is_call, unread)?;
        let range = headers.get(Header::Range);
        let (top_level_range, ranges) = range::combine(method, range, parsed.ranges.clone())?;
        let content_type = headers.content_type();
        let asked = unread::Asked {
            action: &action,
            query,
            range,
            preferences: &preferences,
            content_type: &content_type,
        };
        unread::check(conf, &asked)?;
        let query = parsed;
        let dialect = dialect(conf, &content_type, headers.get(Header::ContentType))?;
        let (payload, columns) =
            payload::read(body, &content_type, dialect, query.columns.as_ref(), &action)?;
        let accept = headers.get(Header::Accept).map_or_else(
            || vec![MediaType::Any],
            |value| media_type::parse_accept(&latin1(value.as_bytes())),
        );
        Ok(Self {
            action,
            ranges,
            top_level_range,
            payload,
            preferences,
            query,
            columns,
            headers: Vec::new(),
            cookies: Vec::new(),
            path: (*path).to_owned(),
            method: (*method).clone(),
            schema,
            negotiated_by_profile,
            accept,
            content_type,
        })
    }
}

impl ApiRequest {
    /// What a request is to do and to which object, as far as method, path and profile tell.
    pub(crate) fn action(conf: &AppConfig, head: &http::request::Parts) -> Result<Action, ApiRequestError> {
        target(conf, &head.method, head.uri.path(), Headers::of(head)).map(|(action, ..)| action)
    }

    /// How the body of a request is read record by record, where its type can be.
    pub(crate) fn record_format(
        conf: &AppConfig,
        head: &http::request::Parts,
    ) -> Result<Option<records::Format>, ApiRequestError> {
        let headers = Headers::of(head);
        let content_type = headers.content_type();
        let chosen = || query::has_value(query_method::text(head), "columns");
        Ok(match content_type {
            MediaType::Ndjson | MediaType::Jsonl => Some(records::Format::Lines { chosen: chosen() }),
            MediaType::TextCsv => {
                let dialect = dialect(conf, &content_type, headers.get(Header::ContentType))?;
                Some(records::Format::Csv(dialect))
            }
            _ => None,
        })
    }

    /// A request of the same outline, as far as it matters once that outline is planned: what only a plan looks
    /// at is left out, and what only the database may look at is there. Every request is answered by one of
    /// these, its plan being new or kept, so that neither can tell anything that the other does not.
    pub(crate) fn again(&self, head: &http::request::Parts) -> Self {
        let query = query_method::text(head);
        Self {
            action: self.action.clone(),
            ranges: Vec::new(),
            top_level_range: self.top_level_range,
            payload: None,
            preferences: self.preferences.clone(),
            query: QueryParams {
                canonical: query::pairs::canonical(&query::pairs::split(query)),
                on_conflict: self.query.on_conflict.clone(),
                ..QueryParams::default()
            },
            columns: BTreeSet::new(),
            headers: forwarded(&head.headers),
            cookies: cookies(&head.headers),
            path: head.uri.path().to_owned(),
            method: head.method.clone(),
            schema: self.schema.clone(),
            negotiated_by_profile: self.negotiated_by_profile,
            accept: Vec::new(),
            content_type: self.content_type.clone(),
        }
    }
}

/// What `OPTIONS` would ask for at the path of a request; `None` where no resource can be.
pub(crate) fn info_of(conf: &AppConfig, head: &http::request::Parts) -> Option<Action> {
    target(conf, &Method::OPTIONS, head.uri.path(), Headers::of(head)).map(|(action, ..)| action).ok()
}

/// How a CSV body is to be read.
fn dialect(
    conf: &AppConfig,
    content_type: &MediaType,
    header: Option<&http::HeaderValue>,
) -> Result<csv::Dialect, ApiRequestError> {
    let delimiter = match (content_type, header) {
        (MediaType::TextCsv, Some(value)) => media_type::parameter_of(&latin1(value.as_bytes()), "delimiter"),
        _ => None,
    };
    csv::Dialect::new(delimiter.as_deref(), conf.pgapp_csv_strict).map_err(ApiRequestError::InvalidBody)
}

/// Headers are bytes; types are read as Latin-1, in which every byte is a character.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// Headers that the database may look at.
fn forwarded(headers: &HeaderMap) -> Vec<(String, Bytes)> {
    headers
        .iter()
        .filter(|(name, _)| *name != header::COOKIE)
        .map(|(name, value)| (name.as_str().to_owned(), Bytes::copy_from_slice(value.as_bytes())))
        .collect()
}

/// Cookies, in order. HTTP/2 clients may send them in several lines (RFC 9113, section 8.2.3).
fn cookies(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut cookies = Vec::new();
    for line in headers.get_all(header::COOKIE) {
        cookies.extend(String::from_utf8_lossy(line.as_bytes()).split(';').map(|cookie| {
            let (name, value) = cookie.split_once('=').unwrap_or((cookie, ""));
            (name.trim_start_matches(' ').to_owned(), value.to_owned())
        }));
    }
    cookies
}

/// Action, schema, and whether a profile header could have chosen it.
fn target(
    conf: &AppConfig,
    method: &Method,
    path: &str,
    headers: Headers<'_>,
) -> Result<(Action, Schema, bool), ApiRequestError> {
    let resource = resource::from_path(conf, path)?;
    let (schema, negotiated_by_profile) = resource::schema(conf, headers, method)?;
    let action = resource::action(resource, &schema, method)?;
    Ok((action, schema, negotiated_by_profile))
}

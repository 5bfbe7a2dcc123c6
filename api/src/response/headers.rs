//! Headers of single answers.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::api_request::types::{Mutation, Preferences};
use crate::api_request::{ApiRequest, preferences, query};
use crate::media_type::MediaType;
use crate::plan::{CrudKind, CrudPlan};

/// Characters that stay as they are in a query string.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Characters that stay as they are in a segment of a path (RFC 3986, `pchar`).
const SEGMENT: &AsciiSet = &ENCODED
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// Path of a relation.
fn path(relation: &str) -> String {
    format!("/{}", utf8_percent_encode(relation, SEGMENT))
}

/// Sets a header. A value that HTTP cannot carry (a line break in a relation's name) leaves it out.
pub(super) fn insert(headers: &mut HeaderMap, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(value)) {
        headers.insert(name, value);
    }
}

pub(super) fn content_length(headers: &mut HeaderMap, body: &Bytes) {
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
}

/// `Content-Type`, and the profile that goes with it.
pub(super) fn content_type(headers: &mut HeaderMap, media: &MediaType, req: &ApiRequest) {
    insert(headers, header::CONTENT_TYPE, media.content_type());
    profile(headers, req);
}

/// `Content-Profile`, where the schema was a matter of choice.
pub(super) fn profile(headers: &mut HeaderMap, req: &ApiRequest) {
    if req.negotiated_by_profile {
        insert(headers, HeaderName::from_static("content-profile"), req.schema.clone());
    }
}

/// `Content-Location`: the request, in its canonical form.
pub(super) fn content_location(headers: &mut HeaderMap, plan: &CrudPlan, req: &ApiRequest) {
    // PostgREST's bytes: nothing follows this, and caches compare it.
    let mut location = format!("/{}", plan.qi.name);
    if !req.query.canonical.is_empty() {
        location.push('?');
        location.push_str(&req.query.canonical);
    }
    insert(headers, header::CONTENT_LOCATION, location);
}

/// `Location` of an inserted row, by its primary key: a `GET` of it answers with the row.
pub(super) fn location(headers: &mut HeaderMap, plan: &CrudPlan, key: &[(String, String)]) {
    if key.is_empty() {
        return;
    }
    let mut location = path(&plan.qi.name);
    for (at, (column, value)) in key.iter().enumerate() {
        location.push(if at == 0 { '?' } else { '&' });
        location.extend(utf8_percent_encode(&query::parameter_name(column), ENCODED));
        location.push('=');
        location.extend(utf8_percent_encode(value, ENCODED));
    }
    insert(headers, header::LOCATION, location);
}

/// `Preference-Applied`: the preferences that mean something to this kind of request.
pub(super) fn preference_applied(headers: &mut HeaderMap, plan: &CrudPlan, req: &ApiRequest) {
    let given = &req.preferences;
    let (mutation, upserts) = match &plan.kind {
        CrudKind::Mutate { mutation, pk_cols, .. } => {
            (Some(*mutation), !pk_cols.is_empty() || req.query.on_conflict.is_some())
        }
        CrudKind::Read { .. } | CrudKind::Call { .. } => (None, false),
    };
    let is_call = matches!(plan.kind, CrudKind::Call { .. });
    let applied = Preferences {
        resolution: given.resolution.filter(|_| mutation == Some(Mutation::Create) && upserts),
        representation: given.representation.filter(|_| mutation.is_some()),
        missing: given.missing.filter(|_| matches!(mutation, Some(Mutation::Create | Mutation::Update))),
        max_affected: given
            .max_affected
            .filter(|_| is_call || matches!(mutation, Some(Mutation::Update | Mutation::Delete))),
        invalid: Vec::new(),
        ..given.clone()
    };
    if let Some(value) = preferences::applied(&applied) {
        insert(headers, HeaderName::from_static("preference-applied"), value);
    }
}

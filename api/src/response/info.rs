//! `OPTIONS`: what can be done with a resource.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::PgrstResponse;
use crate::error::Error;
use crate::plan::find_table;
use crate::schema_cache::SchemaCache;
use crate::schema_cache::identifiers::QualifiedIdentifier;
use crate::schema_cache::routine::{Routine, Volatility};

pub(super) fn relation(qi: &QualifiedIdentifier, cache: &SchemaCache) -> Result<PgrstResponse, Error> {
    let table = find_table(qi, cache)?;
    let mut methods = "OPTIONS,GET,HEAD".to_owned();
    for (method, possible) in [
        (",POST", table.insertable),
        (",PUT", table.insertable && table.updatable && !table.pk_cols.is_empty()),
        (",PATCH", table.updatable),
        (",DELETE", table.deletable),
    ] {
        if possible {
            methods.push_str(method);
        }
    }
    Ok(allow(methods))
}

pub(super) fn routine(routine: &Routine) -> PgrstResponse {
    let methods = match routine.volatility {
        Volatility::Volatile => "OPTIONS,POST",
        Volatility::Stable | Volatility::Immutable => "OPTIONS,GET,HEAD,POST",
    };
    allow(methods.to_owned())
}

pub(super) fn schema() -> PgrstResponse {
    allow("OPTIONS,GET,HEAD".to_owned())
}

fn allow(methods: String) -> PgrstResponse {
    let mut headers = HeaderMap::new();
    super::headers::content_length(&mut headers, &Bytes::new());
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    super::headers::insert(&mut headers, header::ALLOW, methods);
    PgrstResponse::new(StatusCode::OK, headers, Bytes::new())
}

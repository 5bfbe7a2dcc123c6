//! `OPTIONS`: what can be done with a resource.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::PgrstResponse;
use crate::api_request::types::Action;
use crate::error::Error;
use crate::plan::find_table;
use crate::schema_cache::SchemaCache;
use crate::schema_cache::identifiers::QualifiedIdentifier;
use crate::schema_cache::routine::{Routine, Volatility};
use crate::schema_cache::table::Table;

pub(super) fn relation(qi: &QualifiedIdentifier, cache: &SchemaCache) -> Result<PgrstResponse, Error> {
    Ok(allow(of_relation(find_table(qi, cache)?)))
}

fn of_relation(table: &Table) -> String {
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
    methods
}

pub(super) fn routine(routine: &Routine) -> PgrstResponse {
    allow(of_routine(routine).to_owned())
}

fn of_routine(routine: &Routine) -> &'static str {
    match routine.volatility {
        Volatility::Volatile => "OPTIONS,POST",
        Volatility::Stable | Volatility::Immutable => "OPTIONS,GET,HEAD,POST",
    }
}

pub(super) fn schema() -> PgrstResponse {
    allow(OF_SCHEMA.to_owned())
}

const OF_SCHEMA: &str = "OPTIONS,GET,HEAD";

/// `Allow` of an answer 405 (RFC 9110 wants one): what can be done with the resource, but for the method that could not.
/// Where the database refused a write, it takes no other write either.
pub(super) fn allowed_instead(
    resource: &Action,
    method: &Method,
    database_refused: bool,
    cache: Option<&SchemaCache>,
) -> String {
    const WRITES: [&str; 4] = ["POST", "PUT", "PATCH", "DELETE"];
    let (methods, is_relation) = match resource {
        Action::RelationInfo(qi) => {
            let table = cache.and_then(|it| it.tables.get(qi));
            let methods = table.map(of_relation);
            (methods.unwrap_or_else(|| format!("{OF_SCHEMA},{}", WRITES.join(","))), true)
        }
        Action::RoutineInfo(qi, _) => {
            let overloads = cache.and_then(|it| it.routines.get(qi)).into_iter().flatten();
            let longest = overloads.map(of_routine).max_by_key(|it| it.len());
            (longest.unwrap_or("OPTIONS,GET,HEAD,POST").to_owned(), false)
        }
        Action::Db(_) | Action::SchemaInfo => (OF_SCHEMA.to_owned(), false),
    };
    let possible =
        |it: &&str| *it != method.as_str() && !(is_relation && database_refused && WRITES.contains(it));
    methods.split(',').filter(possible).collect::<Vec<_>>().join(",")
}

fn allow(methods: String) -> PgrstResponse {
    let mut headers = HeaderMap::new();
    super::headers::content_length(&mut headers, &Bytes::new());
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    super::headers::insert(&mut headers, header::ALLOW, methods);
    PgrstResponse::new(StatusCode::OK, headers, Bytes::new())
}

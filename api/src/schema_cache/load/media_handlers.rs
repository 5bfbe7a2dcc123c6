//! Which handler answers with which media type.

use super::catalog::MediaHandlerRow;
use crate::media_type::MediaType;
use crate::schema_cache::identifiers::{QualifiedIdentifier, RelIdentifier};
use crate::schema_cache::routine::{MediaHandler, MediaHandlerMap};

/// The built-in handlers of every relation, then those of the database, which may replace them.
pub(super) fn resolve(rows: Vec<MediaHandlerRow>) -> MediaHandlerMap {
    let builtin = [
        (MediaType::Any, MediaHandler::BuiltinOvAggJson, MediaType::ApplicationJson),
        (MediaType::ApplicationJson, MediaHandler::BuiltinOvAggJson, MediaType::ApplicationJson),
        (MediaType::TextCsv, MediaHandler::BuiltinOvAggCsv, MediaType::TextCsv),
        (MediaType::GeoJson, MediaHandler::BuiltinOvAggGeoJson, MediaType::GeoJson),
    ];
    let builtin = builtin
        .into_iter()
        .map(|(asked, handler, answered)| ((RelIdentifier::AnyElement, asked), (handler, answered)));
    let custom = rows.into_iter().map(|row| {
        let target = match is_anyelement(&row.target) {
            true => RelIdentifier::AnyElement,
            false => RelIdentifier::Relation(row.target),
        };
        let handler = MediaHandler::CustomFunc(row.handler, target.clone());
        ((target, MediaType::parse(&row.media_type)), (handler, MediaType::parse(&row.resolved)))
    });
    builtin.chain(custom).collect()
}

fn is_anyelement(target: &QualifiedIdentifier) -> bool {
    target.schema == "pg_catalog" && target.name == "anyelement"
}

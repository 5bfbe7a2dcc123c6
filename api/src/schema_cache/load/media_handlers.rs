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
        ((target, media_type(row.media_type)), (handler, media_type(row.resolved)))
    });
    builtin.chain(custom).collect()
}

fn is_anyelement(target: &QualifiedIdentifier) -> bool {
    target.schema == "pg_catalog" && target.name == "anyelement"
}

/// A domain's name as a media type; names have no parameters.
fn media_type(name: String) -> MediaType {
    match name.to_ascii_lowercase().as_str() {
        "*/*" => MediaType::Any,
        "application/json" => MediaType::ApplicationJson,
        "application/geo+json" => MediaType::GeoJson,
        "application/octet-stream" => MediaType::OctetStream,
        "application/openapi+json" => MediaType::OpenApi,
        "application/vnd.pgrst.object" | "application/vnd.pgrst.object+json" => {
            MediaType::VndSingularJson(false)
        }
        "text/csv" => MediaType::TextCsv,
        "text/plain" => MediaType::TextPlain,
        "text/xml" => MediaType::TextXml,
        _ => MediaType::Other(name),
    }
}

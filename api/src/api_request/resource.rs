//! Path, method and profile headers → what is addressed, and what is to be done with it.

use http::Method;

use super::outline::{Header, Headers};
use super::query::pairs;
use super::types::{Action, DbAction, InvokeMethod, Mutation};
use crate::config::{AppConfig, OpenApiMode};
use crate::error::ApiRequestError;
use crate::schema_cache::identifiers::{QualifiedIdentifier, Schema};

/// What a path addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resource {
    /// `/name`.
    Relation(String),
    /// `/rpc/name`, or the root where it is a function.
    Routine(String),
    /// `/`.
    Schema,
}

/// Reads a raw path.
pub(super) fn from_path(conf: &AppConfig, path: &str) -> Result<Resource, ApiRequestError> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() {
        return match (conf.openapi_mode, &conf.db_root_spec) {
            (OpenApiMode::Disabled, _) => Err(ApiRequestError::OpenApiDisabled),
            (_, Some(function)) => Ok(Resource::Routine(function.name.clone())),
            (_, None) => Ok(Resource::Schema),
        };
    }
    let segments: Vec<String> = path
        .split('/')
        .map(|segment| String::from_utf8_lossy(&pairs::decode(segment.as_bytes(), false)).into_owned())
        .collect();
    match segments.as_slice() {
        [relation] => Ok(Resource::Relation(relation.clone())),
        [rpc, function] if rpc == "rpc" => Ok(Resource::Routine(function.clone())),
        _ => Err(ApiRequestError::InvalidResourcePath),
    }
}

/// Chooses the schema: (schema, whether the response names it).
pub(super) fn schema(
    conf: &AppConfig,
    headers: Headers<'_>,
    method: &Method,
) -> Result<(Schema, bool), ApiRequestError> {
    // A profile describes a body: the one sent by a write, the one asked for by a read.
    let writes = matches!(*method, Method::DELETE | Method::PATCH | Method::POST | Method::PUT);
    let profile = headers.get(if writes { Header::ContentProfile } else { Header::AcceptProfile });
    match profile.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()) {
        Some(profile) if conf.db_schemas.contains(&profile) => Ok((profile, true)),
        Some(profile) => Err(ApiRequestError::UnacceptableSchema(profile, conf.db_schemas.clone())),
        None => {
            let default = conf.db_schemas.first().cloned().unwrap_or_default();
            Ok((default, conf.db_schemas.len() != 1))
        }
    }
}

/// Decides what is to be done.
pub(super) fn action(resource: Resource, schema: &str, method: &Method) -> Result<Action, ApiRequestError> {
    let qi = |name: String| QualifiedIdentifier::new(schema, name);
    let action = match (resource, method.as_str()) {
        (Resource::Routine(name), "HEAD") => DbAction::Routine(qi(name), InvokeMethod::InvRead(true)),
        (Resource::Routine(name), "GET") => DbAction::Routine(qi(name), InvokeMethod::InvRead(false)),
        (Resource::Routine(name), "POST") => DbAction::Routine(qi(name), InvokeMethod::Inv),
        (Resource::Routine(name), "OPTIONS") => {
            return Ok(Action::RoutineInfo(qi(name), InvokeMethod::InvRead(true)));
        }
        (Resource::Routine(_), other) => return Err(ApiRequestError::InvalidRpcMethod(other.to_owned())),

        (Resource::Relation(name), "HEAD") => DbAction::RelationRead(qi(name), true),
        (Resource::Relation(name), "GET") => DbAction::RelationRead(qi(name), false),
        (Resource::Relation(name), "POST") => DbAction::RelationMutation(qi(name), Mutation::Create),
        (Resource::Relation(name), "PUT") => DbAction::RelationMutation(qi(name), Mutation::SingleUpsert),
        (Resource::Relation(name), "PATCH") => DbAction::RelationMutation(qi(name), Mutation::Update),
        (Resource::Relation(name), "DELETE") => DbAction::RelationMutation(qi(name), Mutation::Delete),
        (Resource::Relation(name), "OPTIONS") => return Ok(Action::RelationInfo(qi(name))),

        (Resource::Schema, "HEAD") => DbAction::SchemaRead(schema.to_owned(), true),
        (Resource::Schema, "GET") => DbAction::SchemaRead(schema.to_owned(), false),
        (Resource::Schema, "OPTIONS") => return Ok(Action::SchemaInfo),
        (_, other) => return Err(ApiRequestError::UnsupportedMethod(other.to_owned())),
    };
    Ok(Action::Db(action))
}

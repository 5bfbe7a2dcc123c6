//! Content negotiation: which handler makes the body, in which media type.

use crate::api_request::ApiRequest;
use crate::api_request::types::{Action, DbAction, InvokeMethod, PreferRepresentation};
use crate::config::AppConfig;
use crate::error::ApiRequestError;
use crate::media_type::MediaType;
use crate::schema_cache::identifiers::{QualifiedIdentifier, RelIdentifier};
use crate::schema_cache::routine::{MediaHandler, MediaHandlerMap, ResolvedHandler};

/// The first acceptable media type that something answers with.
///
/// `default_select` tells whether the whole row is selected: only then does a handler of the relation fit.
pub(super) fn negotiate(
    conf: &AppConfig,
    req: &ApiRequest,
    relation: &QualifiedIdentifier,
    handlers: &MediaHandlerMap,
    default_select: bool,
) -> Result<ResolvedHandler, ApiRequestError> {
    let offers = Offers {
        handlers,
        relation: default_select.then(|| RelIdentifier::Relation(relation.clone())),
        plans: conf.db_plan_enabled,
    };
    let (handler, media) =
        req.accept.iter().find_map(|media| offers.find(media)).ok_or_else(|| {
            ApiRequestError::MediaType(req.accept.iter().map(ToString::to_string).collect())
        })?;
    let without_body = match &req.action {
        Action::Db(DbAction::RelationMutation(..)) => {
            req.preferences.representation != Some(PreferRepresentation::Full)
        }
        Action::Db(
            DbAction::RelationRead(_, headers_only)
            | DbAction::Routine(_, InvokeMethod::InvRead(headers_only)),
        ) => *headers_only,
        _ => false,
    };
    Ok((if without_body { MediaHandler::NoAgg } else { handler }, media))
}

struct Offers<'a> {
    handlers: &'a MediaHandlerMap,
    relation: Option<RelIdentifier>,
    plans: bool,
}

impl Offers<'_> {
    fn find(&self, media: &MediaType) -> Option<ResolvedHandler> {
        match media {
            MediaType::VndPlan(plan_for, ..) => {
                if !self.plans {
                    return None;
                }
                let handler = match builtin(plan_for) {
                    Some(handler) => handler,
                    None => self.lookup(plan_for).or_else(|| lines(plan_for))?.0,
                };
                Some((handler, media.clone()))
            }
            _ => match builtin(media) {
                Some(handler) => Some((handler, media.clone())),
                None => self.lookup(media).or_else(|| lines(media)),
            },
        }
    }

    fn lookup(&self, media: &MediaType) -> Option<ResolvedHandler> {
        let get = |relation: &RelIdentifier, media: &MediaType| {
            self.handlers.get(&(relation.clone(), media.clone()))
        };
        self.relation
            .as_ref()
            .and_then(|relation| get(relation, &MediaType::Any).or_else(|| get(relation, media)))
            .or_else(|| get(&RelIdentifier::AnyElement, media))
            .cloned()
    }
}

/// A row a line, unless the database has its own handler for that type.
fn lines(media: &MediaType) -> Option<ResolvedHandler> {
    let is_lines = matches!(media, MediaType::Ndjson | MediaType::Jsonl);
    is_lines.then(|| (MediaHandler::BuiltinOvAggLines, media.clone()))
}

/// Vendored media types carry parameters, so no handler of the database can take their place.
fn builtin(media: &MediaType) -> Option<MediaHandler> {
    match media {
        MediaType::VndSingularJson(strip_nulls) => Some(MediaHandler::BuiltinAggSingleJson(*strip_nulls)),
        MediaType::VndArrayJsonStrip => Some(MediaHandler::BuiltinAggArrayJsonStrip),
        _ => None,
    }
}

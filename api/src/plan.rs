//! [`crate::api_request::ApiRequest`] + schema cache → [`ActionPlan`]. Pure.
//!
//! Planning decides everything that depends on the schema: which relation, function and relationship
//! a name means, what type a field has, which handler makes the body. The statement room only
//! writes down what a plan says.

mod aggregate;
mod alias;
mod call;
mod candidates;
mod embed;
mod families;
mod mutate;
mod negotiate;
mod overload;
mod read;
mod related;
mod resolve;
mod returning;
mod suggest;
mod target;
pub mod types;
pub mod verbatim;

use crate::api_request::ApiRequest;
use crate::api_request::types::{Action, DbAction, InvokeMethod, Mutation, PreferHandling};
use crate::config::AppConfig;
use crate::error::{ApiRequestError, Error, SchemaCacheError};
use crate::media_type::MediaType;
use crate::schema_cache::SchemaCache;
use crate::schema_cache::identifiers::{FieldName, QualifiedIdentifier, Schema};
use crate::schema_cache::routine::{MediaHandler, Routine, Volatility};
use crate::schema_cache::table::Table;
use types::{CallPlan, MutatePlan, ReadPlanTree};

/// Name of the CTE that holds what was read, written or returned.
pub(crate) const SOURCE: &str = "pgrst_source";

/// Transaction access mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TxMode {
    /// `READ ONLY`.
    Read,
    /// `READ WRITE`.
    Write,
}

/// What kind of request a [`CrudPlan`] answers.
#[derive(Debug, Clone)]
pub enum CrudKind {
    /// Read a relation.
    Read {
        /// `HEAD`.
        headers_only: bool,
    },
    /// Write a relation.
    Mutate {
        /// The write.
        mutation: Mutation,
        /// Its plan.
        plan: MutatePlan,
        /// Primary key of the target, for `Preference-Applied: resolution`.
        pk_cols: Vec<FieldName>,
    },
    /// Call a function.
    Call {
        /// The function.
        routine: Routine,
        /// Its plan.
        plan: CallPlan,
        /// How it was invoked.
        method: InvokeMethod,
    },
}

/// A plan that reads or writes data.
#[derive(Debug, Clone)]
pub struct CrudPlan {
    /// Target as named in the URL (after schema resolution).
    pub qi: QualifiedIdentifier,
    /// Kind-specific part.
    pub kind: CrudKind,
    /// What to return, as a tree of embeds.
    pub read: ReadPlanTree,
    /// Access mode.
    pub tx_mode: TxMode,
    /// How rows become a body.
    pub handler: MediaHandler,
    /// Negotiated response type.
    pub media: MediaType,
}

/// The root document.
#[derive(Debug, Clone)]
pub struct InspectPlan {
    /// `HEAD`.
    pub headers_only: bool,
    /// Schema described.
    pub schema: Schema,
}

/// A planned request.
#[derive(Debug, Clone)]
pub enum ActionPlan {
    /// Data; as an EXPLAIN plan when [`CrudPlan::media`] is `VndPlan`.
    Crud(Box<CrudPlan>),
    /// The root document.
    Inspect(InspectPlan),
    /// The root, for a browser: a page that reads the root document by itself; the flag is set for `HEAD`.
    Explorer(bool),
    /// `OPTIONS` on a relation: answered from the cache.
    RelationInfo(QualifiedIdentifier),
    /// `OPTIONS` on a function.
    RoutineInfo(Box<Routine>),
    /// `OPTIONS` on the root.
    SchemaInfo,
}

impl ActionPlan {
    /// Access mode of the transaction.
    pub fn tx_mode(&self) -> TxMode {
        match self {
            Self::Crud(plan) => plan.tx_mode,
            _ => TxMode::Read,
        }
    }

    /// Embeds that a filter, order or limit addressed by their relation's name although they have an
    /// alias, as (relation, alias). Only possible with `url-use-legacy-target-names`, and worth a warning:
    /// without it such a request is refused.
    pub fn legacy_target_names(&self) -> Vec<(&str, &str)> {
        let mut found = Vec::new();
        if let Self::Crud(plan) = self {
            collect_legacy_names(&plan.read, &mut found);
        }
        found
    }
}

fn collect_legacy_names<'a>(tree: &'a ReadPlanTree, found: &mut Vec<(&'a str, &'a str)>) {
    if let (true, Some(alias)) = (tree.node.legacy_target_match, &tree.node.rel_alias) {
        found.push((&tree.node.rel_name, alias));
    }
    for child in &tree.children {
        collect_legacy_names(child, found);
    }
}

/// Plans a request.
pub fn action_plan(conf: &AppConfig, req: &ApiRequest, cache: &SchemaCache) -> Result<ActionPlan, Error> {
    match &req.action {
        Action::Db(DbAction::RelationRead(qi, headers_only)) => {
            relation_read(qi, *headers_only, conf, req, cache).map(crud)
        }
        Action::Db(DbAction::RelationMutation(qi, mutation)) => {
            relation_mutation(qi, *mutation, conf, req, cache).map(crud)
        }
        Action::Db(DbAction::Routine(qi, method)) => {
            routine_call(qi, *method, conf, req, cache).map(|(_, plan)| crud(plan))
        }
        Action::Db(DbAction::SchemaRead(schema, headers_only)) => {
            if prefers_html(&req.accept) {
                return Ok(ActionPlan::Explorer(*headers_only));
            }
            inspect(schema, *headers_only, req).map(ActionPlan::Inspect)
        }
        Action::RelationInfo(qi) => Ok(ActionPlan::RelationInfo(qi.clone())),
        Action::RoutineInfo(qi, method) => {
            let (routine, _) = routine_call(qi, *method, conf, req, cache)?;
            Ok(ActionPlan::RoutineInfo(Box::new(routine.clone())))
        }
        Action::SchemaInfo => Ok(ActionPlan::SchemaInfo),
    }
}

fn crud(plan: CrudPlan) -> ActionPlan {
    ActionPlan::Crud(Box::new(plan))
}

fn relation_read(
    qi: &QualifiedIdentifier,
    headers_only: bool,
    conf: &AppConfig,
    req: &ApiRequest,
    cache: &SchemaCache,
) -> Result<CrudPlan, Error> {
    find_table(qi, cache)?;
    let read = read::read_plan(qi, conf, cache, req)?;
    let (handler, media) = negotiate(conf, req, qi, cache, &read)?;
    check_preferences(req)?;
    Ok(CrudPlan {
        qi: qi.clone(),
        kind: CrudKind::Read { headers_only },
        read,
        tx_mode: TxMode::Read,
        handler,
        media,
    })
}

fn relation_mutation(
    qi: &QualifiedIdentifier,
    mutation: Mutation,
    conf: &AppConfig,
    req: &ApiRequest,
    cache: &SchemaCache,
) -> Result<CrudPlan, Error> {
    let table = find_table(qi, cache)?;
    let read = read::read_plan(qi, conf, cache, req)?;
    let plan = mutate::mutate_plan(mutation, qi, table, conf, req, cache, &read)?;
    check_preferences(req)?;
    let (handler, media) = negotiate(conf, req, qi, cache, &read)?;
    Ok(CrudPlan {
        qi: qi.clone(),
        kind: CrudKind::Mutate { mutation, plan, pk_cols: table.pk_cols.clone() },
        read,
        tx_mode: TxMode::Write,
        handler,
        media,
    })
}

fn routine_call<'a>(
    qi: &QualifiedIdentifier,
    method: InvokeMethod,
    conf: &AppConfig,
    req: &ApiRequest,
    cache: &'a SchemaCache,
) -> Result<(&'a Routine, CrudPlan), Error> {
    let names = call::argument_names(method, req);
    let is_post = method == InvokeMethod::Inv;
    let routine = call::find_function(qi, &names, cache, req, is_post)?;
    // Rows of a relation keep its relationships; other results embed nothing, whatever they are called.
    let relation = QualifiedIdentifier::new(
        routine.schema.clone(),
        routine.table_name().unwrap_or(&routine.name).to_owned(),
    );
    let read = read::read_plan(&relation, conf, cache, req)?;
    let plan = call::call_plan(routine, method, req, &names, &read, cache);
    let called = plan.as_called(routine);
    let (handler, media) = negotiate(conf, req, &relation, cache, &read)?;
    check_preferences(req)?;
    let prefers_max_affected =
        req.preferences.max_affected.is_some() && req.preferences.handling == Some(PreferHandling::Strict);
    if prefers_max_affected && called.returns_single() {
        return Err(ApiRequestError::MaxAffectedRpcViolation.into());
    }
    let tx_mode = match (method, routine.volatility) {
        (InvokeMethod::Inv, Volatility::Volatile) => TxMode::Write,
        _ => TxMode::Read,
    };
    let kind = CrudKind::Call { routine: called, plan, method };
    Ok((routine, CrudPlan { qi: qi.clone(), kind, read, tx_mode, handler, media }))
}

/// A browser asks for HTML before anything else; a client that takes anything (`*/*`) gets the document.
fn prefers_html(accept: &[MediaType]) -> bool {
    matches!(accept.first(), Some(MediaType::Other(name)) if name.eq_ignore_ascii_case("text/html"))
}

fn inspect(schema: &str, headers_only: bool, req: &ApiRequest) -> Result<InspectPlan, Error> {
    let acceptable =
        |media: &MediaType| matches!(media, MediaType::OpenApi | MediaType::ApplicationJson | MediaType::Any);
    if !req.accept.iter().any(acceptable) {
        let asked = req.accept.iter().map(ToString::to_string).collect();
        return Err(ApiRequestError::MediaType(asked).into());
    }
    Ok(InspectPlan { headers_only, schema: schema.to_owned() })
}

/// Refuses an action on a relation that is not there, which needs no more of the request to be known.
pub(crate) fn check_target(action: &Action, cache: &SchemaCache) -> Result<(), SchemaCacheError> {
    match action {
        Action::Db(DbAction::RelationRead(qi, _) | DbAction::RelationMutation(qi, _)) => {
            find_table(qi, cache).map(drop)
        }
        // Which function is meant is a matter of the arguments, which are in the body.
        _ => Ok(()),
    }
}

/// A relation of the cache, or the error that suggests similar ones.
pub(crate) fn find_table<'a>(
    qi: &QualifiedIdentifier,
    cache: &'a SchemaCache,
) -> Result<&'a Table, SchemaCacheError> {
    cache.tables.get(qi).ok_or_else(|| SchemaCacheError::TableNotFound {
        schema: qi.schema.clone(),
        name: qi.name.clone(),
        suggestion: suggest::table(cache, qi),
    })
}

fn negotiate(
    conf: &AppConfig,
    req: &ApiRequest,
    relation: &QualifiedIdentifier,
    cache: &SchemaCache,
    read: &ReadPlanTree,
) -> Result<(MediaHandler, MediaType), ApiRequestError> {
    let default_select = read::has_default_select(read);
    negotiate::negotiate(conf, req, relation, &cache.media_handlers, default_select)
}

fn check_preferences(req: &ApiRequest) -> Result<(), ApiRequestError> {
    let invalid = &req.preferences.invalid;
    if !invalid.is_empty() && req.preferences.handling == Some(PreferHandling::Strict) {
        return Err(ApiRequestError::InvalidPreferences(invalid.clone()));
    }
    Ok(())
}

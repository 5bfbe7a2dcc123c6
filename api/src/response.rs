//! [`DbResult`] → HTTP. Pure.

mod body;
pub(crate) mod coded;
pub mod content_range;
pub mod cors;
mod error;
pub(crate) mod etag;
mod explorer;
mod guc;
mod headers;
mod info;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::api_request::types::{InvokeMethod, Mutation, PreferRepresentation, PreferResolution};
use crate::api_request::{self, ApiRequest};
use crate::coding::Coding;
use crate::config::AppConfig;
use crate::error::{DbError, Error};
use crate::execute::stream::Streamed;
use crate::media_type::MediaType;
use crate::openapi;
use crate::plan::{ActionPlan, CrudKind, CrudPlan};
use crate::schema_cache::SchemaCache;
use crate::script::result::{DbResult, ResultSet};
use crate::spool::Spooled;
pub use error::error_response;

/// A response, before the server adds what concerns every response (`Date`, `Server`, CORS, timing).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgrstResponse {
    /// Status.
    pub status: StatusCode,
    /// Reason phrase, where the database chose one; otherwise the status' own.
    pub reason: Option<String>,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, unless it was spooled.
    pub body: Bytes,
    /// A body too large for memory.
    pub spooled: Option<Spooled>,
    /// A body that is sent as it comes.
    pub stream: Option<Streamed>,
    /// The coding that the body is sent in; it is encoded while it is sent.
    pub coding: Option<Coding>,
}

impl PgrstResponse {
    /// A response with the status' own reason phrase.
    pub fn new(status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        Self { status, reason: None, headers, body, spooled: None, stream: None, coding: None }
    }

    /// Leaves the headers alone.
    pub(crate) fn drop_body(&mut self) {
        self.body.clear();
        self.spooled = None;
        self.stream = None;
        self.coding = None;
    }
}

/// Whether `response.status` and `response.headers` are what they must be. A transaction that sets others fails, so
/// an answer never does.
///
/// # Errors
///
/// Says which of them is not.
pub fn check_settings(status: Option<&str>, headers: Option<&[u8]>) -> Result<(), Error> {
    guc::Overrides::read(status, headers).map(drop)
}

/// Answers a planned request with what the database said.
pub fn action_response(
    plan: &ActionPlan,
    result: DbResult,
    req: &ApiRequest,
    conf: &AppConfig,
    cache: &SchemaCache,
) -> Result<PgrstResponse, Error> {
    match (plan, result) {
        (ActionPlan::Crud(plan), DbResult::Crud(rows)) => crud(plan, rows, req, conf),
        (ActionPlan::Crud(plan), DbResult::Plan(explained)) => {
            let mut headers = HeaderMap::new();
            headers::content_length(&mut headers, &explained);
            headers::content_type(&mut headers, &plan.media, req);
            Ok(PgrstResponse::new(StatusCode::OK, headers, explained))
        }
        (ActionPlan::Inspect(plan), DbResult::Inspect(inspection)) => {
            let document = match inspection {
                Some(inspection) if !plan.headers_only => openapi::document(conf, cache, &inspection),
                _ => Bytes::new(),
            };
            let mut headers = HeaderMap::new();
            headers::insert(&mut headers, header::CONTENT_TYPE, MediaType::OpenApi.content_type());
            if !plan.headers_only {
                headers::content_length(&mut headers, &document);
            }
            headers::profile(&mut headers, req);
            Ok(PgrstResponse::new(StatusCode::OK, headers, document))
        }
        (ActionPlan::RelationInfo(qi), _) => info::relation(qi, cache),
        (ActionPlan::RoutineInfo(routine), _) => Ok(info::routine(routine)),
        (ActionPlan::SchemaInfo, _) => Ok(info::schema()),
        (ActionPlan::Explorer(headers_only), _) => Ok(explorer::page(*headers_only)),
        (ActionPlan::Crud(_) | ActionPlan::Inspect(_), _) => {
            Err(DbError::UnexpectedResult("the result does not belong to the plan".to_owned()).into())
        }
    }
}

/// Answers a read whose rows are sent as they come: how many there are is not known yet, nor what the database wants of
/// the response.
pub(crate) fn streamed(plan: &ActionPlan, stream: Streamed, req: &ApiRequest) -> PgrstResponse {
    let mut headers = HeaderMap::new();
    if let ActionPlan::Crud(plan) = plan {
        if let CrudKind::Read { .. } = plan.kind {
            headers::content_location(&mut headers, plan, req);
        }
        headers::content_type(&mut headers, &plan.media, req);
        headers::preference_applied(&mut headers, plan, req);
    }
    // What counted rows would be told of is not told.
    PgrstResponse { stream: Some(stream), ..PgrstResponse::new(StatusCode::OK, headers, Bytes::new()) }
}

/// Adds to an answer 405 what can be done instead, unless somebody has said so already.
pub(crate) fn add_allow(
    response: &mut PgrstResponse,
    conf: &AppConfig,
    head: &http::request::Parts,
    database_refused: bool,
    cache: Option<&SchemaCache>,
) {
    if response.status != StatusCode::METHOD_NOT_ALLOWED || response.headers.contains_key(header::ALLOW) {
        return;
    }
    if let Some(resource) = api_request::info_of(conf, head) {
        let methods = info::allowed_instead(&resource, &head.method, database_refused, cache);
        headers::insert(&mut response.headers, header::ALLOW, methods);
    }
}

fn crud(
    plan: &CrudPlan,
    mut rows: ResultSet,
    req: &ApiRequest,
    conf: &AppConfig,
) -> Result<PgrstResponse, Error> {
    let spooled = rows.spooled.take();
    let overrides = guc::Overrides::read(rows.guc_status.as_deref(), rows.guc_headers.as_deref())?;
    let mut response = match &plan.kind {
        CrudKind::Read { headers_only } => read(plan, *headers_only, rows, req, conf),
        CrudKind::Mutate { mutation: Mutation::Create, .. } => create(plan, rows, req),
        CrudKind::Mutate { mutation: Mutation::Update, .. } => change(plan, rows, req, |rows| (0, rows - 1)),
        CrudKind::Mutate { mutation: Mutation::Delete, .. } => change(plan, rows, req, |_| (1, 0)),
        CrudKind::Mutate { mutation: Mutation::SingleUpsert, .. } => upsert(plan, rows, req),
        CrudKind::Call { routine, method, .. } => {
            let headers_only = *method == InvokeMethod::InvRead(true);
            call(plan, routine.returns_void(), headers_only, rows, req, conf)
        }
    };
    if let Some(spooled) = spooled {
        // Only what is shown is encoded and so may be spooled.
        response.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(spooled.len()));
        response.spooled = Some(spooled);
    }
    Ok(overrides.apply(response))
}

fn read(
    plan: &CrudPlan,
    headers_only: bool,
    rows: ResultSet,
    req: &ApiRequest,
    conf: &AppConfig,
) -> PgrstResponse {
    let window = content_range::Window::of_rows(req.top_level_range, &rows);
    let mut headers = HeaderMap::new();
    headers::insert(&mut headers, header::CONTENT_RANGE, window.header());
    headers::content_location(&mut headers, plan, req);
    let body = body::of_window(&window, headers_only, rows.body, conf);
    if !headers_only {
        headers::content_length(&mut headers, &body);
    }
    headers::content_type(&mut headers, &plan.media, req);
    headers::preference_applied(&mut headers, plan, req);
    PgrstResponse::new(window.status(), headers, body)
}

fn create(plan: &CrudPlan, rows: ResultSet, req: &ApiRequest) -> PgrstResponse {
    let preferences = &req.preferences;
    // Rows are counted for merges only; anything else that succeeds has inserted.
    let merges = preferences.resolution == Some(PreferResolution::MergeDuplicates);
    let inserted = !merges || rows.inserted.is_some_and(|inserted| inserted > 0);
    let status = if inserted { StatusCode::CREATED } else { StatusCode::OK };
    let mut headers = HeaderMap::new();
    let full = preferences.representation == Some(PreferRepresentation::Full);
    let body = if full { rows.body } else { Bytes::new() };
    headers::content_length(&mut headers, &body);
    headers::location(&mut headers, plan, &rows.location);
    headers::insert(
        &mut headers,
        header::CONTENT_RANGE,
        content_range::header(1, 0, counted(req, rows.query_total)),
    );
    headers::preference_applied(&mut headers, plan, req);
    if full {
        headers::content_type(&mut headers, &plan.media, req);
    }
    PgrstResponse::new(status, headers, body)
}

/// Update and delete; `range` says which rows to claim for a number of rows affected.
fn change(
    plan: &CrudPlan,
    rows: ResultSet,
    req: &ApiRequest,
    range: impl Fn(i64) -> (i64, i64),
) -> PgrstResponse {
    let (lower, upper) = range(rows.query_total);
    let mut headers = HeaderMap::new();
    headers::insert(
        &mut headers,
        header::CONTENT_RANGE,
        content_range::header(lower, upper, counted(req, rows.query_total)),
    );
    headers::preference_applied(&mut headers, plan, req);
    represent(plan, StatusCode::OK, headers, rows.body, req)
}

fn upsert(plan: &CrudPlan, rows: ResultSet, req: &ApiRequest) -> PgrstResponse {
    let inserted = rows.inserted.is_some_and(|inserted| inserted > 0);
    let status = if inserted { StatusCode::CREATED } else { StatusCode::OK };
    let mut headers = HeaderMap::new();
    headers::preference_applied(&mut headers, plan, req);
    represent(plan, status, headers, rows.body, req)
}

/// Adds the body where it was asked for; without one there is nothing to say but 204.
fn represent(
    plan: &CrudPlan,
    status: StatusCode,
    mut headers: HeaderMap,
    body: Bytes,
    req: &ApiRequest,
) -> PgrstResponse {
    if req.preferences.representation != Some(PreferRepresentation::Full) {
        return PgrstResponse::new(StatusCode::NO_CONTENT, headers, Bytes::new());
    }
    headers::content_length(&mut headers, &body);
    headers::content_type(&mut headers, &plan.media, req);
    PgrstResponse::new(status, headers, body)
}

fn call(
    plan: &CrudPlan,
    returns_void: bool,
    headers_only: bool,
    rows: ResultSet,
    req: &ApiRequest,
    conf: &AppConfig,
) -> PgrstResponse {
    let window = content_range::Window::of_rows(req.top_level_range, &rows);
    let mut headers = HeaderMap::new();
    headers::insert(&mut headers, header::CONTENT_RANGE, window.header());
    headers::preference_applied(&mut headers, plan, req);
    if returns_void {
        return PgrstResponse::new(StatusCode::NO_CONTENT, headers, Bytes::new());
    }
    let body = body::of_window(&window, headers_only, rows.body, conf);
    if !headers_only {
        headers::content_length(&mut headers, &body);
    }
    headers::content_type(&mut headers, &plan.media, req);
    PgrstResponse::new(window.status(), headers, body)
}

/// The total of a write, where a count was asked for.
fn counted(req: &ApiRequest, rows: i64) -> Option<i64> {
    use crate::api_request::types::PreferCount;
    let asked = matches!(req.preferences.count, Some(PreferCount::Exact | PreferCount::Estimated));
    asked.then_some(rows)
}

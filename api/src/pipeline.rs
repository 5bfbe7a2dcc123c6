//! One request, from start to end: auth → parse → plan → sql → execute → response, each step timed.
//!
//! This is the only place where the rooms meet. It decides their order and nothing else.

mod base_path;
mod body;
pub mod database;
mod foreign;
mod import;
mod plus;
mod precondition;
mod timing;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderName, HeaderValue, VARY, WARNING};
use http::request::Parts;
use hyper::body::Body;

use crate::api_request::outline::Outline;
use crate::api_request::{ApiRequest, limits, query_method};
use crate::auth::{self, AuthResult};
use crate::client::Disconnect;
use crate::coding::Coding;
use crate::config::AppConfig;
use crate::error;
use crate::error::Error;
use crate::observability::Observation;
use crate::plan::{self, ActionPlan};
use crate::plan_cache::{self, PlanCache};
use crate::response::cors::{self, Cors};
use crate::response::{self, PgrstResponse};
use crate::schema_cache::SchemaCache;
use crate::script::request::Job;
use crate::sql;
use crate::sql::types::MainQuery;
use crate::state::AppState;
use crate::state::basis::Basis;
use database::Answer;
use timing::Stopwatch;
use tokio::runtime::{Handle, RuntimeFlavor};

/// A body that takes longer than this was waited for.
const BODY_AT_ONCE: Duration = Duration::from_millis(100);

/// What a request came to.
pub struct Outcome {
    /// The answer.
    pub response: PgrstResponse,
    /// The role it ran as, once known; for the access log.
    pub role: Option<String>,
}

/// Answers a request by the configuration and the schema of `basis`. Errors become responses here and nowhere else.
pub async fn answer<B>(state: &AppState, basis: &Basis, parts: &Parts, body: B) -> Outcome
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut newer: Option<Arc<Basis>> = None;
    let mut role = None;
    let at_root = base_path::at_root(&basis.conf.pgapp_base_path, parts);
    let below = at_root.is_some().then_some(&basis.conf.pgapp_base_path);
    let parts = at_root.as_ref().unwrap_or(parts);
    let mut body = body::Incoming::Unread(body);
    let answered = match as_get(state, basis, parts, &mut body, &mut role).await {
        Ok(get) => {
            let parts = get.as_ref().unwrap_or(parts);
            let answered = run(state, basis, parts, &mut body, &mut role).await;
            if matches!(answered, Err(Error::SchemaCache(_))) && !matches!(body, body::Incoming::Gone) {
                newer = state.newer_schema(basis).await;
            }
            match &newer {
                // Nothing was done yet: the request begins again, under what holds now.
                Some(newer) => run(state, newer, parts, &mut body, &mut role).await,
                None => answered,
            }
        }
        Err(error) => Err(error),
    };
    let basis = newer.as_deref().unwrap_or(basis);
    let mut response = match answered {
        Ok(response) => response,
        Err(error) => {
            let mut response = response::error_response(&error, basis.conf.client_error_verbosity);
            let refused = matches!(error, Error::Db(_));
            let cache = basis.plans.as_ref().map(|it| &**it.cache());
            response::add_allow(&mut response, &basis.conf, parts, refused, cache);
            response
        }
    };
    if let Some(base) = below {
        base_path::lead_back(base, &mut response.headers);
    }
    if basis.conf.pgapp_compression {
        response::coded::apply(&parts.method, &parts.headers, &mut response);
    }
    if basis.conf.pgapp_etag {
        response::etag::not_modified(&parts.headers, &mut response);
    }
    if parts.method == Method::HEAD && basis.conf.pgapp_etag {
        response.headers.remove(CONTENT_LENGTH);
        response.drop_body();
    }
    Outcome { response, role }
}

/// The `GET` that a request stands for, if it is run as one: a `QUERY`, and a `HEAD` whose answer has a tag, which is
/// one of the body.
async fn as_get<B>(
    state: &AppState,
    basis: &Basis,
    parts: &Parts,
    incoming: &mut body::Incoming<B>,
    role: &mut Option<String>,
) -> Result<Option<Parts>, Error>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if parts.method == Method::HEAD && basis.conf.pgapp_etag {
        let mut get = parts.clone();
        get.method = Method::GET;
        return Ok(Some(get));
    }
    if !query_method::is_query(parts) {
        return Ok(None);
    }
    // As for every request, before its body is read.
    limits::check(&basis.conf, &parts.headers)?;
    let auth = auth::authenticate(&basis.verifier, &basis.conf, state.observer(), &parts.headers)?;
    *role = Some(auth.role);
    query_method::check_type(parts)?;
    let reading = reading(state, &basis.conf, parts, true)?;
    let (text, share) = body::read(incoming, reading, || std::future::ready(Ok(()))).await?;
    *incoming = body::Incoming::Read(Bytes::new(), share);
    Ok(Some(query_method::as_get(parts, &text)))
}

/// How a body is to be read.
fn reading<'a>(
    state: &'a AppState,
    conf: &AppConfig,
    parts: &Parts,
    wanted: bool,
) -> Result<body::Reading<'a>, Error> {
    Ok(body::Reading {
        bodies: state.bodies(),
        limit: conf.pgapp_max_body,
        wanted,
        awaited: parts.headers.contains_key(EXPECT),
        coding: if wanted { Coding::of_request(&parts.headers)? } else { None },
    })
}

async fn run<B>(
    state: &AppState,
    basis: &Basis,
    parts: &Parts,
    incoming: &mut body::Incoming<B>,
    role: &mut Option<String>,
) -> Result<PgrstResponse, Error>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut watch = Stopwatch::start();
    let conf = &*basis.conf;
    limits::check(conf, &parts.headers)?;
    let auth = auth::authenticate(&basis.verifier, conf, state.observer(), &parts.headers)?;
    watch.lap("jwt");
    *role = Some(auth.role.clone());

    let Some(plans) = &basis.plans else {
        state.observer().observe(&Observation::SchemaCacheEmpty);
        return Err(Error::NoSchemaCache);
    };
    let cache = &**plans.cache();
    let asked = Instant::now();
    let wanted = matches!(parts.method, Method::POST | Method::PATCH | Method::PUT);
    let reading = reading(state, conf, parts, wanted)?;
    // The share is kept until the request is answered, as the body is.
    let check = || check_target(state, basis, parts, cache);
    let import = import::Kind::of(conf, parts)?;
    let (body, whole, share, records, rest) = match import {
        None => {
            let (body, share) = body::read(incoming, reading, check).await?;
            (body.clone(), Some(body), share, None, None)
        }
        Some(kind) => {
            let import::First { batch, share, whole, rest } =
                import::first(incoming, kind, reading, check).await?;
            let body = kind.body(&batch, whole.as_ref());
            (body, whole, share, Some(batch), rest)
        }
    };
    let planned_as = import.and_then(|it| it.planned_as(parts));
    let parts = planned_as.as_ref().unwrap_or(parts);
    if asked.elapsed() > BODY_AT_ONCE {
        // A token is as good as it is when something is done with it.
        auth::still_holds(conf, &auth)?;
    }
    watch.restart();
    let n_bytes = body.len();
    let form = is_form(parts).then(|| body.clone());
    let understood = || understand(conf, plans, parts, body, &auth, &mut watch);
    let (request, planned, query) = match beside_others(n_bytes, understood) {
        Ok(understood) => understood,
        Err(error) => {
            // What came of a body that is not there yet is gone: its rest cannot be read twice.
            if let Some(whole) = whole {
                *incoming = body::Incoming::Read(whole, share);
            } else if let Some(rest) = rest {
                rest.drain();
            }
            return Err(error);
        }
    };
    drop(whole);
    let plan = planned.plan();
    // Where there is no edge that tells, the client stays.
    let disconnect = parts.extensions.get::<Disconnect>().cloned().unwrap_or_default();
    let pool = state.pool();
    let job = Job::of(&query, plan, &request, &auth.role, conf, cache);
    let conditional = match precondition::target(parts) {
        Some(get) => Some(understand(conf, plans, &get, Bytes::new(), &auth, &mut watch)?),
        None => None,
    };
    let mut result = match (&conditional, job, records, rest) {
        (Some((request, planned, get)), Some(job), ..) => {
            let reading = precondition::Reading { query: get, plan: planned.plan(), request };
            let (headers, of_write, basis) = (&parts.headers, (&query, &job), (conf, cache));
            let written = precondition::write(pool, &disconnect, headers, reading, of_write, basis).await;
            written.map(Answer::Whole)
        }
        (_, Some(job), Some(records), Some(rest)) => {
            import::write(pool, &disconnect, &query, &job, records, rest).await.map(Answer::Whole)
        }
        (_, job, records, _) => {
            let answer =
                database::answer(&disconnect, pool, &query, plan, &request, &auth, conf, cache).await;
            match (answer, job, records) {
                (Err(Error::Db(error)), Some(job), Some(records)) => {
                    Err(import::located(error, pool, &query, &job, &records).await.into())
                }
                (answer, ..) => answer,
            }
        }
    };
    if let Err(Error::Db(error)) = &mut result {
        let texts = [query_method::text(parts), form.as_deref().unwrap_or_default()];
        plus::hint(error, texts.into_iter());
        if let ActionPlan::Crud(plan) = plan
            && cache.tables.get(&plan.qi).is_some_and(|it| it.is_foreign)
        {
            foreign::hint(error);
        }
    }
    if let Err(error) = &result {
        if let Error::Db(error) = error {
            state.note_database_error(error);
        }
        if conf.log_query {
            state.observer().observe(&Observation::Query(&query.texts(), error::http::status(error)));
        }
    }
    let result = result?;
    watch.lap("transaction");

    let response = match result {
        Answer::Whole(result) => response::action_response(plan, result, &request, conf, cache),
        Answer::Stream(stream) => Ok(response::streamed(plan, stream, &request)),
    };
    if conf.log_query {
        let status = match &response {
            Ok(response) => response.status,
            Err(error) => error::http::status(error),
        };
        state.observer().observe(&Observation::Query(&query.texts(), status));
    }
    let mut response = response?;
    if conf.pgapp_etag && response::etag::has_tag(plan, &parts.method) {
        // A file that cannot be read has no tag; that it cannot be sent either is told then.
        let _ = response::etag::tag(&mut response).await;
    }
    watch.lap("response");

    if conf.server_timing_enabled {
        response.headers.append(HeaderName::from_static("server-timing"), watch.header());
    }
    if conf.url_use_legacy_target_names {
        warn_of_legacy_names(state, parts, plan, &mut response);
    }
    if !response.headers.contains_key(VARY) {
        response.headers.insert(VARY, HeaderValue::from_static("Accept, Prefer, Range"));
    }
    Ok(response)
}

/// Looks a request's target up before its body is read; what is not there may only not be known yet.
async fn check_target(
    state: &AppState,
    basis: &Basis,
    parts: &Parts,
    cache: &SchemaCache,
) -> Result<(), Error> {
    let action = ApiRequest::action(&basis.conf, parts)?;
    let Err(error) = plan::check_target(&action, cache) else { return Ok(()) };
    match state.newer_schema(basis).await.as_ref().and_then(|it| it.plans.as_ref()) {
        Some(newer) => Ok(plan::check_target(&action, newer.cache())?),
        None => Err(error.into()),
    }
}

/// Bodies from this length on take long enough to be understood for others to notice.
const LONG: usize = 256 * 1024;

/// Runs work over so many bytes of a body. Much of it is done where others of this thread need not wait for it.
fn beside_others<T>(n_bytes: usize, work: impl FnOnce() -> T) -> T {
    let runtime = Handle::try_current().map(|it| it.runtime_flavor());
    match runtime {
        Ok(RuntimeFlavor::MultiThread) if n_bytes >= LONG => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// What a request asks for, as statements.
fn understand(
    conf: &AppConfig,
    plans: &PlanCache,
    parts: &Parts,
    body: Bytes,
    auth: &AuthResult,
    watch: &mut Stopwatch,
) -> Result<(ApiRequest, Planned, Arc<MainQuery>), Error> {
    let outline = Outline::of(parts, body);
    if let Some(replay) = plans.replay_outline(parts, &outline) {
        watch.lap("parse");
        let planned = Planned::Again(replay.planned);
        let tx_vars = sql::settings(planned.plan(), conf, &replay.request, auth);
        let mut query = MainQuery { tx_vars, ..replay.query };
        query.prefer_values();
        watch.lap("plan");
        return Ok((replay.request, planned, Arc::new(query)));
    }
    let given = ApiRequest::from_outline(conf, outline.preferences(conf), &outline)?;
    watch.lap("parse");
    let planned = Planned::First(plan::action_plan(conf, &given, plans.cache())?);
    watch.lap("plan");
    let queries = sql::queries(planned.plan(), conf, &given);
    let request = given.again(parts);
    let tx_vars = sql::settings(planned.plan(), conf, &request, auth);
    let mut query = MainQuery { tx_vars, ..queries };
    query.prefer_values();
    Ok((request, planned, Arc::new(query)))
}

/// The body is a form, in which a plus stands for a space as it does in the query string.
fn is_form(parts: &Parts) -> bool {
    let content_type = parts.headers.get(CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
    content_type.starts_with(b"application/x-www-form-urlencoded")
}

/// A plan, made for this request or for an earlier one of its shape.
enum Planned {
    First(ActionPlan),
    Again(Arc<plan_cache::Planned>),
}

impl Planned {
    fn plan(&self) -> &ActionPlan {
        match self {
            Self::First(plan) => plan,
            Self::Again(planned) => &planned.plan,
        }
    }
}

/// Tells the client and the log of embeds addressed by their target's name instead of their alias.
fn warn_of_legacy_names(state: &AppState, parts: &Parts, plan: &ActionPlan, response: &mut PgrstResponse) {
    const MESSAGE: &str = "Embedded resource was referenced by relation name even though it has an alias. This is deprecated and will stop working in a future release.";
    let names = plan.legacy_target_names();
    if names.is_empty() {
        return;
    }
    let hint =
        names.iter().map(|(name, alias)| format!("`{name}` to `{alias}`")).collect::<Vec<_>>().join(", ");
    let target = parts.uri.path_and_query().map_or("/", |it| it.as_str());
    state.observer().observe(&Observation::LegacyTargetName {
        message: MESSAGE,
        hint: &hint,
        method: &parts.method,
        target,
    });
    let text = format!(
        "299 PostgRESTv{} \"{MESSAGE} Update {hint} in query string filters, orders or limits.\"",
        crate::version::POSTGREST
    );
    // Names may hold what a header may not; the log has told it then.
    if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
        response.headers.append(WARNING, value);
    }
}

/// The answer to a request that made us fail in a way that cannot happen.
pub(crate) fn internal_error() -> PgrstResponse {
    let status = http::StatusCode::INTERNAL_SERVER_ERROR;
    PgrstResponse::new(status, http::HeaderMap::new(), Bytes::new())
}

/// The answer to a CORS preflight, which no other room is asked about.
pub(crate) fn preflight(conf: &AppConfig, parts: &Parts) -> Option<PgrstResponse> {
    match cors::headers(conf, &parts.method, &parts.headers) {
        Cors::Preflight(headers) => Some(PgrstResponse::new(http::StatusCode::OK, headers, Bytes::new())),
        Cors::None | Cors::Actual(_) => None,
    }
}

/// Adds what every answer carries, whatever it says: CORS and the trace header.
pub(crate) fn finish(conf: &AppConfig, parts: &Parts, response: &mut PgrstResponse) {
    if let Cors::Actual(headers) = cors::headers(conf, &parts.method, &parts.headers) {
        response.headers.extend(headers);
    }
    if !conf.server_cors_allowed_origins.is_empty() {
        // Who asks decides what the answer allows, also where it allows nothing.
        response.headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    if let Some(name) = conf.server_trace_header.as_ref().map(|it| &it.name) {
        let value = parts.headers.get(name).cloned().unwrap_or_else(|| HeaderValue::from_static(""));
        response.headers.insert(name.clone(), value);
    }
}

//! Statements → [`DbResult`]. The only room that uses a connection on the request path.
//!
//! [`script`] says what to run and what the rows mean (pure), [`session`] runs it on one connection,
//! [`pool`] lends connections.

mod aws;
mod body;
mod connect;
pub mod conninfo;
mod credentials;
mod iam;
mod json;
mod lane;
mod pace;
pub mod pool;
mod pulse;
mod rows;
mod script;
mod session;
mod shapes;
mod single;
mod statements;
mod tls;
mod watch;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use indexmap::IndexMap;

use crate::api_request::ApiRequest;
use crate::auth::AuthResult;
use crate::client::Disconnect;
use crate::config::{AppConfig, OpenApiMode};
use crate::error::{ApiRequestError, Cause, DbError, Error};
use crate::plan::ActionPlan;
use crate::schema_cache::SchemaCache;
use crate::schema_cache::identifiers::QualifiedIdentifier;
use crate::schema_cache::inspection::decode_routines;
use crate::schema_cache::leavings::Leavings;
use crate::schema_cache::routine::Routine;
use crate::schema_cache::table::Table;
use crate::spool::{IN_MEMORY, Spooled};
use crate::sql::ending;
use crate::sql::types::MainQuery;

pub use aws::{InvalidSource, ProcessCredentials};
pub use connect::cold::{Notification, Notifications};
pub use connect::{Connector, connect_cold, connect_listener};
pub use credentials::{CredentialSource, TokenFuture, TokenSource};
pub use iam::{IamTokens, region_of};
pub use lane::Sharing;
use lane::{Reply, Rider};
pub use pool::{Pool, PoolMetrics};
use rows::Rows;
use script::{End, Script};
pub use single::Single;
use tokio::sync::oneshot;

/// The one row of a main query.
#[derive(Debug, Clone, Default)]
pub struct ResultSet {
    /// Rows of the whole relation, when counted.
    pub table_total: Option<i64>,
    /// Rows of this answer.
    pub query_total: i64,
    /// `Location` parts of an insert: (column, `eq.value`).
    pub location: Vec<(String, String)>,
    /// Body, unless it was spooled.
    pub body: Bytes,
    /// A body too large for memory.
    pub spooled: Option<Spooled>,
    /// `response.headers`.
    pub guc_headers: Option<Bytes>,
    /// `response.status`.
    pub guc_status: Option<String>,
    /// Rows inserted (as opposed to updated) by an upsert.
    pub inserted: Option<i64>,
}

/// What the root document is made of.
#[derive(Debug, Clone, Default)]
pub struct Inspection {
    /// Relations to describe.
    pub tables: IndexMap<QualifiedIdentifier, Table>,
    /// Functions to describe.
    pub routines: IndexMap<QualifiedIdentifier, Vec<Routine>>,
    /// The schema's comment.
    pub schema_comment: Option<String>,
}

/// What the database answered.
#[derive(Debug, Clone)]
pub enum DbResult {
    /// Data.
    Crud(ResultSet),
    /// An EXPLAIN plan.
    Plan(Bytes),
    /// The root document's parts; `None` when `openapi-mode` is `disabled`.
    Inspect(Option<Box<Inspection>>),
    /// Nothing was asked of the database.
    None,
}

/// How long a read may go on after its client has left: a connection is worth more than what a quick one costs.
const LINGER: Duration = Duration::from_millis(50);

/// Runs a request's statements in one transaction, for a client that waits until they have run.
pub async fn run(
    pool: &Pool,
    query: &Arc<MainQuery>,
    plan: &ActionPlan,
    req: &ApiRequest,
    auth: &AuthResult,
    conf: &AppConfig,
    cache: &SchemaCache,
) -> Result<DbResult, Error> {
    run_for(&Disconnect::default(), pool, query, plan, req, auth, conf, cache).await
}

/// Runs a request's statements in one transaction.
///
/// Errors of the database, and those that only its rows can tell, leave nothing behind. Where the client leaves before
/// there is a connection, nothing is run; a read that runs is stopped, and a write runs to its end.
pub async fn run_for(
    disconnect: &Disconnect,
    pool: &Pool,
    query: &Arc<MainQuery>,
    plan: &ActionPlan,
    req: &ApiRequest,
    auth: &AuthResult,
    conf: &AppConfig,
    cache: &SchemaCache,
) -> Result<DbResult, Error> {
    if !matches!(plan, ActionPlan::Crud(_) | ActionPlan::Inspect(_)) {
        return Ok(DbResult::None);
    }
    let (script, layout) = script::script(query, plan, req, &auth.role, conf, cache.leavings);
    let interpret = |results: &[Rows]| match plan {
        ActionPlan::Crud(crud) => {
            let main = layout
                .main
                .and_then(|it| results.get(it))
                .ok_or_else(|| DbError::UnexpectedResult("the main statement was not run".into()))?;
            let explain = layout.explain.and_then(|it| results.get(it));
            script::interpret(crud, req, conf, main, query.rows.as_ref(), explain)
        }
        ActionPlan::Inspect(inspect) => {
            let results = layout.openapi.and_then(|it| results.get(it..));
            inspection(&inspect.schema, results, conf, cache).map_err(Into::into)
        }
        _ => Ok(DbResult::None),
    };
    let authenticated = conf.db_anon_role.as_ref() != Some(&auth.role);
    let by_caller = |error| with_caller(error, authenticated);

    let read_only = script.begin.read_only;
    if script::may_share(query, plan, &script)
        && let Some(results) = read(pool, query, cache.leavings, disconnect).await.map_err(by_caller)?
    {
        return put_aside(pool, interpret(&results)?, read_only).await;
    }
    let mut lease = unless_left(disconnect, pool.acquire()).await?;
    let session = lease.session();
    let outcome = async {
        let results = session.run(&script).await.map_err(by_caller)?;
        let result = interpret(&results);
        if script.end == End::Ask {
            session.finish(result.is_ok()).await.map_err(by_caller)?;
        }
        result
    };
    let outcome = match script.begin.read_only {
        true => tokio::select! {
            biased;
            outcome = outcome => outcome,
            () = long_left(disconnect) => Err(DbError::Abandoned.into()),
        },
        false => outcome.await,
    };
    lease.went_well(!matches!(outcome, Err(Error::Db(_))));
    // Whoever reads it may be slow.
    drop(lease);
    put_aside(pool, outcome?, read_only).await
}

/// Keeps a large body that Postgres made as a whole where one that was made here would be kept.
async fn put_aside(pool: &Pool, mut result: DbResult, read_only: bool) -> Result<DbResult, Error> {
    if let DbResult::Crud(set) = &mut result
        && set.body.len() > IN_MEMORY
    {
        match Spooled::of(pool.room(), set.body.clone()).await {
            Ok(spooled) => {
                set.spooled = Some(spooled);
                set.body = Bytes::new();
            }
            Err(reason) if read_only => return Err(DbError::from(reason).into()),
            // What was written is written, and its answer is here.
            Err(_) => {}
        }
    }
    Ok(result)
}

/// What comes of it, unless the client leaves before.
async fn unless_left<T>(
    disconnect: &Disconnect,
    outcome: impl Future<Output = Result<T, DbError>>,
) -> Result<T, DbError> {
    if disconnect.has_happened() {
        return Err(DbError::Abandoned);
    }
    tokio::select! {
        biased;
        outcome = outcome => outcome,
        () = disconnect.happened() => Err(DbError::Abandoned),
    }
}

/// Resolves when the client left a while ago.
async fn long_left(disconnect: &Disconnect) {
    disconnect.happened().await;
    tokio::time::sleep(LINGER).await;
}

/// Runs a read among others, if it is known to be quick. `None` if it is to have a connection for itself.
async fn read(
    pool: &Pool,
    query: &Arc<MainQuery>,
    leavings: Leavings,
    disconnect: &Disconnect,
) -> Result<Option<Vec<Rows>>, DbError> {
    let Some(encodable) = query.rows.as_ref().and_then(|it| pool.quick(it.statement.text())) else {
        return Ok(None);
    };
    let (reply, mut answer) = oneshot::channel();
    let rider = Rider { query: Arc::clone(query), encodable: Arc::clone(&encodable), leavings, reply };
    let mut lease = match pool.board(rider) {
        Ok(()) => return unless_left(disconnect, async { replied(answer.await) }).await,
        Err(_) if !pool.is_exhausted() => unless_left(disconnect, pool.acquire()).await?,
        Err(rider) => {
            let place = pool.lanes().wait(rider);
            let acquired = tokio::select! {
                biased;
                reply = &mut answer => return replied(reply),
                acquired = pool.acquire() => acquired,
                () = disconnect.happened() => return Err(DbError::Abandoned),
            };
            if place.leave().is_none() {
                // A lane took it along at the same moment: the connection is for who waits next.
                drop(acquired);
                return unless_left(disconnect, async { replied(answer.await) }).await;
            }
            acquired?
        }
    };
    if !lease.session().can_be_shared() {
        let script = Script::of_read(query, leavings);
        return tokio::select! {
            biased;
            results = lease.session().run(&script) => results.map(Some),
            () = long_left(disconnect) => Err(DbError::Abandoned),
        };
    }
    lane::lead(pool, lease, query, &encodable, leavings, disconnect).await
}

fn replied(reply: Result<Reply, oneshot::error::RecvError>) -> Result<Option<Vec<Rows>>, DbError> {
    match reply {
        Ok(Reply::Answer(results)) => results.map(Some),
        // Who drove the lane is gone, and tells nothing.
        Ok(Reply::Elsewhere) | Err(_) => Ok(None),
    }
}

/// Says on whose behalf a statement failed: that decides 401 against 403.
fn with_caller(error: DbError, by: bool) -> Error {
    let error = match error {
        DbError::Server { cause: Cause::Response, message, .. } => {
            let refused = match ending::refuses_status(&message) {
                true => ApiRequestError::GucStatus,
                false => ApiRequestError::GucHeaders,
            };
            return refused.into();
        }
        DbError::Server { code, message, detail, hint, cause, .. } => {
            DbError::Server { code, message, detail, hint, authenticated: by, cause }
        }
        other => other,
    };
    error.into()
}

/// The root document's parts: what the role may use, or all of the schema.
fn inspection(
    schema: &str,
    results: Option<&[Rows]>,
    conf: &AppConfig,
    cache: &SchemaCache,
) -> Result<DbResult, DbError> {
    if conf.openapi_mode == OpenApiMode::Disabled {
        return Ok(DbResult::Inspect(None));
    }
    let [accessible, functions, comment] = results.unwrap_or_default() else {
        return Err(DbError::UnexpectedResult("the schema was not inspected".into()));
    };
    let schema_comment = if comment.len() == 0 { None } else { comment.text(0, 0)? };
    let (tables, routines) = if conf.openapi_mode == OpenApiMode::FollowPrivileges {
        let mut tables = IndexMap::with_capacity(accessible.len());
        for row in 0..accessible.len() {
            if let (Some(schema), Some(name)) = (accessible.text(row, 0)?, accessible.text(row, 1)?) {
                // What was created since the cache was loaded is not described.
                let found = cache.tables.get_key_value(&QualifiedIdentifier::new(schema, name));
                tables.extend(found.map(|(qi, table)| (qi.clone(), table.clone())));
            }
        }
        let texts = (0..functions.len())
            .map(|row| functions.text(row, 0)?.ok_or_else(|| unexpected("a function is missing")))
            .collect::<Result<Vec<_>, _>>()?;
        let rows = texts.iter().map(|it| Ok(&**it));
        (tables, decode_routines(rows, &conf.db_hoisted_tx_settings)?)
    } else {
        let tables = cache.tables.iter().filter(|(qi, _)| qi.schema == schema);
        let routines = cache.routines.iter().filter(|(qi, _)| qi.schema == schema);
        (
            tables.map(|(qi, it)| (qi.clone(), it.clone())).collect(),
            routines.map(|(qi, it)| (qi.clone(), it.clone())).collect(),
        )
    };
    let inspection = Inspection { tables, routines, schema_comment };
    Ok(DbResult::Inspect(Some(Box::new(inspection))))
}

fn unexpected(what: &str) -> DbError {
    DbError::UnexpectedResult(what.into())
}

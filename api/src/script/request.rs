//! Planned request → script, and its rows → [`DbResult`].

use std::sync::Arc;

use super::result::{self, DbResult, ResultSet};
use super::rows::Rows;
use super::{Begin, End, Script, Step};
use crate::api_request::ApiRequest;
use crate::api_request::types::{Mutation, PreferTransaction};
use crate::config::AppConfig;
use crate::error::{ApiRequestError, Cause, DbError, Error};
use crate::media_type::MediaType;
use crate::plan::{ActionPlan, CrudKind, CrudPlan, TxMode};
use crate::schema_cache::SchemaCache;
use crate::schema_cache::residue::Residue;
use crate::schema_cache::routine::{IsolationLevel, Volatility};
use crate::sql::ending;
use crate::sql::types::{self, MainQuery};

/// A planned request that asks the database.
pub struct Job<'a> {
    script: Script<'a>,
    layout: Layout,
    query: &'a MainQuery,
    plan: &'a ActionPlan,
    req: &'a ApiRequest,
    conf: &'a AppConfig,
    cache: &'a SchemaCache,
    /// The caller has a role other than the anonymous one.
    authenticated: bool,
}

impl<'a> Job<'a> {
    /// The job of a request; none where the plan needs no database.
    pub fn of(
        query: &'a Arc<MainQuery>,
        plan: &'a ActionPlan,
        req: &'a ApiRequest,
        role: &str,
        conf: &'a AppConfig,
        cache: &'a SchemaCache,
    ) -> Option<Self> {
        if !matches!(plan, ActionPlan::Crud(_) | ActionPlan::Inspect(_)) {
            return None;
        }
        let (script, layout) = script(query, plan, req, role, conf, cache.residue);
        let authenticated = conf.db_anon_role.as_deref() != Some(role);
        Some(Self { script, layout, query, plan, req, conf, cache, authenticated })
    }

    /// What is to be run.
    pub fn script(&self) -> &Script<'a> {
        &self.script
    }

    /// Which of its statements is the main one.
    pub(crate) fn main(&self) -> usize {
        self.layout.main.unwrap_or(self.script.steps.len())
    }

    /// The script with a transaction that sees one state of the database throughout.
    pub(crate) fn script_of_one_state(&self) -> Script<'a> {
        let Script { begin, steps, end, residue, .. } = &self.script;
        let isolation = match begin.isolation {
            IsolationLevel::ReadCommitted => IsolationLevel::RepeatableRead,
            stronger => stronger,
        };
        let begin = Begin { isolation, ..*begin };
        Script { begin, steps: steps.clone(), end: *end, residue: *residue, shareable: None }
    }

    /// What the main statement has answered for a part of the body.
    pub(crate) fn batch(&self, main: &Rows) -> Result<ResultSet, Error> {
        let unexpected = || DbError::UnexpectedResult("a batch is of no table".into());
        let ActionPlan::Crud(crud) = self.plan else { return Err(unexpected().into()) };
        match result::interpret(crud, self.req, self.conf, main, None, None)? {
            DbResult::Crud(set) => Ok(set),
            _ => Err(unexpected().into()),
        }
    }

    /// What its rows are run with, where they may go to the client as they come: of a read that has nothing but
    /// settings and rows, and is not counted otherwise.
    pub(crate) fn stream(&self) -> Option<(Begin, Residue, types::Layout)> {
        let layout = self.query.rows.as_ref()?.form.layout;
        let n_steps = 2 + usize::from(self.query.pre_request.is_some());
        let Script { begin, end, residue, steps, .. } = &self.script;
        let fits = begin.read_only && *end == End::Commit && steps.len() == n_steps;
        (fits && layout != types::Layout::Json).then_some((*begin, (*residue)?, layout))
    }

    /// What the script's rows mean. Errors that only rows can tell are among them.
    pub fn result(&self, results: &[Rows]) -> Result<DbResult, Error> {
        match self.plan {
            ActionPlan::Crud(crud) => {
                let main = self
                    .layout
                    .main
                    .and_then(|it| results.get(it))
                    .ok_or_else(|| DbError::UnexpectedResult("the main statement was not run".into()))?;
                let explain = self.layout.explain.and_then(|it| results.get(it));
                result::interpret(crud, self.req, self.conf, main, self.query.rows.as_ref(), explain)
            }
            ActionPlan::Inspect(inspect) => {
                let results = self.layout.openapi.and_then(|it| results.get(it..));
                result::inspection(&inspect.schema, results, self.conf, self.cache).map_err(Into::into)
            }
            _ => Ok(DbResult::None),
        }
    }

    /// An error of the database as one of this request: on whose behalf a statement failed decides 401 against 403.
    pub fn error(&self, error: DbError) -> Error {
        let error = match error {
            DbError::Server { cause: Cause::Response, message, .. } => {
                let refused = match ending::refuses_status(&message) {
                    true => ApiRequestError::GucStatus,
                    false => ApiRequestError::GucHeaders,
                };
                return refused.into();
            }
            DbError::Server { code, message, detail, hint, cause, .. } => {
                let authenticated = self.authenticated;
                DbError::Server { code, message, detail, hint, authenticated, cause }
            }
            other => other,
        };
        error.into()
    }
}

/// Where each answer is among a script's results.
struct Layout {
    main: Option<usize>,
    explain: Option<usize>,
    openapi: Option<usize>,
}

/// The transaction's modes: a function's isolation level goes before its role's.
fn begin(plan: &ActionPlan, role: &str, conf: &AppConfig) -> Begin {
    let of_role = conf.role_isolation.get(role).copied().unwrap_or(IsolationLevel::ReadCommitted);
    let isolation = match plan {
        ActionPlan::Crud(crud) => match &crud.kind {
            CrudKind::Call { routine, .. } => routine.isolation.unwrap_or(of_role),
            CrudKind::Read { .. } | CrudKind::Mutate { .. } => of_role,
        },
        _ => of_role,
    };
    Begin { isolation, read_only: plan.tx_mode() == TxMode::Read }
}

/// A read that is a transaction of its own without `BEGIN`, and that may be run twice.
fn may_share(query: &MainQuery, plan: &ActionPlan, script: &Script<'_>) -> bool {
    let ActionPlan::Crud(crud) = plan else { return false };
    let repeatable = match &crud.kind {
        CrudKind::Read { .. } => true,
        CrudKind::Call { routine, .. } => routine.volatility != Volatility::Volatile,
        CrudKind::Mutate { .. } => false,
    };
    let plain = Begin { isolation: IsolationLevel::ReadCommitted, read_only: true };
    // Settings and rows: what else there is to do may take long, or have effects.
    repeatable
        && script.begin == plain
        && script.end == End::Commit
        && script.steps.len() == 2
        && query.rows.as_ref().is_some_and(|it| it.form.layout == types::Layout::Json)
}

/// The caller or the configuration wants the transaction undone.
fn wants_rollback(req: &ApiRequest, conf: &AppConfig) -> bool {
    match req.preferences.transaction {
        Some(PreferTransaction::Rollback) => true,
        Some(PreferTransaction::Commit) => false,
        None => conf.db_tx_rollback_all,
    }
}

/// The rows can turn the request into an error, so that what it wrote must be undone.
fn may_fail_on_rows(crud: &CrudPlan, req: &ApiRequest) -> bool {
    let singular = matches!(crud.media, MediaType::VndSingularJson(_));
    let limited = result::max_affected(req).is_some();
    match &crud.kind {
        // Read only: there is nothing to undo.
        CrudKind::Read { .. } => false,
        CrudKind::Mutate { mutation: Mutation::Create, .. } => singular,
        CrudKind::Mutate { mutation: Mutation::SingleUpsert, .. } => true,
        CrudKind::Mutate { mutation: Mutation::Update | Mutation::Delete, .. } | CrudKind::Call { .. } => {
            singular || limited
        }
    }
}

// A body leaves as its type's binary form: raw bytes for `bytea`, the text for text and JSON. That is
// what handlers of custom media types are written for.
const READ_FORMATS: &[i16] = &[0, 0, 1, 0, 0, 0];
const WRITE_FORMATS: &[i16] = &[0, 0, 0, 1, 0, 0, 0];

fn main_formats(plan: &ActionPlan) -> &'static [i16] {
    match plan {
        ActionPlan::Crud(crud) if matches!(crud.media, MediaType::VndPlan(..)) => &[],
        ActionPlan::Crud(crud) => match crud.kind {
            CrudKind::Read { .. } | CrudKind::Call { .. } => READ_FORMATS,
            CrudKind::Mutate { .. } => WRITE_FORMATS,
        },
        _ => &[],
    }
}

/// The script of a request, and where its answers will be.
fn script<'a>(
    query: &'a Arc<MainQuery>,
    plan: &ActionPlan,
    req: &ApiRequest,
    role: &str,
    conf: &AppConfig,
    residue: Residue,
) -> (Script<'a>, Layout) {
    let mut steps = vec![Step::from(&query.tx_vars)];
    steps.extend(query.pre_request.as_ref().map(Step::from));
    let mut layout = Layout { main: None, explain: None, openapi: None };
    let mut end = End::Commit;
    let rows = query.rows.as_ref();
    if let Some(main) = query.main.as_ref().or(rows.map(|it| &it.statement)) {
        layout.main = Some(steps.len());
        steps.push(Step { formats: main_formats(plan), rows, ..main.into() });
        if wants_rollback(req, conf) {
            end = End::Rollback;
            // A rollback would swallow the errors of deferred constraints.
            steps.push(Step::fixed("SET CONSTRAINTS ALL IMMEDIATE"));
        }
        if let Some(explain) = &query.explain {
            layout.explain = Some(steps.len());
            steps.push(explain.into());
        }
        if let ActionPlan::Crud(crud) = plan
            && !matches!(crud.media, MediaType::VndPlan(..))
            && end == End::Commit
            && may_fail_on_rows(crud, req)
        {
            end = End::Ask;
        }
    }
    if let Some(openapi) = &query.openapi {
        layout.openapi = Some(steps.len());
        steps.extend([&openapi.tables, &openapi.functions, &openapi.schema_comment].map(Step::from));
    }
    let begin = begin(plan, role, conf);
    let mut script = Script { begin, steps, end, residue: Some(residue), shareable: None };
    if may_share(query, plan, &script) {
        script.shareable = Some(query);
    }
    (script, layout)
}

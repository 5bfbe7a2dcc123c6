//! Plan → what a session has to run, and rows → [`DbResult`]. Pure.

use crate::api_request::ApiRequest;
use crate::api_request::types::PreferCount;
use crate::api_request::types::{Mutation, PreferHandling, PreferTransaction};
use crate::config::AppConfig;
use crate::error::{ApiRequestError, DbError, Error};
use crate::execute::{DbResult, ResultSet};
use crate::media_type::MediaType;
use crate::plan::{ActionPlan, CrudKind, CrudPlan, TxMode};
use crate::schema_cache::leavings::Leavings;
use crate::schema_cache::routine::{IsolationLevel, Volatility};
use crate::sql::ending;
use crate::sql::types::{MainQuery, Param, RowsQuery, Statement};

use super::body::Encoded;
use super::rows::{Rows, parse_array};

/// Modes of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begin {
    pub(super) isolation: IsolationLevel,
    pub(super) read_only: bool,
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Kept.
    Commit,
    /// Undone, after deferred constraints had their say.
    Rollback,
    /// Kept or undone: the rows decide.
    Ask,
}

/// One statement of a script.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) text: &'a str,
    pub(super) params: &'a [Param],
    /// Formats of the result columns, 1 for binary; empty for text throughout.
    pub(super) formats: &'static [i16],
    /// The rows are to be a body; `text` is that of the query, and one of its other forms may run instead.
    pub(super) rows: Option<&'a RowsQuery>,
}

// A body leaves as its type's binary form: raw bytes for `bytea`, the text for text and JSON. That is
// what handlers of custom media types are written for.
const READ_FORMATS: &[i16] = &[0, 0, 1, 0, 0, 0];
const WRITE_FORMATS: &[i16] = &[0, 0, 0, 1, 0, 0, 0];

impl<'a> Step<'a> {
    /// A statement without parameters.
    pub(super) fn fixed(text: &'static str) -> Self {
        Self { text, params: &[], formats: &[], rows: None }
    }
}

impl<'a> From<&'a Statement> for Step<'a> {
    fn from(statement: &'a Statement) -> Self {
        Self { text: statement.text(), params: &statement.params, formats: &[], rows: None }
    }
}

/// A transaction, as data.
pub(super) struct Script<'a> {
    pub(super) begin: Begin,
    /// Statements in order.
    pub(super) steps: Vec<Step<'a>>,
    pub(super) end: End,
    /// What its functions may leave in the session. Without, nothing is cleared away: no function is called.
    pub(super) leavings: Option<Leavings>,
}

impl<'a> Script<'a> {
    /// The script of a read that has nothing but settings and rows.
    pub(super) fn of_read(query: &'a MainQuery, leavings: Leavings) -> Self {
        let rows = query.rows.as_ref();
        let mut steps = vec![Step::from(&query.tx_vars)];
        steps.extend(rows.map(|it| Step { rows, ..Step::from(&it.statement) }));
        let begin = Begin { isolation: IsolationLevel::ReadCommitted, read_only: true };
        Self { begin, steps, end: End::Commit, leavings: Some(leavings) }
    }
}

/// Where each answer is among a script's results.
pub(super) struct Layout {
    pub(super) main: Option<usize>,
    pub(super) explain: Option<usize>,
    pub(super) openapi: Option<usize>,
}

/// The transaction's modes: a function's isolation level goes before its role's.
pub(super) fn begin(plan: &ActionPlan, role: &str, conf: &AppConfig) -> Begin {
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
pub(super) fn may_share(query: &MainQuery, plan: &ActionPlan, script: &Script<'_>) -> bool {
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
        && query.rows.is_some()
}

/// The caller or the configuration wants the transaction undone.
pub(super) fn wants_rollback(req: &ApiRequest, conf: &AppConfig) -> bool {
    match req.preferences.transaction {
        Some(PreferTransaction::Rollback) => true,
        Some(PreferTransaction::Commit) => false,
        None => conf.db_tx_rollback_all,
    }
}

/// The rows can turn the request into an error, so that what it wrote must be undone.
pub(super) fn may_fail_on_rows(crud: &CrudPlan, req: &ApiRequest) -> bool {
    let singular = matches!(crud.media, MediaType::VndSingularJson(_));
    let limited = max_affected(req).is_some();
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

fn max_affected(req: &ApiRequest) -> Option<i64> {
    let preferences = &req.preferences;
    preferences.max_affected.filter(|_| preferences.handling == Some(PreferHandling::Strict))
}

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
pub(super) fn script<'a>(
    query: &'a MainQuery,
    plan: &ActionPlan,
    req: &ApiRequest,
    role: &str,
    conf: &AppConfig,
    leavings: Leavings,
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
    (Script { begin: begin(plan, role, conf), steps, end, leavings: Some(leavings) }, layout)
}

/// Rows of the main statement → result.
pub(super) fn interpret(
    crud: &CrudPlan,
    req: &ApiRequest,
    conf: &AppConfig,
    main: &Rows,
    rows: Option<&RowsQuery>,
    explain: Option<&Rows>,
) -> Result<DbResult, Error> {
    if matches!(crud.media, MediaType::VndPlan(..)) {
        return Ok(DbResult::Plan(plan_text(main)?.into()));
    }
    let mut set = match (rows, &main.encoded) {
        (Some(query), Some(encoded)) => encoded_set(query, encoded, main)?,
        _ => result_set(&crud.kind, main)?,
    };
    check_rows(crud, req, set.query_total)?;
    if let CrudKind::Read { .. } = crud.kind {
        let explained = explain.map(explained_rows).transpose()?.flatten();
        set.table_total = total(req.preferences.count, set.table_total, explained, conf.db_max_rows);
    }
    Ok(DbResult::Crud(set))
}

/// Every line ends with a newline, as `EXPLAIN` in `psql` would print it.
fn plan_text(rows: &Rows) -> Result<Vec<u8>, DbError> {
    let mut text = Vec::new();
    for row in 0..rows.len() {
        text.extend_from_slice(&rows.value(row, 0)?.unwrap_or_default());
        text.push(b'\n');
    }
    Ok(text)
}

/// A body that was made of rows; `settings` is the row that tells what else there is.
fn encoded_set(query: &RowsQuery, encoded: &Encoded, settings: &Rows) -> Result<ResultSet, DbError> {
    let n_rows = match query.counts_as_one {
        true => 1,
        false => i64::try_from(encoded.n_rows).unwrap_or(i64::MAX),
    };
    Ok(ResultSet {
        table_total: query.page_is_total.then_some(n_rows),
        query_total: n_rows,
        location: Vec::new(),
        body: encoded.body.clone(),
        spooled: encoded.spooled.clone(),
        guc_headers: set(settings.value(0, ending::HEADERS)?),
        guc_status: set(settings.text(0, ending::STATUS)?),
        inserted: if query.upserts { settings.int(0, ending::INSERTED)? } else { Some(0) },
    })
}

/// A setting that has a value: unset ones read as empty once they were set in a session.
fn set<T: AsRef<[u8]>>(value: Option<T>) -> Option<T> {
    value.filter(|it| !it.as_ref().is_empty())
}

fn result_set(kind: &CrudKind, rows: &Rows) -> Result<ResultSet, DbError> {
    if rows.len() == 0 {
        return match kind {
            CrudKind::Read { .. } => Err(DbError::UnexpectedResult("a read returned no row".into())),
            CrudKind::Mutate { .. } => Ok(ResultSet::default()),
            CrudKind::Call { .. } => Ok(ResultSet { table_total: Some(0), ..ResultSet::default() }),
        };
    }
    let mut location = Vec::new();
    let body = match kind {
        CrudKind::Mutate { pk_cols, .. } => {
            let parts = rows.text(0, 2)?.map(|text| parse_array(&text)).transpose()?.unwrap_or_default();
            location.extend(parts.iter().flatten().filter_map(|part| key_filter(pk_cols, part)));
            3
        }
        CrudKind::Read { .. } | CrudKind::Call { .. } => 2,
    };
    Ok(ResultSet {
        table_total: rows.int(0, 0)?,
        query_total: rows.int(0, 1)?.unwrap_or(0),
        location,
        body: rows.value(0, body)?.unwrap_or_default(),
        spooled: None,
        guc_headers: set(rows.value(0, body + 1)?),
        guc_status: set(rows.text(0, body + 2)?),
        inserted: rows.int(0, body + 3)?,
    })
}

/// A column of the key and its filter, of `column=eq.value` or `column=is.null`. The name may hold an equals sign too.
fn key_filter(pk_cols: &[String], part: &str) -> Option<(String, String)> {
    pk_cols
        .iter()
        .filter_map(|column| Some((column, part.strip_prefix(column.as_str())?.strip_prefix('=')?)))
        .filter(|(_, filter)| filter.starts_with("eq.") || *filter == "is.null")
        .max_by_key(|(column, _)| column.len())
        .map(|(column, filter)| (column.as_str(), filter))
        .or_else(|| part.split_once('='))
        .map(|(column, filter)| (column.to_owned(), filter.to_owned()))
}

/// The errors that only the number of rows tells.
fn check_rows(crud: &CrudPlan, req: &ApiRequest, n_rows: i64) -> Result<(), ApiRequestError> {
    let mutation = match &crud.kind {
        CrudKind::Mutate { mutation, .. } => Some(*mutation),
        CrudKind::Read { .. } | CrudKind::Call { .. } => None,
    };
    if mutation == Some(Mutation::SingleUpsert) {
        return if n_rows == 1 { Ok(()) } else { Err(ApiRequestError::PutMatchingPk) };
    }
    if matches!(crud.media, MediaType::VndSingularJson(_)) && n_rows != 1 {
        return Err(ApiRequestError::Singularity(n_rows));
    }
    let limited = matches!(crud.kind, CrudKind::Call { .. })
        || matches!(mutation, Some(Mutation::Update | Mutation::Delete));
    match max_affected(req) {
        Some(max) if limited && n_rows > max => Err(ApiRequestError::MaxAffectedViolation(n_rows)),
        _ => Ok(()),
    }
}

/// `Plan Rows` of an `EXPLAIN (FORMAT JSON)`.
fn explained_rows(rows: &Rows) -> Result<Option<i64>, DbError> {
    let json =
        rows.value(0, 0)?.ok_or_else(|| DbError::UnexpectedResult("EXPLAIN returned nothing".into()))?;
    let json: serde_json::Value = serde_json::from_slice(&json)
        .map_err(|error| DbError::UnexpectedResult(format!("EXPLAIN is not JSON: {error}")))?;
    Ok(json[0]["Plan"]["Plan Rows"].as_i64())
}

/// The count that was asked for: an estimate replaces an exact count only beyond `db-max-rows`.
fn total(
    asked: Option<PreferCount>,
    counted: Option<i64>,
    explained: Option<i64>,
    max_rows: Option<i64>,
) -> Option<i64> {
    match asked {
        Some(PreferCount::Planned) => explained,
        Some(PreferCount::Estimated) if counted > max_rows => Some(counted?.max(explained?)),
        Some(PreferCount::Estimated | PreferCount::Exact) | None => counted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn total_estimated_switches_beyond_max_rows() {
        let estimated = Some(PreferCount::Estimated);
        assert_eq!(total(estimated, Some(5), Some(900), Some(10)), Some(5));
        assert_eq!(total(estimated, Some(11), Some(900), Some(10)), Some(900));
        assert_eq!(total(estimated, Some(11), Some(3), Some(10)), Some(11));
        // Without a limit every count is beyond it.
        assert_eq!(total(estimated, Some(11), Some(900), None), Some(900));
        assert_eq!(total(Some(PreferCount::Planned), None, Some(7), None), Some(7));
        assert_eq!(total(Some(PreferCount::Exact), Some(7), None, None), Some(7));
        assert_eq!(total(None, None, None, Some(1)), None);
    }
}

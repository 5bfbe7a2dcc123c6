//! Rows → [`DbResult`].

use bytes::Bytes;
use indexmap::IndexMap;

use super::rows::{Encoded, Rows, parse_array};
use crate::api_request::ApiRequest;
use crate::api_request::types::{Mutation, PreferCount, PreferHandling};
use crate::config::{AppConfig, OpenApiMode};
use crate::error::{ApiRequestError, DbError, Error};
use crate::media_type::MediaType;
use crate::plan::{CrudKind, CrudPlan};
use crate::schema_cache::SchemaCache;
use crate::schema_cache::identifiers::QualifiedIdentifier;
use crate::schema_cache::inspection::decode_routines;
use crate::schema_cache::routine::Routine;
use crate::schema_cache::table::Table;
use crate::spool::Spooled;
use crate::sql::ending;
use crate::sql::types::RowsQuery;

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

/// The most rows that may be affected, where that is to be enforced.
pub(super) fn max_affected(req: &ApiRequest) -> Option<i64> {
    let preferences = &req.preferences;
    preferences.max_affected.filter(|_| preferences.handling == Some(PreferHandling::Strict))
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

/// The root document's parts: what the role may use, or all of the schema.
pub(super) fn inspection(
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

//! The main statement: what is read, written or called as `pgrst_source`, then what is answered.

use crate::api_request::ApiRequest;
use crate::api_request::types::{Mutation, PreferCount, PreferRepresentation, PreferResolution, Range};
use crate::config::AppConfig;
use crate::media_type::{MediaType, PlanFormat, PlanOption};
use crate::plan::types::{CallPlan, MutatePlan, ReadPlanTree};
use crate::plan::{CrudKind, CrudPlan};
use crate::schema_cache::identifiers::FieldName;
use crate::schema_cache::routine::{MediaHandler, Routine};

use super::answer::{Total, inserted, response_settings, totals};
use super::builder::SqlBuilder;
use super::mutate::Source;
use super::rows::RowsQuery;
use super::statement::Statement;
use super::{body, call, count, mutate, read};

/// What answers a plan: rows of JSON where possible, else one row with the body in it.
pub(super) fn answer(plan: &CrudPlan, conf: &AppConfig, req: &ApiRequest, source: Source) -> Answer {
    let (total, upserts) = match &plan.kind {
        CrudKind::Read { .. } | CrudKind::Call { .. } => (Counting::of(conf, req).total(), false),
        CrudKind::Mutate { mutation, .. } => (Total::Unknown, upserts(*mutation, req)),
    };
    match RowsQuery::of(plan, total, upserts, source) {
        Some(rows) => Answer::Rows(rows),
        None => Answer::Aggregated(statement(plan, conf, req, source)),
    }
}

/// The main statement of a plan.
pub(super) enum Answer {
    /// Its rows are the body.
    Rows(RowsQuery),
    /// Its one row has the body.
    Aggregated(Statement),
}

fn statement(plan: &CrudPlan, conf: &AppConfig, req: &ApiRequest, source: Source) -> Statement {
    let mut sql = SqlBuilder::default();
    if let MediaType::VndPlan(_, format, options) = &plan.media {
        explain(&mut sql, *format, options);
    }
    let counting = Counting::of(conf, req);
    match &plan.kind {
        CrudKind::Read { .. } => main_read(&mut sql, &plan.read, &plan.handler, counting),
        CrudKind::Mutate { mutation, plan: write, .. } => {
            let write = Write { mutation: *mutation, plan: write, source };
            main_mutate(&mut sql, &plan.read, &write, &plan.handler, req);
        }
        CrudKind::Call { routine, plan: invoked, .. } => {
            main_call(&mut sql, &plan.read, routine, invoked, &plan.handler, counting);
        }
    }
    sql.finish()
}

/// The `EXPLAIN` behind planned and estimated counts of a read.
pub(super) fn count_explain(plan: &CrudPlan, req: &ApiRequest) -> Option<Statement> {
    let wanted = matches!(req.preferences.count, Some(PreferCount::Planned | PreferCount::Estimated));
    if !wanted || !matches!(plan.kind, CrudKind::Read { .. }) {
        return None;
    }
    let mut sql = SqlBuilder::default();
    explain(&mut sql, PlanFormat::Json, &[]);
    count::query(&mut sql, &plan.read);
    Some(sql.finish())
}

fn explain(sql: &mut SqlBuilder, format: PlanFormat, options: &[PlanOption]) {
    sql.sql(match format {
        PlanFormat::Json => "EXPLAIN (FORMAT JSON",
        PlanFormat::Text => "EXPLAIN (FORMAT TEXT",
    });
    for option in options {
        sql.sql(match option {
            PlanOption::Analyze => ", ANALYZE",
            PlanOption::Verbose => ", VERBOSE",
            PlanOption::Settings => ", SETTINGS",
            PlanOption::Buffers => ", BUFFERS",
            PlanOption::Wal => ", WAL",
        });
    }
    sql.sql(") ");
}

/// What decides how rows are counted.
#[derive(Clone, Copy)]
struct Counting {
    count: Option<PreferCount>,
    max_rows: Option<i64>,
    range: Range,
}

impl Counting {
    fn of(conf: &AppConfig, req: &ApiRequest) -> Self {
        Self { count: req.preferences.count, max_rows: conf.db_max_rows, range: req.top_level_range }
    }

    fn total(self) -> Total {
        match self.count {
            None | Some(PreferCount::Planned) => Total::Unknown,
            Some(_) if self.max_rows.is_some() || self.range != Range::ALL => Total::Counted,
            Some(_) => Total::Page,
        }
    }
}

fn main_read(sql: &mut SqlBuilder, plan: &ReadPlanTree, handler: &MediaHandler, counting: Counting) {
    sql.sql("WITH pgrst_source AS (");
    read::query(sql, plan);
    sql.sql(")");
    if counting.total() == Total::Counted {
        sql.sql(", pgrst_source_count AS (");
        count::query(sql, plan);
        if let (Some(PreferCount::Estimated), Some(max_rows)) = (counting.count, counting.max_rows) {
            // One more than may be shown is enough to know that the estimate is needed.
            sql.sql(" LIMIT ").bind_int(max_rows.saturating_add(1));
        }
        sql.sql(")");
    }
    columns(sql, counting.total(), handler, None);
    sql.sql(" FROM (SELECT * FROM pgrst_source) _postgrest_t");
}

fn main_call(
    sql: &mut SqlBuilder,
    plan: &ReadPlanTree,
    routine: &Routine,
    invoked: &CallPlan,
    handler: &MediaHandler,
    counting: Counting,
) {
    sql.sql("WITH pgrst_source AS (");
    call::query(sql, invoked);
    sql.sql(")");
    if counting.total() == Total::Counted {
        sql.sql(", pgrst_source_count AS (");
        count::query(sql, plan);
        sql.sql(")");
    }
    columns(sql, counting.total(), handler, Some(routine));
    sql.sql(" FROM (");
    read::query(sql, plan);
    sql.sql(") _postgrest_t");
}

/// The columns of a read's or call's answer, up to its `FROM`.
fn columns(sql: &mut SqlBuilder, total: Total, handler: &MediaHandler, routine: Option<&Routine>) {
    totals(sql, total, routine.is_some_and(Routine::returns_single));
    body::body(sql, handler, routine);
    sql.sql(" AS body, ");
    response_settings(sql);
    inserted(sql, false);
}

/// What is written, and where it comes from.
struct Write<'a> {
    mutation: Mutation,
    plan: &'a MutatePlan,
    source: Source,
}

fn main_mutate(
    sql: &mut SqlBuilder,
    plan: &ReadPlanTree,
    write: &Write<'_>,
    handler: &MediaHandler,
    req: &ApiRequest,
) {
    sql.sql("WITH pgrst_source AS (");
    mutate::query(sql, write.plan, write.source);
    sql.sql(")");
    let located = match write.plan {
        MutatePlan::Insert { pk_cols, .. }
            if req.preferences.representation == Some(PreferRepresentation::HeadersOnly) =>
        {
            &**pk_cols
        }
        _ => &[],
    };
    if write.source == Source::Values && located.is_empty() && *handler == MediaHandler::NoAgg {
        // The same columns with less to do for them.
        sql.sql(
            " SELECT null::bigint, pg_catalog.count(*), array[]::pg_catalog.text[], ''::pg_catalog.text, \
             pg_catalog.current_setting('response.headers', true), \
             pg_catalog.current_setting('response.status', true), '0'::pg_catalog.text FROM pgrst_source",
        );
        return;
    }
    totals(sql, Total::Unknown, false);
    if located.is_empty() {
        sql.sql("array[]::pg_catalog.text[]");
    } else {
        location(sql, located);
    }
    sql.sql(" AS location, ");
    body::body(sql, handler, None);
    sql.sql(" AS body, ");
    response_settings(sql);
    inserted(sql, upserts(write.mutation, req));
    sql.sql(" FROM (");
    if *handler == MediaHandler::NoAgg {
        // Without a body, columns of `select` need not be there.
        sql.sql("SELECT * FROM pgrst_source");
    } else {
        read::query(sql, plan);
    }
    sql.sql(") _postgrest_t");
}

/// The primary key of the one row that was inserted, as filters.
fn location(sql: &mut SqlBuilder, pk_cols: &[(FieldName, bool)]) {
    sql.sql(
        "CASE WHEN pg_catalog.count(_postgrest_t) OPERATOR(pg_catalog.=) 1 THEN coalesce((\
         WITH data AS (SELECT pg_catalog.row_to_json(_) AS row FROM pgrst_source AS _ LIMIT 1) \
         SELECT pg_catalog.array_agg(pg_catalog.concat(json_data.key, '=', \
         coalesce('eq.' OPERATOR(pg_catalog.||) ",
    );
    location_value(sql, pk_cols);
    sql.sql(
        ", 'is.null'))) \
         FROM data CROSS JOIN pg_catalog.json_each_text(data.row) AS json_data \
         WHERE json_data.key OPERATOR(pg_catalog.=) ANY (ARRAY[",
    );
    sql.separated(", ", pk_cols, |sql, (column, _)| {
        sql.literal(column);
    });
    sql.sql("]::pg_catalog.text[])), array[]::pg_catalog.text[]) ELSE array[]::pg_catalog.text[] END");
}

/// The text of a key's value. JSON shows arrays and rows in a form that is not the text that they are
/// read from.
fn location_value(sql: &mut SqlBuilder, pk_cols: &[(FieldName, bool)]) {
    let mut others = pk_cols.iter().filter(|(_, is_plain)| !is_plain).peekable();
    if others.peek().is_none() {
        sql.sql("json_data.value");
        return;
    }
    sql.sql("CASE");
    for (column, _) in others {
        sql.sql(" WHEN json_data.key OPERATOR(pg_catalog.=) ").literal(column);
        sql.sql(
            " AND pg_catalog.json_typeof(data.row OPERATOR(pg_catalog.->) json_data.key) OPERATOR(pg_catalog.=) \
             ANY ('{array,object}'::pg_catalog.text[]) THEN (SELECT _.",
        );
        sql.ident(column).sql("::pg_catalog.text FROM pgrst_source AS _ LIMIT 1)");
    }
    sql.sql(" ELSE json_data.value END");
}

fn upserts(mutation: Mutation, req: &ApiRequest) -> bool {
    match mutation {
        Mutation::SingleUpsert => true,
        Mutation::Create => req.preferences.resolution == Some(PreferResolution::MergeDuplicates),
        Mutation::Update | Mutation::Delete => false,
    }
}

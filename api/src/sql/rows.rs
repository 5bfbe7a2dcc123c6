//! Rows that become JSON outside of the database, and the same rows aggregated by it.
//!
//! `json_agg` costs Postgres twice what printing the rows does, so a JSON body is best made of plain
//! rows. Whether that is possible depends on the types of the result columns, which only the database
//! knows. [`RowsQuery`] therefore is a query with two more forms: [`RowsQuery::aggregated`] is the main
//! statement that leaves everything to the database, and [`RowsQuery::wrapped`] leaves single columns
//! to `to_json`. All three have the same binds.

use std::sync::Arc;

use crate::media_type::MediaType;
use crate::plan::{CrudKind, CrudPlan};
use crate::schema_cache::routine::{MediaHandler, Routine};

use super::answer::{self, Total};
use super::body::{self, Form, Json, Layout};
use super::builder::SqlBuilder;
use super::mutate::{self, Source};
use super::statement::{SqlText, Statement};
use super::{call, read};

/// A query whose rows are the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowsQuery {
    /// The query: what it reads from as `WITH`, where that is not the query itself, then the rows.
    pub statement: Statement,
    /// What becomes of the rows.
    pub form: Form,
    /// Whether the number of rows is the total that was asked for.
    pub page_is_total: bool,
    /// One row is answered, whatever comes.
    pub counts_as_one: bool,
    /// The number of inserted rows is wanted.
    pub upserts: bool,
    /// A mutation; its answer has a column more.
    mutation: bool,
    /// What the other forms are made of.
    parts: Arc<Parts>,
}

/// The parts of a query's text.
#[derive(Debug, PartialEq, Eq)]
struct Parts {
    /// What the rows come from, as `WITH`; empty where that is the query itself.
    with: SqlText,
    rows: SqlText,
}

/// A result column that its type's text does not suffice for.
#[derive(Debug, Clone, Copy)]
pub struct Wrapped<'a> {
    /// Name of the column.
    pub name: &'a str,
    /// To be printed by `to_json`.
    pub to_json: bool,
}

impl RowsQuery {
    /// The rows of a plan, if nothing but JSON is to be made of them.
    pub(super) fn of(plan: &CrudPlan, total: Total, upserts: bool, source: Source) -> Option<Self> {
        let routine: Option<&Routine> = match &plan.kind {
            CrudKind::Call { routine, .. } => Some(routine),
            CrudKind::Read { .. } | CrudKind::Mutate { .. } => None,
        };
        let fits = total != Total::Counted
            && !matches!(plan.media, MediaType::VndPlan(..))
            && !routine.is_some_and(Routine::returns_void);
        let form = match plan.handler {
            MediaHandler::BuiltinOvAggJson => Json::of_result(routine, false).form,
            MediaHandler::BuiltinAggSingleJson(false) => {
                let scalar = routine.is_some_and(Routine::returns_scalar);
                Form { scalar, single: true, layout: Layout::Json }
            }
            MediaHandler::BuiltinOvAggLines => {
                let scalar = Json::of_result(routine, false).form.scalar;
                Form { scalar, single: false, layout: Layout::Lines }
            }
            // The header is that of what is read, which is what is shown of a relation alone.
            MediaHandler::BuiltinOvAggCsv if matches!(plan.kind, CrudKind::Read { .. }) => {
                Form { scalar: false, single: false, layout: Layout::Csv }
            }
            _ => return None,
        };
        if !fits {
            return None;
        }
        let mut sql = SqlBuilder::default();
        with(&mut sql, plan, source);
        let with = sql.take_part();
        read::query(&mut sql, &plan.read);
        let parts = Parts { with, rows: sql.take_part() };
        if !parts.with.is_empty() {
            sql.built(&parts.with).sql(" ");
        }
        sql.built(&parts.rows);
        Some(Self {
            statement: sql.finish(),
            form,
            page_is_total: total == Total::Page,
            counts_as_one: routine.is_some_and(Routine::returns_single),
            upserts,
            mutation: matches!(plan.kind, CrudKind::Mutate { .. }),
            parts: Arc::new(parts),
        })
    }

    /// The main statement: one row with the body in it.
    pub(super) fn as_aggregated(&self) -> Statement {
        Statement::new(self.aggregated(), self.statement.params.clone())
    }

    /// Text of the main statement: one row with the body in it.
    pub fn aggregated(&self) -> SqlText {
        let Parts { with, rows } = &*self.parts;
        let mut sql = SqlBuilder::default();
        let reads = with.is_empty();
        if reads {
            sql.sql("WITH pgrst_source AS (").built(rows).sql(")");
        } else {
            sql.built(with);
        }
        let total = if self.page_is_total { Total::Page } else { Total::Unknown };
        answer::totals(&mut sql, total, self.counts_as_one);
        if self.mutation {
            sql.sql("array[]::pg_catalog.text[] AS location, ");
        }
        match self.form.layout {
            Layout::Json => body::json(&mut sql, &Json { form: self.form, strip_nulls: false }),
            Layout::Lines => body::lines(&mut sql, self.form.scalar),
            Layout::Csv => body::csv(&mut sql),
        }
        sql.sql(" AS body, ");
        answer::response_settings(&mut sql);
        answer::inserted(&mut sql, self.upserts);
        if reads {
            sql.sql(" FROM (SELECT * FROM pgrst_source) _postgrest_t");
        } else {
            sql.sql(" FROM (").built(rows).sql(") _postgrest_t");
        }
        sql.into_text()
    }

    /// Text of the query whose rows can be told from outside whatever their columns are: a row of JSON in one column.
    /// Of CSV, which needs no more than texts, it is the query itself.
    pub fn lines(&self) -> SqlText {
        let Parts { with, rows } = &*self.parts;
        let mut sql = SqlBuilder::default();
        if !with.is_empty() {
            sql.built(with).sql(" ");
        }
        if self.form.layout == Layout::Csv {
            sql.built(rows);
            return sql.into_text();
        }
        sql.sql("SELECT ");
        body::line(&mut sql, self.form.scalar);
        sql.sql("::pg_catalog.json AS line FROM (").built(rows).sql(") _postgrest_t");
        sql.into_text()
    }

    /// Text of the query with some columns as JSON.
    pub fn wrapped<'a>(&self, columns: impl IntoIterator<Item = Wrapped<'a>>) -> SqlText {
        let Parts { with, rows } = &*self.parts;
        let mut sql = SqlBuilder::default();
        if !with.is_empty() {
            sql.built(with).sql(" ");
        }
        sql.sql("SELECT ").separated(", ", columns, |sql, column| {
            if column.to_json {
                sql.sql("pg_catalog.to_json(_postgrest_t.")
                    .ident(column.name)
                    .sql(") AS ")
                    .ident(column.name);
            } else {
                sql.sql("_postgrest_t.").ident(column.name);
            }
        });
        sql.sql(" FROM (").built(rows).sql(") _postgrest_t");
        sql.into_text()
    }
}

/// Appends what a plan's rows come from, as `WITH`. Nothing of a read, whose rows come from the query itself.
fn with(sql: &mut SqlBuilder, plan: &CrudPlan, source: Source) {
    match &plan.kind {
        CrudKind::Read { .. } => {}
        CrudKind::Mutate { plan: write, .. } => {
            sql.sql("WITH pgrst_source AS (");
            mutate::query(sql, write, source);
            sql.sql(")");
        }
        CrudKind::Call { plan: invoked, .. } => {
            sql.sql("WITH pgrst_source AS (");
            call::query(sql, invoked);
            sql.sql(")");
        }
    }
}

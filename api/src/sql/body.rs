//! Aggregation of rows into a body: the outermost layer of the main statement.
//!
//! Nothing beneath this layer knows what becomes of the rows, so that they can as well be encoded
//! outside of the database: `super::rows`.

use crate::schema_cache::identifiers::RelIdentifier;
use crate::schema_cache::routine::{MediaHandler, Routine};

use super::builder::SqlBuilder;

/// Appends the expression that makes the body out of the rows `_postgrest_t`.
pub(super) fn body(sql: &mut SqlBuilder, handler: &MediaHandler, routine: Option<&Routine>) {
    match handler {
        MediaHandler::BuiltinAggSingleJson(strip_nulls) => {
            let scalar = routine.is_some_and(Routine::returns_scalar);
            let form = Form { scalar, single: true, layout: Layout::Json };
            json(sql, &Json { form, strip_nulls: *strip_nulls });
        }
        MediaHandler::BuiltinAggArrayJsonStrip => json(sql, &Json::of_result(routine, true)),
        MediaHandler::BuiltinOvAggJson => json(sql, &Json::of_result(routine, false)),
        MediaHandler::BuiltinOvAggGeoJson => {
            sql.sql(
                "pg_catalog.json_build_object('type', 'FeatureCollection', \
                 'features', coalesce(pg_catalog.json_agg(ST_AsGeoJSON(_postgrest_t)::pg_catalog.json), '[]'))",
            );
        }
        MediaHandler::BuiltinOvAggCsv => csv(sql),
        MediaHandler::BuiltinOvAggLines => lines(sql, Json::of_result(routine, false).form.scalar),
        MediaHandler::CustomFunc(function, target) => {
            sql.qualified(function);
            match target {
                _ if routine.is_some_and(Routine::returns_scalar) => sql.sql("(_postgrest_t.pgrst_scalar)"),
                RelIdentifier::AnyElement => sql.sql("(_postgrest_t)"),
                RelIdentifier::Relation(target) => sql.sql("(_postgrest_t::").qualified(target).sql(")"),
            };
        }
        MediaHandler::NoAgg => {
            sql.sql("''::pg_catalog.text");
        }
    }
}

/// What becomes of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Rows have one column, shown without its name.
    pub scalar: bool,
    /// The first row alone, rather than an array.
    pub single: bool,
    /// What they are put together as.
    pub layout: Layout,
}

/// What rows are put together as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One JSON value.
    Json,
    /// A JSON value a line.
    Lines,
    /// A header, and the text form of a row a line.
    Csv,
}

/// How rows become JSON.
pub(super) struct Json {
    pub(super) form: Form,
    pub(super) strip_nulls: bool,
}

impl Json {
    /// What a result looks like when nothing else is asked for.
    pub(super) fn of_result(routine: Option<&Routine>, strip_nulls: bool) -> Self {
        let single = routine.is_some_and(|it| it.returns_single_composite() || it.returns_scalar());
        let scalar = routine.is_some_and(|it| it.returns_scalar() || it.returns_set_of_scalar());
        Self { form: Form { scalar, single, layout: Layout::Json }, strip_nulls }
    }
}

/// Appends the aggregate.
pub(super) fn json(sql: &mut SqlBuilder, json: &Json) {
    let Json { form, strip_nulls } = json;
    sql.sql("coalesce(");
    sql.sql(if *strip_nulls { "pg_catalog.json_strip_nulls(" } else { "" });
    sql.sql(if form.scalar {
        "pg_catalog.json_agg(_postgrest_t.pgrst_scalar)"
    } else {
        "pg_catalog.json_agg(_postgrest_t)"
    });
    sql.sql(if form.single { " OPERATOR(pg_catalog.->) 0" } else { "" });
    sql.sql(if *strip_nulls { ")" } else { "" });
    sql.sql(if form.single { ", 'null')" } else { ", '[]')" });
}

/// Header from the keys of the first row, lines from the text form of the rows.
pub(super) fn csv(sql: &mut SqlBuilder) {
    sql.sql(
        "pg_catalog.concat((SELECT pg_catalog.string_agg(a.k, ',') FROM (\
         SELECT pg_catalog.json_object_keys(r)::pg_catalog.text AS k FROM (\
         SELECT pg_catalog.row_to_json(hh) AS r FROM pgrst_source AS hh LIMIT 1) s) a), '\n', \
         pg_catalog.string_agg(pg_catalog.substring(_postgrest_t::pg_catalog.text, 2, \
         pg_catalog.length(_postgrest_t::pg_catalog.text) OPERATOR(pg_catalog.-) 2), '\n'))",
    );
}

/// A JSON value a line. What is left of line ends in the text of a value is between its tokens.
pub(super) fn lines(sql: &mut SqlBuilder, scalar: bool) {
    sql.sql("coalesce(pg_catalog.string_agg(");
    line(sql, scalar);
    sql.sql(" OPERATOR(pg_catalog.||) E'\\n', ''), '')");
}

/// Appends the JSON of a row in one line.
pub(super) fn line(sql: &mut SqlBuilder, scalar: bool) {
    sql.sql("pg_catalog.translate(coalesce(pg_catalog.to_json(_postgrest_t");
    sql.sql(if scalar { ".pgrst_scalar" } else { "" });
    sql.sql(")::pg_catalog.text, 'null'), E'\\n\\r', '  ')");
}

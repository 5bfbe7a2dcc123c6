//! A JSON body as rows of typed columns: the source of inserts, updates and calls.

use bytes::Bytes;

use crate::api_request::payload::is_array;
use crate::plan::types::BodyValue;
use crate::plan::verbatim::CatalogSql;

use super::builder::SqlBuilder;
use super::statement::ParamType;

/// A column read from the body.
pub(super) struct BodyColumn<'a> {
    /// Key in the body and name of the column.
    pub(super) name: &'a str,
    /// Type that the value is read as.
    pub(super) ty: Option<&'a CatalogSql>,
    /// Function over the value read.
    pub(super) transform: Option<&'a CatalogSql>,
    /// How the value is read.
    pub(super) reads: BodyValue,
    /// Where defaults apply, a null counts as a missing key.
    pub(super) null_is_missing: bool,
    /// Value for missing keys, where defaults apply.
    pub(super) default: Option<&'a CatalogSql>,
}

/// How rows are taken from the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyRows {
    /// All of them.
    All,
    /// The first.
    First,
}

/// Appends ` FROM …`, whose last item `pgrst_body` has the given columns.
pub(super) fn from_body(
    sql: &mut SqlBuilder,
    body: Option<&Bytes>,
    columns: &[BodyColumn<'_>],
    rows: BodyRows,
    apply_defaults: bool,
) {
    let object = is_object(body);
    sql.sql(" FROM (SELECT ");
    if apply_defaults {
        sql.bind(body.cloned(), ParamType::Unknown).sql("::pg_catalog.jsonb");
    } else {
        sql.bind(body.cloned(), ParamType::Json);
    }
    sql.sql(" AS json_data) pgrst_payload");
    if apply_defaults && object {
        sql.sql(", LATERAL (SELECT ");
        defaults(sql, columns);
        sql.sql(" OPERATOR(pg_catalog.||) ");
        given(sql, columns, "pgrst_payload.json_data");
        sql.sql(" AS val) pgrst_json_defs");
    } else if apply_defaults {
        sql.sql(", LATERAL (SELECT pg_catalog.jsonb_agg(");
        defaults(sql, columns);
        sql.sql(" OPERATOR(pg_catalog.||) ");
        given(sql, columns, "elem");
        sql.sql(
            ") AS val FROM pg_catalog.jsonb_array_elements(pgrst_payload.json_data) elem) pgrst_json_defs",
        );
    }
    sql.sql(", LATERAL (SELECT ").separated(", ", columns, |sql, column| {
        match (column.transform, column.ty) {
            (Some(parser), _) => {
                sql.catalog(parser).sql("(").ident(column.name).sql(") AS ").ident(column.name);
            }
            (None, Some(ty)) if column.reads != BodyValue::Typed => read_value(sql, column, ty),
            (None, _) => {
                sql.ident(column.name);
            }
        }
    });
    let values = if apply_defaults { "pgrst_json_defs.val" } else { "pgrst_payload.json_data" };
    sql.sql(" FROM ");
    if !columns.is_empty() {
        sql.sql(match (apply_defaults, object) {
            (false, true) => "pg_catalog.json_to_record(",
            (false, false) => "pg_catalog.json_to_recordset(",
            (true, true) => "pg_catalog.jsonb_to_record(",
            (true, false) => "pg_catalog.jsonb_to_recordset(",
        });
        sql.sql(values).sql(") AS _(").separated(", ", columns, |sql, column| {
            sql.ident(column.name);
            match (column.ty, column.reads) {
                (None, _) => {}
                (Some(ty), BodyValue::Typed) => {
                    sql.sql(" ").catalog(ty);
                }
                (Some(_), BodyValue::Hstore) => {
                    sql.sql(" pg_catalog.json");
                }
                (Some(_), BodyValue::EmptyIsNull) => {
                    sql.sql(" pg_catalog.text");
                }
            }
        });
        sql.sql(if rows == BodyRows::First { ") LIMIT 1" } else { ")" });
    } else if object {
        sql.sql("(VALUES (1)) _");
    } else {
        // As many rows as there are empty objects.
        sql.sql(if apply_defaults {
            "pg_catalog.jsonb_array_elements("
        } else {
            "pg_catalog.json_array_elements("
        });
        sql.sql(values).sql(") _");
    }
    sql.sql(") pgrst_body");
}

/// Appends an object of the body, without the nulls that count as missing.
fn given(sql: &mut SqlBuilder, columns: &[BodyColumn<'_>], object: &'static str) {
    let mut names = columns.iter().filter(|it| it.null_is_missing).map(|it| it.name).peekable();
    if names.peek().is_none() {
        sql.sql(object);
        return;
    }
    sql.sql("(")
        .sql(object)
        .sql(" OPERATOR(pg_catalog.-) ARRAY(SELECT key FROM pg_catalog.jsonb_each(")
        .sql(object);
    sql.sql(
        ") WHERE value OPERATOR(pg_catalog.=) 'null'::pg_catalog.jsonb \
         AND key OPERATOR(pg_catalog.=) ANY (ARRAY[",
    );
    sql.separated(", ", names, |sql, name| {
        sql.literal(name);
    });
    sql.sql("]::pg_catalog.text[])))");
}

/// Appends a value that the body holds in another form than its type is read from.
fn read_value(sql: &mut SqlBuilder, column: &BodyColumn<'_>, ty: &CatalogSql) {
    match column.reads {
        BodyValue::Typed => {
            sql.ident(column.name);
            return;
        }
        BodyValue::EmptyIsNull => {
            sql.sql("(CASE WHEN ").ident(column.name).sql(" OPERATOR(pg_catalog.<>) '' THEN ");
            sql.ident(column.name).sql(" END)");
        }
        // Postgres shows an hstore as an object, but reads it from `"key"=>"value"` only.
        BodyValue::Hstore => {
            sql.sql("(CASE WHEN pg_catalog.json_typeof(").ident(column.name);
            sql.sql(
                ") OPERATOR(pg_catalog.=) 'object' THEN \
                 (SELECT coalesce(pg_catalog.string_agg(pg_catalog.concat(",
            );
            hstore_text(sql, "key");
            sql.sql(", '=>', CASE WHEN value IS NULL THEN 'NULL' ELSE pg_catalog.concat(");
            hstore_text(sql, "value");
            sql.sql(") END), ','), '') FROM pg_catalog.json_each_text(").ident(column.name);
            sql.sql(")) ELSE ").ident(column.name).sql(" OPERATOR(pg_catalog.#>>) '{}' END)");
        }
    }
    sql.sql("::").catalog(ty).sql(" AS ").ident(column.name);
}

/// Appends the arguments that make a quoted text of hstore's.
fn hstore_text(sql: &mut SqlBuilder, text: &'static str) {
    sql.sql("'\"', pg_catalog.replace(pg_catalog.replace(").sql(text);
    sql.sql(", E'\\\\', E'\\\\\\\\'), '\"', E'\\\\\"'), '\"'");
}

/// An object of the columns' defaults. In pieces, because a function takes at most 100 arguments.
fn defaults(sql: &mut SqlBuilder, columns: &[BodyColumn<'_>]) {
    let defaults: Vec<_> = columns.iter().filter_map(|column| Some((column.name, column.default?))).collect();
    if defaults.is_empty() {
        sql.sql("pg_catalog.jsonb_build_object()");
    }
    sql.separated(" OPERATOR(pg_catalog.||) ", defaults.chunks(50), |sql, piece| {
        sql.sql("pg_catalog.jsonb_build_object(").separated(", ", piece, |sql, (name, default)| {
            sql.literal(name).sql(", ").catalog(default);
        });
        sql.sql(")");
    });
}

/// The body is an object rather than an array; the database checks the rest of it.
fn is_object(body: Option<&Bytes>) -> bool {
    body.is_some_and(|body| !is_array(body))
}

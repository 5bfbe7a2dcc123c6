//! A mutate plan as a statement.

use bytes::Bytes;

use crate::api_request::payload::is_array;
use crate::api_request::types::PreferResolution;
use crate::plan::types::{Condition, ConflictTarget, MutatePlan, ResolvedField};
use crate::schema_cache::identifiers::{FieldName, QualifiedIdentifier};

use super::builder::{Qualifier, SqlBuilder};
use super::filter;
use super::json_body::{BodyColumn, BodyRows, from_body};
use super::statement::ParamType;
use super::values::Columns;

const BODY: &str = "pgrst_body";

/// Where a row to insert comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The body, which Postgres takes apart.
    Body,
    /// A bind for each column, in the order of [`columns_of_values`].
    Values,
}

/// The columns of an insert that can be told by the values of one object, as far as that is decided here.
pub(super) fn columns_of_values(plan: &MutatePlan) -> Option<Columns> {
    let MutatePlan::Insert { columns, on_conflict: None, conditions, apply_defaults: false, body, .. } = plan
    else {
        return None;
    };
    let has_object = body.as_ref().is_some_and(|it| !is_array(it));
    if !has_object || columns.is_empty() || !conditions.is_empty() {
        return None;
    }
    let plain = columns.iter().all(|it| it.transform.is_none() && it.ir_type.is_some());
    let typed = columns.iter().filter_map(|it| Some((&*it.name, it.ir_type.as_ref()?.as_str())));
    plain.then(|| Columns::of(typed)).flatten()
}

/// Appends the `INSERT`, `UPDATE` or `DELETE`.
pub(super) fn query(sql: &mut SqlBuilder, plan: &MutatePlan, source: Source) {
    match plan {
        MutatePlan::Insert {
            into,
            columns,
            body,
            on_conflict,
            overriding,
            conditions,
            returning: columns_back,
            pk_cols: _,
            apply_defaults,
        } => {
            insert(sql, into, columns, *overriding, body.as_ref(), *apply_defaults, source);
            let upsert = matches!(on_conflict, Some((PreferResolution::MergeDuplicates, _)));
            if upsert {
                sql.sql(" WHERE ");
                count_inserted(sql);
            }
            if !conditions.is_empty() {
                sql.sql(" AND ");
                filter::all_of(sql, Qualifier::name(BODY), conditions);
            }
            if let Some((resolution, target)) = on_conflict {
                self::on_conflict(sql, *resolution, target, columns, *overriding);
            }
            returning(sql, into, columns_back);
        }
        MutatePlan::Update { into, columns, body, conditions, returning: columns_back, apply_defaults } => {
            if columns.is_empty() {
                return nothing_updated(sql, into, columns_back);
            }
            sql.sql("UPDATE ").qualified(into).sql(" SET ").separated(", ", columns, |sql, column| {
                sql.ident(&column.name).sql(" = ").column(Qualifier::name(BODY), &column.name);
            });
            let keeps_nulls = body_columns(columns)
                .into_iter()
                .map(|column| BodyColumn { null_is_missing: false, ..column })
                .collect::<Vec<_>>();
            from_body(sql, body.as_ref(), &keeps_nulls, BodyRows::All, *apply_defaults);
            filtered(sql, into, conditions);
            returning(sql, into, columns_back);
        }
        MutatePlan::Delete { from, conditions, returning: columns_back } => {
            sql.sql("DELETE FROM ").qualified(from);
            filtered(sql, from, conditions);
            returning(sql, from, columns_back);
        }
    }
}

fn insert(
    sql: &mut SqlBuilder,
    into: &QualifiedIdentifier,
    columns: &[ResolvedField],
    overriding: bool,
    body: Option<&Bytes>,
    apply_defaults: bool,
    source: Source,
) {
    sql.sql("INSERT INTO ").qualified(into);
    if !columns.is_empty() {
        sql.sql("(").separated(", ", columns, |sql, column| {
            sql.ident(&column.name);
        });
        sql.sql(")");
    }
    sql.sql(if overriding { " OVERRIDING SYSTEM VALUE" } else { "" });
    if source == Source::Values {
        // Their types are those of the columns.
        sql.sql(" VALUES (").separated(", ", columns, |sql, _| {
            sql.bind(None, ParamType::Unknown);
        });
        sql.sql(")");
        return;
    }
    sql.sql(" SELECT ").separated(", ", columns, |sql, column| {
        sql.column(Qualifier::name(BODY), &column.name);
    });
    from_body(sql, body, &body_columns(columns), BodyRows::All, apply_defaults);
}

fn on_conflict(
    sql: &mut SqlBuilder,
    resolution: PreferResolution,
    target: &ConflictTarget,
    columns: &[ResolvedField],
    overriding: bool,
) {
    if target.columns.is_empty() {
        return;
    }
    sql.sql(" ON CONFLICT(").separated(", ", &target.columns, |sql, column| {
        sql.ident(column);
    });
    sql.sql(")");
    if let Some(predicate) = &target.predicate {
        sql.sql(" WHERE ").catalog(predicate);
    }
    let updated: Vec<&ResolvedField> = columns.iter().filter(|it| !(overriding && it.generated)).collect();
    if resolution == PreferResolution::IgnoreDuplicates || updated.is_empty() {
        sql.sql(" DO NOTHING");
        return;
    }
    sql.sql(" DO UPDATE SET ").separated(", ", updated, |sql, column| {
        sql.ident(&column.name).sql(" = EXCLUDED.").ident(&column.name);
    });
    sql.sql(" WHERE ");
    uncount_updated(sql);
}

// An upsert must tell whether it inserted. `pgrst.inserted` counts up for every row that is tried and
// down for every one that turned out to be an update. Both conditions are always true.

fn count_inserted(sql: &mut SqlBuilder) {
    sql.sql(
        "pg_catalog.set_config('pgrst.inserted', (CASE \
         WHEN pg_catalog.current_setting('pgrst.inserted', true) OPERATOR(pg_catalog.<>) '' \
         THEN pg_catalog.current_setting('pgrst.inserted', true)::pg_catalog.int4 ELSE 0 END \
         OPERATOR(pg_catalog.+) 1)::pg_catalog.text, true) OPERATOR(pg_catalog.<>) '0'",
    );
}

fn uncount_updated(sql: &mut SqlBuilder) {
    sql.sql(
        "pg_catalog.set_config('pgrst.inserted', (CASE \
         WHEN pg_catalog.current_setting('pgrst.inserted', true) OPERATOR(pg_catalog.<>) '' \
         THEN pg_catalog.current_setting('pgrst.inserted', true)::pg_catalog.int4 ELSE 0 END \
         OPERATOR(pg_catalog.-) 1)::pg_catalog.text, true) OPERATOR(pg_catalog.<>) '-1'",
    );
}

/// `UPDATE … SET` nothing is no statement. This one gives no rows, of the columns that are wanted back.
fn nothing_updated(sql: &mut SqlBuilder, table: &QualifiedIdentifier, columns: &[FieldName]) {
    sql.sql("SELECT ");
    if columns.is_empty() {
        sql.sql("NULL");
    }
    sql.separated(", ", columns, |sql, column| {
        sql.column(Qualifier::name(&table.name), column);
    });
    sql.sql(" FROM ").qualified(table).sql(" WHERE false");
}

fn filtered(sql: &mut SqlBuilder, table: &QualifiedIdentifier, conditions: &[Condition]) {
    if !conditions.is_empty() {
        sql.sql(" WHERE ");
        filter::all_of(sql, table.into(), conditions);
    }
}

fn returning(sql: &mut SqlBuilder, table: &QualifiedIdentifier, columns: &[FieldName]) {
    sql.sql(" RETURNING ");
    if columns.is_empty() {
        // Rows are counted even when none of them is shown.
        sql.sql("1");
    }
    sql.separated(", ", columns, |sql, column| {
        sql.column(table.into(), column);
    });
}

fn body_columns(columns: &[ResolvedField]) -> Vec<BodyColumn<'_>> {
    columns
        .iter()
        .map(|column| BodyColumn {
            name: &column.name,
            ty: column.ir_type.as_ref(),
            transform: column.transform.as_ref(),
            reads: column.reads,
            null_is_missing: column.null_is_missing,
            default: column.default.as_ref(),
        })
        .collect()
}

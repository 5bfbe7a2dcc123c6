//! The plan of a write.

use std::collections::BTreeSet;

use crate::api_request::ApiRequest;
use crate::api_request::types::{
    Filter, Mutation, OpExpr, Operation, Payload, PreferMissing, PreferRepresentation, PreferResolution,
    QuantOperator,
};
use crate::config::{AppConfig, GeneratedColumns};
use crate::error::{ApiRequestError, Error, SchemaCacheError};
use crate::media_type::MediaType;
use crate::schema_cache::SchemaCache;
use crate::schema_cache::identifiers::{FieldName, QualifiedIdentifier};
use crate::schema_cache::table::{Generated, Table};

use super::resolve::Resolver;
use super::returning::columns_needed;
use super::types::{Condition, ConflictTarget, MutatePlan, ReadPlanTree, ResolvedField};
use super::verbatim::CatalogSql;

/// Plans the write of `mutation` on `table`, which is named `qi`.
pub(super) fn mutate_plan(
    mutation: Mutation,
    qi: &QualifiedIdentifier,
    table: &Table,
    conf: &AppConfig,
    req: &ApiRequest,
    cache: &SchemaCache,
    read: &ReadPlanTree,
) -> Result<MutatePlan, Error> {
    let resolver = Resolver::new(cache, qi);
    let returning = match req.preferences.representation {
        None | Some(PreferRepresentation::None) => Vec::new(),
        Some(PreferRepresentation::Full | PreferRepresentation::HeadersOnly) => {
            columns_needed(read, &table.pk_cols).into_iter().collect()
        }
    };
    let apply_defaults = req.preferences.missing == Some(PreferMissing::ApplyDefaults);
    let columns = |key: &[FieldName]| written_columns(resolver, table, conf, req, key);
    Ok(match mutation {
        Mutation::Create => {
            let on_conflict = req.preferences.resolution.map(|resolution| {
                let key = req.query.on_conflict.clone().unwrap_or_else(|| table.pk_cols.clone());
                (resolution, conflict_target(table, key))
            });
            let columns = columns(on_conflict.as_ref().map_or(&[], |(_, target)| &target.columns))?;
            MutatePlan::Insert {
                into: qi.clone(),
                overriding: overrides(conf, &columns),
                columns,
                body: body(req),
                on_conflict,
                conditions: Vec::new(),
                returning,
                pk_cols: table.pk_cols.iter().map(|name| (name.clone(), is_plain(table, name))).collect(),
                apply_defaults,
            }
        }
        Mutation::SingleUpsert => {
            if !filters_are_primary_key(req, &table.pk_cols) {
                return Err(ApiRequestError::InvalidFilters.into());
            }
            let columns = columns(&table.pk_cols)?;
            MutatePlan::Insert {
                into: qi.clone(),
                overriding: overrides(conf, &columns),
                columns,
                body: body(req),
                on_conflict: Some((
                    PreferResolution::MergeDuplicates,
                    conflict_target(table, table.pk_cols.clone()),
                )),
                conditions: conditions(resolver, req),
                returning,
                pk_cols: Vec::new(),
                apply_defaults: false,
            }
        }
        Mutation::Update => MutatePlan::Update {
            into: qi.clone(),
            columns: columns(&[])?,
            body: body(req),
            conditions: conditions(resolver, req),
            returning,
            apply_defaults,
        },
        Mutation::Delete => {
            MutatePlan::Delete { from: qi.clone(), conditions: conditions(resolver, req), returning }
        }
    })
}

/// Whether JSON shows a column's values as their text. It does for what is no array, row or type of an extension;
/// an enum counts as one of those here, for which it makes no difference.
fn is_plain(table: &Table, column: &str) -> bool {
    const TYPES: [&str; 24] = [
        "bigint",
        "boolean",
        "bytea",
        "character",
        "character varying",
        "cidr",
        "date",
        "double precision",
        "inet",
        "integer",
        "interval",
        "json",
        "jsonb",
        "macaddr",
        "name",
        "numeric",
        "oid",
        "real",
        "smallint",
        "text",
        "time without time zone",
        "timestamp with time zone",
        "timestamp without time zone",
        "uuid",
    ];
    table.columns.get(column).is_none_or(|it| TYPES.contains(&it.data_type.as_str()))
}

/// Where rows conflict. Columns of which there is a unique index over some rows only mean that one: without its
/// predicate the database would not find it.
fn conflict_target(table: &Table, columns: Vec<FieldName>) -> ConflictTarget {
    let named: BTreeSet<&FieldName> = columns.iter().collect();
    let partial = table.partial_keys.iter().find(|key| key.columns.iter().collect::<BTreeSet<_>>() == named);
    ConflictTarget { predicate: partial.map(CatalogSql::predicate), columns }
}

/// Identity columns that are still among the columns written are there to find a row by.
fn overrides(conf: &AppConfig, columns: &[ResolvedField]) -> bool {
    conf.pgapp_generated_columns == GeneratedColumns::Skip && columns.iter().any(|it| it.generated)
}

/// The columns that are written. `key`: those by which an upsert finds its rows.
fn written_columns(
    resolver: Resolver<'_>,
    table: &Table,
    conf: &AppConfig,
    req: &ApiRequest,
    key: &[FieldName],
) -> Result<Vec<ResolvedField>, SchemaCacheError> {
    let is_left_out = |name: &FieldName| {
        let generated = table.columns.get(name).map_or(Generated::Never, |it| it.generated);
        conf.pgapp_generated_columns == GeneratedColumns::Skip
            && match generated {
                Generated::Never => false,
                Generated::Expression => true,
                Generated::Identity => !key.contains(name),
            }
    };
    // A field of a CSV file is a text, and an empty one is how the file says that there is no value.
    let empty_is_null = req.content_type == MediaType::TextCsv;
    req.columns
        .iter()
        .filter(|name| !is_left_out(name))
        .map(|name| {
            resolver
                .input_column(name, empty_is_null)
                .map(|field| ResolvedField {
                    null_is_missing: conf.pgapp_null_defaults
                        && field.default.is_some()
                        && table.columns.get(name).is_some_and(|it| !it.nullable),
                    ..field
                })
                .ok_or_else(|| SchemaCacheError::ColumnNotFound(name.clone(), table.name.clone()))
        })
        .collect()
}

/// Filters and logic trees of the top level; those of embeds only filter what is shown.
fn conditions(resolver: Resolver<'_>, req: &ApiRequest) -> Vec<Condition> {
    let filters = req.query.filters_root.iter().map(|filter| resolver.filter(filter));
    let logic =
        req.query.logic.iter().filter(|(path, _)| path.is_empty()).map(|(_, tree)| resolver.logic_tree(tree));
    filters.chain(logic).collect()
}

fn filters_are_primary_key(req: &ApiRequest, pk_cols: &[FieldName]) -> bool {
    let is_equality = |filter: &Filter| {
        matches!(
            &filter.op_expr,
            OpExpr::Expr { negated: false, operation: Operation::Quant(QuantOperator::Equal, None, _) }
        )
    };
    !pk_cols.is_empty()
        && req.query.logic.is_empty()
        && req.query.filter_fields == pk_cols.iter().cloned().collect::<BTreeSet<_>>()
        && req.query.filters_root.iter().all(is_equality)
}

fn body(req: &ApiRequest) -> Option<bytes::Bytes> {
    req.payload.as_ref().map(json_body)
}

/// A payload as JSON.
pub(super) fn json_body(payload: &Payload) -> bytes::Bytes {
    match payload {
        Payload::ProcessedJson { raw, .. } | Payload::RawJson(raw) | Payload::Raw(raw) => raw.clone(),
        Payload::ProcessedUrlEncoded { pairs, .. } => {
            let object: serde_json::Map<String, serde_json::Value> =
                pairs.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
            serde_json::Value::Object(object).to_string().into()
        }
    }
}

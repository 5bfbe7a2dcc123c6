//! The plan of a write.

use std::collections::BTreeSet;

use crate::api_request::ApiRequest;
use crate::api_request::types::{
    Filter, Mutation, OpExpr, Operation, Payload, PreferMissing, PreferRepresentation, PreferResolution,
    QuantOperator,
};
use crate::error::{ApiRequestError, Error, SchemaCacheError};
use crate::schema_cache::SchemaCache;
use crate::schema_cache::identifiers::{FieldName, QualifiedIdentifier};
use crate::schema_cache::table::Table;

use super::resolve::Resolver;
use super::returning::columns_needed;
use super::types::{Condition, MutatePlan, ReadPlanTree, ResolvedField};

/// Plans the write of `mutation` on `table`, which is named `qi`.
pub(super) fn mutate_plan(
    mutation: Mutation,
    qi: &QualifiedIdentifier,
    table: &Table,
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
    Ok(match mutation {
        Mutation::Create => MutatePlan::Insert {
            into: qi.clone(),
            columns: written_columns(resolver, table, req)?,
            body: body(req),
            on_conflict: req.preferences.resolution.map(|resolution| {
                (resolution, req.query.on_conflict.clone().unwrap_or_else(|| table.pk_cols.clone()))
            }),
            conditions: Vec::new(),
            returning,
            pk_cols: table.pk_cols.clone(),
            apply_defaults,
        },
        Mutation::SingleUpsert => {
            if !filters_are_primary_key(req, &table.pk_cols) {
                return Err(ApiRequestError::InvalidFilters.into());
            }
            MutatePlan::Insert {
                into: qi.clone(),
                columns: written_columns(resolver, table, req)?,
                body: body(req),
                on_conflict: Some((PreferResolution::MergeDuplicates, table.pk_cols.clone())),
                conditions: conditions(resolver, req),
                returning,
                pk_cols: Vec::new(),
                apply_defaults: false,
            }
        }
        Mutation::Update => MutatePlan::Update {
            into: qi.clone(),
            columns: written_columns(resolver, table, req)?,
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

fn written_columns(
    resolver: Resolver<'_>,
    table: &Table,
    req: &ApiRequest,
) -> Result<Vec<ResolvedField>, SchemaCacheError> {
    req.columns
        .iter()
        .map(|name| {
            resolver
                .input_column(name)
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

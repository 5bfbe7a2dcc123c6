//! Functions: which overload a request means, and how it is called.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::api_request::ApiRequest;
use crate::api_request::types::{InvokeMethod, Payload};
use crate::error::SchemaCacheError;
use crate::media_type::MediaType;
use crate::schema_cache::SchemaCache;
use crate::schema_cache::identifiers::{FieldName, QualifiedIdentifier};
use crate::schema_cache::routine::{Routine, RoutineParam};

use super::candidates::signature;
use super::families::family_of;
use super::returning::{columns_filtered, columns_needed};
use super::types::{ArgValue, CallArgs, CallParams, CallPlan, ReadPlanTree};
use super::verbatim::CastType;
use super::{overload, suggest};

/// Names of the arguments a request gives.
pub(super) fn argument_names(method: InvokeMethod, req: &ApiRequest) -> BTreeSet<String> {
    match method {
        InvokeMethod::InvRead(_) => req.query.params.iter().map(|(name, _)| name.clone()).collect(),
        InvokeMethod::Inv => req.columns.clone(),
    }
}

/// The one function called `qi` that takes these arguments.
///
/// When none does, a function with a single unnamed parameter takes the whole body of a `POST`.
pub(super) fn find_function<'a>(
    qi: &QualifiedIdentifier,
    args: &BTreeSet<String>,
    cache: &'a SchemaCache,
    req: &ApiRequest,
    is_post: bool,
) -> Result<&'a Routine, SchemaCacheError> {
    let content_type = &req.content_type;
    let overloads = cache.routines.get(qi).map_or(&[][..], Vec::as_slice);
    let matching: Vec<&Routine> =
        overloads.iter().filter(|routine| takes_arguments(routine, args, content_type, is_post)).collect();
    let candidates = if matching.is_empty() {
        overloads.iter().filter(|routine| is_post && takes_body(routine, content_type)).collect()
    } else {
        matching
    };
    match *candidates {
        [only] => Ok(only),
        [] => Err(SchemaCacheError::NoRpc {
            schema: qi.schema.clone(),
            name: qi.name.clone(),
            args: args.iter().cloned().collect(),
            content_type: content_type.clone(),
            is_post,
            suggestion: (!(is_post && is_raw(content_type)))
                .then(|| suggest::function(cache, qi, args, overloads))
                .flatten(),
        }),
        _ => json_of(req)
            .and_then(|body| overload::by_body(&candidates, body))
            .ok_or_else(|| SchemaCacheError::AmbiguousRpc(candidates.into_iter().map(signature).collect())),
    }
}

/// The JSON body of a call. Nothing that is kept for other bodies may depend on it: where it decides, plans are made anew.
fn json_of(req: &ApiRequest) -> Option<&[u8]> {
    match &req.payload {
        Some(Payload::ProcessedJson { raw, .. } | Payload::RawJson(raw))
            if req.content_type == MediaType::ApplicationJson =>
        {
            Some(raw)
        }
        _ => None,
    }
}

/// Required parameters must be given, optional ones may be, others may not.
fn takes_arguments(
    routine: &Routine,
    args: &BTreeSet<String>,
    content_type: &MediaType,
    is_post: bool,
) -> bool {
    if routine.params.is_empty() {
        return args.is_empty() && !(is_post && is_raw(content_type));
    }
    let given = |param: &RoutineParam| args.contains(&param.name);
    routine.params.iter().filter(|param| param.required).all(given)
        && args.iter().all(|arg| routine.params.iter().any(|param| param.name == *arg))
}

/// A body that has no arguments in it, only one value.
fn is_raw(content_type: &MediaType) -> bool {
    matches!(content_type, MediaType::OctetStream | MediaType::TextPlain | MediaType::TextXml)
}

/// The only parameter is unnamed and takes bodies of this type.
fn takes_body(routine: &Routine, content_type: &MediaType) -> bool {
    let [param] = &*routine.params else { return false };
    param.name.is_empty()
        && matches!(
            (content_type, &*param.data_type),
            (MediaType::ApplicationJson, "json" | "jsonb")
                | (MediaType::TextPlain, "text")
                | (MediaType::TextXml, "xml")
                | (MediaType::OctetStream, "bytea")
        )
}

/// Plans the call of `routine`.
pub(super) fn call_plan(
    routine: &Routine,
    method: InvokeMethod,
    req: &ApiRequest,
    names: &BTreeSet<String>,
    read: &ReadPlanTree,
    cache: &SchemaCache,
) -> CallPlan {
    let args = match (method, &req.content_type) {
        (InvokeMethod::InvRead(_), _) => CallArgs::Direct(direct_args(routine, &req.query.params)),
        (InvokeMethod::Inv, MediaType::UrlEncoded) => CallArgs::Direct(match &req.payload {
            Some(Payload::ProcessedUrlEncoded { pairs, .. }) => direct_args(routine, pairs),
            _ => Vec::new(),
        }),
        (InvokeMethod::Inv, _) => CallArgs::Body(req.payload.as_ref().map(super::mutate::json_body)),
    };
    let params = match &*routine.params {
        [unnamed] if unnamed.name.is_empty() => CallParams::Positional(unnamed.clone()),
        params => {
            CallParams::Named(params.iter().filter(|param| names.contains(&param.name)).cloned().collect())
        }
    };
    let definition = if routine.returns_untyped_record() { definition(read) } else { Vec::new() };
    let mut returning = columns_needed(read, &[]);
    if !returning.is_empty() && !returning.contains("*") {
        returning.append(&mut columns_filtered(read));
    }
    let row_type = routine.row_type().and_then(|it| cache.row_types.get(it)).copied();
    CallPlan {
        row_type,
        function: QualifiedIdentifier::new(routine.schema.clone(), routine.name.clone()),
        params,
        args,
        scalar: routine.returns_scalar() && definition.is_empty(),
        set_of_scalar: routine.returns_set_of_scalar() && definition.is_empty(),
        empty_is_null: req.content_type == MediaType::TextCsv,
        definition,
        returning,
    }
}

/// The columns of a function that returns `record` and does not say what is in it: those selected, each with its cast.
/// None where one has no cast, or where anything but columns is selected.
fn definition(read: &ReadPlanTree) -> Vec<(FieldName, CastType)> {
    let mut columns: Vec<(FieldName, CastType)> = Vec::new();
    for selected in &read.node.select {
        let field = &selected.field;
        let (Some(cast), true, None) = (&selected.cast, field.json_path.is_empty(), selected.aggregate)
        else {
            return Vec::new();
        };
        // What the whole value is called as long as it has no columns.
        if field.name == "pgrst_scalar" {
            return Vec::new();
        }
        if columns.iter().all(|(name, _)| *name != field.name) {
            columns.push((field.name.clone(), cast.clone()));
        }
    }
    columns
}

/// Pairs by name. A variadic parameter collects its values; of any other, the last one counts.
fn direct_args(routine: &Routine, pairs: &[(String, String)]) -> Vec<(String, ArgValue)> {
    let variadic = routine.params.iter().find(|param| param.variadic).map(|param| param.name.as_str());
    let mut args: IndexMap<&str, ArgValue> = IndexMap::new();
    for (name, value) in pairs {
        match args.get_mut(name.as_str()) {
            Some(ArgValue::Variadic(values)) => values.push(value.clone()),
            Some(ArgValue::Single(last)) => last.clone_from(value),
            None if variadic == Some(name) => {
                args.insert(name, ArgValue::Variadic(vec![value.clone()]));
            }
            None => {
                args.insert(name, ArgValue::Single(value.clone()));
            }
        }
    }
    for (name, arg) in &mut args {
        let element =
            routine.params.iter().find(|it| it.name == **name).map(|it| it.data_type.trim_end_matches("[]"));
        // `{3,4}` is no value of such a type, so it can only be meant as the whole array.
        if let (ArgValue::Variadic(values), Some(element)) = (&*arg, element)
            && let [only] = values.as_slice()
            && family_of(element).is_never_empty_text()
            && only.starts_with('{')
            && only.ends_with('}')
        {
            *arg = ArgValue::Single(only.clone());
        }
    }
    args.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

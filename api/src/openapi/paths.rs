//! Paths: the root, relations, functions.

use std::borrow::Cow;

use indexmap::IndexMap;

use super::definitions;
use super::model::{
    ArrayOf, Items, Operation, Parameter, ParameterOrRef, PathItem, Reference, Response, SchemaOrRef,
    split_comment,
};
use super::parameters::{body_key, filter_key};
use super::types;
use crate::schema_cache::identifiers::QualifiedIdentifier;
use crate::schema_cache::routine::{Routine, RoutineMap, RoutineParam, Volatility};
use crate::schema_cache::table::Table;

/// What functions answer with.
const ROUTINE_MEDIA_TYPES: [&str; 3] = [
    "application/json",
    "application/vnd.pgrst.object+json;nulls=stripped",
    "application/vnd.pgrst.object+json",
];

/// All paths. Overloads share one; the one with the most parameters is described.
pub(super) fn all<'a>(
    tables: &'a IndexMap<QualifiedIdentifier, Table>,
    routines: &'a RoutineMap,
) -> IndexMap<String, PathItem<'a>> {
    let mut paths = IndexMap::with_capacity(1 + tables.len() + routines.len());
    paths.insert("/".to_owned(), root());
    paths.extend(tables.values().map(|it| (format!("/{}", it.name), relation(it))));
    let described = routines.values().filter_map(|overloads| overloads.last());
    paths.extend(described.map(|it| (format!("/rpc/{}", it.name), routine(it))));
    paths
}

fn root<'a>() -> PathItem<'a> {
    PathItem {
        get: Some(Operation {
            tags: [Cow::Borrowed("Introspection")],
            summary: Some("OpenAPI description (this document)"),
            produces: &["application/openapi+json", "application/json"],
            responses: responses([("200", "OK")]),
            ..Operation::default()
        }),
        ..PathItem::default()
    }
}

fn relation(table: &Table) -> PathItem<'_> {
    let name = table.name.as_str();
    let (summary, description) = summary_and_description(table.description.as_deref());
    let operation = |parameters: Vec<ParameterOrRef<'static>>, responses| Operation {
        tags: [Cow::Borrowed(name)],
        summary,
        description,
        produces: &[],
        parameters,
        responses,
    };
    let filters = || table.columns.keys().map(|it| reference(&filter_key(name, it)));
    let references = |keys: &[&str]| keys.iter().map(|it| reference(it)).collect::<Vec<_>>();
    let body = || reference(&body_key(name));

    let read = references(&["select", "order", "range", "rangeUnit", "offset", "limit", "preferCount"]);
    let mut read_responses = responses([("200", "OK"), ("206", "Partial Content")]);
    if let Some(ok) = read_responses.get_mut("200") {
        ok.schema = Some(ArrayOf::definition(name));
    }
    let get = operation(filters().chain(read).collect(), read_responses);
    if !(table.insertable || table.updatable || table.deletable) {
        return PathItem { get: Some(get), ..PathItem::default() };
    }
    let post = [body()].into_iter().chain(references(&["select", "preferPost"])).collect();
    let patch = filters().chain([body(), reference("preferReturn")]).collect();
    let delete = filters().chain([reference("preferReturn")]).collect();
    PathItem {
        get: Some(get),
        post: Some(operation(post, responses([("201", "Created")]))),
        patch: Some(operation(patch, responses([("204", "No Content")]))),
        delete: Some(operation(delete, responses([("204", "No Content")]))),
    }
}

fn routine(routine: &Routine) -> PathItem<'_> {
    let (summary, description) = summary_and_description(routine.description.as_deref());
    let operation = |parameters| Operation {
        tags: [Cow::Owned(format!("(rpc) {}", routine.name))],
        summary,
        description,
        produces: &ROUTINE_MEDIA_TYPES,
        parameters,
        responses: responses([("200", "OK")]),
    };
    let arguments = SchemaOrRef::Inline(Box::new(definitions::arguments(routine)));
    let body = Parameter { required: true, ..Parameter::body("args", None, arguments) };
    let post = operation(vec![ParameterOrRef::Inline(Box::new(body)), reference("preferParams")]);
    // What may write is not called by GET.
    let get = match routine.volatility {
        Volatility::Volatile => None,
        Volatility::Stable | Volatility::Immutable => {
            Some(operation(routine.params.iter().map(argument).collect()))
        }
    };
    PathItem { get, post: Some(post), ..PathItem::default() }
}

/// An argument in the query string. Arrays are one text there, save variadic ones, which repeat.
fn argument(param: &RoutineParam) -> ParameterOrRef<'_> {
    let ty = types::type_of(&param.data_type);
    let text = Parameter { required: param.required, ..Parameter::text(&param.name, "query", None) };
    let parameter = match param.variadic {
        false => Parameter {
            r#type: ty.filter(|it| *it != "array").or(Some("string")),
            format: Some(types::format_of(&param.data_type)),
            ..text
        },
        true => {
            let element = types::element_of(&param.data_type);
            Parameter {
                r#type: ty.or(Some("string")),
                items: Some(Items {
                    r#type: types::type_of(element),
                    format: Some(types::format_of(element)),
                    ..Items::default()
                }),
                collection_format: Some("multi"),
                ..text
            }
        }
    };
    ParameterOrRef::Inline(Box::new(parameter))
}

fn reference<'a>(key: &str) -> ParameterOrRef<'a> {
    ParameterOrRef::Ref(Reference::parameter(key))
}

fn responses<const N: usize>(all: [(&'static str, &'static str); N]) -> IndexMap<&'static str, Response> {
    all.into_iter().map(|(status, description)| (status, Response { description, schema: None })).collect()
}

fn summary_and_description(comment: Option<&str>) -> (Option<&str>, Option<&str>) {
    let (summary, description) = split_comment(comment);
    (summary, description.filter(|it| !it.is_empty()))
}

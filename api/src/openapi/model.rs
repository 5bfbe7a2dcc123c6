//! The format: OpenAPI 2.0 as far as it is used. Absent and empty members are left out.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::value::RawValue;

/// The document.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    pub(super) swagger: &'static str,
    pub(super) info: Info<'a>,
    pub(super) host: String,
    pub(super) base_path: &'a str,
    pub(super) schemes: [&'static str; 1],
    pub(super) consumes: [&'static str; 4],
    pub(super) produces: [&'static str; 4],
    pub(super) paths: IndexMap<String, PathItem<'a>>,
    pub(super) definitions: IndexMap<&'a str, Schema<'a>>,
    pub(super) parameters: IndexMap<String, Parameter<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) security_definitions: Option<IndexMap<&'static str, SecurityScheme>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) security: Option<[IndexMap<&'static str, [&'static str; 0]>; 1]>,
    pub(super) external_docs: ExternalDocs,
}

/// Title, version and description.
#[derive(Debug, Serialize)]
pub(super) struct Info<'a> {
    pub(super) version: String,
    pub(super) title: &'a str,
    pub(super) description: &'a str,
}

/// Where to read more.
#[derive(Debug, Serialize)]
pub(super) struct ExternalDocs {
    pub(super) description: &'static str,
    pub(super) url: String,
}

/// How a caller authenticates.
#[derive(Debug, Serialize)]
pub(super) struct SecurityScheme {
    r#type: &'static str,
    name: &'static str,
    r#in: &'static str,
    description: &'static str,
}

impl SecurityScheme {
    /// A bearer token; version 2.0 of the format has no other way to say it.
    pub(super) const TOKEN: Self = Self {
        r#type: "apiKey",
        name: "Authorization",
        r#in: "header",
        description: "Add the token prepending \"Bearer \" (without quotes) to it",
    };
}

/// The methods of a path.
#[derive(Debug, Default, Serialize)]
pub(super) struct PathItem<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) get: Option<Operation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) post: Option<Operation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delete: Option<Operation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) patch: Option<Operation<'a>>,
}

/// A method of a path.
#[derive(Debug, Default, Serialize)]
pub(super) struct Operation<'a> {
    pub(super) tags: [Cow<'a, str>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) produces: &'static [&'static str],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) parameters: Vec<ParameterOrRef<'a>>,
    pub(super) responses: IndexMap<&'static str, Response>,
}

/// An answer.
#[derive(Debug, Serialize)]
pub(super) struct Response {
    pub(super) description: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) schema: Option<ArrayOf>,
}

/// An array of what is defined elsewhere.
#[derive(Debug, Serialize)]
pub(super) struct ArrayOf {
    r#type: &'static str,
    items: Reference,
}

impl ArrayOf {
    /// An array of a definition's values.
    pub(super) fn definition(name: &str) -> Self {
        Self { r#type: "array", items: Reference::definition(name) }
    }
}

/// A pointer into the document.
#[derive(Debug, Serialize)]
pub(super) struct Reference {
    #[serde(rename = "$ref")]
    target: String,
}

impl Reference {
    /// To an entry of `definitions`.
    pub(super) fn definition(name: &str) -> Self {
        Self { target: format!("#/definitions/{}", pointer_part(name)) }
    }

    /// To an entry of `parameters`.
    pub(super) fn parameter(name: &str) -> Self {
        Self { target: format!("#/parameters/{}", pointer_part(name)) }
    }
}

/// A name as part of a JSON pointer (RFC 6901) in the fragment of a URL, where these three mean something.
fn pointer_part(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1").replace('%', "%25")
}

/// A parameter, or where it is described.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ParameterOrRef<'a> {
    Inline(Box<Parameter<'a>>),
    Ref(Reference),
}

/// A parameter.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parameter<'a> {
    pub(super) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<&'a str>,
    pub(super) required: bool,
    pub(super) r#in: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) r#type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) items: Option<Items<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) collection_format: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) r#enum: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) default: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) schema: Option<SchemaOrRef<'a>>,
}

impl<'a> Parameter<'a> {
    /// An optional text parameter; `location` is `query` or `header`.
    pub(super) fn text(name: &'a str, location: &'static str, description: Option<&'a str>) -> Self {
        Self { r#type: Some("string"), ..Self::untyped(name, location, description) }
    }

    /// The body.
    pub(super) fn body(name: &'a str, description: Option<&'a str>, schema: SchemaOrRef<'a>) -> Self {
        Self { schema: Some(schema), ..Self::untyped(name, "body", description) }
    }

    fn untyped(name: &'a str, location: &'static str, description: Option<&'a str>) -> Self {
        Self {
            name,
            description,
            required: false,
            r#in: location,
            r#type: None,
            format: None,
            items: None,
            collection_format: None,
            r#enum: &[],
            default: None,
            schema: None,
        }
    }
}

/// What an array holds.
#[derive(Debug, Default, Serialize)]
pub(super) struct Items<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) r#type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) r#enum: &'a [String],
}

/// A schema, or where it is described.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum SchemaOrRef<'a> {
    Inline(Box<Schema<'a>>),
    Ref(Reference),
}

/// Shape of a value.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Schema<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) required: Vec<&'a str>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub(super) properties: IndexMap<&'a str, Schema<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) default: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) r#type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) items: Option<Items<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_length: Option<i32>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) r#enum: &'a [String],
}

/// A comment's first line, and what follows it without the newlines in between; that may be empty.
pub(super) fn split_comment(comment: Option<&str>) -> (Option<&str>, Option<&str>) {
    let Some(comment) = comment else { return (None, None) };
    let (first, rest) = comment.split_once('\n').unwrap_or((comment, ""));
    (Some(first), Some(rest.trim_start_matches('\n')))
}

#[cfg(test)]
mod tests {
    use super::{Reference, split_comment};

    #[test]
    fn references_reach_names_with_characters_that_pointers_are_made_of() {
        assert_eq!(Reference::definition("a b/c~d%e").target, "#/definitions/a b~1c~0d%25e");
        assert_eq!(Reference::parameter("rowFilter.t.c").target, "#/parameters/rowFilter.t.c");
    }

    #[test]
    fn split_comment_takes_blank_lines_out_of_the_middle() {
        assert_eq!(split_comment(None), (None, None));
        assert_eq!(split_comment(Some("title")), (Some("title"), Some("")));
        assert_eq!(
            split_comment(Some("title\n\n\nmore\n\nlines\n")),
            (Some("title"), Some("more\n\nlines\n"))
        );
    }
}

//! Errors about what the schema cache does not have, with their candidates and suggestions.

use serde_json::json;

use super::SchemaCacheError;
use super::rendered::Rendered;
use crate::media_type::MediaType;

pub(super) fn render(error: &SchemaCacheError) -> Rendered {
    use SchemaCacheError as E;
    match error {
        E::NoRelBetween { origin, target, hint, schema, suggestion } => {
            let using = hint.as_ref().map(|hint| format!("' using the hint '{hint}")).unwrap_or_default();
            let rendered = Rendered::new(
                "PGRST200",
                format!("Could not find a relationship between '{origin}' and '{target}' in the schema cache"),
            )
            .details(format!(
                "Searched for a foreign key relationship between '{origin}' and '{target}{using}' in the schema '{schema}', but no matches were found."
            ));
            match suggestion {
                Some((similar, instead_of)) => {
                    rendered.hint(format!("Perhaps you meant '{similar}' instead of '{instead_of}'."))
                }
                None => rendered,
            }
        }
        E::AmbiguousRelBetween(origin, target, candidates) => {
            let choices: Vec<String> = candidates.iter().map(|it| format!("'{}'", it.choice)).collect();
            Rendered::new(
                "PGRST201",
                format!(
                    "Could not embed because more than one relationship was found for '{origin}' and '{target}'"
                ),
            )
            .details(json!(candidates))
            .hint(format!(
                "Try changing '{target}' to one of the following: {}. Find the desired relationship in the 'details' key.",
                choices.join(", ")
            ))
        }
        E::NoRpc { schema, name, args, content_type, is_post, suggestion } => {
            no_rpc(schema, name, args, content_type, *is_post, suggestion.as_deref())
        }
        E::AmbiguousRpc(signatures) => {
            Rendered::new(
                "PGRST203",
                format!(
                    "Could not choose the best candidate function between: {}",
                    signatures.join(", ")
                ),
            )
            .hint("Try renaming the parameters or the function itself in the database so function overloading can be resolved")
        }
        E::ColumnNotFound(column, relation) => Rendered::new(
            "PGRST204",
            format!("Could not find the '{column}' column of '{relation}' in the schema cache"),
        ),
        E::TableNotFound { schema, name, suggestion } => {
            let rendered = Rendered::new(
                "PGRST205",
                format!("Could not find the table '{schema}.{name}' in the schema cache"),
            );
            match suggestion {
                Some(similar) => rendered.hint(format!("Perhaps you meant the table '{schema}.{similar}'")),
                None => rendered,
            }
        }
    }
}

fn no_rpc(
    schema: &str,
    name: &str,
    args: &[String],
    content_type: &MediaType,
    is_post: bool,
    suggestion: Option<&str>,
) -> Rendered {
    let single_value = is_post && is_single_value(content_type);
    let given = args.join(", ");
    let called_with = match (single_value, args) {
        (true, _) => String::new(),
        (false, []) => " without parameters".to_owned(),
        (false, _) => format!("({given})"),
    };
    let named = match args {
        [] => " without parameters".to_owned(),
        [only] => format!(" with parameter {only}"),
        _ => format!(" with parameters {given}"),
    };
    let searched = match (is_post, content_type) {
        (true, MediaType::TextPlain) => " with a single unnamed text parameter".to_owned(),
        (true, MediaType::TextXml) => " with a single unnamed xml parameter".to_owned(),
        (true, MediaType::OctetStream) => " with a single unnamed bytea parameter".to_owned(),
        (true, MediaType::ApplicationJson) => {
            format!("{named} or with a single unnamed json/jsonb parameter")
        }
        _ => named,
    };
    let rendered = Rendered::new(
        "PGRST202",
        format!("Could not find the function {schema}.{name}{called_with} in the schema cache"),
    )
    .details(format!(
        "Searched for the function {schema}.{name}{searched}, but no matches were found in the schema cache."
    ));
    match suggestion {
        Some(similar) if !single_value => {
            rendered.hint(format!("Perhaps you meant to call the function {schema}.{similar}"))
        }
        _ => rendered,
    }
}

/// Types of a body that is one value, passed to a single unnamed parameter.
fn is_single_value(content_type: &MediaType) -> bool {
    matches!(content_type, MediaType::TextPlain | MediaType::TextXml | MediaType::OctetStream)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn show(error: &SchemaCacheError) -> String {
        let Rendered { status, code, message, details, hint, .. } = render(error);
        let details = details.map_or(Value::Null, |details| details);
        format!("{} {code}\n{message}\n{details}\n{}", status.as_u16(), hint.unwrap_or_default())
    }

    fn no_rpc(args: &[&str], content_type: MediaType, is_post: bool) -> SchemaCacheError {
        SchemaCacheError::NoRpc {
            schema: "test".into(),
            name: "f".into(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            content_type,
            is_post,
            suggestion: Some("g(a, b)".into()),
        }
    }

    #[test]
    fn missing_things() {
        insta::assert_snapshot!(show(&SchemaCacheError::TableNotFound { schema: "test".into(), name: "x".into(), suggestion: Some("xs".into()) }), @r"
        404 PGRST205
        Could not find the table 'test.x' in the schema cache
        null
        Perhaps you meant the table 'test.xs'
        ");
        insta::assert_snapshot!(show(&SchemaCacheError::ColumnNotFound("c".into(), "t".into())), @r"
        400 PGRST204
        Could not find the 'c' column of 't' in the schema cache
        null
        ");
        insta::assert_snapshot!(show(&SchemaCacheError::NoRelBetween { origin: "a".into(), target: "b".into(), hint: Some("h".into()), schema: "test".into(), suggestion: None }), @r#"
        400 PGRST200
        Could not find a relationship between 'a' and 'b' in the schema cache
        "Searched for a foreign key relationship between 'a' and 'b' using the hint 'h' in the schema 'test', but no matches were found."
        "#);
        insta::assert_snapshot!(show(&SchemaCacheError::NoRelBetween { origin: "a".into(), target: "b".into(), hint: None, schema: "test".into(), suggestion: Some(("bs".into(), "b".into())) }), @r#"
        400 PGRST200
        Could not find a relationship between 'a' and 'b' in the schema cache
        "Searched for a foreign key relationship between 'a' and 'b' in the schema 'test', but no matches were found."
        Perhaps you meant 'bs' instead of 'b'.
        "#);
    }

    #[test]
    fn missing_functions() {
        insta::assert_snapshot!(show(&no_rpc(&[], MediaType::Any, false)), @r#"
        404 PGRST202
        Could not find the function test.f without parameters in the schema cache
        "Searched for the function test.f without parameters, but no matches were found in the schema cache."
        Perhaps you meant to call the function test.g(a, b)
        "#);
        insta::assert_snapshot!(show(&no_rpc(&["a"], MediaType::ApplicationJson, true)), @r#"
        404 PGRST202
        Could not find the function test.f(a) in the schema cache
        "Searched for the function test.f with parameter a or with a single unnamed json/jsonb parameter, but no matches were found in the schema cache."
        Perhaps you meant to call the function test.g(a, b)
        "#);
        insta::assert_snapshot!(show(&no_rpc(&["a", "b"], MediaType::UrlEncoded, true)), @r#"
        404 PGRST202
        Could not find the function test.f(a, b) in the schema cache
        "Searched for the function test.f with parameters a, b, but no matches were found in the schema cache."
        Perhaps you meant to call the function test.g(a, b)
        "#);
        insta::assert_snapshot!(show(&no_rpc(&[], MediaType::OctetStream, true)), @r#"
        404 PGRST202
        Could not find the function test.f in the schema cache
        "Searched for the function test.f with a single unnamed bytea parameter, but no matches were found in the schema cache."
        "#);
    }
}

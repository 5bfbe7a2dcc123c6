//! Errors about what the schema cache does not have, with their candidates and suggestions.

use serde_json::{Value, json};

use super::SchemaCacheError;
use super::http::{Rendered, is_single_value};
use crate::media_type::MediaType;
use crate::schema_cache::relationship::{Cardinality, ColumnPairs, Relationship};
use crate::schema_cache::routine::Routine;

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
        E::AmbiguousRelBetween(origin, target, relationships) => {
            let choices: Vec<String> = relationships.iter().filter_map(choice).collect();
            Rendered::new(
                "PGRST201",
                format!(
                    "Could not embed because more than one relationship was found for '{origin}' and '{target}'"
                ),
            )
            .details(relationships.iter().map(describe).collect::<Vec<_>>())
            .hint(format!(
                "Try changing '{target}' to one of the following: {}. Find the desired relationship in the 'details' key.",
                choices.join(", ")
            ))
        }
        E::NoRpc { schema, name, args, content_type, is_post, suggestion } => {
            no_rpc(schema, name, args, content_type, *is_post, suggestion.as_deref())
        }
        E::AmbiguousRpc(routines) => {
            let signatures: Vec<String> = routines.iter().map(signature).collect();
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

fn signature(routine: &Routine) -> String {
    let params: Vec<String> =
        routine.params.iter().map(|param| format!("{} => {}", param.name, param.data_type)).collect();
    format!("{}.{}({})", routine.schema, routine.name, params.join(", "))
}

/// `(a, b)`: the columns of one side of the pairs.
fn columns<'a>(pairs: &'a ColumnPairs, side: impl Fn(&'a (String, String)) -> &'a str) -> String {
    format!("({})", pairs.iter().map(side).collect::<Vec<_>>().join(", "))
}

/// A candidate, for `details`. Computed relationships are never ambiguous.
fn describe(relationship: &Relationship) -> Value {
    let Relationship::ForeignKey { table, foreign_table, cardinality, .. } = relationship else {
        return json!({});
    };
    let direct = |constraint: &str, pairs: &ColumnPairs| {
        format!(
            "{constraint} using {}{} and {}{}",
            table.name,
            columns(pairs, |pair| &pair.0),
            foreign_table.name,
            columns(pairs, |pair| &pair.1)
        )
    };
    let (kind, path) = match cardinality {
        Cardinality::ManyToMany(junction) => (
            "many-to-many",
            format!(
                "{} using {}{} and {}{}",
                junction.table.name,
                junction.constraint1,
                columns(&junction.cols_source, |pair| &pair.1),
                junction.constraint2,
                columns(&junction.cols_target, |pair| &pair.1)
            ),
        ),
        Cardinality::ManyToOne { constraint, columns } => ("many-to-one", direct(constraint, columns)),
        Cardinality::OneToOne { constraint, columns, .. } => ("one-to-one", direct(constraint, columns)),
        Cardinality::OneToMany { constraint, columns } => ("one-to-many", direct(constraint, columns)),
    };
    json!({
        "cardinality": kind,
        "embedding": format!("{} with {}", table.name, foreign_table.name),
        "relationship": path,
    })
}

/// How to ask for a candidate, for `hint`.
fn choice(relationship: &Relationship) -> Option<String> {
    let Relationship::ForeignKey { foreign_table, cardinality, .. } = relationship else { return None };
    let hint = match cardinality {
        Cardinality::ManyToMany(junction) => &junction.table.name,
        Cardinality::ManyToOne { constraint, .. }
        | Cardinality::OneToOne { constraint, .. }
        | Cardinality::OneToMany { constraint, .. } => constraint,
    };
    Some(format!("'{}!{hint}'", foreign_table.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema_cache::identifiers::QualifiedIdentifier;
    use crate::schema_cache::relationship::Junction;

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

    #[test]
    fn ambiguous_relationships_list_their_candidates() {
        let qi = |name: &str| QualifiedIdentifier::new("test", name);
        let pair = |a: &str, b: &str| vec![(a.to_owned(), b.to_owned())];
        let relationship = |cardinality| Relationship::ForeignKey {
            table: qi("a"),
            foreign_table: qi("b"),
            is_self: false,
            cardinality,
            table_is_view: false,
            foreign_table_is_view: false,
        };
        let error = SchemaCacheError::AmbiguousRelBetween(
            "a".into(),
            "b".into(),
            vec![
                relationship(Cardinality::ManyToOne { constraint: "fk".into(), columns: pair("b_id", "id") }),
                relationship(Cardinality::ManyToMany(Junction {
                    table: qi("ab"),
                    constraint1: "c1".into(),
                    constraint2: "c2".into(),
                    cols_source: pair("id", "a_id"),
                    cols_target: pair("id", "b_id"),
                })),
            ],
        );
        insta::assert_snapshot!(show(&error), @r#"
        300 PGRST201
        Could not embed because more than one relationship was found for 'a' and 'b'
        [{"cardinality":"many-to-one","embedding":"a with b","relationship":"fk using a(b_id) and b(id)"},{"cardinality":"many-to-many","embedding":"a with b","relationship":"ab using c1(a_id) and c2(b_id)"}]
        Try changing 'b' to one of the following: 'b!fk', 'b!ab'. Find the desired relationship in the 'details' key.
        "#);
    }
}

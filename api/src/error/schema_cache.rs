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

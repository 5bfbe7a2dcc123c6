//! Callable functions.

use serde::Deserialize;

use crate::error::DbError;
use crate::schema_cache::identifiers::{QualifiedIdentifier, Schema};
use crate::schema_cache::routine::{
    IsolationLevel, PgType, RetType, Routine, RoutineMap, RoutineParam, Volatility,
};

/// A row of `routines.sql`.
#[derive(Deserialize)]
struct RoutineRow {
    proc_schema: Schema,
    name: String,
    description: Option<String>,
    arg_names: Vec<String>,
    arg_types: Vec<String>,
    arg_modes: Vec<String>,
    required_args: usize,
    return_schema: String,
    return_name: String,
    returns_set: bool,
    returns_row_type: bool,
    returns_domain: bool,
    volatility: String,
    variadic: bool,
    settings: Vec<String>,
}

/// Decodes rows of `routines.sql`, each a JSON text. Functions that no request could address are left out.
///
/// `hoisted` names the settings of a function that are to hold for the whole transaction.
pub(in crate::schema_cache) fn decode<'a>(
    rows: impl Iterator<Item = Result<&'a str, DbError>>,
    hoisted: &[String],
) -> Result<RoutineMap, DbError> {
    let mut routines = RoutineMap::new();
    for row in rows {
        let row: RoutineRow = serde_json::from_str(row?).map_err(|it| {
            DbError::UnexpectedResult(format!("the catalog returned an unreadable function: {it}"))
        })?;
        if let Some(routine) = routine(row, hoisted) {
            let qi = QualifiedIdentifier::new(&*routine.schema, &*routine.name);
            routines.entry(qi).or_default().push(routine);
        }
    }
    for overloads in routines.values_mut() {
        overloads.sort();
    }
    Ok(routines)
}

fn routine(row: RoutineRow, hoisted: &[String]) -> Option<Routine> {
    let unnamed = row.arg_names.is_empty();
    let mut names = row.arg_names.into_iter();
    let modes: Vec<&str> = row.arg_modes.iter().map(String::as_str).collect();
    let mut params = Vec::with_capacity(row.arg_types.len());
    for (position, data_type) in row.arg_types.into_iter().enumerate() {
        let name = names.next().unwrap_or_default();
        let mode = modes.get(position).copied().unwrap_or("i");
        if matches!(mode, "i" | "b" | "v") {
            // Named with its schema where a request's search path has another type of the name.
            let data_type = data_type.strip_prefix("pg_catalog.").map_or(data_type.clone(), str::to_owned);
            params.push(RoutineParam {
                name,
                required: params.len() < row.required_args,
                type_max_length: without_length(&data_type).to_owned(),
                data_type,
                variadic: mode == "v",
            });
        }
    }
    if unnamed && !takes_body(&params) {
        return None;
    }

    let returned = QualifiedIdentifier::new(row.return_schema, row.return_name);
    // Output arguments make a row of what would be a scalar, a single one included.
    let has_outputs = modes.iter().any(|it| matches!(*it, "t" | "b" | "o"));
    let returned = match row.returns_row_type || has_outputs {
        true => PgType::Composite(returned, row.returns_domain),
        false => PgType::Scalar(returned),
    };
    let settings = || row.settings.iter().filter_map(|it| it.split_once('='));
    Some(Routine {
        schema: row.proc_schema,
        name: row.name,
        description: row.description,
        params,
        return_type: if row.returns_set { RetType::SetOf(returned) } else { RetType::Single(returned) },
        volatility: match row.volatility.as_str() {
            "i" => Volatility::Immutable,
            "s" => Volatility::Stable,
            _ => Volatility::Volatile,
        },
        has_variadic: row.variadic,
        isolation: settings()
            .find(|(name, _)| *name == "default_transaction_isolation")
            .map(|(_, value)| isolation(value)),
        settings: settings()
            .filter(|(name, _)| hoisted.iter().any(|it| it == name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    })
}

/// Without names, arguments can only be given as the body: as a single one of a type that a body can be.
fn takes_body(params: &[RoutineParam]) -> bool {
    match params {
        [] => true,
        [only] => matches!(only.data_type.as_str(), "bytea" | "json" | "jsonb" | "text" | "xml"),
        _ => false,
    }
}

/// A type whose name alone means length one, as the type that takes any length: an argument's length is
/// not enforced, and casting to it must not cut the value.
fn without_length(data_type: &str) -> &str {
    match data_type {
        "bit" => "bit varying",
        "bit[]" => "bit varying[]",
        "character" => "character varying",
        "character[]" => "character varying[]",
        other => other,
    }
}

fn isolation(value: &str) -> IsolationLevel {
    match value.to_ascii_lowercase().as_str() {
        "repeatable read" => IsolationLevel::RepeatableRead,
        "serializable" => IsolationLevel::Serializable,
        _ => IsolationLevel::ReadCommitted,
    }
}

//! What the local schema holds under the names of the origin's tables, and `IMPORT FOREIGN SCHEMA` itself.

use std::collections::BTreeMap;

use tokio_postgres::Transaction;

use super::catalog;
use super::config::FdwConfig;
use crate::error::{During, Error, ServerError};
use crate::quote::ident;

/// A relation of the local schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Local {
    /// A foreign table that an import made (or might have made): it stands for the origin's table of its own name.
    Imported,
    /// Anything else, with words for it.
    Foreign(String),
}

/// The relations of the local schema by name.
pub(super) async fn local(
    tx: &Transaction<'_>,
    config: &FdwConfig,
) -> Result<BTreeMap<String, Local>, Error> {
    let rows = tx
        .query(
            "SELECT c.relname::text, c.relkind, s.srvname::text, coalesce(f.ftoptions, '{}')
             FROM pg_class AS c
             JOIN pg_namespace AS n ON n.oid = c.relnamespace
             LEFT JOIN pg_foreign_table AS f ON f.ftrelid = c.oid
             LEFT JOIN pg_foreign_server AS s ON s.oid = f.ftserver
             WHERE n.nspname = $1",
            &[&config.local_schema.as_str()],
        )
        .await
        .during(format!("read the relations of schema \"{}\"", config.local_schema))?;
    Ok(rows
        .iter()
        .map(|row| {
            let name: String = row.get(0);
            let server: Option<String> = row.get(2);
            let options = catalog::options(&row.get::<_, Vec<String>>(3));
            // What an option leaves out is the local name.
            let remote_schema =
                options.get("schema_name").map_or(config.local_schema.as_str(), String::as_str);
            let remote_table = options.get("table_name").unwrap_or(&name);
            let local = match server {
                Some(server) if server != config.server.as_str() => {
                    Local::Foreign(format!("a foreign table of the server \"{server}\""))
                }
                Some(_) if remote_schema == config.remote_schema.as_str() && *remote_table == name => {
                    Local::Imported
                }
                Some(_) => Local::Foreign("a foreign table that stands for another table".to_owned()),
                None => Local::Foreign(kind_in_words(row.get(1)).to_owned()),
            };
            (name, local)
        })
        .collect())
}

fn kind_in_words(relkind: i8) -> &'static str {
    match relkind.cast_unsigned() {
        b'r' | b'p' => "a table",
        b'v' => "a view",
        b'm' => "a materialized view",
        b'i' | b'I' => "an index",
        b'S' => "a sequence",
        b'c' => "a composite type",
        _ => "another relation",
    }
}

/// How much of a table's definition is taken over. Tried in this order: some definitions use what exists only at the
/// origin, and a table without a collation is better than no table.
const VARIANTS: [(&str, Option<&str>); 4] = [
    ("", None),
    ("OPTIONS (import_collate 'false')", Some("imported without collations")),
    ("OPTIONS (import_generated 'false')", Some("imported without the expressions of generated columns")),
    (
        "OPTIONS (import_collate 'false', import_generated 'false')",
        Some("imported without collations and without the expressions of generated columns"),
    ),
];

/// What came of an import of several tables.
#[derive(Debug, Default)]
pub(super) struct Imported {
    /// Tables that are there now.
    pub(super) tables: Vec<String>,
    /// Tables that lack a part of their definition, with the reason.
    pub(super) reduced: Vec<(String, String)>,
    /// Tables that could not be imported.
    pub(super) failed: Vec<(String, ServerError)>,
}

/// Imports the tables `names` into the schema `into`. All at once; when the server refuses that, one by one, so that
/// one unknown type does not keep the others out.
pub(super) async fn import(
    tx: &mut Transaction<'_>,
    config: &FdwConfig,
    names: &[String],
    into: &str,
) -> Result<Imported, Error> {
    let action = "import the origin's tables";
    let mut out = Imported::default();
    if names.is_empty() {
        return Ok(out);
    }
    if super::attempt(tx, &statement(config, names, into, ""), action).await?.is_ok() {
        out.tables = names.to_vec();
        return Ok(out);
    }
    for name in names {
        let mut first_error = None;
        let mut done = false;
        for (options, reduction) in VARIANTS {
            let sql = statement(config, std::slice::from_ref(name), into, options);
            match super::attempt(tx, &sql, action).await? {
                Ok(()) => {
                    out.tables.push(name.clone());
                    if let (Some(reduction), Some(error)) = (reduction, &first_error) {
                        out.reduced.push((name.clone(), format!("{reduction}: {error}")));
                    }
                    done = true;
                    break;
                }
                Err(it) => first_error = first_error.or(Some(it)),
            }
        }
        if let (false, Some(error)) = (done, first_error) {
            out.failed.push((name.clone(), error));
        }
    }
    Ok(out)
}

fn statement(config: &FdwConfig, names: &[String], into: &str, options: &str) -> String {
    let names: Vec<String> = names.iter().map(|it| ident(it)).collect();
    format!(
        "IMPORT FOREIGN SCHEMA {} LIMIT TO ({}) FROM SERVER {} INTO {} {options}",
        config.remote_schema.quoted(),
        names.join(", "),
        config.server.quoted(),
        ident(into),
    )
}

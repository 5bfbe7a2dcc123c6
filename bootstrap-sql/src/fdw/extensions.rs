//! Lets the origin evaluate operators and functions of extensions that both sides have in the same version: a filter
//! on a `citext` column or a PostGIS distance then travels instead of the whole table.

use tokio_postgres::Transaction;

use super::catalog::{self, SCHEMA};
use super::config::FdwConfig;
use crate::error::{During, Error};
use crate::quote::literal;

/// Adds the shared extensions to the option `extensions` of the server and names those that are new there. What is
/// listed already stays.
pub(super) async fn ship(tx: &Transaction<'_>, config: &FdwConfig) -> Result<Vec<String>, Error> {
    let server = config.server.quoted();
    let action = format!("list the shared extensions of the foreign server {server}");
    let rows = tx
        .query(&format!("SELECT extname, extversion FROM {SCHEMA}.pg_extension"), &[])
        .await
        .during(&action)?;
    let remote: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let rows = tx
        .query(
            "SELECT e.extname::text, e.extversion FROM pg_extension AS e
             WHERE EXISTS (SELECT FROM pg_depend AS d
                           WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
                             AND d.classid IN ('pg_operator'::regclass, 'pg_type'::regclass))
             ORDER BY 1",
            &[],
        )
        .await
        .during(&action)?;
    let row = tx
        .query_one(
            "SELECT coalesce(srvoptions, '{}') FROM pg_foreign_server WHERE srvname = $1",
            &[&config.server.as_str()],
        )
        .await
        .during(&action)?;
    let listed = catalog::options(&row.get::<_, Vec<String>>(0)).remove("extensions");
    let mut names: Vec<String> = listed
        .iter()
        .flat_map(|it| it.split(','))
        .map(|it| it.trim().to_owned())
        .filter(|it| !it.is_empty())
        .collect();
    let new: Vec<String> = rows
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .filter(|it| remote.contains(it))
        .map(|(name, _)| name)
        .filter(|it| !names.contains(it) && is_plain(it))
        .collect();
    if new.is_empty() {
        return Ok(new);
    }
    names.extend(new.iter().cloned());
    let verb = if listed.is_some() { "SET" } else { "ADD" };
    tx.batch_execute(&format!(
        "ALTER SERVER {server} OPTIONS ({verb} extensions {})",
        literal(&names.join(", "))
    ))
    .await
    .during(&action)?;
    Ok(new)
}

/// The option is a list of names, in which some (`uuid-ossp`) would need quotes. Those with quotes are left to whoever
/// needs them.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_')
}

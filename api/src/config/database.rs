//! The in-database configuration: `pgrst.*` and `pgapp.*` settings of the connection's role, the pre-config
//! function, and the settings of the roles that may be switched to.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::keys::{self, Key};
use crate::error::DbError;
use crate::schema_cache::identifiers::QualifiedIdentifier;
use crate::schema_cache::routine::IsolationLevel;

/// What the database says about the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseSettings {
    /// By name, such as `db_schemas` for `pgrst.db_schemas` and `pgapp_limited_writes` for `pgapp.limited_writes`.
    pub settings: HashMap<String, String>,
    /// Per role: its settings.
    pub role_settings: HashMap<String, Vec<(String, String)>>,
    /// Per role: its isolation level.
    pub role_isolation: HashMap<String, IsolationLevel>,
}

/// Version of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PgVersion {
    /// `server_version_num`.
    pub number: u32,
    /// `server_version`.
    pub name: String,
    /// `version()`.
    pub full_name: String,
}

/// First `server_version_num` that is supported, and its name.
pub const MINIMUM_PG_VERSION: (u32, &str) = (140_000, "14.0");

/// Asks for the server's version.
pub async fn pg_version(client: &Client) -> Result<PgVersion, DbError> {
    const QUERY: &str = "select pg_catalog.current_setting('server_version_num')::int, pg_catalog.current_setting('server_version'), pg_catalog.version()";
    let rows = client.query_typed(QUERY, &[]).await.map_err(DbError::from)?;
    let row = rows.first().ok_or_else(|| unexpected("the server's version"))?;
    let number: i32 = row.try_get(0).map_err(DbError::from)?;
    Ok(PgVersion {
        number: u32::try_from(number).map_err(|_| unexpected("the server's version"))?,
        name: row.try_get(1).map_err(DbError::from)?,
        full_name: row.try_get(2).map_err(DbError::from)?,
    })
}

/// Reads the `pgrst.*` and `pgapp.*` settings. A setting of the role in this database counts before one of the
/// role, and that before one of the pre-config function; one of the database alone does not count.
pub async fn settings(
    client: &Client,
    pre_config: Option<&QualifiedIdentifier>,
) -> Result<HashMap<String, String>, DbError> {
    const HEAD: &str = "with names as (select pg_catalog.unnest($1::pg_catalog.text[]) as name), found as (
        select setdatabase as database,
               pg_catalog.split_part(setting, '=', 1) as name,
               pg_catalog.substr(setting, pg_catalog.strpos(setting, '=') operator(pg_catalog.+) 1) as value
        from pg_catalog.pg_db_role_setting, pg_catalog.unnest(setconfig) as setting
        where setrole operator(pg_catalog.=)
              (select oid from pg_catalog.pg_roles where rolname operator(pg_catalog.=) current_user)
          and (setdatabase operator(pg_catalog.=) 0::pg_catalog.oid or setdatabase operator(pg_catalog.=)
              (select oid from pg_catalog.pg_database where datname operator(pg_catalog.=) current_catalog))";
    const TAIL: &str = ")
        select distinct on (found.name) found.name, value
        from found join names on found.name operator(pg_catalog.=) names.name
        where value is not null
        order by found.name, database desc nulls last";
    // The call stands in `from`, so that it has run before the settings are read.
    let from_function = match pre_config {
        Some(function) => format!(
            " union all select null, name, pg_catalog.current_setting(name, true)
              from {}() as called, names",
            quoted(function)
        ),
        None => String::new(),
    };
    let names: Vec<String> =
        keys::all().filter(|it| it.in_database).map(|it| Key::db_setting(it.name)).collect();
    let query = format!("{HEAD}{from_function}{TAIL}");
    let rows =
        read_only(client, async || client.query_typed(&query, &[(&names, Type::TEXT_ARRAY)]).await).await?;
    rows.iter()
        .map(|row| {
            let name: String = row.try_get(0)?;
            let value: String = row.try_get(1)?;
            // Under the names of `Key::db_name`.
            let name = match name.strip_prefix("pgrst.") {
                Some(name) => name.to_owned(),
                None => name.replace('.', "_"),
            };
            Ok((name, value))
        })
        .collect::<Result<_, tokio_postgres::Error>>()
        .map_err(DbError::from)
}

/// Settings per role.
pub type RoleSettings = (HashMap<String, Vec<(String, String)>>, HashMap<String, IsolationLevel>);

/// Reads the settings of the roles this one is a member of, as far as it may set them.
pub async fn role_settings(client: &Client, pg_version: u32) -> Result<RoleSettings, DbError> {
    let privileged = if pg_version >= 150_000 {
        "or pg_catalog.has_parameter_privilege(current_user::pg_catalog.name, ps.name, 'set')"
    } else {
        ""
    };
    let query = format!(
        "select kv.rolname::pg_catalog.text, kv.name, kv.value from (
            select r.rolname,
                   pg_catalog.split_part(setting, '=', 1) as name,
                   pg_catalog.substr(setting, pg_catalog.strpos(setting, '=') operator(pg_catalog.+) 1) as value
            from pg_catalog.pg_auth_members m
            join pg_catalog.pg_roles r on r.oid operator(pg_catalog.=) m.roleid
            cross join pg_catalog.unnest(r.rolconfig) as setting
            where m.member operator(pg_catalog.=)
                  (select oid from pg_catalog.pg_roles where rolname operator(pg_catalog.=) current_user)
        ) kv
        join pg_catalog.pg_settings ps
          on ps.name operator(pg_catalog.=) kv.name and (ps.context operator(pg_catalog.=) 'user' {privileged})
        group by 1, 2, 3
        order by 1, 2"
    );
    let rows = read_only(client, async || client.query_typed(&query, &[]).await).await?;
    let mut settings: HashMap<String, Vec<(String, String)>> = HashMap::new();
    let mut isolation = HashMap::new();
    for row in rows {
        let (role, name, value): (String, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if name == "default_transaction_isolation" {
            isolation.insert(role, isolation_level(&value));
        } else {
            settings.entry(role).or_default().push((name, value));
        }
    }
    Ok((settings, isolation))
}

fn isolation_level(name: &str) -> IsolationLevel {
    match name.to_ascii_lowercase().as_str() {
        "repeatable read" => IsolationLevel::RepeatableRead,
        "serializable" => IsolationLevel::Serializable,
        _ => IsolationLevel::ReadCommitted,
    }
}

/// Runs a query in a transaction that cannot write.
async fn read_only<T>(
    client: &Client,
    query: impl AsyncFnOnce() -> Result<T, tokio_postgres::Error>,
) -> Result<T, DbError> {
    client.batch_execute("begin isolation level read committed read only").await?;
    let result = query().await;
    client.batch_execute(if result.is_ok() { "commit" } else { "rollback" }).await?;
    Ok(result?)
}

fn quoted(name: &QualifiedIdentifier) -> String {
    let quote = |it: &str| format!("\"{}\"", it.replace('"', "\"\""));
    if name.schema.is_empty() {
        quote(&name.name)
    } else {
        format!("{}.{}", quote(&name.schema), quote(&name.name))
    }
}

fn unexpected(what: &str) -> DbError {
    DbError::UnexpectedResult(format!("cannot read {what}"))
}

//! The extension, the foreign server and the user mappings, made or brought up to the configuration. Options that
//! somebody added by hand stay.

use serde::Serialize;
use tokio_postgres::{Client, Transaction};

use super::config::{FdwConfig, MappedRoles};
use crate::confidential;
use crate::error::{During, Error};
use crate::quote::{Ident, ident, literal};

/// What a wiring changed; all empty when it found everything in place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WireReport {
    /// Whether the foreign server was made or altered.
    pub server_changed: bool,
    /// Roles whose mapping was made or altered; `public` stands for every role.
    pub mappings_changed: Vec<String>,
}

/// Options that only get a first value, so that tuning by hand lasts.
///
/// Estimates stay local (`use_remote_estimate` off): remote ones cost a round trip per candidate plan in every query,
/// more than a request of a few rows takes. Rows travel a thousand at a time instead of a hundred, inserts a hundred
/// at a time instead of one. An origin that is gone is noticed in seconds, not after the kernel's two minutes.
const FIRST_VALUES: [(&str, &str); 7] = [
    ("use_remote_estimate", "false"),
    ("fetch_size", "1000"),
    ("batch_size", "100"),
    ("connect_timeout", "5"),
    ("keepalives_idle", "30"),
    ("keepalives_interval", "10"),
    ("keepalives_count", "3"),
];

/// Makes or updates the way to the origin. Idempotent.
pub async fn wire(client: &mut Client, config: &FdwConfig) -> Result<WireReport, Error> {
    let tx = super::begin(client, "begin the wiring").await?;
    ensure_extension(&tx).await?;
    let mut report =
        WireReport { server_changed: ensure_server(&tx, config).await?, ..WireReport::default() };
    for role in mapped_roles(config) {
        if ensure_mapping(&tx, config, &role).await? {
            report.mappings_changed.push(role.name().to_owned());
        }
    }
    if config.mapped != MappedRoles::Everyone && drop_public_mapping(&tx, config).await? {
        report.mappings_changed.push(Mapped::Public.name().to_owned());
    }
    tx.commit().await.during("commit the wiring")?;
    Ok(report)
}

async fn ensure_extension(tx: &Transaction<'_>) -> Result<(), Error> {
    let action = "install the extension \"postgres_fdw\"";
    let row = tx
        .query_one(
            "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'postgres_fdw'),
                    to_regnamespace('pgapp') IS NOT NULL,
                    current_setting('server_version_num')::int4",
            &[],
        )
        .await
        .during(action)?;
    let (installed, bootstrapped, version): (bool, bool, i32) = (row.get(0), row.get(1), row.get(2));
    if version < 140_000 {
        return Err(Error::Refused(format!(
            "the custom database runs Postgres {}, and batched inserts into foreign tables need 14 or newer",
            version / 10_000
        )));
    }
    if installed {
        return Ok(());
    }
    if !bootstrapped {
        return Err(super::import::not_bootstrapped());
    }
    tx.batch_execute("CREATE EXTENSION postgres_fdw WITH SCHEMA pgapp").await.during(action)
}

/// Options that decide where the server is, and so follow the configuration. `None` means: must be absent.
fn connection_options(config: &FdwConfig) -> Vec<(&'static str, Option<String>)> {
    vec![
        ("host", Some(config.host.clone())),
        ("port", Some(config.port.to_string())),
        ("dbname", Some(config.dbname.clone())),
        ("sslmode", Some(config.sslmode.to_string())),
        ("sslrootcert", config.sslrootcert.clone()),
    ]
}

async fn ensure_server(tx: &Transaction<'_>, config: &FdwConfig) -> Result<bool, Error> {
    let server = config.server.quoted();
    let action = format!("make the foreign server {server}");
    let row = tx
        .query_opt(
            "SELECT w.fdwname::text, coalesce(s.srvoptions, '{}')
             FROM pg_foreign_server AS s JOIN pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw
             WHERE s.srvname = $1",
            &[&config.server.as_str()],
        )
        .await
        .during(&action)?;
    let mut wanted = connection_options(config);
    let Some(row) = row else {
        wanted.extend(FIRST_VALUES.iter().map(|(name, value)| (*name, Some((*value).to_owned()))));
        let options: Vec<String> = wanted
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{} {}", ident(name), literal(&value?))))
            .collect();
        let sql = format!(
            "CREATE SERVER {server} FOREIGN DATA WRAPPER postgres_fdw OPTIONS ({})",
            options.join(", ")
        );
        tx.batch_execute(&sql).await.during(&action)?;
        return Ok(true);
    };
    let (wrapper, present): (String, Vec<String>) = (row.get(0), row.get(1));
    if wrapper != "postgres_fdw" {
        return Err(Error::Refused(format!(
            "the foreign server {server} belongs to the wrapper \"{wrapper}\"; drop it or choose another name"
        )));
    }
    let present = super::catalog::options(&present);
    wanted.extend(
        FIRST_VALUES
            .iter()
            .filter(|(name, _)| !present.contains_key(*name))
            .map(|(name, value)| (*name, Some((*value).to_owned()))),
    );
    let changes: Vec<String> = wanted
        .into_iter()
        .filter_map(|(name, value)| match (value, present.get(name)) {
            (Some(value), None) => Some(format!("ADD {} {}", ident(name), literal(&value))),
            (Some(value), Some(old)) if value != *old => {
                Some(format!("SET {} {}", ident(name), literal(&value)))
            }
            (None, Some(_)) => Some(format!("DROP {}", ident(name))),
            _ => None,
        })
        .collect();
    if changes.is_empty() {
        return Ok(false);
    }
    tx.batch_execute(&format!("ALTER SERVER {server} OPTIONS ({})", changes.join(", ")))
        .await
        .during(&action)?;
    Ok(true)
}

/// Whose mapping.
enum Mapped {
    Public,
    CurrentUser,
    Role(Ident),
}

impl Mapped {
    fn sql(&self) -> String {
        match self {
            Self::Public => "PUBLIC".to_owned(),
            Self::CurrentUser => "CURRENT_USER".to_owned(),
            Self::Role(it) => it.quoted(),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Public => "public",
            Self::CurrentUser => "current_user",
            Self::Role(it) => it.as_str(),
        }
    }
}

/// A mapping for PUBLIC serves the bootstrapping user, `web_anon` and every role that a token may name. Nobody but
/// the owner of the server can read a password out of it, while a mapping of one's own shows it to whoever also has
/// USAGE on the server.
fn mapped_roles(config: &FdwConfig) -> Vec<Mapped> {
    match &config.mapped {
        MappedRoles::Everyone => vec![Mapped::Public],
        MappedRoles::Only(roles) => {
            let roles = roles.iter().cloned().map(Mapped::Role);
            std::iter::once(Mapped::CurrentUser).chain(roles).collect()
        }
    }
}

async fn ensure_mapping(tx: &Transaction<'_>, config: &FdwConfig, role: &Mapped) -> Result<bool, Error> {
    let (server, who) = (config.server.quoted(), role.sql());
    let action = format!("map the role \"{}\" to the origin's user \"{}\"", role.name(), config.user);
    let role_name = match role {
        Mapped::Role(it) => Some(it.as_str()),
        Mapped::Public | Mapped::CurrentUser => None,
    };
    let row = tx
        .query_opt(
            "SELECT umoptions FROM pg_user_mappings
             WHERE srvname = $1
               AND CASE WHEN $2 THEN umuser = 0 ELSE usename = coalesce($3, current_user::text) END",
            &[&config.server.as_str(), &matches!(role, Mapped::Public), &role_name],
        )
        .await
        .during(&action)?;
    let wanted = [("user", config.user.as_str()), ("password", config.password.expose())];
    let create = || {
        let options = wanted.map(|(name, value)| format!("{} {}", ident(name), literal(value)));
        format!("CREATE USER MAPPING FOR {who} SERVER {server} OPTIONS ({})", options.join(", "))
    };
    let sql = match row.map(|it| it.get::<_, Option<Vec<String>>>(0)) {
        None => create(),
        // Options that this user may not read are replaced whole.
        Some(None) => format!("DROP USER MAPPING FOR {who} SERVER {server}; {}", create()),
        Some(Some(present)) => {
            let present = super::catalog::options(&present);
            let changes: Vec<String> = wanted
                .iter()
                .filter(|(name, value)| present.get(*name).is_none_or(|old| old != value))
                .map(|(name, value)| {
                    let verb = if present.contains_key(*name) { "SET" } else { "ADD" };
                    format!("{verb} {} {}", ident(name), literal(value))
                })
                .collect();
            if changes.is_empty() {
                return Ok(false);
            }
            format!("ALTER USER MAPPING FOR {who} SERVER {server} OPTIONS ({})", changes.join(", "))
        }
    };
    confidential::execute(tx, &sql, &config.password, &action).await?;
    Ok(true)
}

async fn drop_public_mapping(tx: &Transaction<'_>, config: &FdwConfig) -> Result<bool, Error> {
    let action = "remove the mapping of every role";
    let row = tx
        .query_one(
            "SELECT EXISTS (SELECT FROM pg_user_mappings WHERE srvname = $1 AND umuser = 0)",
            &[&config.server.as_str()],
        )
        .await
        .during(action)?;
    if !row.get::<_, bool>(0) {
        return Ok(false);
    }
    tx.batch_execute(&format!("DROP USER MAPPING FOR PUBLIC SERVER {}", config.server.quoted()))
        .await
        .during(action)?;
    Ok(true)
}

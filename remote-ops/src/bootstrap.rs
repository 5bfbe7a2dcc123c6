//! Sets up a database of a deployment over a connection that somebody else has made: the same steps as on a laptop, and for
//! the custom database the way to the origin.
//!
//! Each part is idempotent and ends whole or not at all, so a run that was interrupted is continued by the next one.

use std::fmt::Write as _;

use bootstrap_sql::{
    Ident, Outcome, Report, Secret, StepEvent, Target, Vars,
    fdw::{self, FdwConfig, ImportReport, WireReport},
};
use serde::Serialize;
use tokio_postgres::Client;

use super::{access::Access, error::RemoteError, trust};

/// Why a database was not set up, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// There is no connection.
    #[error(transparent)]
    Connect(Box<dyn std::error::Error + Send + Sync>),
    /// The database's name cannot be one.
    #[error("name of the database")]
    Name(#[source] bootstrap_sql::quote::IdentError),
    /// The server did not say which databases it has.
    #[error("look for the database")]
    Look(#[source] tokio_postgres::Error),
    /// A step, the wiring or the import.
    #[error(transparent)]
    Sql(#[from] bootstrap_sql::Error),
    /// A migration or the seed of the application.
    #[error(transparent)]
    App(#[from] app_folder::Error),
    /// The authorities of the origin.
    #[error(transparent)]
    Trust(#[from] RemoteError),
    /// The origin knows no such login, or another password of it.
    #[error(
        "the origin does not let \"{user}\" in; `cargo xtask bootstrap --target rds` makes this login and sets its password"
    )]
    OriginRefused {
        /// The login.
        user: String,
        /// What the custom database says of it.
        source: bootstrap_sql::Error,
    },
}

/// A database server that can be connected to.
pub trait Server: Sync {
    /// Why it cannot be.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The database that the steps are for.
    fn dbname(&self) -> &str;

    /// Connects to a database.
    fn connect(&self, dbname: &str) -> impl Future<Output = Result<Client, Self::Error>> + Send;
}

impl Server for Access {
    type Error = RemoteError;

    fn dbname(&self) -> &str {
        &self.place().dbname
    }

    async fn connect(&self, dbname: &str) -> Result<Client, RemoteError> {
        Access::connect(self, dbname).await
    }
}

/// A login of the origin that may handle rows and nothing else.
#[derive(Debug)]
pub struct FdwLogin {
    /// Its name.
    pub user: Ident,
    /// Its password.
    pub password: Secret,
}

/// What a database becomes.
#[derive(Debug)]
pub enum Job {
    /// The system of record.
    Origin {
        /// Whether it gets the tutorial's table.
        sample_table: bool,
        /// Login with which the custom database comes; `None` makes none.
        fdw: Option<Box<FdwLogin>>,
    },
    /// The database that is served, joined to the origin.
    Custom {
        /// Password of the REST server's login; `None` leaves it alone.
        authenticator_password: Option<Secret>,
        /// Whether anonymous requests may use what is in `public`.
        is_open: bool,
        /// The origin.
        origin: Box<FdwConfig>,
        /// Certificates of the authorities (PEM) that vouch for the origin, to be kept beside the data; `None` where
        /// `origin` names a file that is there already, or asks for none.
        authorities: Option<Vec<u8>>,
    },
    /// The database of the functions. It is created if it does not exist.
    Aurora {
        /// User that logs in with tokens.
        iam_user: Ident,
    },
}

/// What was done.
#[derive(Debug, Serialize)]
pub struct Done {
    /// Whether the database was created.
    pub created: bool,
    /// The steps.
    pub steps: Report,
    /// The way to the origin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wired: Option<WireReport>,
    /// The foreign tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imported: Option<ImportReport>,
    /// Migrations of the application that were applied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub migrations: Vec<String>,
}

impl Job {
    fn target(&self) -> Target {
        match self {
            Self::Origin { .. } => Target::Origin,
            Self::Custom { .. } => Target::Custom,
            Self::Aurora { .. } => Target::Aurora,
        }
    }

    fn vars(&self) -> Vars {
        match self {
            Self::Origin { sample_table, fdw } => {
                let vars = Vars { sample_table: *sample_table, ..Vars::default() };
                match fdw.as_deref() {
                    Some(FdwLogin { user, password }) => Vars {
                        with_fdw_user: true,
                        fdw_user: user.clone(),
                        fdw_password: Some(password.clone()),
                        ..vars
                    },
                    None => vars,
                }
            }
            Self::Custom { authenticator_password, is_open, .. } => Vars {
                authenticator_password: authenticator_password.clone(),
                web_anon_may_use_public: *is_open,
                ..Vars::default()
            },
            Self::Aurora { iam_user } => Vars { iam_user: Some(iam_user.clone()), ..Vars::default() },
        }
    }
}

/// Does the job. `say` gets a line for each thing that was done or could not be.
///
/// # Errors
/// When a connection or a step fails; what was done by then stays, nothing is left half done.
pub async fn apply(
    server: &impl Server,
    job: &Job,
    say: &mut (dyn FnMut(String) + Send),
) -> Result<Done, BootstrapError> {
    let mut created = false;
    if let Job::Aurora { .. } = job {
        // The service makes the database with the cluster; it may have been dropped, or named later.
        let name = Ident::try_from(server.dbname()).map_err(BootstrapError::Name)?;
        let admin = connect(server, "postgres").await?;
        created = bootstrap_sql::database::create_if_missing(&admin, &name).await?;
        if created {
            say(format!("created the database \"{name}\""));
        }
    }
    let mut client = connect(server, server.dbname()).await?;
    let mut on_event = |event| match event {
        StepEvent::WaitingForLock => say("another run is at work on this database; waiting for it".into()),
        StepEvent::Finished(step) => {
            let verb = match step.outcome {
                Outcome::Applied => "applied",
                Outcome::Reapplied => "reapplied",
                Outcome::Unchanged => return,
            };
            say(format!("{verb} {}", step.step));
            for note in step.notes {
                say(format!("note: {}: {note}", step.step));
            }
        }
        StepEvent::UnknownStep { step } => {
            say(format!("note: the database holds step {step}, which a newer version of this program made"));
        }
        StepEvent::Started { .. } => {}
    };
    let steps = bootstrap_sql::apply(&mut client, job.target(), &job.vars(), &mut on_event).await?;
    let (mut wired, mut imported) = (None, None);
    if let Job::Custom { origin, authorities, .. } = job {
        let mut origin = FdwConfig::clone(origin);
        if let Some(pem) = authorities {
            let (path, is_new) = trust::place(&mut client, pem).await?;
            if is_new {
                say(format!("put the authorities that vouch for the origin into {path}"));
            }
            origin.sslrootcert = Some(path);
        }
        let report = fdw::wire(&mut client, &origin).await?;
        if report.server_changed || !report.mappings_changed.is_empty() {
            say(format!("joined to {}:{}", origin.host, origin.port));
        }
        wired = Some(report);
        let report = fdw::import(&mut client, &origin).await.map_err(|err| refused(err, &origin))?;
        report.added.iter().for_each(|it| say(format!("imported {it}")));
        report.changed.iter().for_each(|it| say(format!("changed {}: {}", it.table, it.changes.join("; "))));
        report.dropped.iter().for_each(|it| say(format!("dropped {it}")));
        report
            .skipped
            .iter()
            .for_each(|it| say(format!("note: {}: {}; next: {}", it.table, it.reason, it.next)));
        imported = Some(report);
    }
    Ok(Done { created, steps, wired, imported, migrations: Vec::new() })
}

/// The SQL that [`apply`] would run, with secrets masked.
///
/// # Errors
/// What `apply` would refuse before it changes anything.
pub async fn plan(server: &impl Server, job: &Job) -> Result<String, BootstrapError> {
    let mut text = String::new();
    let mut dbname = server.dbname().to_owned();
    if let Job::Aurora { .. } = job {
        let name = Ident::try_from(server.dbname()).map_err(BootstrapError::Name)?;
        if !exists(server).await? {
            let _ = writeln!(text, "CREATE DATABASE {};\n", name.quoted());
            // A database without a ledger, like the one that would be made.
            dbname = "postgres".to_owned();
        }
    }
    let client = connect(server, &dbname).await?;
    for step in bootstrap_sql::plan(&client, job.target(), &job.vars()).await? {
        let name = format!("{}/{}", job.target(), step.name);
        match step.outcome {
            Outcome::Unchanged => {
                let _ = writeln!(text, "-- {name}: in place\n");
            }
            Outcome::Applied | Outcome::Reapplied => {
                let _ = writeln!(text, "-- {name}\n{}\n", step.sql.trim_end());
            }
        }
    }
    if let Job::Custom { origin, authorities, .. } = job {
        let mut origin = FdwConfig::clone(origin);
        if let Some(pem) = authorities {
            let path = trust::path(&client, pem).await?;
            let _ = writeln!(text, "-- the authorities that vouch for the origin, kept in\n-- {path}\n");
            origin.sslrootcert = Some(path);
        }
        text.push_str(&wiring(&origin));
    }
    Ok(text.trim_end().to_owned())
}

/// Whether the database is there.
pub(super) async fn exists(server: &impl Server) -> Result<bool, BootstrapError> {
    let admin = connect(server, "postgres").await?;
    let query = "SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = $1)";
    let row = admin.query_one(query, &[&server.dbname()]).await.map_err(BootstrapError::Look)?;
    Ok(row.get(0))
}

pub(super) async fn connect(server: &impl Server, dbname: &str) -> Result<Client, BootstrapError> {
    server.connect(dbname).await.map_err(|err| BootstrapError::Connect(Box::new(err)))
}

/// The first visit to the origin with its login: what is most likely wrong when that is refused.
fn refused(source: bootstrap_sql::Error, origin: &FdwConfig) -> BootstrapError {
    let mut next: Option<&dyn std::error::Error> = Some(&source);
    while let Some(it) = next {
        if it.to_string().contains("authentication failed") {
            return BootstrapError::OriginRefused { user: origin.user.clone(), source };
        }
        next = it.source();
    }
    source.into()
}

/// What the wiring comes to where nothing is in place yet.
fn wiring(origin: &FdwConfig) -> String {
    let literal = bootstrap_sql::quote::literal;
    let server = origin.server.quoted();
    let mut options = vec![
        format!("host {}", literal(&origin.host)),
        format!("port {}", literal(&origin.port.to_string())),
        format!("dbname {}", literal(&origin.dbname)),
        format!("sslmode {}", literal(origin.sslmode.as_str())),
    ];
    options.extend(origin.sslrootcert.iter().map(|it| format!("sslrootcert {}", literal(it))));
    format!(
        "-- the way to the origin, as far as it is not in place\n\
         CREATE EXTENSION IF NOT EXISTS postgres_fdw;\n\
         CREATE SERVER {server} FOREIGN DATA WRAPPER postgres_fdw OPTIONS ({});\n\
         CREATE USER MAPPING FOR PUBLIC SERVER {server} OPTIONS (user {}, password {});\n\
         -- then the tables of the origin's schema {} are imported into {}, and followed\n",
        options.join(", "),
        literal(&origin.user),
        literal(bootstrap_sql::secret::MASK),
        origin.remote_schema.quoted(),
        origin.local_schema.quoted(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_planned_wiring_is_quoted_and_masked() {
        let mut origin =
            FdwConfig::new("db.example.com", 5432, "some'db", "some\"user", Secret::from("hunter2"));
        origin.sslmode = fdw::SslMode::VerifyFull;
        origin.sslrootcert = Some("/etc/ssl/rds.pem".into());
        let text = wiring(&origin);
        assert!(text.contains(
            "OPTIONS (host 'db.example.com', port '5432', dbname 'some''db', sslmode 'verify-full', sslrootcert '/etc/ssl/rds.pem')"
        ), "{text}");
        assert!(text.contains("OPTIONS (user 'some\"user', password '********')"), "{text}");
        assert!(!text.contains("hunter2"));
    }
}

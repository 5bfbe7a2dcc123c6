//! Puts the stack's content into running databases, through the same runner that sets up the remote ones.

use std::time::Instant;

use bootstrap_sql::fdw::{self, FdwConfig, ImportReport, SslMode};
use bootstrap_sql::{Ident, Outcome, Secret, StepEvent, Target, Vars};
use tokio_postgres::Client;

use crate::animals;
use crate::config::{Anonymous, StackConfig};
use crate::database::{Connection, Database};
use crate::error::Error;
use crate::event::Progress;
use crate::probe::describe;
use crate::state::Secrets;

/// Applies the steps of both databases and, unless the stack is bare, joins them.
pub(crate) struct Bootstrap<'a> {
    pub(crate) config: &'a StackConfig,
    pub(crate) secrets: &'a Secrets,
    pub(crate) origin_address: (String, u16),
    pub(crate) names: Names,
    pub(crate) progress: &'a Progress,
}

/// The names of the two databases: the stack's own, or those of a copy beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) origin: String,
    pub(crate) custom: String,
}

impl Default for Names {
    fn default() -> Self {
        Self { origin: Database::Origin.dbname().to_owned(), custom: Database::Custom.dbname().to_owned() }
    }
}

impl Names {
    pub(crate) fn of(&self, database: Database) -> &str {
        match database {
            Database::Origin => &self.origin,
            Database::Custom => &self.custom,
        }
    }
}

impl Bootstrap<'_> {
    /// The steps of one database.
    pub(crate) async fn apply(&self, database: Database) -> Result<(), Error> {
        let mut client = self.connect(database).await?;
        let service = database.service();
        let target = match database {
            Database::Origin => Target::Origin,
            Database::Custom => Target::Custom,
        };
        let vars = Vars {
            authenticator_password: Some(Secret::new(self.secrets.authenticator_password.clone())),
            web_anon_may_use_public: self.config.anonymous != Anonymous::None,
            web_anon_may_write: self.config.anonymous == Anonymous::Write,
            postgres_fdw: !self.config.bare,
            sample_table: !self.config.bare && self.config.app.is_none(),
            ..Vars::default()
        };
        let mut on_event = |event| match event {
            StepEvent::Finished(step) if step.outcome != Outcome::Unchanged => {
                self.progress.step(service, format!("applied {}", step.step));
                for note in step.notes {
                    self.progress.note(format!("{service}, step {}: {note}", step.step));
                }
            }
            StepEvent::UnknownStep { step } => {
                self.progress
                    .note(format!("{service} holds step {step}, which a newer version of this program made"));
            }
            _ => {}
        };
        let report = bootstrap_sql::apply(&mut client, target, &vars, &mut on_event).await;
        report.map(drop).map_err(|source| Error::Bootstrap { service, source: Box::new(source) })
    }

    /// Connects as superuser; makes the database if there is none.
    pub(crate) async fn connect(&self, database: Database) -> Result<Client, Error> {
        connect(self.config, database, self.names.of(database)).await
    }

    /// Makes the schemas to be served that are not there; who may do what in them is up to their owner.
    pub(crate) async fn make_schemas(&self) -> Result<(), Error> {
        let service = Database::Custom.service();
        let client = self.connect(Database::Custom).await?;
        for schema in &self.config.schemas {
            let failed = |error: tokio_postgres::Error| Error::Database {
                service,
                doing: format!("make the schema \"{schema}\""),
                reason: describe(&error),
            };
            let there = "SELECT FROM pg_namespace WHERE nspname = $1";
            if client.query_opt(there, &[schema]).await.map_err(failed)?.is_some() {
                continue;
            }
            let name =
                Ident::try_from(schema.as_str()).map_err(|it| Error::Refused(it.to_string()))?.quoted();
            client.batch_execute(&format!("CREATE SCHEMA {name}")).await.map_err(failed)?;
            self.progress.note(format!(
                "Made the schema \"{schema}\" in {service}. Only its owner may use it so far. For requests without a \
                 token: grant usage on schema {name} to web_anon, then grant what they may do with its tables."
            ));
        }
        Ok(())
    }

    /// The table of the animals app, as in the serverless deployment, in a separate database at the origin.
    pub(crate) async fn apply_animals(&self) -> Result<(), Error> {
        let service = Database::Origin.service();
        let failed = |source| Error::Bootstrap { service, source: Box::new(source) };
        let database = Ident::constant(animals::DATABASE);
        let admin = self.connect(Database::Origin).await?;
        bootstrap_sql::database::create_if_missing(&admin, &database).await.map_err(failed)?;
        let connection = Connection { database: Database::Origin, port: self.config.port(service) };
        let mut client = connection.connect_to(animals::DATABASE).await.map_err(|error| {
            let doing = format!("connect to \"{}\"", animals::DATABASE);
            Error::Database { service, doing, reason: describe(&error) }
        })?;
        let vars = Vars {
            iam_user: Some(Ident::constant(animals::USER)),
            iam_user_password: Some(Secret::new(self.secrets.animals_password.clone())),
            ..Vars::default()
        };
        let mut on_event = |event| match event {
            // Not so a step that runs again: what it could not do, letting in by IAM tokens, nobody expects here.
            StepEvent::Finished(step) if step.outcome == Outcome::Applied => {
                self.progress.step(service, format!("applied {} to \"{}\"", step.step, animals::DATABASE));
            }
            _ => {}
        };
        bootstrap_sql::apply(&mut client, Target::Aurora, &vars, &mut on_event)
            .await
            .map(drop)
            .map_err(failed)
    }

    /// Joins the custom database to the origin.
    pub(crate) async fn wire(&self) -> Result<(), Error> {
        let mut client = self.connect(Database::Custom).await?;
        let wired = fdw::wire(&mut client, &self.fdw_config()).await;
        wired.map(drop).map_err(bootstrap_failed)
    }

    /// Imports the origin's tables into the custom database.
    pub(crate) async fn import(&self) -> Result<ImportReport, Error> {
        let started = Instant::now();
        let mut client = self.connect(Database::Custom).await?;
        let report = fdw::import(&mut client, &self.fdw_config()).await.map_err(bootstrap_failed)?;
        let took = started.elapsed().as_millis();
        self.progress.step(Database::Custom.service(), format!("imported the origin's tables in {took} ms"));
        Ok(report)
    }

    fn fdw_config(&self) -> FdwConfig {
        fdw_config(self.origin_address.clone(), &self.names.origin)
    }
}

/// Brings the foreign tables in line with the origin's tables.
pub(crate) async fn import(
    config: &StackConfig,
    origin_address: (String, u16),
) -> Result<ImportReport, Error> {
    let names = Names::default();
    let mut client = connect(config, Database::Custom, &names.custom).await?;
    let config = fdw_config(origin_address, &names.origin);
    fdw::import(&mut client, &config).await.map_err(bootstrap_failed)
}

fn fdw_config((host, port): (String, u16), dbname: &str) -> FdwConfig {
    let origin = Database::Origin;
    let mut config = FdwConfig::new(host, port, dbname, origin.user(), Secret::new(origin.password()));
    // The origin of a local stack offers none: not asking saves a round trip per connection.
    config.sslmode = SslMode::Disable;
    config
}

fn bootstrap_failed(source: bootstrap_sql::Error) -> Error {
    Error::Bootstrap { service: Database::Custom.service(), source: Box::new(source) }
}

/// Connects as superuser; makes the database if somebody dropped it.
async fn connect(config: &StackConfig, database: Database, dbname: &str) -> Result<Client, Error> {
    let service = database.service();
    let connection = Connection { database, port: config.port(service) };
    let fail = |doing: &str| {
        let doing = doing.to_owned();
        move |error: tokio_postgres::Error| Error::Database { service, doing, reason: describe(&error) }
    };
    match connection.connect_to(dbname).await {
        Ok(client) => Ok(client),
        Err(error) if error.code() == Some(&tokio_postgres::error::SqlState::UNDEFINED_DATABASE) => {
            let admin = connection.connect_to("postgres").await.map_err(fail("connect"))?;
            let create = format!("CREATE DATABASE \"{dbname}\"");
            admin.batch_execute(&create).await.map_err(fail("make the database"))?;
            connection.connect_to(dbname).await.map_err(fail("connect"))
        }
        Err(error) => Err(fail("connect")(error)),
    }
}

//! A stack's application: its migrations applied and shown.

use app_folder::compare::MigrationStatus;
use app_folder::{AppFolder, Order};
use bootstrap_sql::Target;
use serde::Serialize;

use super::Stack;
use crate::app::{Application, target};
use crate::bootstrap::{Bootstrap, Names};
use crate::conf::Conf;
use crate::config::StackConfig;
use crate::database::Database;
use crate::driver::Driver;
use crate::error::Error;
use crate::event::Progress;
use crate::service::ServiceName;
use crate::state::State;

/// A migration that was applied, or is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppliedFile {
    /// Where.
    pub target: Target,
    /// The file, relative to the application's folder.
    pub file: String,
}

/// How the migrations of one database stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetStatus {
    /// Which database.
    pub target: Target,
    /// Its migrations, of the folder and of the ledger, in order.
    pub migrations: Vec<MigrationStatus>,
}

impl Stack {
    /// The application's folder: the given one, else the one that the stack was started with.
    ///
    /// # Errors
    /// When there is neither, or the folder holds no application.
    pub fn app_folder(&self, asked: Option<&std::path::Path>) -> Result<AppFolder, Error> {
        let recorded = self.state()?.config.app;
        let Some(path) = asked.or(recorded.as_deref()) else {
            return Err(Error::NoApp { name: self.name.clone() });
        };
        Ok(AppFolder::open(path)?)
    }

    /// Applies the migrations that are due: the origin's, then its tables as foreign tables, then those of the custom
    /// database. Answers with the files.
    ///
    /// # Errors
    /// What the folder or the ledgers refuse, before anything is applied; then the first file that fails.
    pub async fn migrate(&self, folder: &AppFolder, order: Order) -> Result<Vec<AppliedFile>, Error> {
        let progress = Progress::new(std::sync::Arc::clone(&self.sink));
        let _lock = self.lock(&progress).await?;
        let mut state = self.state()?;
        let driver = self.driver_to_look(&state).await?;
        self.require_databases(&*driver).await?;
        let secrets = self.home.secrets()?;
        let bootstrap = bootstrap(&state, &secrets, &*driver, &progress);
        let app = Application::read(folder, &bootstrap)?;
        app.check(order).await?;

        let is_wired = !state.config.bare;
        let is_import_due = is_wired && (!state.imported || app.is_due(Database::Origin).await?);
        let mut applied = files(Database::Origin, app.migrate(Database::Origin, order).await?);
        if is_import_due {
            bootstrap.import().await?;
        }
        applied.extend(files(Database::Custom, app.migrate(Database::Custom, order).await?));
        drop(app);
        if is_import_due && !state.imported {
            state.imported = true;
            self.home.save(&state)?;
        }
        Ok(applied)
    }

    /// What [`Stack::migrate`] would apply; changes nothing.
    ///
    /// # Errors
    /// What it would refuse.
    pub async fn migrations_due(&self, folder: &AppFolder, order: Order) -> Result<Vec<AppliedFile>, Error> {
        self.with_app(folder, async |app| {
            let mut due = Vec::new();
            for database in Database::ALL {
                due.extend(files(database, app.plan(database, order).await?));
            }
            Ok(due)
        })
        .await
    }

    /// How the application's migrations stand to the stack's databases.
    ///
    /// # Errors
    /// When a database does not run, or the folder cannot be read.
    pub async fn migration_status(&self, folder: &AppFolder) -> Result<Vec<TargetStatus>, Error> {
        self.with_app(folder, async |app| {
            let mut all = Vec::new();
            for database in Database::ALL {
                let migrations = app.status(database).await?;
                if !migrations.is_empty() || folder.has(target(database)) {
                    all.push(TargetStatus { target: target(database), migrations });
                }
            }
            Ok(all)
        })
        .await
    }

    /// Connects to one of the stack's databases as its superuser.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn connect(&self, database: Database) -> Result<tokio_postgres::Client, Error> {
        let (name, service) = (self.name.clone(), database.service());
        self.connection(database)?.connect().await.map_err(|_| Error::NotRunning { name, service })
    }

    /// The schemas that the REST server exposes with the settings of this folder, the first one being the default.
    ///
    /// # Errors
    /// When the settings cannot be read, or the custom database does not answer.
    pub async fn exposed_schemas(&self, folder: &AppFolder) -> Result<Vec<String>, Error> {
        self.schemas_setting(folder, "db-schemas", "public").await
    }

    /// The search path of a request, as `SET search_path` takes it.
    ///
    /// # Errors
    /// As [`Stack::exposed_schemas`].
    pub async fn request_path(&self, folder: &AppFolder) -> Result<String, Error> {
        let mut schemas = self.exposed_schemas(folder).await?;
        schemas.truncate(1);
        schemas.extend(self.schemas_setting(folder, "db-extra-search-path", "public").await?);
        let quoted = schemas.iter().map(|it| format!("\"{}\"", it.replace('"', "\"\"")));
        Ok(quoted.collect::<Vec<_>>().join(", "))
    }

    /// A list of schemas: settings in the database go before the file, as the server has it.
    async fn schemas_setting(
        &self,
        folder: &AppFolder,
        key: &str,
        default: &str,
    ) -> Result<Vec<String>, Error> {
        let of_app = StackConfig { app: Some(folder.path().to_owned()), ..self.config()? };
        let in_file = Conf::of(&of_app)?.and_then(|it| it.text_of(key));
        let client = self.connect(Database::Custom).await?;
        let sql = "SELECT pg_catalog.substr(c.value, pg_catalog.strpos(c.value, '=') + 1)
                   FROM pg_db_role_setting AS s JOIN pg_roles AS r ON r.oid = s.setrole
                        CROSS JOIN unnest(s.setconfig) AS c(value)
                   WHERE r.rolname = 'authenticator' AND pg_catalog.starts_with(c.value, $1)
                     AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
                   ORDER BY s.setdatabase DESC LIMIT 1";
        let name = format!("pgrst.{}=", key.replace('-', "_"));
        let row = client.query_opt(sql, &[&name]).await.map_err(|error| Error::Database {
            service: Database::Custom.service(),
            doing: "read the server's settings".to_owned(),
            reason: crate::probe::describe(&error),
        })?;
        let value = row.map(|it| it.get::<_, String>(0)).or(in_file).unwrap_or_else(|| default.to_owned());
        Ok(value.split(',').map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect())
    }

    /// Whether the REST server may run requests as `role`.
    ///
    /// # Errors
    /// When the custom database does not answer.
    pub async fn may_become(&self, role: &str) -> Result<bool, Error> {
        let service = Database::Custom.service();
        let failed = |error: tokio_postgres::Error| Error::Database {
            service,
            doing: "look for the role".to_owned(),
            reason: crate::probe::describe(&error),
        };
        let client = self.connect(Database::Custom).await?;
        let sql = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1
                                  AND pg_has_role('authenticator', oid, 'MEMBER'))";
        Ok(client.query_one(sql, &[&role]).await.map_err(failed)?.get(0))
    }

    async fn with_app<T>(
        &self,
        folder: &AppFolder,
        work: impl AsyncFnOnce(&Application<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let progress = Progress::new(std::sync::Arc::clone(&self.sink));
        let state = self.state()?;
        let driver = self.driver_to_look(&state).await?;
        self.require_databases(&*driver).await?;
        let secrets = self.home.secrets()?;
        let bootstrap = bootstrap(&state, &secrets, &*driver, &progress);
        work(&Application::read(folder, &bootstrap)?).await
    }

    /// Host and port at which the custom database reaches the origin.
    pub(crate) async fn origin_address(&self) -> Result<(String, u16), Error> {
        Ok(self.driver_to_look(&self.state()?).await?.origin_address())
    }

    /// Both databases have to run.
    pub(crate) async fn require_databases(&self, driver: &dyn Driver) -> Result<(), Error> {
        for service in ServiceName::DATABASES {
            if driver.observe(service).await?.is_none() {
                return Err(Error::NotRunning { name: self.name.clone(), service });
            }
        }
        Ok(())
    }
}

fn bootstrap<'a>(
    state: &'a State,
    secrets: &'a crate::state::Secrets,
    driver: &dyn Driver,
    progress: &'a Progress,
) -> Bootstrap<'a> {
    Bootstrap {
        config: &state.config,
        secrets,
        origin_address: driver.origin_address(),
        names: Names::default(),
        progress,
    }
}

fn files(database: Database, files: Vec<String>) -> Vec<AppliedFile> {
    files.into_iter().map(|file| AppliedFile { target: target(database), file }).collect()
}

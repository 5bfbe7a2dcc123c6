//! `db reset`: the databases anew from migrations and seed. The old ones are kept aside until the new ones are there, so
//! that a migration or a seed that fails costs nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;

use super::up::Run;
use super::{ApiLauncher, Stack, Status, connection};
use crate::config::StackConfig;
use crate::database::Database;
use crate::driver::ApiLaunch;
use crate::error::Error;
use crate::event::Progress;
use crate::probe::describe;
use crate::service::{ServiceName, ServiceState};

/// Longest wait for sessions to end.
const SESSIONS_TIMEOUT: Duration = Duration::from_secs(20);

/// Name of the database that is kept until the new one is there.
fn aside(database: Database) -> String {
    format!("{}_before_reset", database.dbname())
}

impl Stack {
    /// Makes both databases anew and starts the REST server over them. All rows are lost; roles stay, as they belong to the
    /// server. What fails leaves the databases as they were.
    ///
    /// # Errors
    /// When the stack does not run, and what [`Stack::up`] refuses or fails with.
    pub async fn reset(&self, folder: &app_folder::AppFolder, api: &ApiLauncher) -> Result<Status, Error> {
        let progress = Progress::new(Arc::clone(&self.sink));
        let _lock = self.lock(&progress).await?;
        let mut state = self.state()?;
        let driver = self.driver_to_start(&mut state, &progress).await?;
        self.require_databases(&*driver).await?;
        for service in ServiceName::DATABASES {
            progress.found(service, ServiceState::Running);
        }
        let before = state.clone();
        state.config.app = Some(folder.path().to_owned());
        state.imported = false;

        self.survey(&*driver, &state, &[ServiceName::Api], &progress).await?;
        self.dispose(&*driver, &mut state, &[ServiceName::Api], &progress).await?;
        for database in Database::ALL {
            set_aside(&state.config, database).await?;
        }
        let secrets = self.home.secrets()?;
        let launch = ApiLaunch { secrets: &secrets, program: api.program() };
        let run = Run { stack: self, driver: &*driver, launch, progress: &progress };
        let mut services = ServiceName::DATABASES.to_vec();
        services.extend((*api != ApiLauncher::None).then_some(ServiceName::Api));
        let made = run.start(&mut state, &services, &[ServiceName::Api]).await;
        if made.is_ok() {
            for database in Database::ALL {
                drop_database(&state.config, database, &aside(database)).await?;
            }
            return self.status_of(&state).await;
        }
        progress.note("The new databases could not be made; the former ones are put back.");
        for database in Database::ALL {
            put_back(&state.config, database).await?;
            progress.found(database.service(), ServiceState::Running);
        }
        state.config = before.config;
        state.imported = before.imported;
        self.home.save(&state)?;
        if services.contains(&ServiceName::Api) {
            run.start_program(&mut state, ServiceName::Api, true).await?;
        }
        made?;
        self.status_of(&state).await
    }
}

fn failed(database: Database, doing: &str) -> impl Fn(tokio_postgres::Error) -> Error {
    let (service, doing) = (database.service(), doing.to_owned());
    move |error| Error::Database { service, doing: doing.clone(), reason: describe(&error) }
}

async fn admin(config: &StackConfig, database: Database) -> Result<tokio_postgres::Client, Error> {
    connection(config, database).connect_to("postgres").await.map_err(failed(database, "connect"))
}

async fn set_aside(config: &StackConfig, database: Database) -> Result<(), Error> {
    // Of a run that was cut off: its user wanted the rows gone.
    drop_database(config, database, &aside(database)).await?;
    let admin = admin(config, database).await?;
    rename(&admin, database, database.dbname(), &aside(database)).await
}

async fn put_back(config: &StackConfig, database: Database) -> Result<(), Error> {
    drop_database(config, database, database.dbname()).await?;
    let admin = admin(config, database).await?;
    rename(&admin, database, &aside(database), database.dbname()).await
}

/// Gives a database another name, after ending its sessions; nothing to rename is success.
async fn rename(
    admin: &tokio_postgres::Client,
    database: Database,
    from: &str,
    to: &str,
) -> Result<(), Error> {
    let fail = failed(database, "set the database aside");
    let there =
        admin.query_opt("SELECT FROM pg_database WHERE datname = $1", &[&from]).await.map_err(&fail)?;
    if there.is_none() {
        return Ok(());
    }
    admin
        .batch_execute(&format!("ALTER DATABASE \"{from}\" ALLOW_CONNECTIONS false"))
        .await
        .map_err(&fail)?;
    let deadline = Instant::now() + SESSIONS_TIMEOUT;
    loop {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
        admin.execute(end, &[&from]).await.map_err(&fail)?;
        match admin.batch_execute(&format!("ALTER DATABASE \"{from}\" RENAME TO \"{to}\"")).await {
            Ok(()) => break,
            Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) && Instant::now() < deadline => {}
            Err(error) => return Err(fail(error)),
        }
    }
    admin.batch_execute(&format!("ALTER DATABASE \"{to}\" ALLOW_CONNECTIONS true")).await.map_err(&fail)
}

async fn drop_database(config: &StackConfig, database: Database, name: &str) -> Result<(), Error> {
    let admin = admin(config, database).await?;
    let sql = format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)");
    admin.batch_execute(&sql).await.map_err(failed(database, "drop the database"))
}

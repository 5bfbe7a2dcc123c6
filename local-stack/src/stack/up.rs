//! The part of `up` that changes the machine: from what is missing to healthy services.

use std::time::Duration;

use app_folder::{AppFolder, Order};

use super::{Stack, ask_program, connection};
use crate::app::Application;
use crate::bootstrap::{Bootstrap, Names};
use crate::config::StackConfig;
use crate::database::Database;
use crate::driver::{ApiLaunch, Driver};
use crate::error::Error;
use crate::event::Progress;
use crate::probe;
use crate::service::{ServiceName, ServiceState};
use crate::state::State;

/// Longest wait for a database to answer; recovery after a crash is part of it.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(60);

/// Longest wait for the REST server or the animals app to answer.
const API_TIMEOUT: Duration = Duration::from_secs(30);

/// One run's surroundings.
pub(super) struct Run<'a> {
    pub(super) stack: &'a Stack,
    pub(super) driver: &'a dyn Driver,
    pub(super) launch: ApiLaunch<'a>,
    pub(super) progress: &'a Progress,
}

impl Run<'_> {
    /// Starts the missing ones of `services`, sets the databases up, and waits until all are healthy.
    pub(super) async fn start(
        &self,
        state: &mut State,
        services: &[ServiceName],
        missing: &[ServiceName],
    ) -> Result<(), Error> {
        self.driver.prepare(services, self.progress).await?;
        let mut databases = ServiceName::DATABASES.to_vec();
        databases.retain(|it| missing.contains(it));
        // The origin is what a managed Postgres is: no application puts anything into it.
        let custom = ServiceName::CustomDb;
        if !databases.contains(&custom) && self.driver.is_outdated(custom, &self.launch).await? {
            self.progress.step(custom, "starting anew: its image or what it preloads was changed");
            self.stack.dispose(self.driver, state, &[custom], self.progress).await?;
            databases.push(custom);
        }
        self.start_databases(state, &databases).await?;
        self.set_up_databases(state).await?;
        for service in [ServiceName::Api, ServiceName::Animals] {
            if services.contains(&service) {
                self.start_program(state, service, missing.contains(&service)).await?;
            }
        }
        Ok(())
    }

    async fn start_databases(&self, state: &mut State, databases: &[ServiceName]) -> Result<(), Error> {
        state.expected.extend(ServiceName::DATABASES);
        self.stack.home.save(state)?;
        self.driver.start_databases(databases, self.progress).await?;
        let (origin, custom) = tokio::join!(
            self.database_healthy(&state.config, Database::Origin),
            self.database_healthy(&state.config, Database::Custom)
        );
        origin.and(custom)
    }

    async fn set_up_databases(&self, state: &mut State) -> Result<(), Error> {
        for service in ServiceName::DATABASES {
            self.progress.to(service, ServiceState::Configuring)?;
        }
        let bootstrap = Bootstrap {
            config: &state.config,
            secrets: self.launch.secrets,
            origin_address: self.driver.origin_address(),
            names: Names::default(),
            progress: self.progress,
        };
        let at_origin = async {
            bootstrap.apply(Database::Origin).await?;
            if state.config.animals_port.is_some() {
                bootstrap.apply_animals().await?;
            }
            Ok::<(), Error>(())
        };
        let (origin, custom) = tokio::join!(at_origin, bootstrap.apply(Database::Custom));
        origin?;
        self.progress.to(ServiceName::OriginDb, ServiceState::Running)?;
        custom?;
        bootstrap.make_schemas().await?;
        let is_wired = !state.config.bare;
        if is_wired {
            bootstrap.wire().await?;
        }
        let app = state.config.app.as_deref().map(AppFolder::open).transpose()?;
        let mut is_import_due = is_wired && !state.imported;
        let app = match &app {
            Some(folder) => Some(Application::read(folder, &bootstrap)?),
            None => None,
        };
        if let Some(app) = &app {
            app.check(Order::Strict).await?;
            // Said before it is so, as a run that is cut off in between has to be followed by an import.
            let is_origin_due = app.is_due(Database::Origin).await?;
            if is_origin_due && state.imported {
                state.imported = false;
                self.stack.home.save(state)?;
            }
            is_import_due |= is_wired && is_origin_due;
            app.migrate(Database::Origin, Order::Strict).await?;
            app.seed(Database::Origin).await?;
        }
        // Later changes of the origin by hand are the user's to import, so that nothing appears behind their back.
        if is_import_due {
            bootstrap.import().await?;
        }
        if let Some(app) = &app {
            app.migrate(Database::Custom, Order::Strict).await?;
            app.seed(Database::Custom).await?;
        }
        if is_import_due {
            state.imported = true;
            self.stack.home.save(state)?;
        }
        Ok(self.progress.to(ServiceName::CustomDb, ServiceState::Running)?)
    }

    pub(crate) async fn start_program(
        &self,
        state: &mut State,
        service: ServiceName,
        is_missing: bool,
    ) -> Result<(), Error> {
        if !is_missing {
            let is_outdated = self.driver.is_outdated(service, &self.launch).await?;
            if !is_outdated && self.program_healthy(&state.config, service).await.is_ok() {
                return Ok(());
            }
            let reason = if is_outdated { "its program was rebuilt" } else { "it did not answer" };
            self.progress.step(service, format!("starting anew: {reason}"));
            self.stack.dispose(self.driver, state, &[service], self.progress).await?;
        }
        state.expected.insert(service);
        self.stack.home.save(state)?;
        let started = self.driver.start_program(service, &self.launch, self.progress).await?;
        if let Some(process) = state.process_mut(service) {
            *process = started;
        }
        self.stack.home.save(state)?;
        self.program_healthy(&state.config, service).await?;
        Ok(self.progress.to(service, ServiceState::Running)?)
    }

    async fn database_healthy(&self, config: &StackConfig, database: Database) -> Result<(), Error> {
        let connection = connection(config, database);
        // The maintenance database: the stack's own may have been dropped, which the bootstrap repairs.
        let ask = || probe::postgres(&connection, "postgres");
        self.until_healthy(database.service(), DATABASE_TIMEOUT, ask).await
    }

    async fn program_healthy(&self, config: &StackConfig, service: ServiceName) -> Result<(), Error> {
        self.until_healthy(service, API_TIMEOUT, || ask_program(config, service)).await
    }

    async fn until_healthy<F>(
        &self,
        service: ServiceName,
        timeout: Duration,
        ask: impl FnMut() -> F,
    ) -> Result<(), Error>
    where
        F: Future<Output = Result<(), String>>,
    {
        let is_alive = || async { matches!(self.driver.observe(service).await, Ok(Some(_))) };
        match probe::until_healthy(timeout, is_alive, ask).await {
            Ok(()) => Ok(()),
            Err(reason) => {
                self.progress.to(service, ServiceState::Failed)?;
                let log_tail = self.driver.log_tail(service).await;
                Err(Error::Unhealthy { service, reason, log_tail })
            }
        }
    }
}

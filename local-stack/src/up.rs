//! The part of `up` that changes the machine: from what is missing to three healthy services.

use std::time::Duration;

use crate::bootstrap::Bootstrap;
use crate::config::StackConfig;
use crate::database::Database;
use crate::driver::{ApiLaunch, Driver};
use crate::error::Error;
use crate::event::Progress;
use crate::probe;
use crate::service::{ServiceName, ServiceState};
use crate::stack::{Stack, ask_api, connection};
use crate::state::State;

/// Longest wait for a database to answer; recovery after a crash is part of it.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(60);

/// Longest wait for the REST server to answer.
const API_TIMEOUT: Duration = Duration::from_secs(30);

/// One run's surroundings.
pub(crate) struct Run<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) driver: &'a dyn Driver,
    pub(crate) launch: ApiLaunch<'a>,
    pub(crate) progress: &'a Progress,
}

impl Run<'_> {
    /// Starts the missing ones of `services`, sets the databases up, and waits until all are healthy.
    pub(crate) async fn start(
        &self,
        state: &mut State,
        services: &[ServiceName],
        missing: &[ServiceName],
    ) -> Result<(), Error> {
        self.driver.prepare(services, self.progress).await?;
        self.start_databases(state, missing).await?;
        self.set_up_databases(state).await?;
        if services.contains(&ServiceName::Api) {
            self.start_api(state, missing.contains(&ServiceName::Api)).await?;
        }
        Ok(())
    }

    async fn start_databases(&self, state: &mut State, missing: &[ServiceName]) -> Result<(), Error> {
        let mut databases = ServiceName::DATABASES.to_vec();
        databases.retain(|it| missing.contains(it));
        state.expected.extend(ServiceName::DATABASES);
        self.stack.home.save(state)?;
        self.driver.start_databases(&databases, self.progress).await?;
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
            progress: self.progress,
        };
        let (origin, custom) =
            tokio::join!(bootstrap.apply(Database::Origin), bootstrap.apply(Database::Custom));
        origin?;
        self.progress.to(ServiceName::OriginDb, ServiceState::Running)?;
        custom?;
        if !state.config.bare {
            bootstrap.wire().await?;
            // Later changes of the origin are the user's to import, so that nothing appears behind their back.
            if !state.imported {
                bootstrap.import().await?;
                state.imported = true;
                self.stack.home.save(state)?;
            }
        }
        Ok(self.progress.to(ServiceName::CustomDb, ServiceState::Running)?)
    }

    async fn start_api(&self, state: &mut State, is_missing: bool) -> Result<(), Error> {
        let service = ServiceName::Api;
        if !is_missing {
            let is_outdated = self.driver.is_outdated(service, &self.launch).await?;
            if !is_outdated && self.api_healthy(&state.config).await.is_ok() {
                return Ok(());
            }
            let reason = if is_outdated { "its program was rebuilt" } else { "it did not answer" };
            self.progress.step(service, format!("starting anew: {reason}"));
            self.stack.dispose(self.driver, state, &[service], self.progress).await?;
        }
        state.expected.insert(service);
        self.stack.home.save(state)?;
        state.api = self.driver.start_api(&self.launch, self.progress).await?;
        self.stack.home.save(state)?;
        self.api_healthy(&state.config).await?;
        Ok(self.progress.to(service, ServiceState::Running)?)
    }

    async fn database_healthy(&self, config: &StackConfig, database: Database) -> Result<(), Error> {
        let connection = connection(config, database);
        // The maintenance database: the stack's own may have been dropped, which the bootstrap repairs.
        let ask = || probe::postgres(&connection, "postgres");
        self.until_healthy(database.service(), DATABASE_TIMEOUT, ask).await
    }

    async fn api_healthy(&self, config: &StackConfig) -> Result<(), Error> {
        self.until_healthy(ServiceName::Api, API_TIMEOUT, || ask_api(config)).await
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

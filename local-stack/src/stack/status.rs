//! What `status` says: each service is asked itself, whatever the record claims.

use serde::Serialize;

use super::{Stack, ask_program, connection};
use crate::animals;
use crate::config::{Anonymous, BackendKind, StackName};
use crate::database::Database;
use crate::driver::Handle;
use crate::error::Error;
use crate::probe;
use crate::service::{ServiceName, ServiceState};
use crate::state::State;

/// What `status` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The stack.
    pub name: StackName,
    /// What it runs on.
    pub backend: BackendKind,
    /// What requests without a token may do.
    pub anonymous: Anonymous,
    /// Its services; the animals app only where it is part of the stack.
    pub services: Vec<ServiceStatus>,
}

/// One service's part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceStatus {
    /// Which.
    pub name: ServiceName,
    /// `running`, `stopped` or `failed`.
    pub state: ServiceState,
    /// Where it answers; a database's holds the local development password.
    pub url: String,
    /// Its process, native backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Its container, Docker backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Status {
    /// Whether every service runs.
    pub fn is_up(&self) -> bool {
        self.services.iter().all(|it| it.state == ServiceState::Running)
    }
}

impl Stack {
    /// State of the stack and health of each service.
    pub async fn status(&self) -> Result<Status, Error> {
        self.status_of(&self.state()?).await
    }

    pub(super) async fn status_of(&self, state: &State) -> Result<Status, Error> {
        let driver = self.driver_to_look(state).await?;
        let mut services = Vec::new();
        for name in state.config.services() {
            let handle = driver.observe(name).await?;
            let asked = match (&handle, Database::try_from(name)) {
                (None, _) => Err("it does not run".to_owned()),
                (Some(_), Ok(database)) => {
                    probe::postgres(&connection(&state.config, database), database.dbname()).await
                }
                (Some(_), Err(_)) => ask_program(&state.config, name).await,
            };
            let (state_now, reason) = match asked {
                Ok(()) => (ServiceState::Running, None),
                Err(_) if handle.is_none() && !state.expected.contains(&name) => {
                    (ServiceState::Stopped, None)
                }
                Err(reason) => (ServiceState::Failed, Some(reason)),
            };
            let url = match Database::try_from(name) {
                Ok(database) => connection(&state.config, database).url(),
                Err(ServiceName::Animals) => animals::url(state.config.port(name)),
                Err(_) => format!("http://127.0.0.1:{}", state.config.api_port),
            };
            let (pid, container) = match handle {
                Some(Handle::Process(process)) => (Some(process.pid), None),
                Some(Handle::Container(name)) => (None, Some(name)),
                None => (None, None),
            };
            services.push(ServiceStatus { name, state: state_now, url, pid, container, reason });
        }
        let anonymous = state.config.anonymous;
        Ok(Status { name: self.name.clone(), backend: state.backend, anonymous, services })
    }
}

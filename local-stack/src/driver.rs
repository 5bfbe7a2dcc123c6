//! What a backend must be able to do. The stack decides what happens when; a driver only knows how.

use async_trait::async_trait;

use crate::error::Error;
use crate::event::Progress;
use crate::process::ProcessIdentity;
use crate::service::ServiceName;
use crate::state::{ApiProcess, Secrets};

/// A live service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Handle {
    /// A process of this machine.
    Process(ProcessIdentity),
    /// A container's name.
    Container(String),
}

/// What the REST server and the animals app are started with.
pub(crate) struct ApiLaunch<'a> {
    pub(crate) secrets: &'a Secrets,
    /// Built program; the Docker driver builds its own.
    pub(crate) program: Option<&'a std::path::Path>,
}

/// A way of running the services.
#[async_trait]
pub(crate) trait Driver: Send + Sync {
    /// What it runs on, for people.
    fn describe(&self) -> String;

    /// The service's process or container, when it is alive; says nothing about health.
    async fn observe(&self, service: ServiceName) -> Result<Option<Handle>, Error>;

    /// Whether there is data of this stack that a fresh start would lose sight of.
    async fn has_data(&self) -> Result<bool, Error>;

    /// Whether a live service was started from a program or image that was built anew since.
    async fn is_outdated(&self, service: ServiceName, launch: &ApiLaunch<'_>) -> Result<bool, Error>;

    /// Refuses what can be known to fail, before anything is changed.
    async fn check(&self) -> Result<(), Error>;

    /// Makes what the services are started from: data folders or images.
    async fn prepare(&self, services: &[ServiceName], progress: &Progress) -> Result<(), Error>;

    /// Starts databases, all at once; returns when their processes are up, healthy or not.
    async fn start_databases(&self, services: &[ServiceName], progress: &Progress) -> Result<(), Error>;

    /// Starts the REST server or the animals app; returns its process where there is one to remember.
    async fn start_program(
        &self,
        service: ServiceName,
        launch: &ApiLaunch<'_>,
        progress: &Progress,
    ) -> Result<Option<ApiProcess>, Error>;

    /// Stops one service and waits for its end. Data stays. Nothing to stop is success.
    async fn stop(&self, service: ServiceName) -> Result<(), Error>;

    /// Removes what `stop` leaves and is not data, such as networks.
    async fn clear(&self) -> Result<(), Error>;

    /// Removes the data of all services, which are stopped.
    async fn remove_data(&self) -> Result<(), Error>;

    /// Host and port at which the custom database reaches the origin.
    fn origin_address(&self) -> (String, u16);

    /// The last lines of a service's log.
    async fn log_tail(&self, service: ServiceName) -> String;
}

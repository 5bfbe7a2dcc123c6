//! The Docker backend: one compose project per stack, from the compose file and Dockerfiles in `local-stack/docker/`.

mod engine;

use std::path::{Path, PathBuf};

use async_trait::async_trait;

pub use engine::Engine;

use crate::config::StackConfig;
use crate::database::Database;
use crate::driver::{ApiLaunch, Driver, Handle};
use crate::error::Error;
use crate::event::{Event, Progress};
use crate::native::api_environment;
use crate::service::{ServiceName, ServiceState};
use crate::state::{ApiProcess, StackHome, State};

/// Base images: build argument and pinned default, as in the compose file and the Dockerfiles.
const BASE_IMAGES: [(&str, &str, &[ServiceName]); 2] = [
    ("POSTGRES_IMAGE", "postgres:15-bookworm", &[ServiceName::OriginDb, ServiceName::CustomDb]),
    ("RUST_IMAGE", "rust:1.95-bookworm", &[ServiceName::Api]),
];

/// The port that Postgres listens on within the project's network.
const POSTGRES_PORT: u16 = 5432;

/// Containers of one compose project.
pub(crate) struct Docker {
    engine: Engine,
    compose_file: PathBuf,
    /// Publishes the admin server's port; compose knows no optional ports.
    admin_override: Option<PathBuf>,
    logs_dir: PathBuf,
    config: StackConfig,
    project: String,
}

impl Docker {
    pub(crate) fn new(root: &Path, home: &StackHome, state: &State, engine: Engine) -> Self {
        Self {
            engine,
            compose_file: root.join("local-stack/docker/compose.yaml"),
            admin_override: state.config.admin_port.map(|_| home.dir().join("compose.admin.yaml")),
            logs_dir: home.dir().join("logs"),
            config: state.config.clone(),
            project: state.project.clone(),
        }
    }

    /// A compose command of this project, with every variable that the compose file reads.
    fn compose(&self, args: &[&str]) -> tokio::process::Command {
        let mut command = self.engine.compose();
        command.args(["-p", &self.project, "-f"]).arg(&self.compose_file);
        if let Some(path) = self.admin_override.as_ref().filter(|it| it.is_file()) {
            command.arg("-f").arg(path);
        }
        command.args(args);
        for (service, variable) in [
            (ServiceName::OriginDb, "PGAPP_ORIGIN_PORT"),
            (ServiceName::CustomDb, "PGAPP_CUSTOM_PORT"),
            (ServiceName::Api, "PGAPP_API_PORT"),
            (ServiceName::Animals, "PGAPP_ANIMALS_PORT"),
        ] {
            command.env(variable, self.config.port(service).to_string());
        }
        let (profile, tag) =
            if self.config.release { ("release", "local-release") } else { ("dev", "local") };
        command.env("CARGO_PROFILE", profile).env("PGAPP_IMAGE_TAG", tag);
        // What `up` starts is always named; what `down` removes has to be known to compose.
        command.env("COMPOSE_PROFILES", ServiceName::Animals.as_str());
        command
    }

    fn write_admin_override(&self) -> Result<(), Error> {
        let (Some(path), Some(port)) = (&self.admin_override, self.config.admin_port) else { return Ok(()) };
        let text = format!("services:\n  api:\n    ports: [\"127.0.0.1:{port}:3001\"]\n");
        std::fs::write(path, text).map_err(|source| Error::File {
            doing: "write",
            path: path.clone(),
            source,
        })
    }

    async fn container(&self, service: ServiceName, all: bool) -> Result<Option<String>, Error> {
        self.engine.container(&self.project, service, all).await
    }

    /// Containers go with `down`; their logs are kept.
    async fn save_logs(&self) -> Result<(), Error> {
        let fail = |path: &Path, source| Error::File { doing: "write", path: path.to_owned(), source };
        std::fs::create_dir_all(&self.logs_dir).map_err(|it| fail(&self.logs_dir, it))?;
        for service in ServiceName::ALL {
            let Some(container) = self.container(service, true).await? else { continue };
            let log = self.engine.logs(&container, None).await?;
            let path = self.logs_dir.join(format!("{service}.log"));
            std::fs::write(&path, log).map_err(|it| fail(&path, it))?;
        }
        Ok(())
    }
}

#[async_trait]
impl Driver for Docker {
    fn describe(&self) -> String {
        format!("Docker {}, compose project {}", self.engine.version(), self.project)
    }

    async fn observe(&self, service: ServiceName) -> Result<Option<Handle>, Error> {
        Ok(self.container(service, false).await?.map(Handle::Container))
    }

    async fn has_data(&self) -> Result<bool, Error> {
        self.engine.has_volume(&self.project).await
    }

    async fn check(&self) -> Result<(), Error> {
        if self.compose_file.is_file() {
            return Ok(());
        }
        Err(Error::Refused(format!("\"{}\" is missing from this checkout", self.compose_file.display())))
    }

    async fn prepare(&self, services: &[ServiceName], progress: &Progress) -> Result<(), Error> {
        self.write_admin_override()?;
        let output = |line: &str| progress.emit(Event::Output { line: line.to_owned() });
        for (argument, default, used_by) in BASE_IMAGES {
            if used_by.iter().any(|it| services.contains(it)) {
                let image = std::env::var(argument).ok().filter(|it| !it.is_empty());
                self.engine.ensure_image(image.as_deref().unwrap_or(default), &output).await?;
            }
        }
        for service in [ServiceName::CustomDb, ServiceName::Api] {
            if !services.contains(&service) {
                continue;
            }
            if progress.state(service) == ServiceState::Stopped {
                progress.to(service, ServiceState::Preparing)?;
            }
            let command = self.compose(&["build", service.as_str()]);
            self.engine.run(command, &format!("build the image of {service}"), &output).await?;
        }
        Ok(())
    }

    async fn is_outdated(&self, service: ServiceName, _launch: &ApiLaunch<'_>) -> Result<bool, Error> {
        let Some(container) = self.container(service, false).await? else { return Ok(false) };
        self.engine.is_outdated(&container).await
    }

    async fn start_databases(&self, services: &[ServiceName], progress: &Progress) -> Result<(), Error> {
        if services.is_empty() {
            return Ok(());
        }
        for service in services {
            progress.to(*service, ServiceState::Starting)?;
        }
        // Both at once: the order that the compose file states is for those who use it by hand.
        let mut args = vec!["up", "-d", "--no-deps", "--no-build"];
        args.extend(services.iter().map(|it| it.as_str()));
        self.engine.run(self.compose(&args), "start the databases", &|_| {}).await
    }

    async fn start_program(
        &self,
        service: ServiceName,
        launch: &ApiLaunch<'_>,
        progress: &Progress,
    ) -> Result<Option<ApiProcess>, Error> {
        progress.to(service, ServiceState::Starting)?;
        let mut command = self.compose(&["up", "-d", "--no-deps", "--no-build", service.as_str()]);
        if service == ServiceName::Animals {
            command.env("PGAPP_ANIMALS_PASSWORD", &launch.secrets.animals_password);
        } else {
            command.envs(api_environment(
                &self.config,
                launch,
                ServiceName::CustomDb.as_str(),
                POSTGRES_PORT,
            ));
        }
        self.engine.run(command, &format!("start {service}"), &|_| {}).await?;
        Ok(None)
    }

    async fn stop(&self, service: ServiceName) -> Result<(), Error> {
        match self.container(service, false).await? {
            Some(container) => self.engine.stop(&container).await,
            None => Ok(()),
        }
    }

    async fn clear(&self) -> Result<(), Error> {
        self.save_logs().await?;
        let command = self.compose(&["down", "--remove-orphans"]);
        self.engine.run(command, "remove the containers", &|_| {}).await
    }

    async fn remove_data(&self) -> Result<(), Error> {
        let command = self.compose(&["down", "--volumes", "--remove-orphans"]);
        self.engine.run(command, "remove the volumes", &|_| {}).await
    }

    fn origin_address(&self) -> (String, u16) {
        (Database::Origin.service().as_str().to_owned(), POSTGRES_PORT)
    }

    async fn log_tail(&self, service: ServiceName) -> String {
        let Ok(Some(container)) = self.container(service, true).await else { return String::new() };
        let log = self.engine.logs(&container, Some(12)).await.unwrap_or_default();
        String::from_utf8_lossy(&log).trim_end().to_owned()
    }
}

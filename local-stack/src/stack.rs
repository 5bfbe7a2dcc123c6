//! One named stack: up, down, status, logs, import.
//!
//! The order of things is here and the same for both backends; how each thing is done is the driver's. Every command
//! that changes something holds the stack's lock. Whatever an interrupted run left is found by looking, not by
//! remembering: each `up` observes first and does only what is missing.

mod application;
mod backend;
mod reset;
mod status;
mod up;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::animals;
use crate::bootstrap;
use crate::conf::Conf;
use crate::config::{BackendKind, StackConfig, StackName};
use crate::database::{Connection, Database};
use crate::docker::Engine;
use crate::download::Archive;
use crate::driver::{ApiLaunch, Driver};
use crate::error::Error;
use crate::event::{Event, EventSink, Progress};
use crate::log_window::LogWindow;
use crate::logs::{LogLine, LogSource};
use crate::pgbin::SearchPath;
use crate::ports;
use crate::probe;
use crate::served;
use crate::service::{ServiceName, ServiceState, start_order};
use crate::state::{StackHome, StackLock, State, StateError};

pub use application::{AppliedFile, TargetStatus};
pub use status::{ServiceStatus, Status};
use up::Run;

/// Where the program of the REST server and of the animals app comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiLauncher {
    /// A built `pgapp-api`. The Docker backend ignores it and builds an image from source.
    Program(PathBuf),
    /// Neither of them: databases only.
    None,
}

impl ApiLauncher {
    fn program(&self) -> Option<&Path> {
        match self {
            Self::Program(path) => Some(path),
            Self::None => None,
        }
    }
}

/// What `down` does with the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volumes {
    /// Keeps it for the next `up`.
    Keep,
    /// Removes it for good, with everything else of the stack.
    Remove,
}

/// A named stack below a project's root.
#[derive(Clone)]
pub struct Stack {
    root: PathBuf,
    name: StackName,
    pub(crate) home: StackHome,
    sink: Arc<dyn EventSink>,
    search: SearchPath,
    archive: Archive,
    /// Found at first use: asking takes the better part of a second.
    engine: Arc<OnceCell<Engine>>,
}

impl Stack {
    /// The stack `name` of the project at `root`; touches nothing.
    pub fn new(root: &Path, name: StackName, sink: Arc<dyn EventSink>) -> Self {
        let home = StackHome::new(root, &name);
        Self {
            root: root.to_owned(),
            name,
            home,
            sink,
            search: SearchPath::from_env(),
            archive: Archive::default(),
            engine: Arc::default(),
        }
    }

    /// Looks for server programs elsewhere than the environment says.
    #[must_use]
    pub fn with_search_path(mut self, search: SearchPath) -> Self {
        self.search = search;
        self
    }

    /// Downloads server programs, where none are found, from a mirror of the usual archives.
    #[must_use]
    pub fn with_archives(mut self, base_url: &str) -> Self {
        self.archive = Archive::at(base_url);
        self
    }

    /// The stack's folder.
    pub fn home(&self) -> &StackHome {
        &self.home
    }

    /// Brings the stack up and returns when every service is healthy. What runs already is left alone, unless its
    /// program was rebuilt.
    pub async fn up(&self, config: &StackConfig, api: &ApiLauncher) -> Result<Status, Error> {
        let progress = Progress::new(Arc::clone(&self.sink));
        let _lock = self.lock(&progress).await?;
        let recorded = self.reconcile(self.home.load()?, config).await?;
        let before = recorded.as_ref().map(|it| it.config.clone());
        let animals_port = before.as_ref().and_then(|it| it.animals_port);
        let mut state = self.next_state(recorded, config, &progress).await?;
        let driver = self.driver_to_start(&mut state, &progress).await?;
        progress.emit(Event::Backend { kind: state.backend, detail: driver.describe() });

        driver.check().await?;
        let services = services(api, &state.config)?;
        let mut missing = self.survey(&*driver, &state, &services, &progress).await?;
        let mut anew = Vec::new();
        let leaves = animals_port.is_some() && animals_port != state.config.animals_port;
        if leaves {
            anew.push(ServiceName::Animals);
        }
        let is_to_come =
            |it: ServiceName, missing: &[ServiceName]| services.contains(&it) && !missing.contains(&it);
        let returning: Vec<_> = anew.iter().copied().filter(|it| is_to_come(*it, &missing)).collect();
        missing.extend(returning);
        ports::refuse_taken(&self.root, &state.config, &missing)?;
        // It comes back where it is, so its port is not in the way.
        if before.is_some_and(|it| it.serves_otherwise(&state.config))
            && is_to_come(ServiceName::Api, &missing)
        {
            anew.push(ServiceName::Api);
            missing.push(ServiceName::Api);
        }

        // From here on the machine is changed: the next run, or `down`, has to know.
        let secrets = self.home.secrets()?;
        self.home.save(&state)?;
        if !anew.is_empty() {
            self.survey(&*driver, &state, &anew, &progress).await?;
            self.dispose(&*driver, &mut state, &anew, &progress).await?;
        }
        let launch = ApiLaunch { secrets: &secrets, program: api.program() };
        let run = Run { stack: self, driver: &*driver, launch, progress: &progress };
        if let Err(error) = run.start(&mut state, &services, &missing).await {
            if let Err(second) = self.dispose(&*driver, &mut state, &missing, &progress).await {
                progress.note(format!("What was started could not be stopped again: {second}."));
            }
            return Err(error);
        }
        self.status_of(&state).await
    }

    /// Stops everything. Data goes only with [`Volumes::Remove`]. A stack that is not there is no error.
    pub async fn down(&self, volumes: Volumes) -> Result<(), Error> {
        let progress = Progress::new(Arc::clone(&self.sink));
        let lock = self.lock(&progress).await?;
        let Some(mut state) = self.home.load()? else {
            progress.note(format!("There is no stack \"{}\" here: nothing to do.", self.name));
            if !self.home.dir().exists() {
                self.home.remove_lock_file(&lock)?;
            }
            return Ok(());
        };
        let driver = self.driver_to_look(&state).await?;
        let missing = self.survey(&*driver, &state, &ServiceName::ALL, &progress).await?;
        if volumes == Volumes::Keep && missing.len() == ServiceName::ALL.len() {
            progress.note(format!("Stack \"{}\" is stopped already; its data is kept.", self.name));
        }
        self.dispose(&*driver, &mut state, &ServiceName::ALL, &progress).await?;
        driver.clear().await?;
        if volumes == Volumes::Remove {
            driver.remove_data().await?;
            for dir in [&state.servers_dir, self.home.dir()] {
                // Nothing but our own places is ever removed as a whole, whatever the record says; after a half-done
                // removal some of it is gone already.
                let is_ours = dir == self.home.dir() || dir.starts_with(backend::SERVERS_ROOT);
                if is_ours && dir.exists() {
                    std::fs::remove_dir_all(dir).map_err(|source| Error::File {
                        doing: "remove",
                        path: dir.to_owned(),
                        source,
                    })?;
                }
            }
            progress.note("The data was removed.");
            self.home.remove_lock_file(&lock)?;
        }
        Ok(())
    }

    /// The one way in which services end: for `down`, for an `up` that failed, for a service that has to start anew.
    pub(crate) async fn dispose(
        &self,
        driver: &dyn Driver,
        state: &mut State,
        services: &[ServiceName],
        progress: &Progress,
    ) -> Result<(), Error> {
        let mut order = start_order()?;
        order.reverse();
        order.retain(|it| services.contains(it));
        for service in order {
            if driver.observe(service).await?.is_some() {
                progress.to(service, ServiceState::Stopping)?;
                driver.stop(service).await?;
                progress.to(service, ServiceState::Stopped)?;
            } else if progress.state(service) != ServiceState::Stopped {
                progress.to(service, ServiceState::Stopping)?;
                progress.to(service, ServiceState::Stopped)?;
            }
            state.expected.remove(&service);
            if let Some(process) = state.process_mut(service) {
                *process = None;
            }
            self.home.save(state)?;
        }
        Ok(())
    }

    /// Looks at every service, says how it was found, and returns those that are not alive.
    async fn survey(
        &self,
        driver: &dyn Driver,
        state: &State,
        services: &[ServiceName],
        progress: &Progress,
    ) -> Result<Vec<ServiceName>, Error> {
        let mut missing = Vec::new();
        for service in services {
            let found = match driver.observe(*service).await? {
                Some(_) => ServiceState::Running,
                None if state.expected.contains(service) => ServiceState::Failed,
                None => ServiceState::Stopped,
            };
            progress.found(*service, found);
            if found != ServiceState::Running {
                missing.push(*service);
            }
        }
        Ok(missing)
    }

    /// How to reach a database of this stack; it need not be running.
    pub fn connection(&self, database: Database) -> Result<Connection, Error> {
        Ok(connection(&self.state()?.config, database))
    }

    /// The settings that the stack was brought up with; `down` keeps them with the data.
    pub fn config(&self) -> Result<StackConfig, Error> {
        Ok(self.state()?.config)
    }

    /// Key for signing JSON Web Tokens (HS256) that this stack's REST server accepts.
    ///
    /// # Errors
    /// When there is no such stack, or its application's settings cannot be read.
    pub fn jwt_secret(&self) -> Result<String, Error> {
        let conf = Conf::of(&self.state()?.config)?;
        match conf.and_then(|it| it.text_of("jwt-secret")) {
            Some(secret) => Ok(secret),
            None => Ok(self.home.secrets()?.jwt_secret),
        }
    }

    /// Brings the foreign tables in line with the origin's tables.
    pub async fn fdw_import(&self) -> Result<bootstrap_sql::fdw::ImportReport, Error> {
        let progress = Progress::new(Arc::clone(&self.sink));
        let _lock = self.lock(&progress).await?;
        let state = self.state()?;
        if state.config.bare {
            let text = format!("stack \"{}\" is bare: it has no foreign server to import from", self.name);
            return Err(Error::Refused(text));
        }
        let driver = self.driver_to_look(&state).await?;
        for service in ServiceName::DATABASES {
            if driver.observe(service).await?.is_none() {
                return Err(Error::NotRunning { name: self.name.clone(), service });
            }
        }
        let report = bootstrap::import(&state.config, driver.origin_address()).await?;
        if driver.observe(ServiceName::Api).await?.is_some() {
            if let Err(reason) = served::catch_up(state.config.api_port).await {
                progress.note(format!("The REST server may not show every change yet: {reason}."));
            }
            if !state.config.schemas.iter().any(|it| it == "public") {
                progress.note(format!(
                    "The foreign tables are in the schema \"public\", which is not served: {} is. Serve it, too, with \
                     `cargo xtask up --name {} --set schemas={},public`.",
                    state.config.schemas.join(", "),
                    self.name,
                    state.config.schemas.join(",")
                ));
            }
        }
        Ok(report)
    }

    /// Applies the steps of both databases and brings the foreign tables in line; what is in place stays. Answers with what
    /// was imported, unless the stack is bare.
    pub async fn bootstrap(&self) -> Result<Option<bootstrap_sql::fdw::ImportReport>, Error> {
        let progress = Progress::new(Arc::clone(&self.sink));
        let _lock = self.lock(&progress).await?;
        let state = self.state()?;
        let driver = self.driver_to_look(&state).await?;
        for service in ServiceName::DATABASES {
            if driver.observe(service).await?.is_none() {
                return Err(Error::NotRunning { name: self.name.clone(), service });
            }
        }
        let secrets = self.home.secrets()?;
        let bootstrap = bootstrap::Bootstrap {
            config: &state.config,
            secrets: &secrets,
            origin_address: driver.origin_address(),
            names: bootstrap::Names::default(),
            progress: &progress,
        };
        bootstrap.apply(Database::Origin).await?;
        if state.config.animals_port.is_some() {
            bootstrap.apply_animals().await?;
        }
        bootstrap.apply(Database::Custom).await?;
        if state.config.bare {
            return Ok(None);
        }
        bootstrap.wire().await?;
        bootstrap.import().await.map(Some)
    }

    /// Hands over the lines of some services' logs that `window` asks for, oldest first; with `follow`, new ones as
    /// they come, until the caller drops the future.
    pub async fn logs(
        &self,
        services: &[ServiceName],
        window: LogWindow,
        follow: bool,
        on_line: &mut (dyn FnMut(LogLine) + Send),
    ) -> Result<(), Error> {
        let state = self.state()?;
        if services.contains(&ServiceName::Animals) && state.config.animals_port.is_none() {
            return Err(Error::NoAnimals { name: self.name.clone() });
        }
        let source = match state.backend {
            BackendKind::Native => LogSource::Files { servers_dir: state.servers_dir.clone() },
            BackendKind::Docker => LogSource::Engine {
                engine: self.engine().await?,
                project: state.project.clone(),
                logs_dir: self.home.dir().join("logs"),
            },
        };
        source.read(services, window, follow, on_line).await
    }

    fn state(&self) -> Result<State, Error> {
        let known = || StackHome::all(&self.root);
        self.home.load()?.ok_or_else(|| Error::NoSuchStack { name: self.name.clone(), known: known() })
    }

    async fn lock(&self, progress: &Progress) -> Result<StackLock, Error> {
        match self.home.try_lock() {
            Err(StateError::File { source, .. }) if source.kind() == std::io::ErrorKind::WouldBlock => {}
            other => return Ok(other?),
        }
        progress.emit(Event::Waiting);
        let home = self.home.clone();
        let locked = tokio::task::spawn_blocking(move || home.lock()).await;
        Ok(locked.map_err(|it| Error::Refused(it.to_string()))??)
    }
}

pub(crate) fn connection(config: &StackConfig, database: Database) -> Connection {
    Connection { database, port: config.port(database.service()) }
}

/// The admin server knows best; without one, the root path has to be answered.
pub(crate) async fn ask_program(config: &StackConfig, service: ServiceName) -> Result<(), String> {
    match config.admin_port {
        _ if service == ServiceName::Animals => animals::ask(config).await,
        Some(port) => probe::http(port, "/ready").await,
        None => probe::http(config.api_port, "/").await,
    }
}

fn services(api: &ApiLauncher, config: &StackConfig) -> Result<Vec<ServiceName>, Error> {
    let mut services = start_order()?;
    let (asked, has_program) = (config.services(), *api != ApiLauncher::None);
    services.retain(|it| asked.contains(it) && (has_program || ServiceName::DATABASES.contains(it)));
    Ok(services)
}

//! One named stack: up, down, status, logs, import.
//!
//! The order of things is here and the same for both backends; how each thing is done is the driver's. Every command
//! that changes something holds the stack's lock. Whatever an interrupted run left is found by looking, not by
//! remembering: each `up` observes first and does only what is missing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::OnceCell;

use crate::account::Account;
use crate::bootstrap;
use crate::config::{Backend, BackendKind, Cost, StackConfig, StackName};
use crate::database::{Connection, Database};
use crate::docker::{Docker, Engine};
use crate::download::{Archive, cache_dir};
use crate::driver::{ApiLaunch, Driver, Handle};
use crate::error::Error;
use crate::event::{Event, EventSink, Progress};
use crate::logs::{LogLine, LogSource};
use crate::native::{Native, Tools};
use crate::pgbin::{SearchPath, ServerBinaries};
use crate::ports;
use crate::probe;
use crate::served;
use crate::service::{ServiceName, ServiceState, start_order};
use crate::state::{StackHome, StackLock, State, StateError};
use crate::up::Run;

/// Data and logs of stacks whose project the servers' user cannot enter.
const SERVERS_ROOT: &str = "/var/lib/postgres-as-app";

/// Where the REST server's program comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiLauncher {
    /// A built `pgapp-api`. The Docker backend ignores it and builds an image from source.
    Program(PathBuf),
    /// No REST server: databases only.
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

/// What `status` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The stack.
    pub name: StackName,
    /// What it runs on.
    pub backend: BackendKind,
    /// Its services in the order of the graph.
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

    /// The backend that `up` would use: callers build the REST server's program only for the native one.
    pub async fn choose_backend(&self, config: &StackConfig) -> Result<BackendKind, Error> {
        match self.reconcile(self.home.load()?, config).await? {
            Some(state) => Ok(state.backend),
            None => self.first_choice(config).await,
        }
    }

    async fn engine(&self) -> Result<Engine, Error> {
        self.engine.get_or_try_init(Engine::find).await.cloned()
    }

    async fn first_choice(&self, config: &StackConfig) -> Result<BackendKind, Error> {
        Ok(match config.backend {
            Backend::Docker => BackendKind::Docker,
            Backend::Auto if ServerBinaries::find(&self.search, None)?.is_some() => BackendKind::Native,
            Backend::Auto if self.engine().await.is_ok() => BackendKind::Docker,
            // With neither, the native one downloads a server or tells what to install.
            Backend::Native | Backend::Auto => BackendKind::Native,
        })
    }

    /// Brings the stack up and returns when every service is healthy. What runs already is left alone, unless its
    /// program was rebuilt.
    pub async fn up(&self, config: &StackConfig, api: &ApiLauncher) -> Result<Status, Error> {
        let progress = Progress::new(Arc::clone(&self.sink));
        let _lock = self.lock(&progress).await?;
        let recorded = self.reconcile(self.home.load()?, config).await?;
        let mut state = self.next_state(recorded, config, &progress).await?;
        let driver = self.driver_to_start(&mut state, &progress).await?;
        progress.emit(Event::Backend { kind: state.backend, detail: driver.describe() });

        driver.check().await?;
        let services = services(api)?;
        let missing = self.survey(&*driver, &state, &services, &progress).await?;
        refuse_taken_ports(&self.root, &state.config, &missing)?;

        // From here on the machine is changed: the next run, or `down`, has to know.
        let secrets = self.home.secrets()?;
        self.home.save(&state)?;
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
        self.survey(&*driver, &state, &ServiceName::ALL, &progress).await?;
        self.dispose(&*driver, &mut state, &ServiceName::ALL, &progress).await?;
        driver.clear().await?;
        if volumes == Volumes::Remove {
            driver.remove_data().await?;
            for dir in [&state.servers_dir, self.home.dir()] {
                // Nothing but our own places is ever removed as a whole, whatever the record says; after a half-done
                // removal some of it is gone already.
                let is_ours = dir == self.home.dir() || dir.starts_with(SERVERS_ROOT);
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
            if service == ServiceName::Api {
                state.api = None;
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

    /// State of the stack and health of each service.
    pub async fn status(&self) -> Result<Status, Error> {
        self.status_of(&self.state()?).await
    }

    async fn status_of(&self, state: &State) -> Result<Status, Error> {
        let driver = self.driver_to_look(state).await?;
        let mut services = Vec::new();
        for name in ServiceName::ALL {
            let handle = driver.observe(name).await?;
            let asked = match (&handle, Database::try_from(name)) {
                (None, _) => Err("it does not run".to_owned()),
                (Some(_), Ok(database)) => {
                    probe::postgres(&connection(&state.config, database), database.dbname()).await
                }
                (Some(_), Err(_)) => ask_api(&state.config).await,
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
                Err(_) => format!("http://127.0.0.1:{}", state.config.api_port),
            };
            let (pid, container) = match handle {
                Some(Handle::Process(process)) => (Some(process.pid), None),
                Some(Handle::Container(name)) => (None, Some(name)),
                None => (None, None),
            };
            services.push(ServiceStatus { name, state: state_now, url, pid, container, reason });
        }
        Ok(Status { name: self.name.clone(), backend: state.backend, services })
    }

    /// How to reach a database of this stack; it need not be running.
    pub fn connection(&self, database: Database) -> Result<Connection, Error> {
        Ok(connection(&self.state()?.config, database))
    }

    /// The settings that the stack was brought up with.
    pub fn config(&self) -> Result<StackConfig, Error> {
        Ok(self.state()?.config)
    }

    /// Key for signing JSON Web Tokens (HS256) that this stack's REST server accepts.
    pub fn jwt_secret(&self) -> Result<String, Error> {
        self.state()?;
        Ok(self.home.secrets()?.jwt_secret)
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
        let api_port = state.config.api_port;
        let before = match driver.observe(ServiceName::Api).await? {
            Some(_) => served::describe(api_port).await,
            None => None,
        };
        let report = bootstrap::import(&state.config, driver.origin_address()).await?;
        if let Some(before) = before
            && !served::until_shown(api_port, &report, &before).await
        {
            progress
                .note("The REST server does not show every change; its role may not be allowed to see it.");
        }
        Ok(report)
    }

    /// Hands over the lines of some services' logs, oldest first; with `follow`, new ones as they come, until the
    /// caller drops the future.
    pub async fn logs(
        &self,
        services: &[ServiceName],
        follow: bool,
        on_line: &mut (dyn FnMut(LogLine) + Send),
    ) -> Result<(), Error> {
        let state = self.state()?;
        let source = match state.backend {
            BackendKind::Native => LogSource::Files { servers_dir: state.servers_dir.clone() },
            BackendKind::Docker => LogSource::Engine {
                engine: self.engine().await?,
                project: state.project.clone(),
                logs_dir: self.home.dir().join("logs"),
            },
        };
        source.read(services, follow, on_line).await
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

    /// A stack that exists stays as it is unless the difference is harmless: nothing runs and no data is at stake.
    /// One of which nothing is left but its record is forgotten.
    async fn reconcile(&self, recorded: Option<State>, asked: &StackConfig) -> Result<Option<State>, Error> {
        refuse_equal_ports(asked)?;
        let Some(state) = recorded else { return Ok(None) };
        let differences = state.config.differences(state.backend, asked);
        if differences.is_empty() {
            return Ok(Some(state));
        }
        let driver = self.driver_to_look(&state).await?;
        let mut is_up = false;
        for service in ServiceName::ALL {
            is_up |= driver.observe(service).await?.is_some();
        }
        if !is_up && !driver.has_data().await? {
            return Ok(None);
        }
        if is_up || differences.iter().any(|it| it.cost == Cost::NewData) {
            return Err(Error::Differs { name: self.name.clone(), is_up, differences });
        }
        Ok(Some(state))
    }

    async fn next_state(
        &self,
        recorded: Option<State>,
        config: &StackConfig,
        progress: &Progress,
    ) -> Result<State, Error> {
        if let Some(mut state) = recorded {
            state.config = config.clone();
            return Ok(state);
        }
        let kind = self.first_choice(config).await?;
        let servers_dir = match kind {
            BackendKind::Native => self.servers_dir(progress)?,
            BackendKind::Docker => self.home.dir().to_owned(),
        };
        Ok(State::new(config.clone(), kind, servers_dir, project_name(&self.root, &self.name)))
    }

    /// `.stack/<name>`, unless the user that databases run as cannot get there: projects below /root are closed.
    fn servers_dir(&self, progress: &Progress) -> Result<PathBuf, Error> {
        let account = Account::for_servers().ok_or(Error::NoAccount)?;
        let home = self.home.dir();
        if account.can_reach(&home.join("data")) {
            return Ok(home.to_owned());
        }
        let dir = Path::new(SERVERS_ROOT).join(project_name(&self.root, &self.name));
        progress.note(format!(
            "The databases do not run as root, and their user cannot enter \"{}\": data and logs are in \"{}\".",
            self.root.display(),
            dir.display()
        ));
        Ok(dir)
    }

    async fn driver_to_start(
        &self,
        state: &mut State,
        progress: &Progress,
    ) -> Result<Box<dyn Driver>, Error> {
        match state.backend {
            BackendKind::Docker => {
                if state.config.data_dir.is_some() {
                    let text = "--data-dir is for the native backend: containers keep their data in volumes";
                    return Err(Error::Refused(text.to_owned()));
                }
                Ok(Box::new(Docker::new(&self.root, &self.home, state, self.engine().await?)))
            }
            BackendKind::Native => {
                let account = Account::for_servers().ok_or(Error::NoAccount)?;
                let data = Native::data_dir(&state.config, &state.servers_dir, Database::Origin);
                let wanted = data.major().and_then(|it| it.parse().ok());
                let binaries = match ServerBinaries::find(&self.search, wanted)? {
                    Some(binaries) => binaries,
                    None => self.download(state.config.backend, &account, progress).await?,
                };
                state.pg_bin_dir = Some(binaries.dir.clone());
                Ok(Box::new(Native::new(state, Some(Tools { binaries, account }))))
            }
        }
    }

    /// The last resort: programs from the network, kept in `.stack/.cache`.
    async fn download(
        &self,
        asked: Backend,
        account: &Account,
        progress: &Progress,
    ) -> Result<ServerBinaries, Error> {
        let cache = cache_dir(&self.root, account);
        let download = match self.archive.server(&cache, account, progress).await {
            Ok(binaries) => return Ok(binaries),
            Err(reason) => reason,
        };
        Err(match asked {
            Backend::Auto => {
                let docker = self.engine().await.err().map_or_else(String::new, |it| it.to_string());
                Error::NoBackend { docker, download }
            }
            _ => Error::NoServer { download },
        })
    }

    async fn driver_to_look(&self, state: &State) -> Result<Box<dyn Driver>, Error> {
        Ok(match state.backend {
            BackendKind::Native => Box::new(Native::new(state, None)),
            BackendKind::Docker => Box::new(Docker::new(&self.root, &self.home, state, self.engine().await?)),
        })
    }
}

pub(crate) fn connection(config: &StackConfig, database: Database) -> Connection {
    Connection { database, port: config.port(database.service()) }
}

/// The admin server knows best; without one, the root path has to be answered.
pub(crate) async fn ask_api(config: &StackConfig) -> Result<(), String> {
    match config.admin_port {
        Some(port) => probe::http(port, "/ready").await,
        None => probe::http(config.api_port, "/").await,
    }
}

fn services(api: &ApiLauncher) -> Result<Vec<ServiceName>, Error> {
    let mut services = start_order()?;
    services.retain(|it| *it != ServiceName::Api || *api != ApiLauncher::None);
    Ok(services)
}

fn refuse_equal_ports(config: &StackConfig) -> Result<(), Error> {
    let ports = config.ports();
    for (i, (_, first, port)) in ports.iter().enumerate() {
        if let Some((_, second, _)) = ports[i + 1..].iter().find(|it| it.2 == *port) {
            return Err(Error::PortTwice { port: *port, first, second });
        }
    }
    Ok(())
}

/// Before anything is started: a stack that comes up by half helps nobody.
fn refuse_taken_ports(root: &Path, config: &StackConfig, missing: &[ServiceName]) -> Result<(), Error> {
    for (service, flag, port) in config.ports() {
        if missing.contains(&service) && !ports::is_free(port) {
            let process = ports::holder(port).map(|it| it.to_string());
            let other = stack_at(root, &config.name, port).map(|it| format!("stack \"{it}\""));
            let holder = match (process, other) {
                (Some(process), Some(stack)) => Some(format!("{process} of {stack}")),
                (process, stack) => process.or(stack),
            };
            return Err(Error::PortTaken { port, flag, service, holder });
        }
    }
    Ok(())
}

/// Another stack of this project that is up on the port.
fn stack_at(root: &Path, not: &StackName, port: u16) -> Option<StackName> {
    StackHome::all(root).into_iter().filter(|it| it != not).find(|name| {
        let state = StackHome::new(root, name).load().ok().flatten();
        let is_at = |state: State| {
            state.config.ports().iter().any(|it| it.2 == port && state.expected.contains(&it.0))
        };
        state.is_some_and(is_at)
    })
}

/// Name of the compose project: readable, and different for two clones of the repository on one machine.
fn project_name(root: &Path, name: &StackName) -> String {
    use std::hash::{Hash, Hasher};
    let mut hasher = std::hash::DefaultHasher::new();
    root.hash(&mut hasher);
    format!("pgapp-{name}-{:08x}", hasher.finish() as u32)
}

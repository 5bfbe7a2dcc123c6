//! The native backend: Postgres clusters and the REST server as processes of this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use app_folder::{AppFolder, Packages};
use async_trait::async_trait;
use nix::sys::signal::Signal;

use crate::account::Account;
use crate::animals;
use crate::cluster::{
    Cluster, ClusterError, DataDir, DataState, NewCluster, StopMode, log_tail, remove_if_there,
};
use crate::conf::Conf;
use crate::config::StackConfig;
use crate::database::Database;
use crate::driver::{ApiLaunch, Driver, Handle};
use crate::error::Error;
use crate::event::Progress;
use crate::pgbin::ServerBinaries;
use crate::process::ProcessIdentity;
use crate::service::{ServiceName, ServiceState};
use crate::state::{ApiProcess, State};

/// Only from this machine, and always with the password: postgres_fdw demands of ordinary users that it was used.
const HBA: &str = "\
# TYPE  DATABASE  USER  ADDRESS        METHOD
local   all       all                  scram-sha-256
host    all       all   127.0.0.1/32   scram-sha-256
host    all       all   ::1/128        scram-sha-256
";

/// The setting that takes effect with a start only.
const PRELOAD: &str = "shared_preload_libraries";

/// Time for sessions to end and a checkpoint to be written.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Time for requests under way.
const API_STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Processes of this machine, as recorded in a stack's state.
pub(crate) struct Native {
    config: StackConfig,
    servers_dir: PathBuf,
    /// The REST server and the animals app: as recorded, then as started.
    programs: Mutex<BTreeMap<ServiceName, ApiProcess>>,
    /// Present when services are to be started; looking and stopping need no programs.
    tools: Option<Tools>,
}

/// What starting needs.
pub(crate) struct Tools {
    pub(crate) binaries: ServerBinaries,
    pub(crate) account: Account,
}

impl Native {
    pub(crate) fn new(state: &State, tools: Option<Tools>) -> Self {
        let programs = [(ServiceName::Api, &state.api), (ServiceName::Animals, &state.animals)];
        let recorded = programs.into_iter().filter_map(|(service, it)| Some((service, it.clone()?)));
        Self {
            config: state.config.clone(),
            servers_dir: state.servers_dir.clone(),
            programs: Mutex::new(recorded.collect()),
            tools,
        }
    }

    /// The folder of a database's data.
    pub(crate) fn data_dir(config: &StackConfig, servers_dir: &Path, database: Database) -> DataDir {
        let parent = config.data_dir.clone().unwrap_or_else(|| servers_dir.join("data"));
        DataDir(parent.join(database.service().as_str()))
    }

    /// A service's log file.
    pub(crate) fn log_file(servers_dir: &Path, service: ServiceName) -> PathBuf {
        servers_dir.join("logs").join(format!("{service}.log"))
    }

    fn data(&self, database: Database) -> DataDir {
        Self::data_dir(&self.config, &self.servers_dir, database)
    }

    fn log(&self, service: ServiceName) -> PathBuf {
        Self::log_file(&self.servers_dir, service)
    }

    fn program(&self, service: ServiceName) -> Option<ApiProcess> {
        self.programs.lock().unwrap_or_else(PoisonError::into_inner).get(&service).cloned()
    }

    fn tools(&self) -> Result<&Tools, Error> {
        self.tools.as_ref().ok_or(Error::NoServer { download: "not tried".to_owned() })
    }

    /// What the application asks for beside the custom database's server.
    fn packages(&self) -> Result<Packages, Error> {
        let Some(path) = &self.config.app else { return Ok(Packages::default()) };
        Ok(AppFolder::open(path)?.packages()?)
    }

    /// Names what is missing, with the command that installs it.
    fn name_lacking(&self, progress: &Progress) -> Result<(), Error> {
        let binaries = &self.tools()?.binaries;
        let packages = self.packages()?;
        let lacking = binaries.lacking(&packages.debian(&binaries.major.to_string()));
        if !lacking.is_empty() {
            let file = app_folder::packages::FILE;
            let names = lacking.join(" ");
            progress.note(format!("{file}: not installed here; sudo apt-get install {names}"));
        }
        for step in packages.builds() {
            progress.note(format!(
                "custom/{step}/build.sh is run for images; here it is yours to run, with PG_MAJOR={}",
                binaries.major
            ));
        }
        Ok(())
    }

    fn cluster(&self, database: Database) -> Result<Cluster, Error> {
        let Tools { binaries, account } = self.tools()?;
        let service = database.service();
        let name = format!("{}/{service}", self.config.name);
        let mut settings = vec![
            ("cluster_name".to_owned(), name),
            ("log_line_prefix".to_owned(), "%m [%p] %q%u@%d ".to_owned()),
            ("shared_buffers".to_owned(), "64MB".to_owned()),
            ("max_worker_processes".to_owned(), "16".to_owned()),
        ];
        let has_cron = database == Database::Custom && binaries.has_extension("pg_cron");
        let mut preload = if database == Database::Custom { self.packages()?.preload() } else { Vec::new() };
        // What is not installed keeps no server from starting; who needs it is told so.
        preload.retain(|it| it != "pg_cron" && binaries.has_library(it));
        preload.extend(has_cron.then(|| "pg_cron".to_owned()));
        if !preload.is_empty() {
            settings.push((PRELOAD.to_owned(), preload.join(",")));
        }
        if has_cron {
            settings.push(("cron.database_name".to_owned(), database.dbname().to_owned()));
            // Jobs over libpq would need another password.
            settings.push(("cron.use_background_workers".to_owned(), "on".to_owned()));
        }
        Ok(Cluster {
            binaries: binaries.clone(),
            account: account.clone(),
            data: self.data(database),
            log: self.log(service),
            port: self.config.port(service),
            // Local tools use TCP; a socket's path would have to be shorter than many a project's folder.
            socket_dir: None,
            settings,
        })
    }

    async fn prepare_database(&self, database: Database, progress: &Progress) -> Result<(), Error> {
        let service = database.service();
        let cluster = self.cluster(database)?;
        let fail = |source| Error::Cluster { service, source };
        if cluster.inspect().map_err(fail)? == DataState::Ready {
            return Ok(());
        }
        progress.to(service, ServiceState::Preparing)?;
        let parent = cluster.data.path().parent().unwrap_or(Path::new("/")).to_owned();
        // An existing --data-dir keeps its owner and mode.
        if !parent.exists() {
            let made = cluster.account.create_dir(&parent, 0o755);
            made.map_err(|source| Error::File { doing: "make", path: parent.clone(), source })?;
        }
        let new = NewCluster {
            superuser: database.user(),
            password: database.password(),
            hba: HBA,
            dbname: Some(database.dbname()),
        };
        cluster.init(&new).await.map_err(fail)?;
        progress.step(service, "made the database cluster");
        Ok(())
    }

    async fn start_database(&self, database: Database, progress: &Progress) -> Result<(), Error> {
        let service = database.service();
        let cluster = self.cluster(database)?;
        progress.to(service, ServiceState::Starting)?;
        let fail = |source| Error::Cluster { service, source };
        cluster.configure().map_err(fail)?;
        cluster.start().await.map_err(fail)
    }

    /// The application's settings, which are the REST server's alone.
    fn conf_of(&self, service: ServiceName) -> Result<Option<Conf>, Error> {
        if service == ServiceName::Api { Conf::of(&self.config) } else { Ok(None) }
    }

    /// Who runs the REST server: root is nobody to serve requests as, if the program is within another user's reach.
    fn api_account(&self, program: &Path) -> Account {
        match &self.tools {
            Some(tools) if tools.account.can_execute(program) => tools.account.clone(),
            _ => Account::Current,
        }
    }
}

/// Runs `run` for each of two databases at once, if it is asked for.
async fn both<F>(services: &[ServiceName], run: impl Fn(Database) -> F) -> Result<(), Error>
where
    F: Future<Output = Result<(), Error>>,
{
    let run_if_asked = |database: Database| {
        let future = services.contains(&database.service()).then(|| run(database));
        async move {
            match future {
                Some(future) => future.await,
                None => Ok(()),
            }
        }
    };
    // Both run to their end, so that a failure of one leaves no half-made other.
    let (origin, custom) = tokio::join!(run_if_asked(Database::Origin), run_if_asked(Database::Custom));
    origin.and(custom)
}

#[async_trait]
impl Driver for Native {
    fn describe(&self) -> String {
        self.tools.as_ref().map_or_else(String::new, |Tools { binaries, account }| {
            let user = match account {
                Account::Current => String::new(),
                Account::Other { name, .. } => format!(", as user {name}"),
            };
            format!(
                "Postgres {} in {} (found by {}){user}",
                binaries.version,
                binaries.dir.display(),
                binaries.found_by
            )
        })
    }

    async fn observe(&self, service: ServiceName) -> Result<Option<Handle>, Error> {
        let process = match Database::try_from(service) {
            Ok(database) => self.data(database).postmaster(),
            Err(_) => self.program(service).map(|it| it.process).filter(ProcessIdentity::is_alive),
        };
        Ok(process.map(Handle::Process))
    }

    async fn has_data(&self) -> Result<bool, Error> {
        Ok(Database::ALL.into_iter().any(|it| self.data(it).major().is_some()))
    }

    async fn is_outdated(&self, service: ServiceName, launch: &ApiLaunch<'_>) -> Result<bool, Error> {
        if let Ok(database) = Database::try_from(service) {
            // What is preloaded takes a start; the other settings are the same ones as long as the stack is.
            let cluster = self.cluster(database)?;
            return Ok(cluster.configured(PRELOAD) != cluster.setting(PRELOAD));
        }
        let (Some(running), Some(program)) = (self.program(service), launch.program) else {
            return Ok(false);
        };
        let fail = |source| Error::StartApi { program: program.to_owned(), source };
        let conf = self.conf_of(service)?;
        Ok(running.program != program || running.build != build_of(program, conf.as_ref()).map_err(fail)?)
    }

    async fn check(&self) -> Result<(), Error> {
        let Tools { binaries, account } = self.tools()?;
        for database in Database::ALL {
            let service = database.service();
            let cluster = self.cluster(database)?;
            cluster.inspect().map_err(|source| Error::Cluster { service, source })?;
            let running = cluster.data.postmaster().zip(cluster.data.running_port());
            if let Some((process, port)) = running.filter(|(_, port)| *port != cluster.port) {
                return Err(Error::Refused(format!(
                    "data folder \"{}\" is in use by a Postgres on port {port} (pid {})",
                    cluster.data.path().display(),
                    process.pid
                )));
            }
            for path in [cluster.data.path(), &binaries.program("postgres"), &cluster.log] {
                if let (false, Account::Other { name, .. }) = (account.can_reach(path), account) {
                    let dir = path.parent().unwrap_or(path).to_owned();
                    return Err(Error::Unreachable { user: name.clone(), dir });
                }
            }
        }
        Ok(())
    }

    async fn prepare(&self, services: &[ServiceName], progress: &Progress) -> Result<(), Error> {
        let logs = self.servers_dir.join("logs");
        let made = self.tools()?.account.create_dir(&logs, 0o755);
        made.map_err(|source| Error::File { doing: "make", path: logs.clone(), source })?;
        self.name_lacking(progress)?;
        both(services, |database| self.prepare_database(database, progress)).await
    }

    async fn start_databases(&self, services: &[ServiceName], progress: &Progress) -> Result<(), Error> {
        both(services, |database| self.start_database(database, progress)).await
    }

    async fn start_program(
        &self,
        service: ServiceName,
        launch: &ApiLaunch<'_>,
        progress: &Progress,
    ) -> Result<Option<ApiProcess>, Error> {
        let Some(program) = launch.program else { return Ok(None) };
        progress.to(service, ServiceState::Starting)?;
        let log_path = self.log(service);
        let fail = |source| Error::StartApi { program: program.to_owned(), source };
        let log = std::fs::File::options().create(true).append(true).open(&log_path).map_err(fail)?;
        let conf = self.conf_of(service)?;
        let build = build_of(program, conf.as_ref()).map_err(fail)?;

        let mut command = detached(program);
        self.api_account(program).apply(&mut command);
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_libpq_setting(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        if service == ServiceName::Animals {
            // The rest of what the app reads is set; this one would be the caller's.
            command.env_remove("DB_SSLROOTCERT");
            command.envs(animals::environment(launch.secrets, self.config.origin_port));
            let port = self.config.port(service).to_string();
            command.args(["--animals", "--animals-host", "127.0.0.1", "--animals-port", &port]);
        } else {
            if let Some(conf) = &conf {
                command.arg(conf.place(&self.servers_dir)?);
            }
            command.envs(api_environment(
                &self.config,
                launch,
                "127.0.0.1",
                self.config.custom_port,
                conf.as_ref(),
            ));
            command.env("PGRST_SERVER_HOST", "127.0.0.1");
            command.env("PGRST_SERVER_PORT", self.config.api_port.to_string());
            if let Some(port) = self.config.admin_port {
                command.env("PGRST_ADMIN_SERVER_HOST", "127.0.0.1");
                command.env("PGRST_ADMIN_SERVER_PORT", port.to_string());
            }
        }
        command.stdin(Stdio::null()).stdout(log.try_clone().map_err(fail)?).stderr(log);
        let child = command.spawn().map_err(fail)?;
        let process = child.id().and_then(ProcessIdentity::of);
        let Some(process) = process else {
            let log_tail = log_tail(&log_path, 0);
            let reason = "it ended at once".to_owned();
            return Err(Error::Unhealthy { service, reason, log_tail });
        };
        let started = ApiProcess { process, program: program.to_owned(), build };
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        programs.insert(service, started.clone());
        Ok(Some(started))
    }

    async fn stop(&self, service: ServiceName) -> Result<(), Error> {
        if let Ok(database) = Database::try_from(service) {
            let data = self.data(database);
            let stopped = match data.stop(StopMode::Fast, STOP_TIMEOUT).await {
                // Something holds the server up; recovery at the next start loses nothing that was committed.
                Err(ClusterError::Stop { .. }) => data.stop(StopMode::Immediate, STOP_TIMEOUT).await,
                other => other,
            };
            return stopped.map(drop).map_err(|source| Error::Cluster { service, source });
        }
        let Some(ApiProcess { process, program, .. }) = self.program(service) else { return Ok(()) };
        for (signal, timeout) in [(Signal::SIGTERM, API_STOP_TIMEOUT), (Signal::SIGKILL, STOP_TIMEOUT)] {
            let sent = process.signal(signal);
            sent.map_err(|source| Error::File {
                doing: "signal the process of",
                path: program.clone(),
                source,
            })?;
            if process.wait_gone(timeout).await {
                return Ok(());
            }
        }
        Err(Error::Stop { service, pid: process.pid, seconds: STOP_TIMEOUT.as_secs() })
    }

    async fn clear(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn remove_data(&self) -> Result<(), Error> {
        for database in Database::ALL {
            let service = database.service();
            let fail = |source| Error::Cluster { service, source };
            remove_if_there(self.data(database).path()).map_err(fail)?;
            remove_if_there(&self.log(service)).map_err(fail)?;
        }
        Ok(())
    }

    fn origin_address(&self) -> (String, u16) {
        ("127.0.0.1".to_owned(), self.config.origin_port)
    }

    async fn log_tail(&self, service: ServiceName) -> String {
        log_tail(&self.log(service), 0)
    }
}

/// Variables that do not reach the REST server, since the stack sets them, and what sets them instead.
pub const SET_BY_STACK: [(&str, &str); 9] = [
    ("PGRST_DB_URI", "the stack's own database is served"),
    ("PGRST_DB_SCHEMAS", "use --set schemas=NAME,NAME"),
    ("PGRST_DB_ANON_ROLE", "it is web_anon; --anon says what it may do"),
    ("PGRST_JWT_SECRET", "each stack has its own secret"),
    ("PGRST_LOG_LEVEL", "use --set log-level=LEVEL"),
    ("PGRST_SERVER_HOST", "it is 127.0.0.1"),
    ("PGRST_SERVER_PORT", "use --api-port PORT"),
    ("PGRST_ADMIN_SERVER_HOST", "it is 127.0.0.1"),
    ("PGRST_ADMIN_SERVER_PORT", "use --admin-port PORT"),
];

/// The REST server's settings that both backends share. Environment, not arguments: arguments show in process lists.
pub(crate) fn api_environment(
    config: &StackConfig,
    launch: &ApiLaunch<'_>,
    db_host: &str,
    db_port: u16,
    conf: Option<&Conf>,
) -> Vec<(&'static str, String)> {
    let password = &launch.secrets.authenticator_password;
    let dbname = Database::Custom.dbname();
    let mut environment = vec![
        ("PGRST_DB_URI", format!("postgres://authenticator:{password}@{db_host}:{db_port}/{dbname}")),
        ("PGRST_LOG_LEVEL", config.log_level.as_str().to_owned()),
    ];
    // The environment goes before the file, so what the application decides is left out.
    let values = [config.schemas.join(","), "web_anon".to_owned(), launch.secrets.jwt_secret.clone()];
    for ((key, variable), value) in OF_APPLICATION.into_iter().zip(values) {
        if !conf.is_some_and(|it| it.sets(key)) {
            environment.push((variable, value));
        }
    }
    environment
}

/// Settings that the stack has values for unless the application has, with their variables.
pub(crate) const OF_APPLICATION: [(&str, &str); 3] = [
    ("db-schemas", "PGRST_DB_SCHEMAS"),
    ("db-anon-role", "PGRST_DB_ANON_ROLE"),
    ("jwt-secret", "PGRST_JWT_SECRET"),
];

/// Length and modification time of the program, and its settings: tells what was rebuilt or changed from what runs.
pub(crate) fn build_of(program: &Path, conf: Option<&Conf>) -> std::io::Result<String> {
    let meta = std::fs::metadata(program)?;
    let modified = meta.modified()?.duration_since(std::time::UNIX_EPOCH).map_err(std::io::Error::other)?;
    let program = format!("{}-{}", meta.len(), modified.as_nanos());
    Ok(conf.map_or_else(|| program.clone(), |it| format!("{program}-{}", it.digest())))
}

/// A command in its own session, so that neither Ctrl-C nor the end of the terminal reaches it.
fn detached(program: &Path) -> tokio::process::Command {
    // `setsid` replaces itself by the program under the same pid as long as it is no group leader.
    match ["/usr/bin/setsid", "/bin/setsid"].into_iter().find(|it| Path::new(it).is_file()) {
        Some(setsid) => {
            let mut command = tokio::process::Command::new(setsid);
            command.arg(program);
            command
        }
        None => {
            let mut command = tokio::process::Command::new(program);
            command.process_group(0);
            command
        }
    }
}

/// `PGHOST`, `PGPASSWORD` and their like, but neither `PGRST_*` nor `PGAPP_*`: those are the caller's wishes.
fn is_libpq_setting(name: &str) -> bool {
    name.starts_with("PG") && !name.starts_with("PGRST_") && !name.starts_with("PGAPP_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_libpq_settings_do_not_reach_the_server() {
        assert!(is_libpq_setting("PGPASSWORD"));
        assert!(!is_libpq_setting("PGRST_LOG_LEVEL"));
        assert!(!is_libpq_setting("PATH"));
    }
}

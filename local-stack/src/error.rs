//! Why an operation on a stack failed, and what to do about it.

use std::path::PathBuf;

use crate::cluster::ClusterError;
use crate::config::{Cost, Difference, InvalidStackName, StackName};
use crate::install;
use crate::pgbin::FindError;
use crate::service::{GraphError, IllegalTransition, ServiceName};
use crate::state::StateError;

/// Why an operation failed. [`Error::hint`] says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name cannot name a stack.
    #[error(transparent)]
    Name(#[from] InvalidStackName),
    /// The stack's own files are in the way.
    #[error(transparent)]
    State(#[from] StateError),
    /// There is no such stack.
    #[error("there is no stack \"{name}\" here")]
    NoSuchStack {
        /// Its name.
        name: StackName,
        /// The stacks that there are.
        known: Vec<StackName>,
    },
    /// The stack exists with other settings.
    #[error("stack \"{name}\" {} with other settings: {}", if *is_up { "is up" } else { "exists" }, list(differences))]
    Differs {
        /// Its name.
        name: StackName,
        /// Whether any of it runs.
        is_up: bool,
        /// Every difference.
        differences: Vec<Difference>,
    },
    /// A port is taken.
    #[error("port {port} ({flag} of {service}) is taken{}", held_by(holder))]
    PortTaken {
        /// The port.
        port: u16,
        /// The flag that chooses it.
        flag: &'static str,
        /// The service that was to listen there.
        service: ServiceName,
        /// Who listens there, as far as can be seen.
        holder: Option<String>,
    },
    /// Two services were given the same port.
    #[error("{first} and {second} are both {port}")]
    PortTwice {
        /// The port.
        port: u16,
        /// One flag.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// Neither backend can work on this machine.
    #[error(
        "neither a Postgres server nor a Docker engine was found on this machine, and downloading a server failed: {download}"
    )]
    NoBackend {
        /// Why Docker cannot be used.
        docker: String,
        /// Why downloading a server failed.
        download: String,
    },
    /// The native backend was asked for and there is no server.
    #[error(
        "no Postgres server programs were found on this machine, and downloading them failed: {download}"
    )]
    NoServer {
        /// Why downloading a server failed.
        download: String,
    },
    /// The server asked for by name is unusable.
    #[error(transparent)]
    FindServer(#[from] FindError),
    /// Started by root on a machine without an unprivileged user.
    #[error("Postgres does not run as root, and there is no user \"postgres\" or \"nobody\" to run it as")]
    NoAccount,
    /// The data folder cannot be entered by the user that the servers run as.
    #[error("user \"{user}\", which the databases run as, cannot enter \"{}\"", dir.display())]
    Unreachable {
        /// That user.
        user: String,
        /// The folder.
        dir: PathBuf,
    },
    /// A cluster failed.
    #[error("{service} failed")]
    Cluster {
        /// Which.
        service: ServiceName,
        /// Why.
        #[source]
        source: ClusterError,
    },
    /// A statement of the stack's own failed.
    #[error("could not {doing} in {service}: {reason}")]
    Database {
        /// Where.
        service: ServiceName,
        /// Verb phrase.
        doing: String,
        /// The database's words.
        reason: String,
    },
    /// The SQL bootstrap failed.
    #[error("could not set up {service}")]
    Bootstrap {
        /// Where.
        service: ServiceName,
        /// Why.
        #[source]
        source: Box<bootstrap_sql::Error>,
    },
    /// The application's folder, or one of its files.
    #[error(transparent)]
    App(#[from] app_folder::Error),
    /// The stack has no application.
    #[error("stack \"{name}\" has no application")]
    NoApp {
        /// The stack.
        name: StackName,
    },
    /// A service does not answer.
    #[error("{service} is not healthy: {reason}{}", tail_of(log_tail))]
    Unhealthy {
        /// Which.
        service: ServiceName,
        /// Its last answer.
        reason: String,
        /// The end of its log.
        log_tail: String,
    },
    /// The REST server's program could not be started.
    #[error("could not start \"{}\"", program.display())]
    StartApi {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A service did not end.
    #[error("{service} (pid {pid}) did not end within {seconds} s")]
    Stop {
        /// Which.
        service: ServiceName,
        /// Its process.
        pid: u32,
        /// How long we waited.
        seconds: u64,
    },
    /// The stack has no animals app.
    #[error("the animals app is no part of stack \"{name}\"")]
    NoAnimals {
        /// The stack.
        name: StackName,
    },
    /// The stack has to be up for this.
    #[error("{service} of stack \"{name}\" is not running")]
    NotRunning {
        /// The stack.
        name: StackName,
        /// The service.
        service: ServiceName,
    },
    /// Something is not possible with this stack's settings.
    #[error("{0}")]
    Refused(String),
    /// Docker was asked for and cannot be used.
    #[error("Docker cannot be used: {reason}")]
    NoDocker {
        /// Why.
        reason: String,
    },
    /// A base image is not here and cannot be pulled.
    #[error("base image \"{image}\" is neither on this machine nor can it be pulled: {reason}")]
    BaseImage {
        /// Its name.
        image: String,
        /// The engine's words.
        reason: String,
    },
    /// A Docker command failed.
    #[error("could not {doing}: {output}")]
    Docker {
        /// Verb phrase.
        doing: String,
        /// What it printed last.
        output: String,
    },
    /// A file operation failed.
    #[error("could not {doing} \"{}\"", path.display())]
    File {
        /// Verb phrase.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A state change that the table does not know.
    #[error(transparent)]
    Transition(#[from] IllegalTransition),
    /// The services cannot be put in order.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

impl From<app_folder::FolderError> for Error {
    fn from(error: app_folder::FolderError) -> Self {
        Self::App(error.into())
    }
}

impl Error {
    /// What to do next, in full sentences; `None` when the message says it all.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoSuchStack { known, .. } if known.is_empty() => Some("Start one with `cargo xtask up`.".to_owned()),
            Self::NoSuchStack { known, .. } => {
                let names: Vec<&str> = known.iter().map(StackName::as_str).collect();
                Some(format!("Known stacks: {}.", names.join(", ")))
            }
            Self::Differs { name, differences, .. } => Some(differs_hint(name, differences)),
            Self::PortTaken { flag, .. } => Some(format!("Choose another port with {flag}, or stop its holder.")),
            Self::PortTwice { first, second, .. } => Some(format!("Give {first} or {second} another port.")),
            Self::NoBackend { docker, .. } => Some(format!(
                "{docker}.\nInstall Postgres:\n{}\nor Docker:\n{}",
                install::server_commands(),
                install::docker_commands()
            )),
            Self::NoServer { .. } => Some(format!("Install Postgres:\n{}", install::server_commands())),
            Self::FindServer(FindError::NotInPgBinDir { .. }) => Some(
                "Point PG_BIN_DIR at the folder that holds postgres, initdb and pg_ctl, or unset it to have them looked for."
                    .to_owned(),
            ),
            Self::FindServer(FindError::TooOld { .. }) => {
                Some(format!("Install a newer Postgres:\n{}", install::server_commands()))
            }
            Self::NoAccount => Some("Create one (`useradd --system postgres`) or start as an ordinary user.".to_owned()),
            Self::Unreachable { .. } => {
                Some("Choose a folder below one that everybody may enter, such as /var/lib.".to_owned())
            }
            Self::Cluster { source, .. } => cluster_hint(source),
            Self::NoAnimals { name } => Some(format!("Add it with `cargo xtask up --name {name} --animals`.")),
            Self::NotRunning { name, .. } => Some(format!("Start it with `cargo xtask up --name {name}`.")),
            Self::App(error) => error.hint(),
            Self::NoApp { name } => Some(format!(
                "Name its folder with --app, or bring the stack up with it: `cargo xtask up --name {name} --app DIR`."
            )),
            Self::NoDocker { .. } => Some(format!("Install or start Docker:\n{}", install::docker_commands())),
            Self::BaseImage { .. } => Some(
                "Connect to the network, or load the image (`docker load`), or name another one in the build argument."
                    .to_owned(),
            ),
            Self::State(StateError::Damaged { path, .. } | StateError::Newer { path, .. }) => Some(format!(
                "Remove \"{}\" to forget the stack's settings; its data stays where it is.",
                path.display()
            )),
            _ => None,
        }
    }
}

fn differs_hint(name: &StackName, differences: &[Difference]) -> String {
    let other = "or give the other stack its own --name";
    if differences.iter().any(|it| it.cost == Cost::NewData) {
        format!(
            "Use the same settings, {other}. To give up the data of this one: `cargo xtask down --name {name} --volumes`."
        )
    } else {
        format!(
            "Use the same settings, or `cargo xtask down --name {name}` first (it keeps the data), {other}."
        )
    }
}

fn cluster_hint(error: &ClusterError) -> Option<String> {
    match error {
        ClusterError::OtherMajor { data, data_major, server_major } => Some(format!(
            "Point PG_BIN_DIR at the programs of Postgres {data_major}; or carry the data over: `pg_dumpall` with version \
             {data_major}, `cargo xtask down --volumes`, `cargo xtask up`, then load the dump into version {server_major}. \
             Nothing in \"{}\" was touched.",
            data.display()
        )),
        ClusterError::NotACluster { .. } => Some(
            "Choose another --data-dir, or empty this one yourself: nothing in it was touched.".to_owned(),
        ),
        ClusterError::Start { tail, .. } if tail.contains("pg_cron") => {
            Some("pg_cron does not fit this server: reinstall it for the server's own version.".to_owned())
        }
        _ => None,
    }
}

fn list(differences: &[Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn held_by(holder: &Option<String>) -> String {
    holder.as_ref().map_or_else(String::new, |it| format!(" by {it}"))
}

fn tail_of(log: &str) -> String {
    if log.is_empty() { String::new() } else { format!("; its log ends with:\n{log}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_run_on_says_what_to_install_everywhere() {
        let error =
            Error::NoBackend { docker: "no engine answers".to_owned(), download: "no network".to_owned() };
        let hint = error.hint().unwrap();
        for expected in [
            "apt-get install postgresql",
            "dnf install postgresql",
            "brew install postgresql",
            "docker",
            "no engine answers",
        ] {
            assert!(hint.contains(expected), "{expected} is missing in:\n{hint}");
        }
    }

    #[test]
    fn a_taken_port_names_port_flag_and_holder() {
        let error = Error::PortTaken {
            port: 3000,
            flag: "--api-port",
            service: ServiceName::Api,
            holder: Some("node (pid 7)".to_owned()),
        };
        assert_eq!(error.to_string(), "port 3000 (--api-port of api) is taken by node (pid 7)");
        assert!(error.hint().unwrap().contains("--api-port"));
    }
}

//! What the user asks of a stack: typed, validated, comparable with what is already there.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::service::ServiceName;

/// Port of the animals app unless another one is asked for, as of `pgapp-api --animals`.
pub const ANIMALS_PORT: u16 = 3100;

/// Name of a stack: part of folder names and of the compose project's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StackName(String);

/// The text cannot name a stack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "stack name \"{0}\" is not valid: use 1 to 40 lower-case letters, digits, \"-\" and \"_\", starting with a letter or digit"
)]
pub struct InvalidStackName(String);

impl StackName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for StackName {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl FromStr for StackName {
    type Err = InvalidStackName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
        let bytes = text.as_bytes();
        let starts_well = bytes.first().is_some_and(|it| is_plain(*it));
        let rest_is_fine = bytes.iter().all(|it| is_plain(*it) || matches!(it, b'-' | b'_'));
        if starts_well && rest_is_fine && bytes.len() <= 40 {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidStackName(text.to_owned()))
        }
    }
}

impl TryFrom<String> for StackName {
    type Error = InvalidStackName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<StackName> for String {
    fn from(name: StackName) -> Self {
        name.0
    }
}

impl fmt::Display for StackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which backend the user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Native where server programs are found, else Docker, else downloaded programs.
    #[default]
    Auto,
    /// Programs on this machine.
    Native,
    /// Containers.
    Docker,
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "native" => Ok(Self::Native),
            "docker" => Ok(Self::Docker),
            _ => Err(format!("unknown backend \"{text}\", expected one of auto, native, docker")),
        }
    }
}

/// Which backend a stack runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// Programs on this machine.
    Native,
    /// Containers.
    Docker,
}

impl Backend {
    /// Whether a stack on `kind` is what was asked for.
    pub fn accepts(self, kind: BackendKind) -> bool {
        matches!(
            (self, kind),
            (Self::Auto, _) | (Self::Native, BackendKind::Native) | (Self::Docker, BackendKind::Docker)
        )
    }
}

impl BackendKind {
    /// The name, as on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Docker => "docker",
        }
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What requests without a token may do with what the owner creates in `public` of the custom database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Anonymous {
    /// Read and write.
    #[default]
    Write,
    /// Read, and call functions.
    Read,
    /// Nothing, as on AWS.
    None,
}

impl Anonymous {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Write, Self::Read, Self::None];

    /// The name, as on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Read => "read",
            Self::None => "none",
        }
    }

    /// What it means, in words that follow "may".
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Write => "read and write everything in public",
            Self::Read => "read everything in public and call its functions",
            Self::None => "do nothing",
        }
    }
}

impl FromStr for Anonymous {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = || format!("unknown right \"{text}\", expected one of write, read, none");
        Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or_else(known)
    }
}

/// From which level on the REST server logs; each request is a line of `info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What ends the server.
    Crit,
    /// Requests that failed by the server's or the database's fault.
    Error,
    /// Requests that were refused, too.
    Warn,
    /// Every request.
    #[default]
    Info,
    /// How the server works, too.
    Debug,
}

impl LogLevel {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Crit, Self::Error, Self::Warn, Self::Info, Self::Debug];

    /// The name, as in the server's setting `log-level`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Crit => "crit",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known =
            || format!("unknown log level \"{text}\", expected one of crit, error, warn, info, debug");
        Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or_else(known)
    }
}

fn public() -> Vec<String> {
    vec!["public".to_owned()]
}

/// Everything that can be chosen about a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackConfig {
    /// Its name.
    pub name: StackName,
    /// The backend asked for.
    pub backend: Backend,
    /// Port of the REST server.
    pub api_port: u16,
    /// Port of its admin server; none: no admin server is reachable.
    pub admin_port: Option<u16>,
    /// Port of the origin database.
    pub origin_port: u16,
    /// Port of the custom database.
    pub custom_port: u16,
    /// Port of the animals app; none: it is no part of the stack.
    #[serde(default)]
    pub animals_port: Option<u16>,
    /// Where the data folders go instead of `.stack/<name>/data`; native backend only.
    pub data_dir: Option<PathBuf>,
    /// Folder of the application; none: the databases hold what the bootstrap makes.
    #[serde(default)]
    pub app: Option<PathBuf>,
    /// No foreign-data objects and no sample table: for following the tutorial by hand.
    pub bare: bool,
    /// The REST server is an optimised build.
    pub release: bool,
    /// Schemas of the custom database that are served; the first is the one that a request means without a profile.
    #[serde(default = "public")]
    pub schemas: Vec<String>,
    /// What requests without a token may do.
    #[serde(default)]
    pub anonymous: Anonymous,
    /// From which level on the REST server logs.
    #[serde(default)]
    pub log_level: LogLevel,
}

impl Default for StackConfig {
    fn default() -> Self {
        Self {
            name: StackName::default(),
            backend: Backend::Auto,
            api_port: 3000,
            admin_port: None,
            origin_port: 54321,
            custom_port: 54322,
            animals_port: None,
            data_dir: None,
            app: None,
            bare: false,
            release: false,
            schemas: public(),
            anonymous: Anonymous::default(),
            log_level: LogLevel::default(),
        }
    }
}

impl StackConfig {
    /// The services of the stack, in the order in which they are shown.
    pub fn services(&self) -> Vec<ServiceName> {
        let mut services = ServiceName::ALL.to_vec();
        services.retain(|it| *it != ServiceName::Animals || self.animals_port.is_some());
        services
    }

    /// The port that a service is reached at, or would be if it were part of the stack.
    pub fn port(&self, service: ServiceName) -> u16 {
        match service {
            ServiceName::OriginDb => self.origin_port,
            ServiceName::CustomDb => self.custom_port,
            ServiceName::Api => self.api_port,
            ServiceName::Animals => self.animals_port.unwrap_or(ANIMALS_PORT),
        }
    }

    /// Every port of the stack with its flag.
    pub(crate) fn ports(&self) -> Vec<(ServiceName, &'static str, u16)> {
        let mut ports = vec![
            (ServiceName::OriginDb, "--origin-port", self.origin_port),
            (ServiceName::CustomDb, "--custom-port", self.custom_port),
            (ServiceName::Api, "--api-port", self.api_port),
        ];
        ports.extend(self.admin_port.map(|it| (ServiceName::Api, "--admin-port", it)));
        ports.extend(self.animals_port.map(|it| (ServiceName::Animals, "--animals-port", it)));
        ports
    }

    /// Whether the REST server has to start anew for `asked`.
    pub(crate) fn serves_otherwise(&self, asked: &Self) -> bool {
        self.schemas != asked.schemas || self.log_level != asked.log_level
    }

    /// How `asked` differs from what this configuration, on `kind`, set up.
    pub fn differences(&self, kind: BackendKind, asked: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        let mut compare = |flag: &'static str, is: String, asked: String, cost: Cost| {
            if is != asked {
                found.push(Difference { flag, is, asked, cost });
            }
        };
        if !asked.backend.accepts(kind) {
            let wanted = if kind == BackendKind::Native { BackendKind::Docker } else { BackendKind::Native };
            compare("--backend", kind.to_string(), wanted.to_string(), Cost::NewData);
        }
        for ((_, flag, is), (_, _, asked)) in self.ports().into_iter().zip(asked.ports()).take(3) {
            compare(flag, is.to_string(), asked.to_string(), Cost::Restart);
        }
        let port = |it: Option<u16>| it.map_or_else(|| "none".to_owned(), |it| it.to_string());
        compare("--admin-port", port(self.admin_port), port(asked.admin_port), Cost::Restart);
        // Nothing else depends on the app: it comes, moves and goes beside what runs.
        compare("--animals-port", port(self.animals_port), port(asked.animals_port), Cost::Nothing);
        let dir = |it: &Option<PathBuf>, unset: &str| {
            it.as_ref().map_or_else(|| unset.to_owned(), |it| it.display().to_string())
        };
        compare("--data-dir", dir(&self.data_dir, "default"), dir(&asked.data_dir, "default"), Cost::NewData);
        // One application's tables beside another's would be neither. A stack without one takes any.
        let app_cost = if self.app.is_some() { Cost::NewData } else { Cost::Nothing };
        compare("--app", dir(&self.app, "none"), dir(&asked.app, "none"), app_cost);
        // From bare to wired is an addition; the way back would take away what is in use.
        let bare_cost = if asked.bare { Cost::NewData } else { Cost::Restart };
        compare("--bare", on_off(self.bare), on_off(asked.bare), bare_cost);
        compare("--release", on_off(self.release), on_off(asked.release), Cost::Restart);
        // The REST server is started anew for these, and what it may do is set at each run.
        compare("schemas", self.schemas.join(","), asked.schemas.join(","), Cost::Nothing);
        let anonymous = |it: &Self| it.anonymous.as_str().to_owned();
        compare("--anon", anonymous(self), anonymous(asked), Cost::Nothing);
        let level = |it: &Self| it.log_level.as_str().to_owned();
        compare("log-level", level(self), level(asked), Cost::Nothing);
        found
    }
}

fn on_off(flag: bool) -> String {
    if flag { "on" } else { "off" }.to_owned()
}

/// What it takes to bring a difference into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// `up` does it, whatever runs.
    Nothing,
    /// `down`, then `up`.
    Restart,
    /// The stack's data would have to be given up.
    NewData,
}

/// One way in which an existing stack is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The flag.
    pub flag: &'static str,
    /// Its value in the existing stack.
    pub is: String,
    /// The value asked for.
    pub asked: String,
    /// What a change takes.
    pub cost: Cost,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is.as_str(), self.asked.as_str()) {
            ("on", _) => write!(f, "it runs with {0}; you asked for it without {0}", self.flag),
            ("off", _) => write!(f, "it runs without {0}; you asked for {0}", self.flag),
            (is, asked) => write!(f, "{} is {is}; you asked for {asked}", self.flag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stack_names_fit_folders_and_compose_projects() {
        for good in ["default", "accept-123", "a", "9_b"] {
            assert_eq!(good.parse::<StackName>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", "A", "a/b", "..", "a b", &"x".repeat(41)] {
            assert!(bad.parse::<StackName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn differences_name_flag_old_and_new() {
        let is = StackConfig::default();
        let asked = StackConfig { api_port: 4000, admin_port: Some(4001), release: true, ..is.clone() };
        let text: Vec<String> =
            is.differences(BackendKind::Native, &asked).iter().map(ToString::to_string).collect();
        let expected = [
            "--api-port is 3000; you asked for 4000",
            "--admin-port is none; you asked for 4001",
            "it runs without --release; you asked for --release",
        ];
        assert_eq!(text, expected);
    }

    #[test]
    fn the_animals_app_is_a_service_where_it_has_a_port_and_comes_for_nothing() {
        let without = StackConfig::default();
        let with = StackConfig { animals_port: Some(3100), ..without.clone() };
        assert!(!without.services().contains(&ServiceName::Animals));
        assert!(with.services().contains(&ServiceName::Animals));
        for (is, asked) in [(&without, &with), (&with, &without)] {
            assert_eq!(is.differences(BackendKind::Native, asked)[0].cost, Cost::Nothing);
        }
    }

    #[test]
    fn auto_accepts_what_is_there_and_a_named_backend_does_not() {
        let is = StackConfig::default();
        assert_eq!(is.differences(BackendKind::Docker, &is), []);
        let asked = StackConfig { backend: Backend::Native, ..is.clone() };
        let found = is.differences(BackendKind::Docker, &asked);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].cost, Cost::NewData);
        assert_eq!(found[0].to_string(), "--backend is docker; you asked for native");
    }

    #[test]
    fn wiring_a_bare_stack_costs_a_restart_and_the_way_back_costs_the_data() {
        let wired = StackConfig::default();
        let bare = StackConfig { bare: true, ..wired.clone() };
        assert_eq!(bare.differences(BackendKind::Native, &wired)[0].cost, Cost::Restart);
        assert_eq!(wired.differences(BackendKind::Native, &bare)[0].cost, Cost::NewData);
    }
}

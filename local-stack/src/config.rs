//! What the user asks of a stack: typed, validated, comparable with what is already there.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::animals;
use crate::service::ServiceName;

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
            ServiceName::Animals => self.animals_port.unwrap_or(animals::DEFAULT_PORT),
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
        let dir = |it: &Option<PathBuf>| {
            it.as_ref().map_or_else(|| "none".to_owned(), |it| it.display().to_string())
        };
        compare("--data-dir", dir(&self.data_dir), dir(&asked.data_dir), Cost::NewData);
        // One application's tables beside another's would be neither. A stack without one takes any.
        let app_cost = if self.app.is_some() { Cost::NewData } else { Cost::Nothing };
        compare("--app", dir(&self.app), dir(&asked.app), app_cost);
        // From bare to wired is an addition; the way back would take away what is in use.
        let bare_cost = if asked.bare { Cost::NewData } else { Cost::Restart };
        compare("--bare", on_off(self.bare), on_off(asked.bare), bare_cost);
        compare("--release", on_off(self.release), on_off(asked.release), Cost::Restart);
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
        write!(f, "{} is {}, asked for {}", self.flag, self.is, self.asked)
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
            "--api-port is 3000, asked for 4000",
            "--admin-port is none, asked for 4001",
            "--release is off, asked for on",
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
        assert_eq!(found[0].to_string(), "--backend is docker, asked for native");
    }

    #[test]
    fn wiring_a_bare_stack_costs_a_restart_and_the_way_back_costs_the_data() {
        let wired = StackConfig::default();
        let bare = StackConfig { bare: true, ..wired.clone() };
        assert_eq!(bare.differences(BackendKind::Native, &wired)[0].cost, Cost::Restart);
        assert_eq!(wired.differences(BackendKind::Native, &bare)[0].cost, Cost::NewData);
    }
}

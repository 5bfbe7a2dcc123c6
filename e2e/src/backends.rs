//! Which backends this machine can run the cases on; decided here and nowhere else.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::Result;
use local_stack::testing::TestCluster;

use crate::container::{ContainerServer, IMAGE};

/// Where a case runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Server programs of this machine.
    Native,
    /// Containers.
    Docker,
}

impl Backend {
    /// A throw-away cluster on this backend.
    pub async fn cluster(self) -> Result<TestCluster> {
        Ok(match self {
            Self::Native => TestCluster::start().await?,
            Self::Docker => TestCluster::from_server(ContainerServer::start().await?),
        })
    }
}

/// Why containers cannot be used here; `None` when they can.
///
/// An engine that answers but neither has the image nor can pull it counts as unable, and the image is named.
pub fn docker_unusable() -> Option<String> {
    static ANSWER: OnceLock<Option<String>> = OnceLock::new();
    ANSWER
        .get_or_init(|| {
            if !succeeds(&["version", "--format", "{{.Server.Version}}"]) {
                return Some("no Docker engine answers".to_owned());
            }
            let image = format!("{}:{}", IMAGE.0, IMAGE.1);
            if succeeds(&["image", "inspect", &image]) || succeeds(&["pull", "--quiet", &image]) {
                return None;
            }
            Some(format!("the image {image} is not here and cannot be pulled"))
        })
        .clone()
}

/// Backends to run a case on: native always, Docker where it works. What is left out is said on stderr.
pub fn available() -> Vec<Backend> {
    match docker_unusable() {
        None => vec![Backend::Native, Backend::Docker],
        Some(why) => {
            eprintln_once(&format!("the Docker variant is left out: {why}"));
            vec![Backend::Native]
        }
    }
}

#[expect(clippy::print_stderr, reason = "a test's only way to say what it left out")]
fn eprintln_once(text: &str) {
    static SAID: OnceLock<()> = OnceLock::new();
    SAID.get_or_init(|| eprintln!("{text}"));
}

fn succeeds(args: &[&str]) -> bool {
    Command::new("docker")
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

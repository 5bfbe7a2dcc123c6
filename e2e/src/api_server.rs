//! The built `pgapp-api` as a child process on a port that it chooses.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::programs;

/// How long a server may take to announce its address.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A running server; it ends with the value.
#[derive(Debug)]
pub struct ApiServer {
    child: Child,
    base_url: String,
    log: watch::Receiver<String>,
}

impl ApiServer {
    /// Starts the server with `PGRST_*` settings (names without the prefix) and waits until it listens.
    pub async fn start(settings: &[(&str, &str)]) -> Result<Self> {
        let variables = settings.iter().map(|(name, value)| (format!("PGRST_{name}"), (*value).to_owned()));
        Self::start_with(variables).await
    }

    /// Starts the server with variables, and nothing of this process's that the server would read.
    pub async fn start_with(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let mut command = Command::new(binary()?);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("PGRST_") || name.starts_with("PG")) {
                command.env_remove(name);
            }
        }
        command.env("PGRST_SERVER_HOST", "127.0.0.1").env("PGRST_SERVER_PORT", "0");
        command.envs(variables);
        let mut child = command.spawn().context("start pgapp-api")?;
        let stderr = child.stderr.take().context("read the server's log")?;
        let (sender, mut log) = watch::channel(String::new());
        tokio::spawn(async move {
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                sender.send_modify(|text| {
                    text.push_str(&line);
                    text.push('\n');
                });
            }
        });
        let announced = tokio::time::timeout(START_LIMIT, log.wait_for(|text| address(text).is_some()));
        let Ok(Ok(text)) = announced.await.map(|it| it.map(|text| text.clone())) else {
            let state = child.try_wait().ok().flatten();
            bail!("pgapp-api did not announce its address (exit: {state:?}); its log:\n{}", *log.borrow());
        };
        let base_url = format!("http://{}", address(&text).context("read the announced address")?);
        Ok(Self { child, base_url, log })
    }

    /// Where it listens, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Its process id, for signals.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.log.borrow().clone()
    }

    /// Waits until its log holds a text.
    pub async fn logged(&mut self, needle: &str) -> Result<()> {
        let waiting = self.log.wait_for(|text| text.contains(needle));
        let is_found = tokio::time::timeout(START_LIMIT, waiting).await.is_ok_and(|it| it.is_ok());
        if !is_found {
            bail!("the log never said \"{needle}\":\n{}", self.log());
        }
        Ok(())
    }
}

/// The host and port in `API server listening on 127.0.0.1:1234`.
fn address(log: &str) -> Option<&str> {
    log.lines().find_map(|line| line.split("API server listening on ").nth(1)).map(str::trim)
}

/// The binary under test: `PGAPP_API_BIN`, else the one beside this test's own program.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("PGAPP_API_BIN") {
        return Ok(path.into());
    }
    programs::path("pgapp-api")
}

//! The contestants as child processes.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};

use crate::client::Connection;
use crate::database::Database;
use crate::peer;

/// The server of this project.
const OURS: &str = env!("CARGO_BIN_EXE_pgapp-api");

/// Database connections of each contestant.
pub(crate) const POOL: &str = "8";

/// A running contestant; it ends with the value.
pub(crate) struct Server {
    /// Name in reports.
    pub(crate) name: String,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// From its start until it answered.
    pub(crate) ready_after: Duration,
    child: Child,
}

impl Server {
    /// The server of this project, optimised build.
    pub(crate) async fn ours(database: &Database) -> Result<Self> {
        Self::ours_with(&database.uri(), "public", "bench_anon", "/customers?limit=1").await
    }

    /// Another build of it.
    pub(crate) async fn another(database: &Database, program: &Path) -> Result<Self> {
        let name = program.file_stem().unwrap_or_default().to_string_lossy();
        let command = Command::new(program);
        Self::of(&name, command, &database.uri(), "public", "bench_anon", "/customers?limit=1").await
    }

    /// The same over any database; it is ready once it answers the probe.
    pub(crate) async fn ours_with(uri: &str, schema: &str, anon: &str, probe: &str) -> Result<Self> {
        Self::of("pgapp-api", Command::new(OURS), uri, schema, anon, probe).await
    }

    async fn of(
        name: &str,
        mut command: Command,
        uri: &str,
        schema: &str,
        anon: &str,
        probe: &str,
    ) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], local_stack::ports::free()?));
        command
            .env("PGRST_DB_URI", uri)
            .env("PGRST_DB_SCHEMAS", schema)
            .env("PGRST_DB_ANON_ROLE", anon)
            .env("PGRST_DB_POOL", POOL)
            .env("PGRST_LOG_LEVEL", "crit")
            .env("PGRST_SERVER_HOST", "127.0.0.1")
            .env("PGRST_SERVER_PORT", address.port().to_string());
        Self::start(name, command, address, probe).await
    }

    /// The hand-written peer.
    pub(crate) async fn peer(database: &Database, kind: peer::Kind) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], local_stack::ports::free()?));
        let mut command = Command::new(std::env::current_exe()?);
        command.env(peer::URI, database.uri()).env(peer::ADDRESS, address.to_string()).env(peer::POOL, POOL);
        let name = match kind {
            peer::Kind::Roles => "handwritten",
            peer::Kind::Plain => {
                command.env(peer::PLAIN, "1");
                "plain"
            }
        };
        Self::start(name, command, address, "/customers?id=eq.1&select=id").await
    }

    async fn start(name: &str, mut command: Command, address: SocketAddr, probe: &str) -> Result<Self> {
        let probe = format!("GET {probe} HTTP/1.1\r\nHost: bench\r\n\r\n");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let begun = Instant::now();
        let mut child = command.spawn().with_context(|| format!("start {name}"))?;
        loop {
            if let Some(status) = child.try_wait()? {
                bail!("{name} ended at once: {status}");
            }
            if let Ok(mut connection) = Connection::open(address).await
                && let Ok(answer) = connection.exchange(probe.as_bytes()).await
                && answer.status == 200
            {
                return Ok(Self { name: name.to_owned(), address, ready_after: begun.elapsed(), child });
            }
            if begun.elapsed() > Duration::from_secs(120) {
                bail!("{name} does not answer");
            }
            // Short against what is measured (tens of milliseconds), long enough not to starve the server.
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> i32 {
        self.child.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or_default()
    }

    /// Ends it.
    pub(crate) async fn stop(&mut self) {
        // An error means that it is gone already.
        let _ = self.child.kill().await;
    }
}

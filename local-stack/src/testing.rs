//! What tests need: throw-away clusters, a database per test from a template, a network that misbehaves.
//!
//! Used by every crate's tests. Cases are written against [`TestCluster`], which hides where the server comes from:
//! the programs on this machine ([`NativeServer`]), or anything else that implements [`TestServer`], such as a
//! container.

mod chaos;
mod cluster;
mod native;
mod server;

pub use chaos::{ChaosProxy, Link};
pub use cluster::{Template, TestCluster, TestDb};
pub use native::{NativeServer, NativeServerBuilder};
pub use server::TestServer;

/// Where tests get their servers from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestBackend {
    /// Programs on this machine.
    Native,
    /// Containers.
    Docker,
}

impl TestBackend {
    /// The choice of `PGAPP_TEST_BACKEND` (`native` or `docker`), else native.
    pub fn from_env() -> Result<Self, TestError> {
        match std::env::var("PGAPP_TEST_BACKEND").as_deref() {
            Ok("docker") => Ok(Self::Docker),
            Ok("native" | "") | Err(_) => Ok(Self::Native),
            Ok(other) => Err(TestError::Backend(other.to_owned())),
        }
    }
}

/// Why a test's surroundings could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// `PGAPP_TEST_BACKEND` is neither of its values.
    #[error("PGAPP_TEST_BACKEND is \"{0}\", expected native or docker")]
    Backend(String),
    /// No server on this machine.
    #[error("no Postgres server programs were found; install them or set PG_BIN_DIR")]
    NoServer,
    /// Started by root on a machine without an unprivileged user.
    #[error("tests run as root and there is no user \"postgres\" or \"nobody\" to run Postgres as")]
    NoAccount,
    /// The programs asked for are unusable.
    #[error(transparent)]
    Find(#[from] crate::pgbin::FindError),
    /// The cluster could not be made or started.
    #[error(transparent)]
    Cluster(#[from] crate::cluster::ClusterError),
    /// A file operation failed.
    #[error("could not prepare the folder of a test cluster")]
    Folder(#[from] std::io::Error),
    /// A statement of the harness failed.
    #[error("could not {doing}")]
    Database {
        /// Verb phrase.
        doing: String,
        /// The database's reason.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The server in use does not support this.
    #[error("this test server cannot {0}")]
    Unsupported(&'static str),
    /// Another kind of server failed.
    #[error("{0}")]
    Server(String),
}

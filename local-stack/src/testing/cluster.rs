//! The cluster as a test sees it, wherever it runs: databases from templates, connections, failures on demand.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OnceCell};
use tokio_postgres::{Client, Config, NoTls};

use super::{NativeServer, TestError, TestServer};

/// A throw-away cluster.
#[derive(Debug)]
pub struct TestCluster {
    server: Box<dyn TestServer>,
    templates: Mutex<HashMap<String, Arc<OnceCell<()>>>>,
    n_dbs: AtomicU32,
}

/// A database that others are copied from.
#[derive(Debug, Clone)]
pub struct Template {
    name: String,
}

/// One test's own database. It goes with its cluster.
#[derive(Debug, Clone)]
pub struct TestDb {
    name: String,
    config: Config,
    url: String,
}

static SHARED: OnceCell<TestCluster> = OnceCell::const_new();

impl TestCluster {
    /// A separate cluster, for tests that change roles, settings or kill the server.
    pub async fn start() -> Result<Self, TestError> {
        Ok(Self::from_server(NativeServer::builder().start().await?))
    }

    /// The cluster that all tests of this process share; it ends with the process.
    pub async fn shared() -> Result<&'static Self, TestError> {
        SHARED.get_or_try_init(Self::start).await
    }

    /// Wraps any server.
    pub fn from_server(server: impl TestServer + 'static) -> Self {
        Self { server: Box::new(server), templates: Mutex::default(), n_dbs: AtomicU32::new(0) }
    }

    /// The server behind it.
    pub fn server(&self) -> &dyn TestServer {
        &*self.server
    }

    /// Connection settings of the superuser for a database.
    pub fn config(&self, dbname: &str) -> Config {
        let mut config = Config::new();
        config.host(self.server.host()).port(self.server.port()).dbname(dbname);
        config.user(self.server.superuser()).password(self.server.password());
        config.connect_timeout(Duration::from_secs(20));
        config
    }

    /// The same as a URL.
    pub fn url(&self, dbname: &str) -> String {
        let (user, password) = (self.server.superuser(), self.server.password());
        format!("postgres://{user}:{password}@{}:{}/{dbname}", self.server.host(), self.server.port())
    }

    /// Connects as the superuser.
    pub async fn connect(&self, dbname: &str) -> Result<Client, TestError> {
        connect(&self.config(dbname)).await
    }

    /// The template called `name`, made by `init` when this process asks for it the first time.
    ///
    /// `init` gets a connection to the empty database and must not keep it.
    pub async fn template<F, Fut>(&self, name: &str, init: F) -> Result<Template, TestError>
    where
        F: FnOnce(Client) -> Fut,
        Fut: Future<Output = ()>,
    {
        let cell = Arc::clone(self.templates.lock().await.entry(name.to_owned()).or_default());
        let dbname = format!("template_{name}");
        cell.get_or_try_init(|| async {
            self.create_empty(&dbname, "template1").await?;
            init(self.connect(&dbname).await?).await;
            Ok::<_, TestError>(())
        })
        .await?;
        Ok(Template { name: dbname })
    }

    /// A new database: empty, or a copy of a template.
    pub async fn create_db(&self, template: Option<&Template>) -> Result<TestDb, TestError> {
        let name = format!("test_{}_{}", std::process::id(), self.n_dbs.fetch_add(1, Ordering::Relaxed));
        self.create_empty(&name, template.map_or("template1", |it| &it.name)).await?;
        Ok(TestDb { config: self.config(&name), url: self.url(&name), name })
    }

    async fn create_empty(&self, name: &str, template: &str) -> Result<(), TestError> {
        let admin = self.connect("postgres").await?;
        let doing = || format!("create the database \"{name}\" from \"{template}\"");
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let created =
                admin.batch_execute(&format!("CREATE DATABASE \"{name}\" TEMPLATE \"{template}\"")).await;
            match created {
                Ok(()) => return Ok(()),
                // The session that filled the template is still saying goodbye, or another test copies it just now.
                Err(error)
                    if error.code() == Some(&tokio_postgres::error::SqlState::OBJECT_IN_USE)
                        && Instant::now() < deadline =>
                {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(source) => return Err(TestError::Database { doing: doing(), source }),
            }
        }
    }
}

impl TestDb {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Connection settings of the superuser.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The same as a URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Connects as the superuser.
    pub async fn connect(&self) -> Result<Client, TestError> {
        connect(&self.config).await
    }
}

async fn connect(config: &Config) -> Result<Client, TestError> {
    let doing = || format!("connect to the test database {:?}", config.get_dbname());
    let (client, connection) =
        config.connect(NoTls).await.map_err(|source| TestError::Database { doing: doing(), source })?;
    // The client's calls report a broken connection.
    tokio::spawn(async { drop(connection.await) });
    Ok(client)
}

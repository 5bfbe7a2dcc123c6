//! A Postgres server in a container, behind the same trait as a native one.

use std::time::{Duration, Instant};

use local_stack::cluster::StopMode;
use local_stack::testing::{TestError, TestServer};
use testcontainers::core::{ContainerPort, IntoContainerPort};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};
use tokio_postgres::{Config, NoTls};

/// Image under test; the tag is what the project's own images are built on.
pub const IMAGE: (&str, &str) = ("postgres", "15-bookworm");
const PORT: ContainerPort = ContainerPort::Tcp(5432);
const PASSWORD: &str = "postgres";
const READY_LIMIT: Duration = Duration::from_secs(60);

/// A throw-away server in a container; it is removed with the value.
#[derive(Debug)]
pub struct ContainerServer {
    container: ContainerAsync<GenericImage>,
    port: u16,
    name: String,
}

impl ContainerServer {
    /// Starts a container and waits until the server answers a query.
    pub async fn start() -> Result<Self, TestError> {
        // The port is chosen here, for the engine would choose another one at each restart.
        let port = local_stack::ports::free()?;
        let name = format!("pgapp-e2e-{}-{port}", std::process::id());
        let container = GenericImage::new(IMAGE.0, IMAGE.1)
            .with_exposed_port(PORT)
            .with_mapped_port(port, 5432.tcp())
            .with_container_name(&name)
            // On a separate network, containers find each other by name.
            .with_network(format!("pgapp-e2e-{}", std::process::id()))
            .with_env_var("POSTGRES_PASSWORD", PASSWORD)
            .start()
            .await
            .map_err(server_error)?;
        let server = Self { container, port, name };
        server.wait_until_ready().await?;
        Ok(server)
    }

    async fn wait_until_ready(&self) -> Result<(), TestError> {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.port).user("postgres").password(PASSWORD).dbname("postgres");
        config.connect_timeout(Duration::from_secs(2));
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            // The image listens on TCP only once its set-up is over.
            let error = match config.connect(NoTls).await {
                Ok((client, connection)) => {
                    let driver = tokio::spawn(connection);
                    let answer = client.simple_query("SELECT 1").await;
                    drop(client);
                    drop(driver.await);
                    match answer {
                        Ok(_) => return Ok(()),
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            if Instant::now() > deadline {
                return Err(TestError::Server(format!("the container's server does not answer: {error}")));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[async_trait::async_trait]
impl TestServer for ContainerServer {
    fn host(&self) -> &str {
        "127.0.0.1"
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn superuser(&self) -> &str {
        "postgres"
    }

    fn password(&self) -> &str {
        PASSWORD
    }

    fn peer_address(&self) -> (String, u16) {
        (self.name.clone(), 5432)
    }

    async fn stop(&self, mode: StopMode) -> Result<(), TestError> {
        let seconds = if matches!(mode, StopMode::Immediate) { 0 } else { 20 };
        self.container.stop_with_timeout(Some(seconds)).await.map_err(server_error)
    }

    async fn kill(&self) -> Result<(), TestError> {
        self.container.stop_with_timeout(Some(0)).await.map_err(server_error)
    }

    async fn start(&self) -> Result<(), TestError> {
        self.container.start().await.map_err(server_error)?;
        self.wait_until_ready().await
    }
}

fn server_error(error: impl std::fmt::Display) -> TestError {
    TestError::Server(error.to_string())
}

//! What a server must be able to do for tests to use it.

use super::TestError;
use crate::cluster::StopMode;

/// A server that tests may use as they like. It goes away when dropped.
#[async_trait::async_trait]
pub trait TestServer: Send + Sync + std::fmt::Debug {
    /// Host to connect to from the test process.
    fn host(&self) -> &str;
    /// Port to connect to from the test process.
    fn port(&self) -> u16;
    /// Its superuser.
    fn superuser(&self) -> &str;
    /// The superuser's password; every TCP connection asks for one.
    fn password(&self) -> &str;
    /// Host and port at which a server beside it (another one of the same kind) reaches it.
    fn peer_address(&self) -> (String, u16) {
        (self.host().to_owned(), self.port())
    }
    /// Stops the server; its data stays.
    async fn stop(&self, mode: StopMode) -> Result<(), TestError>;
    /// Kills the server and its sessions without any farewell, as a crash of the machine would.
    async fn kill(&self) -> Result<(), TestError>;
    /// Starts it again after [`TestServer::stop`] or [`TestServer::kill`], on the same port.
    async fn start(&self) -> Result<(), TestError>;
}

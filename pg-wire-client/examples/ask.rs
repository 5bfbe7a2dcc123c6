//! Connects by a connection string and asks the server for its version.

use std::time::Duration;

use pg_wire_client::{Connector, CredentialSource, Error, Source, Wire};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example shows what it found")]
async fn main() -> Result<(), Error> {
    let source = Source {
        uri: std::env::args().nth(1).unwrap_or_default(),
        file: None,
        application_name: "pg-wire-client example".to_owned(),
        connect_timeout: Some(Duration::from_secs(5)),
        hang_timeout: None,
    };
    let connector = Connector::new(source, CredentialSource::Password)?;
    let mut wire: Wire = connector.open().await?;
    let version = wire.simple("SHOW server_version").await?.unwrap_or_default();
    println!("{}", String::from_utf8_lossy(&version));
    Ok(())
}

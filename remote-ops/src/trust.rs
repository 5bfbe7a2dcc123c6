//! Puts the authorities that vouch for the origin where the custom database's server finds them: beside its data.
//!
//! A server's foreign data wrapper reads them from a file on its own machine, and an image cannot carry them for long: AWS
//! adds authorities as it replaces old ones. Beside the data they are on the volume, whatever image runs; the file is
//! named after its content, so that one in use is never written again.

use sha2::{Digest, Sha256};
use tokio_postgres::Client;

use super::error::{RemoteError, RemoteResult};

/// Where the certificates go.
///
/// # Errors
/// When the server does not say where its data is: only a superuser is told.
pub async fn path(client: &Client, pem: &[u8]) -> RemoteResult<String> {
    let row = client
        .query_one("SELECT current_setting('data_directory')", &[])
        .await
        .map_err(RemoteError::DataFolder)?;
    Ok(format!("{}/origin-authorities-{}.pem", row.get::<_, &str>(0), &hex(pem)[..16]))
}

/// Puts the certificates there, unless they are there already; the path, and whether it was written.
///
/// # Errors
/// When they are none, or the server cannot write them.
pub async fn place(client: &mut Client, pem: &[u8]) -> RemoteResult<(String, bool)> {
    let begin = b"-----BEGIN CERTIFICATE-----";
    if !pem.windows(begin.len()).any(|it| it == begin) {
        return Err(RemoteError::NoCertificate);
    }
    let path = path(client, pem).await?;
    let failed = |source| RemoteError::Keep { path: path.clone(), source };
    // A run that was cut off may have left half of it.
    let is_whole =
        "SELECT encode(sha256(pg_read_binary_file($1, 0, $2, true)), 'hex') IS NOT DISTINCT FROM $3";
    let limit = i64::try_from(pem.len()).unwrap_or(i64::MAX).saturating_add(1);
    let found = client.query_one(is_whole, &[&path, &limit, &hex(pem)]).await.map_err(failed)?;
    if found.get(0) {
        return Ok((path, false));
    }
    // A large object carries the bytes, and is gone again at the end of the transaction.
    let tx = client.transaction().await.map_err(failed)?;
    let object: u32 = tx.query_one("SELECT lo_from_bytea(0, $1)", &[&pem]).await.map_err(failed)?.get(0);
    tx.query_one("SELECT lo_export($1, $2), lo_unlink($1)", &[&object, &path]).await.map_err(failed)?;
    tx.commit().await.map_err(failed)?;
    Ok((path, true))
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use local_stack::testing::{NativeServer, TestServer};

    use super::*;

    const PEM: &[u8] = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

    #[tokio::test]
    async fn they_are_written_once_whole_and_again_when_they_are_not() {
        let server = NativeServer::builder().start().await.unwrap();
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(server.port()).dbname("postgres");
        config.user(server.superuser()).password(server.password());
        let (mut client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let (first, is_new) = place(&mut client, PEM).await.unwrap();
        assert!(is_new && first == path(&client, PEM).await.unwrap(), "{first}");
        assert_eq!(place(&mut client, PEM).await.unwrap(), (first.clone(), false));
        let read = "SELECT pg_read_binary_file($1)";
        assert_eq!(client.query_one(read, &[&first]).await.unwrap().get::<_, &[u8]>(0), PEM);
        // Cut off in the middle.
        client.batch_execute(&format!("COPY (SELECT 'half') TO '{first}'")).await.unwrap();
        assert_eq!(place(&mut client, PEM).await.unwrap(), (first.clone(), true));
        assert_eq!(client.query_one(read, &[&first]).await.unwrap().get::<_, &[u8]>(0), PEM);
        // Others get a separate file, and nothing of the way stays behind.
        let more = [PEM, PEM].concat();
        let (second, _) = place(&mut client, &more).await.unwrap();
        assert_ne!(first, second);
        let left = "SELECT count(*) FROM pg_largeobject_metadata";
        assert_eq!(client.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 0);
        let error = place(&mut client, b"moved").await.unwrap_err().to_string();
        assert!(error.contains("--ssl-root-cert"), "{error}");
    }

    #[tokio::test]
    async fn ordinary_users_are_told_that_a_superuser_is_needed() {
        let server = NativeServer::builder().start().await.unwrap();
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(server.port()).dbname("postgres");
        config.user(server.superuser()).password(server.password());
        let (mut client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute("CREATE ROLE narrow; SET ROLE narrow").await.unwrap();
        let error = place(&mut client, PEM).await.unwrap_err().to_string();
        assert!(error.contains("log in as its superuser"), "{error}");
    }
}

//! Tokens with which IAM users and roles log in to a database, by the signer that the REST server uses.

use aws_config::SdkConfig;
use bootstrap_sql::Secret;
use pg_wire_client::{IamTokens, TokenSource};

use super::error::{RemoteError, RemoteResult};

/// A token for a user of a database, with the credentials that every AWS tool uses. Host and port are the database's own,
/// whatever way leads there. It is good for 15 minutes; a connection that was made by then stays.
///
/// # Errors
/// When there are no credentials.
pub async fn sign_in(config: &SdkConfig, host: &str, port: u16, user: &str) -> RemoteResult<Secret> {
    let provider = config.credentials_provider().ok_or(RemoteError::NoCredentials)?;
    let region = config.region().map(ToString::to_string).unwrap_or_default();
    let token = IamTokens::new(region, provider).token(host, port, user).await.map_err(RemoteError::Token)?;
    Ok(Secret::new(token.expose()))
}

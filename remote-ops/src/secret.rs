//! Reads secrets of Secrets Manager.

use aws_config::SdkConfig;
use aws_session::error::{CloudError, sorted};
use bootstrap_sql::Secret;
use serde_json::Value;

use super::error::{RemoteError, RemoteResult};

/// A user with a password.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// User.
    pub username: String,
    /// Password.
    pub password: Secret,
}

/// User and password of a secret, as RDS and this project's stacks write them.
///
/// # Errors
/// When the secret cannot be read, or has another form.
pub async fn credentials(config: &SdkConfig, id: &str) -> RemoteResult<Credentials> {
    let value = read(config, id).await?;
    let (Some(username), Some(password)) = (value["username"].as_str(), value["password"].as_str()) else {
        return Err(form(id, "lacks \"username\" or \"password\""));
    };
    Ok(Credentials { username: username.to_owned(), password: Secret::new(password) })
}

/// The password of a secret that has nothing but one.
///
/// # Errors
/// When the secret cannot be read, or has another form.
pub async fn password(config: &SdkConfig, id: &str) -> RemoteResult<Secret> {
    let value = read(config, id).await?;
    value["password"].as_str().map(Secret::new).ok_or_else(|| form(id, "lacks \"password\""))
}

fn form(id: &str, complaint: &'static str) -> RemoteError {
    RemoteError::SecretForm { id: id.to_owned(), complaint }
}

async fn read(config: &SdkConfig, id: &str) -> RemoteResult<Value> {
    let client = aws_sdk_secretsmanager::Client::new(config);
    let answer = client.get_secret_value().secret_id(id).send().await.map_err(|err| match sorted(err) {
        CloudError::Denied(reason) => RemoteError::SecretDenied { id: id.to_owned(), reason },
        source => RemoteError::ReadSecret { id: id.to_owned(), source },
    })?;
    let text = answer.secret_string.map(Secret::new).ok_or_else(|| form(id, "has no text"))?;
    // The parser's words would hold a part of the text.
    serde_json::from_str(text.expose()).map_err(|_| form(id, "is not JSON"))
}

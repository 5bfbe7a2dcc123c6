//! Reads secrets of Secrets Manager.

use anyhow::{Context, anyhow, bail};
use aws_config::SdkConfig;
use bootstrap_sql::Secret;

use crate::cloud::{CloudError, aws::errors::sorted};

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
pub async fn credentials(config: &SdkConfig, id: &str) -> anyhow::Result<Credentials> {
    let text = text(config, id).await?;
    let value: serde_json::Value =
        serde_json::from_str(text.expose()).map_err(|_| anyhow!("the secret {id} is not JSON"))?;
    let (Some(username), Some(password)) = (value["username"].as_str(), value["password"].as_str()) else {
        bail!("the secret {id} lacks \"username\" or \"password\"");
    };
    Ok(Credentials { username: username.to_owned(), password: Secret::new(password) })
}

/// The password of a secret that has nothing but one.
///
/// # Errors
/// When the secret cannot be read, or has another form.
pub async fn password(config: &SdkConfig, id: &str) -> anyhow::Result<Secret> {
    let text = text(config, id).await?;
    let value: serde_json::Value =
        serde_json::from_str(text.expose()).map_err(|_| anyhow!("the secret {id} is not JSON"))?;
    value["password"].as_str().map(Secret::new).with_context(|| format!("the secret {id} lacks \"password\""))
}

async fn text(config: &SdkConfig, id: &str) -> anyhow::Result<Secret> {
    let client = aws_sdk_secretsmanager::Client::new(config);
    let answer = client.get_secret_value().secret_id(id).send().await.map_err(|err| match sorted(err) {
        CloudError::Denied(reason) => {
            anyhow!("not allowed; the profile needs secretsmanager:GetSecretValue: {reason}")
        }
        other => anyhow!(other),
    });
    let answer = answer.with_context(|| format!("read the secret {id}"))?;
    answer.secret_string.map(Secret::new).with_context(|| format!("the secret {id} has no text"))
}

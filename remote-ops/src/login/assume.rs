//! Assumes a role with an MFA code.

use anyhow::anyhow;
use aws_config::{BehaviorVersion, Region, profile::ProfileFileCredentialsProvider};
use aws_sdk_sts::error::ProvideErrorMetadata;
use aws_session::{cache::Session, error::sorted, profile::RoleProfile};
use bootstrap_sql::Secret;
use jiff::Timestamp;

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum AssumeError {
    /// The code was not taken.
    #[error(
        "the code was refused: it is mistyped, older than 30 seconds, or was used already; wait for the next one \
         (and compare the clocks if it happens again)"
    )]
    WrongCode,
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// Whether a text can be a code.
pub fn is_code(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|it| it.is_ascii_digit())
}

/// Assumes the profile's role with the key of its source profile.
///
/// # Errors
/// See [`AssumeError`].
pub async fn assume(profile: &RoleProfile, code: &str) -> Result<Session, AssumeError> {
    let source = ProfileFileCredentialsProvider::builder().profile_name(&profile.source_profile).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).credentials_provider(source);
    if let Some(region) = &profile.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let mut config = loader.load().await;
    if config.region().is_none() {
        // The service answers everywhere; this is where its global address is.
        config = config.to_builder().region(Region::new("us-east-1")).build();
    }
    let name = profile
        .session_name
        .clone()
        .unwrap_or_else(|| format!("cargo-xtask-{}", Timestamp::now().as_second()));
    let call = aws_sdk_sts::Client::new(&config)
        .assume_role()
        .role_arn(&profile.role_arn)
        .role_session_name(name)
        .serial_number(&profile.mfa_serial)
        .token_code(code)
        .set_external_id(profile.external_id.clone())
        .set_duration_seconds(profile.duration_seconds);
    let answer = call.send().await.map_err(|err| {
        let said = err.as_service_error().and_then(|it| it.message()).unwrap_or_default();
        if said.contains("MultiFactorAuthentication failed") {
            return AssumeError::WrongCode;
        }
        AssumeError::Other(anyhow!(sorted(err)).context(format!("assume {}", profile.role_arn)))
    })?;
    let missing = || AssumeError::Other(anyhow!("the answer of STS has no session in it"));
    let found = answer.credentials.ok_or_else(missing)?;
    Ok(Session {
        access_key_id: found.access_key_id,
        secret_access_key: Secret::new(found.secret_access_key),
        session_token: Secret::new(found.session_token),
        expires: Timestamp::from_second(found.expiration.secs()).map_err(|_| missing())?,
        role_user: answer.assumed_role_user.map(|it| (it.arn, it.assumed_role_id)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_six_digits() {
        assert!(is_code("012345"));
        for text in ["", "12345", "1234567", "12345a", "１２３４５６"] {
            assert!(!is_code(text), "{text}");
        }
    }
}

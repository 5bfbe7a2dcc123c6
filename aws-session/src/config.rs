//! The configuration of the SDK: what every AWS tool is configured by, and the kept session of a profile that asks for an
//! MFA code.
//!
//! The SDK for Rust does not ask for codes, so a profile with `mfa_serial` is of no use to it. [`kept_session`] hands it the
//! session that the AWS CLI or `cargo xtask login` has kept.

use std::time::Duration;

use anyhow::bail;
use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::Credentials;

use crate::{
    cache,
    error::{CloudError, CloudResult},
    profile,
};

/// What every AWS tool is configured by, with this project's patience.
///
/// # Errors
/// [`CloudError::Refused`] when no region is configured.
pub async fn sdk_config() -> CloudResult<SdkConfig> {
    sdk_config_for(&Choice::default()).await
}

/// What a user chose over the environment.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Profile of the configuration files.
    pub profile: Option<String>,
    /// Region.
    pub region: Option<String>,
}

/// The same with a profile and a region over those of the environment.
///
/// # Errors
/// [`CloudError::Refused`] when no region is configured.
pub async fn sdk_config_for(choice: &Choice) -> CloudResult<SdkConfig> {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(10))
        .operation_attempt_timeout(Duration::from_secs(60))
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(4))
        .timeout_config(timeouts);
    if let Some(profile) = &choice.profile {
        loader = loader.profile_name(profile);
    } else {
        let kept = kept_session().await;
        if let Some(session) = kept.map_err(|it| CloudError::Credentials(it.to_string()))? {
            loader = loader.credentials_provider(session);
        }
    }
    if let Some(region) = &choice.region {
        loader = loader.region(aws_config::Region::new(region.clone()));
    }
    let config = loader.load().await;
    if config.region().is_none() {
        return Err(CloudError::Refused(
            "no region is configured; set AWS_REGION, or a region in the profile".into(),
        ));
    }
    Ok(config)
}

/// The kept session of the profile that the environment selects, when that profile asks for a code.
///
/// # Errors
/// When there is none that is still good, with the command that starts one.
pub async fn kept_session() -> anyhow::Result<Option<Credentials>> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|it| !it.is_empty());
    if is_set("AWS_ACCESS_KEY_ID") {
        return Ok(None);
    }
    // A configuration that cannot be read is reported by the SDK, with its place.
    let Ok(Some(profile)) = profile::selected().await else { return Ok(None) };
    let Some(session) = cache::path(&profile).and_then(|it| cache::read(&it)) else {
        bail!("the profile \"{0}\" asks for an MFA code: cargo xtask login --profile {0}", profile.name);
    };
    if session.seconds_left() < 60 {
        bail!("the session of profile \"{0}\" has expired: cargo xtask login --profile {0}", profile.name);
    }
    Ok(Some(session.credentials()))
}

//! Sessions of profiles that ask for an MFA code, where the AWS CLI keeps them.
//!
//! The SDK for Rust does not ask for codes, so a profile with `mfa_serial` is of no use to it. [`session_of_environment`]
//! hands it the session that [`crate::login`] has kept.
//!
//! Invariant: keys, tokens and seeds are written to files that only their owner may read, and printed only on demand.

pub mod cache;
pub mod files;
pub mod profile;

use anyhow::bail;
use aws_credential_types::Credentials;

/// The kept session of the profile that the environment selects, when that profile asks for a code.
///
/// # Errors
/// When there is none that is still good, with the command that starts one.
pub async fn session_of_environment() -> anyhow::Result<Option<Credentials>> {
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

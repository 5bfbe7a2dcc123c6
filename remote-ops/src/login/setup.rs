//! The steps of the console that need no console: an access key and a virtual MFA device for a user.

use anyhow::{Context, anyhow};
use aws_config::SdkConfig;
use aws_sdk_iam::{Client, error::ProvideErrorMetadata};
use aws_session::{error::sorted, files};
use bootstrap_sql::Secret;
use qrcode::{QrCode, render::unicode::Dense1x2};

/// An access key.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// Id.
    pub id: String,
    /// The key.
    pub secret: Secret,
}

/// A virtual device that is not enabled yet.
#[derive(Debug, Clone)]
pub struct Device {
    /// ARN.
    pub serial: String,
    /// What an authenticator app reads from the QR code.
    pub address: Secret,
}

/// Why a device was not enabled.
#[derive(Debug, thiserror::Error)]
pub enum EnableError {
    /// The codes do not belong to it.
    #[error("the codes were refused: they must be two codes in a row of the new entry")]
    WrongCodes,
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// Makes an access key for a user.
///
/// # Errors
/// When IAM refuses; a user has at most two.
pub async fn create_key(config: &SdkConfig, user: &str) -> anyhow::Result<AccessKey> {
    let call = Client::new(config).create_access_key().user_name(user);
    let answer = call.send().await.map_err(|it| anyhow!(sorted(it))).with_context(|| {
        format!("make an access key for \"{user}\"; a user has at most two (aws iam list-access-keys --user-name {user})")
    })?;
    let key = answer.access_key.context("the answer of IAM has no key in it")?;
    Ok(AccessKey { id: key.access_key_id, secret: Secret::new(key.secret_access_key) })
}

/// Whether an earlier run has stored a key in a profile of `~/.aws/credentials`.
///
/// # Errors
/// When there is no home folder.
pub fn has_key(profile: &str) -> anyhow::Result<bool> {
    let path = files::home().context("find ~/.aws: HOME is not set")?.join(".aws/credentials");
    Ok(files::has_section(&std::fs::read_to_string(&path).unwrap_or_default(), profile))
}

/// Stores a key in a profile of `~/.aws/credentials`.
///
/// # Errors
/// When the file cannot be written.
pub fn store_key(profile: &str, key: &AccessKey) -> anyhow::Result<()> {
    let path = files::home().context("find ~/.aws: HOME is not set")?.join(".aws/credentials");
    let pairs = [("aws_access_key_id", key.id.as_str()), ("aws_secret_access_key", key.secret.expose())];
    files::add_section(&path, profile, &pairs).map(drop)
}

/// Adds the profiles of the user (`source`) and of the role (`name`) to `~/.aws/config`; those that are there stay.
///
/// # Errors
/// When the file cannot be written.
pub fn store_profiles(
    source: &str,
    name: &str,
    role_arn: &str,
    serial: &str,
    region: &str,
) -> anyhow::Result<()> {
    let path = files::home().context("find ~/.aws: HOME is not set")?.join(".aws/config");
    files::add_section(&path, &format!("profile {source}"), &[("region", region)])?;
    let pairs =
        [("role_arn", role_arn), ("source_profile", source), ("mfa_serial", serial), ("region", region)];
    files::add_section(&path, &format!("profile {name}"), &pairs).map(drop)
}

/// Makes a virtual device for a user. Done as the administrator who made the user: without MFA, the user's own policy allows
/// neither to make a device nor to enable one, since a stolen access key would do for that.
///
/// # Errors
/// When IAM refuses.
pub async fn create_device(config: &SdkConfig, user: &str) -> anyhow::Result<Device> {
    let call = Client::new(config).create_virtual_mfa_device().virtual_mfa_device_name(user);
    let answer = call.send().await.map_err(|err| {
        if err.as_service_error().and_then(|it| it.code()) == Some("EntityAlreadyExists") {
            return anyhow!(
                "there is a device \"{user}\" already; if it was never enabled, remove it: aws iam \
                 delete-virtual-mfa-device --serial-number arn:aws:iam::ACCOUNT:mfa/{user}"
            );
        }
        anyhow!(sorted(err)).context("make a virtual MFA device")
    })?;
    let device = answer.virtual_mfa_device.context("the answer of IAM has no device in it")?;
    let seed = device.base32_string_seed.context("the answer of IAM has no seed in it")?;
    let seed = String::from_utf8(seed.into_inner()).context("the seed of the device is not text")?;
    let account = device.serial_number.split(':').nth(4).unwrap_or_default();
    let address = format!("otpauth://totp/AWS:{user}@{account}?secret={}&issuer=AWS", seed.trim());
    Ok(Device { serial: device.serial_number, address: Secret::new(address) })
}

/// Enables a device with two codes in a row.
///
/// # Errors
/// See [`EnableError`].
pub async fn enable_device(
    config: &SdkConfig,
    user: &str,
    serial: &str,
    codes: (&str, &str),
) -> Result<(), EnableError> {
    let call = Client::new(config)
        .enable_mfa_device()
        .user_name(user)
        .serial_number(serial)
        .authentication_code1(codes.0)
        .authentication_code2(codes.1);
    call.send().await.map(drop).map_err(|err| {
        if err.as_service_error().and_then(|it| it.code()) == Some("InvalidAuthenticationCode") {
            return EnableError::WrongCodes;
        }
        EnableError::Other(anyhow!(sorted(err)).context("enable the MFA device"))
    })
}

/// Removes a device that was not enabled.
///
/// # Errors
/// When IAM refuses.
pub async fn remove_device(config: &SdkConfig, serial: &str) -> anyhow::Result<()> {
    let call = Client::new(config).delete_virtual_mfa_device().serial_number(serial);
    call.send().await.map(drop).map_err(|it| anyhow!(sorted(it)).context("remove the MFA device"))
}

/// A QR code for a terminal.
///
/// # Errors
/// When the text is too long for one.
pub fn qr_code(text: &str) -> anyhow::Result<String> {
    let code = QrCode::new(text.as_bytes()).context("make a QR code")?;
    // Dark terminals are the rule: what is dark on paper is the background here.
    let mut image = code.render::<Dense1x2>();
    Ok(image.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).quiet_zone(true).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_fits_a_terminal() {
        let text = qr_code("otpauth://totp/AWS:team-admin@123456789012?secret=ABCDEFGHIJKLMNOPQRSTUVWXYZ234567ABCDEFGHIJKLMNOPQRSTUVWXYZ234567&issuer=AWS").unwrap();
        let width = text.lines().map(|it| it.chars().count()).max().unwrap();
        assert!(width <= 80, "{width} columns");
        assert!(text.lines().count() <= 40);
        assert!(qr_code(&"x".repeat(10_000)).is_err());
    }
}

//! Profiles of `~/.aws/config` that lead to a role by an MFA code.

use anyhow::{Context, bail};
use aws_config::profile::{Profile, ProfileSet, load};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};

/// A profile whose role is assumed with an MFA code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleProfile {
    /// Name of the profile.
    pub name: String,
    /// Role.
    pub role_arn: String,
    /// Profile with the access key.
    pub source_profile: String,
    /// Device that the code comes from.
    pub mfa_serial: String,
    /// Name of the session.
    pub session_name: Option<String>,
    /// External id that the role asks for.
    pub external_id: Option<String>,
    /// Length of the session in seconds.
    pub duration_seconds: Option<i32>,
    /// Region of the profile.
    pub region: Option<String>,
}

/// The profile of this name; without a name the one that the environment selects, or the only one that asks for a code.
///
/// # Errors
/// When there is no such profile, or no single one to choose.
pub async fn find(name: Option<&str>) -> anyhow::Result<RoleProfile> {
    let set = read().await?;
    if let Some(name) = name {
        let Some(profile) = set.get_profile(name) else {
            bail!("~/.aws/config has no profile \"{name}\"; it has {}", list(set.profiles()));
        };
        return role(profile)?.with_context(|| {
            format!("the profile \"{name}\" needs role_arn, source_profile and mfa_serial (cargo xtask login --setup-mfa writes them)")
        });
    }
    if let Some(profile) = set.get_profile(set.selected_profile())
        && let Some(role) = role(profile)?
    {
        return Ok(role);
    }
    let names: Vec<&str> = set.profiles().collect();
    let mut found = Vec::new();
    for profile in names.iter().filter_map(|it| set.get_profile(it)) {
        found.extend(role(profile)?);
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => bail!(
            "no profile of ~/.aws/config has role_arn, source_profile and mfa_serial; `cargo xtask login --setup-mfa` writes one"
        ),
        _ => bail!(
            "several profiles ask for a code: name one with --profile, {}",
            list(found.iter().map(|it| it.name.as_str()))
        ),
    }
}

/// The profile that the environment selects, if it asks for a code.
pub(crate) async fn selected() -> anyhow::Result<Option<RoleProfile>> {
    let set = read().await?;
    let Some(profile) = set.get_profile(set.selected_profile()) else { return Ok(None) };
    role(profile)
}

async fn read() -> anyhow::Result<ProfileSet> {
    load(&Fs::real(), &Env::real(), &EnvConfigFiles::default(), None).await.context("read ~/.aws/config")
}

fn role(profile: &Profile) -> anyhow::Result<Option<RoleProfile>> {
    let get = |name| profile.get(name).map(str::to_owned);
    let (Some(role_arn), Some(source_profile), Some(mfa_serial)) =
        (get("role_arn"), get("source_profile"), get("mfa_serial"))
    else {
        return Ok(None);
    };
    let duration_seconds = get("duration_seconds")
        .map(|it| it.parse().with_context(|| format!("duration_seconds of profile \"{}\"", profile.name())))
        .transpose()?;
    Ok(Some(RoleProfile {
        name: profile.name().to_owned(),
        role_arn,
        source_profile,
        mfa_serial,
        session_name: get("role_session_name"),
        external_id: get("external_id"),
        duration_seconds,
        region: get("region"),
    }))
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

//! Kept sessions: the files of the AWS CLI in `~/.aws/cli/cache`, so that a session that was started here serves `aws`, boto3
//! and everything else that reads them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::Context;
use aws_credential_types::Credentials;
use bootstrap_sql::Secret;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::{files, profile::RoleProfile};

/// A session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Id of the key.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: Secret,
    /// The token.
    pub session_token: Secret,
    /// When it ends.
    pub expires: Timestamp,
    /// The assumed role's ARN and id.
    pub role_user: Option<(String, String)>,
}

impl Session {
    /// Seconds until it ends; negative when it has ended.
    pub fn seconds_left(&self) -> i64 {
        self.expires.as_second() - Timestamp::now().as_second()
    }

    /// For the SDK.
    pub fn credentials(&self) -> Credentials {
        let (key, token) = (self.secret_access_key.expose(), self.session_token.expose().to_owned());
        let expires = SystemTime::from(self.expires);
        Credentials::new(&self.access_key_id, key, Some(token), Some(expires), "kept session")
    }
}

/// Where the AWS CLI looks for a session of this profile; `None` without a home folder.
///
/// The name is the SHA-1 of the call's arguments, as Python writes them: sorted, with a space after colons and commas.
pub fn path(profile: &RoleProfile) -> Option<PathBuf> {
    Some(files::home()?.join(".aws/cli/cache").join(format!("{}.json", key(profile))))
}

fn key(profile: &RoleProfile) -> String {
    let mut args =
        BTreeMap::from([("RoleArn", json!(profile.role_arn)), ("SerialNumber", json!(profile.mfa_serial))]);
    if let Some(seconds) = profile.duration_seconds {
        args.insert("DurationSeconds", json!(seconds));
    }
    // A name that the CLI makes up is not part of the key; one of the profile is.
    if let Some(name) = &profile.session_name {
        args.insert("RoleSessionName", json!(name));
    }
    if let Some(id) = &profile.external_id {
        args.insert("ExternalId", json!(id));
    }
    let args: Vec<String> = args.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
    let digest = Sha1::digest(format!("{{{}}}", args.join(", ")).as_bytes());
    digest.iter().map(|it| format!("{it:02x}")).collect()
}

/// Reads a session; a file that is not one counts as none.
pub fn read(path: &Path) -> Option<Session> {
    let value: Value = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
    let credentials = &value["Credentials"];
    let text = |name: &str| credentials[name].as_str();
    // Versions of the CLI write the zone as "UTC", "Z" or an offset.
    let expires = text("Expiration")?.replace("UTC", "Z");
    let user = &value["AssumedRoleUser"];
    Some(Session {
        access_key_id: text("AccessKeyId")?.to_owned(),
        secret_access_key: Secret::new(text("SecretAccessKey")?),
        session_token: Secret::new(text("SessionToken")?),
        expires: expires.parse().ok()?,
        role_user: user["Arn"]
            .as_str()
            .zip(user["AssumedRoleId"].as_str())
            .map(|(arn, id)| (arn.into(), id.into())),
    })
}

/// Keeps a session, readable by its owner only.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, session: &Session) -> anyhow::Result<()> {
    let mut value = json!({
        "Credentials": {
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret_access_key.expose(),
            "SessionToken": session.session_token.expose(),
            "Expiration": session.expires.strftime("%Y-%m-%dT%H:%M:%SUTC").to_string(),
        },
    });
    if let Some((arn, id)) = &session.role_user {
        value["AssumedRoleUser"] = json!({ "AssumedRoleId": id, "Arn": arn });
        if let Some(account) = arn.split(':').nth(4) {
            value["Credentials"]["AccountId"] = json!(account);
        }
    }
    files::write_private(path, &value.to_string()).context("keep the session")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> RoleProfile {
        RoleProfile {
            name: "admin".into(),
            role_arn: "arn:aws:iam::123456789012:role/team/team-admin".into(),
            source_profile: "me".into(),
            mfa_serial: "arn:aws:iam::123456789012:mfa/team-admin".into(),
            session_name: None,
            external_id: None,
            duration_seconds: None,
            region: None,
        }
    }

    /// The digests were made with botocore's own expression.
    #[test]
    fn files_are_named_as_the_cli_names_them() {
        assert_eq!(key(&profile()), "ff649b71b80c79d532dfbe839234b04ca21d4792");
        let all = RoleProfile {
            session_name: Some("me".into()),
            external_id: Some("x".into()),
            duration_seconds: Some(7200),
            ..profile()
        };
        assert_eq!(key(&all), "5ae00f0395d04f61b38166cf1f537b614a9b6a84");
    }

    #[test]
    fn a_session_survives_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cli/cache/x.json");
        let session = Session {
            access_key_id: "ASIAEXAMPLE".into(),
            secret_access_key: Secret::from("key"),
            session_token: Secret::from("token"),
            expires: "2031-01-02T03:04:05Z".parse().unwrap(),
            role_user: Some((
                "arn:aws:sts::123456789012:assumed-role/team-admin/me".into(),
                "AROA:me".into(),
            )),
        };
        write(&path, &session).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(r#""Expiration":"2031-01-02T03:04:05UTC""#), "{text}");
        assert!(text.contains(r#""AccountId":"123456789012""#), "{text}");
        let back = read(&path).unwrap();
        assert_eq!((back.access_key_id, back.expires), (session.access_key_id, session.expires));
        assert!(
            back.secret_access_key == session.secret_access_key
                && back.session_token == session.session_token
        );
        std::fs::write(&path, "{").unwrap();
        assert!(read(&path).is_none());
    }
}

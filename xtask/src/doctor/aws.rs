//! What AWS tools would use: credentials, region, endpoint. Values of secrets are never read further than to see that
//! they are there.

use std::{collections::BTreeMap, path::PathBuf};

use xshell::{Shell, cmd};

use super::finding::{Finding, Fix, Level, Purpose};
use crate::workspace;

/// Settings of one profile, by name.
type Profile = BTreeMap<String, String>;

/// What the environment and the two files say.
#[derive(Debug, Default)]
struct Surroundings {
    environment: BTreeMap<String, String>,
    profile_name: String,
    config: Profile,
    credentials: Profile,
}

impl Surroundings {
    fn read() -> Self {
        let environment: BTreeMap<String, String> =
            std::env::vars().filter(|(name, value)| name.starts_with("AWS_") && !value.is_empty()).collect();
        let profile_name = environment.get("AWS_PROFILE").cloned().unwrap_or_else(|| "default".to_owned());
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let file = |variable: &str, name: &str| {
            let path = environment.get(variable).map_or_else(|| home.join(".aws").join(name), PathBuf::from);
            std::fs::read_to_string(path).unwrap_or_default()
        };
        let in_config =
            if profile_name == "default" { "default".to_owned() } else { format!("profile {profile_name}") };
        let config = section(&file("AWS_CONFIG_FILE", "config"), &in_config);
        let credentials = section(&file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), &profile_name);
        Self { environment, profile_name, config, credentials }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    /// Where credentials would come from.
    fn source(&self) -> Option<String> {
        let profile = &self.profile_name;
        for (variable, what) in [
            ("AWS_ACCESS_KEY_ID", "access key in the environment"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "web identity token"),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "credentials of the container"),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "credentials of the container"),
        ] {
            if self.variable(variable).is_some() {
                return Some(what.to_owned());
            }
        }
        for (setting, what) in [
            ("sso_session", "single sign-on"),
            ("sso_start_url", "single sign-on"),
            ("role_arn", "assumed role"),
            ("login_session", "console login"),
            ("credential_process", "program"),
            ("aws_access_key_id", "access key"),
        ] {
            if self.config.contains_key(setting) || self.credentials.contains_key(setting) {
                return Some(format!("{what} of profile \"{profile}\""));
            }
        }
        None
    }

    fn region(&self) -> Option<String> {
        let from_env = self.variable("AWS_REGION").or(self.variable("AWS_DEFAULT_REGION"));
        from_env.map(ToOwned::to_owned).or_else(|| self.config.get("region").cloned())
    }
}

/// One section of a file in the AWS tools' format.
fn section(text: &str, name: &str) -> Profile {
    let mut is_inside = false;
    let mut found = Profile::new();
    for line in text.lines() {
        if let Some(head) = line.trim().strip_prefix('[').and_then(|it| it.split(']').next()) {
            is_inside = head.split_whitespace().eq(name.split_whitespace());
        } else if let (true, Some((key, value))) =
            (is_inside && !line.starts_with(['#', ';', ' ']), line.split_once('='))
        {
            found.insert(key.trim().to_owned(), value.trim().to_owned());
        }
    }
    found
}

/// Looks at all of it, and asks AWS who we are where there is something to ask with.
pub(super) fn examine(sh: &Shell) -> Vec<Finding> {
    let surroundings = Surroundings::read();
    let mut findings = judge(&surroundings);
    if surroundings.source().is_some() && workspace::find_program(&["aws"]).is_some() {
        findings.push(identity(sh));
    }
    findings
}

fn judge(surroundings: &Surroundings) -> Vec<Finding> {
    let purpose = Purpose::Deployments;
    let note = |what, found: &str, fix: &str| {
        Finding::new(purpose, Level::Note, what, found).fix(Fix::everywhere(fix))
    };
    let mut findings = vec![
        match surroundings.source() {
            Some(source) => Finding::ok(purpose, "AWS credentials", source),
            None => note(
                "AWS credentials",
                "none found; only deployments need them",
                "aws configure sso (or aws configure), then AWS_PROFILE=NAME where it is not the default",
            ),
        },
        match surroundings.region() {
            Some(region) => Finding::ok(purpose, "AWS region", region),
            None => note(
                "AWS region",
                "none configured",
                "export AWS_REGION=us-east-1, or a region in the profile",
            ),
        },
    ];
    if let Some(endpoint) = surroundings.variable("AWS_ENDPOINT_URL") {
        let found = format!("every AWS command goes to {endpoint}");
        findings.push(note("AWS endpoint", &found, "unset AWS_ENDPOINT_URL to talk to AWS itself"));
    }
    findings
}

/// Who AWS says we are: credentials that are there may have ended.
fn identity(sh: &Shell) -> Finding {
    let (purpose, what) = (Purpose::Deployments, "AWS identity");
    let limits = ["--cli-connect-timeout", "3", "--cli-read-timeout", "5"];
    let _once = sh.push_env("AWS_MAX_ATTEMPTS", "1");
    let asked = cmd!(sh, "aws sts get-caller-identity --query Arn --output text {limits...}")
        .quiet()
        .ignore_stderr()
        .read();
    match asked {
        Ok(arn) => Finding::ok(purpose, what, arn.trim()),
        Err(_) => Finding::new(purpose, Level::Note, what, "AWS did not say who these credentials are").fix(
            Fix::everywhere(
                "`aws sts get-caller-identity` says why; `aws sso login` or `cargo xtask login` makes new ones",
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "# mine\n[default]\nregion = eu-west-1\n[profile work]\nsso_session = corp\ns3 =\n  max = 1\n";

    #[test]
    fn sections_are_read_by_name() {
        assert_eq!(section(FILE, "default"), Profile::from([("region".to_owned(), "eu-west-1".to_owned())]));
        let work = section(FILE, "profile work");
        assert_eq!(work.keys().map(String::as_str).collect::<Vec<_>>(), ["s3", "sso_session"]);
        assert!(section(FILE, "profile other").is_empty());
    }

    #[test]
    fn credentials_are_named_by_their_source_and_never_shown() {
        let mut it = Surroundings { profile_name: "work".to_owned(), ..Surroundings::default() };
        assert!(judge(&it).iter().all(|it| it.level == Level::Note));
        it.credentials =
            section("[work]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = x\n", "work");
        assert_eq!(it.source().as_deref(), Some("access key of profile \"work\""));
        it.environment.insert("AWS_ENDPOINT_URL".to_owned(), "http://127.0.0.1:4566".to_owned());
        let shown = format!("{:?}", judge(&it));
        assert!(shown.contains("127.0.0.1:4566") && !shown.contains("AKIDEXAMPLE"));
        it.environment.insert("AWS_ACCESS_KEY_ID".to_owned(), "AKIDOTHER".to_owned());
        assert_eq!(it.source().as_deref(), Some("access key in the environment"));
    }
}

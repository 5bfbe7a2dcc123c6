//! Where images go, and how one gets in there. Passwords travel by stdin and are kept nowhere.

use std::io::Read;

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use super::Session;

/// A registry with the folder that images go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Registry {
    /// Host and port.
    pub(super) host: String,
    /// Host, port and folder.
    prefix: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Amazon ECR: a token for twelve hours from the AWS command line.
    Ecr { region: String },
    /// Amazon's public ECR, in one region for all.
    PublicEcr,
    /// Any other: as `docker login` left it, or with `--username`.
    Other,
}

impl Registry {
    /// Reads `HOST[:PORT][/FOLDER]`.
    pub(super) fn parse(name: &str, tag: &str) -> Result<Self> {
        let prefix = name.trim().trim_end_matches('/');
        let host = prefix.split('/').next().unwrap_or_default();
        let is_word = |it: &str| {
            !it.is_empty() && it.chars().all(|it| it.is_ascii_alphanumeric() || "._-".contains(it))
        };
        let is_host = is_word(host.split(':').next().unwrap_or_default())
            && host.split(':').skip(1).all(|port| port.parse::<u16>().is_ok())
            && (host.contains(['.', ':']) || host == "localhost");
        let folders_are_good = prefix.split('/').skip(1).all(|it| is_word(it) && it.to_lowercase() == it);
        if !is_host || !folders_are_good {
            bail!(
                "--registry \"{name}\": expected a registry such as ghcr.io/OWNER or ACCOUNT.dkr.ecr.REGION.amazonaws.com"
            );
        }
        if !is_word(tag) || tag.len() > 128 || tag.starts_with(['.', '-']) {
            bail!("\"{tag}\" is no tag of an image");
        }
        Ok(Self { host: host.to_owned(), prefix: prefix.to_owned(), kind: kind(host) })
    }

    /// Name of an image there.
    pub(super) fn reference(&self, image: &str, tag: &str) -> String {
        format!("{}/{image}:{tag}", self.prefix)
    }

    /// Whether it is on this machine, where Docker asks for no TLS.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.host.split(':').next().unwrap_or_default();
        host == "localhost" || host.starts_with("127.")
    }

    /// What to do when a push is refused.
    pub(super) fn hint(&self, image: &str) -> String {
        match &self.kind {
            Kind::Ecr { region } => {
                let folder = self.prefix.strip_prefix(&self.host).unwrap_or_default().trim_start_matches('/');
                let repository =
                    if folder.is_empty() { image.to_owned() } else { format!("{folder}/{image}") };
                format!(
                    "ECR makes no repository by itself: aws ecr create-repository --region {region} --repository-name \
                     {repository} --image-tag-mutability IMMUTABLE --image-scanning-configuration scanOnPush=true"
                )
            }
            Kind::PublicEcr => {
                format!("aws ecr-public create-repository --region us-east-1 --repository-name {image}")
            }
            Kind::Other => format!(
                "log in with `docker login {}`, or give --username and the password by stdin",
                self.host
            ),
        }
    }
}

/// ECR's host names, in every partition: ACCOUNT.dkr.ecr[-fips].REGION.amazonaws.com[.cn].
fn kind(host: &str) -> Kind {
    if host == "public.ecr.aws" {
        return Kind::PublicEcr;
    }
    let parts: Vec<&str> = host.split('.').collect();
    match parts.as_slice() {
        [account, "dkr", "ecr" | "ecr-fips", region, "amazonaws", "com"]
        | [account, "dkr", "ecr" | "ecr-fips", region, "amazonaws", "com", "cn"]
            if account.len() == 12 && account.bytes().all(|it| it.is_ascii_digit()) =>
        {
            Kind::Ecr { region: (*region).to_owned() }
        }
        _ => Kind::Other,
    }
}

/// A reference without its tag; a port is not a tag.
pub(super) fn without_tag(reference: &str) -> &str {
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => reference,
    }
}

/// Logs in where that is ours to do. Credentials go into a folder that is removed at the end.
pub(super) fn log_in(sh: &Shell, registry: Option<&Registry>, username: Option<&str>) -> Result<Session> {
    let Some(registry) = registry else { return Ok(Session { config: None }) };
    let (user, password) = match (&registry.kind, username) {
        (_, Some(user)) => (user, password_from_stdin()?),
        (Kind::Ecr { region }, None) => {
            ("AWS", token(sh, &["ecr", "get-login-password", "--region", region])?)
        }
        (Kind::PublicEcr, None) => {
            ("AWS", token(sh, &["ecr-public", "get-login-password", "--region", "us-east-1"])?)
        }
        (Kind::Other, None) => return Ok(Session { config: None }),
    };
    let config = sh.create_temp_dir().context("make a folder for the login")?;
    let (host, dir) = (&registry.host, config.path());
    cmd!(sh, "docker --config {dir} login --username {user} --password-stdin {host}")
        .stdin(password)
        .quiet()
        .ignore_stdout()
        .run()
        .with_context(|| format!("log in to {host}"))?;
    Ok(Session { config: Some(config) })
}

fn token(sh: &Shell, args: &[&str]) -> Result<String> {
    cmd!(sh, "aws {args...}")
        .quiet()
        .read()
        .context("ask the AWS command line for a token (is it installed, and are there credentials?)")
}

fn password_from_stdin() -> Result<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("read the password from stdin")?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!("--username takes the password from stdin, and nothing came");
    }
    Ok(password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_told_apart() {
        let kind = |name: &str| Registry::parse(name, "1").unwrap().kind;
        let ecr = |region: &str| Kind::Ecr { region: region.to_owned() };
        assert_eq!(kind("123456789012.dkr.ecr.us-east-1.amazonaws.com"), ecr("us-east-1"));
        assert_eq!(kind("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/x"), ecr("cn-north-1"));
        assert_eq!(kind("public.ecr.aws/x"), Kind::PublicEcr);
        assert_eq!(kind("ghcr.io/owner"), Kind::Other);
        assert_eq!(kind("12.dkr.ecr.us-east-1.amazonaws.com"), Kind::Other);
    }

    #[test]
    fn references_have_registry_folder_and_tag() {
        let registry = Registry::parse("ghcr.io/owner/", "1.0").unwrap();
        assert_eq!(registry.reference("api", "1.0"), "ghcr.io/owner/api:1.0");
        assert!(Registry::parse("127.0.0.1:5000", "1").unwrap().is_loopback());
        assert_eq!(without_tag("127.0.0.1:5000/api"), "127.0.0.1:5000/api");
        assert_eq!(without_tag("127.0.0.1:5000/api:1"), "127.0.0.1:5000/api");
    }

    #[test]
    fn what_is_no_registry_is_refused() {
        for name in ["", "owner", "https://ghcr.io", "ghcr.io/Owner", "ghcr.io/a b", "--all", "h.x:99999"] {
            assert!(Registry::parse(name, "1").is_err(), "{name}");
        }
        for tag in ["", "-x", "a b", "a:b", "a/b"] {
            assert!(Registry::parse("ghcr.io", tag).is_err(), "{tag}");
        }
    }

    #[test]
    fn a_missing_repository_of_ecr_has_its_command() {
        let hint =
            Registry::parse("123456789012.dkr.ecr.us-east-1.amazonaws.com/app", "1").unwrap().hint("api");
        assert!(hint.contains("--repository-name app/api"), "{hint}");
    }
}

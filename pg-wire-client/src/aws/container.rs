//! The agent of ECS, or of EKS with pod identities: one question, proved by a token where one is given.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method, Uri};

use super::InvalidSource;
use super::metadata::{Agent, MetadataError, ask, credentials};
use aws_credential_types::Credentials;

const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// Where the agent of ECS is, on every host.
const ECS_HOST: &str = "http://169.254.170.2";

/// Hosts that may be told the token without encryption: they are on this machine or its own link.
const PLAIN_HOSTS: [&str; 4] = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]", "localhost"];

/// The token that goes with the question.
enum Proof {
    None,
    Value(HeaderValue),
    /// Read anew each time, as it is replaced while we run.
    File(String),
}

/// The agent and how to ask it.
pub(super) struct Container {
    url: Uri,
    proof: Proof,
}

impl Container {
    /// `None` when no variable names an agent.
    pub(super) fn read(set: &impl Fn(&str) -> Option<String>) -> Result<Option<Self>, InvalidSource> {
        let (name, value, url) = match (set(RELATIVE), set(FULL)) {
            (Some(path), _) => (RELATIVE, path.clone(), format!("{ECS_HOST}{path}")),
            (None, Some(url)) => (FULL, url.clone(), url),
            (None, None) => return Ok(None),
        };
        let invalid = |reason| InvalidSource { name, value: value.clone(), reason };
        if name == RELATIVE && !value.starts_with('/') {
            return Err(invalid("expected a path that starts with a slash"));
        }
        let url: Uri = url.parse().map_err(|_| invalid("which is no URL"))?;
        let host = url.host().unwrap_or_default();
        let is_loopback =
            host.trim_matches(['[', ']']).parse().is_ok_and(|it: std::net::IpAddr| it.is_loopback());
        if url.scheme_str() != Some("http") || !(is_loopback || PLAIN_HOSTS.contains(&host)) {
            return Err(invalid("expected http:// and this machine, 169.254.170.2 or 169.254.170.23"));
        }
        let proof = match (set(TOKEN_FILE), set(TOKEN)) {
            (Some(path), _) => Proof::File(path),
            (None, Some(token)) => Proof::Value(secret_header(&token).ok_or_else(|| InvalidSource {
                name: TOKEN,
                value: "********".to_owned(),
                reason: "which no header can hold",
            })?),
            (None, None) => Proof::None,
        };
        Ok(Some(Self { url, proof }))
    }

    /// Asks for credentials.
    pub(super) async fn ask(&self) -> Result<Credentials, MetadataError> {
        let mut headers = HeaderMap::new();
        match &self.proof {
            Proof::None => {}
            Proof::Value(value) => {
                headers.insert(AUTHORIZATION, value.clone());
            }
            Proof::File(path) => {
                let failed = |source| MetadataError::TokenFile { path: path.clone(), source };
                let token = tokio::fs::read_to_string(path).await.map_err(failed)?;
                let value = secret_header(token.trim());
                headers.insert(
                    AUTHORIZATION,
                    value.ok_or_else(|| failed(std::io::ErrorKind::InvalidData.into()))?,
                );
            }
        }
        let body = ask(Agent::Container, Method::GET, &self.url, headers).await?;
        credentials(Agent::Container, &self.url, &body)
    }
}

fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

//! The metadata service of EC2, version 2: a session first, then the name of the role, then its credentials.

use aws_credential_types::Credentials;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::InvalidSource;
use super::metadata::{Agent, MetadataError, ask, credentials};

const ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";

/// Where the service is, on every instance.
const DEFAULT_ENDPOINT: &str = "http://169.254.169.254";

const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// A session is for one round of questions, every few hours.
const SESSION_SECONDS: HeaderValue = HeaderValue::from_static("60");
const SESSION_SECONDS_NAME: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
const SESSION_NAME: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");

/// The service's address.
pub(super) struct Instance {
    endpoint: String,
}

impl Instance {
    pub(super) fn read(set: &impl Fn(&str) -> Option<String>) -> Result<Self, InvalidSource> {
        let endpoint = set(ENDPOINT).unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        match endpoint.parse::<Uri>() {
            Ok(url) if url.scheme_str() == Some("http") && url.host().is_some() => Ok(Self { endpoint }),
            _ => {
                Err(InvalidSource { name: ENDPOINT, value: endpoint, reason: "expected http:// and a host" })
            }
        }
    }

    /// Asks for the credentials of the instance's role.
    pub(super) async fn ask(&self) -> Result<Credentials, MetadataError> {
        let agent = Agent::Instance;
        let mut headers = HeaderMap::from_iter([(SESSION_SECONDS_NAME, SESSION_SECONDS)]);
        let url = self.url("/latest/api/token")?;
        let session = ask(agent, Method::PUT, &url, headers).await?;
        let unreadable =
            |url: &Uri, reason| MetadataError::Unreadable { agent, url: url.to_string(), reason };
        let mut session = HeaderValue::from_bytes(session.trim_ascii())
            .map_err(|_| unreadable(&url, "the session token cannot be sent in a header"))?;
        session.set_sensitive(true);
        headers = HeaderMap::from_iter([(SESSION_NAME, session)]);

        let url = self.url(ROLES)?;
        let roles = match ask(agent, Method::GET, &url, headers.clone()).await {
            Err(MetadataError::Status { status, .. }) if status == http::StatusCode::NOT_FOUND => {
                return Err(MetadataError::NoRole { agent });
            }
            other => other?,
        };
        let roles = String::from_utf8_lossy(&roles);
        let role = roles.lines().next().map(str::trim).filter(|it| !it.is_empty());
        let role = role.ok_or(MetadataError::NoRole { agent })?;
        let url = self.url(&format!("{ROLES}{role}"))?;
        credentials(agent, &url, &ask(agent, Method::GET, &url, headers).await?)
    }

    fn url(&self, path: &str) -> Result<Uri, MetadataError> {
        let url = format!("{}{path}", self.endpoint);
        url.parse().map_err(|_| MetadataError::Unreadable {
            agent: Agent::Instance,
            url: self.endpoint.clone(),
            reason: "the role's name is not valid",
        })
    }
}

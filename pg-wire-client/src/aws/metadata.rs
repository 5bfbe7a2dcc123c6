//! Questions to an agent on this machine or its own link: small, plain HTTP, answered at once or not at all.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use serde::Deserialize;

/// Longest wait for an answer. An agent is a hop away; an address without one would keep us waiting for minutes.
const PATIENCE: Duration = Duration::from_secs(2);

/// Credentials take about 1,500 bytes.
const LIMIT: usize = 64 * 1024;

/// Why an agent gave no credentials. Never quotes what it said: that may be half a secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum MetadataError {
    #[error(
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, and AWS_EC2_METADATA_DISABLED forbids to ask the instance"
    )]
    Disabled,
    #[error("{agent} does not answer at {url}: {reason}{}", advice(*.agent))]
    Silent { agent: Agent, url: String, reason: String },
    #[error("{agent} answers {status} at {url}{}", advice(*.agent))]
    Status { agent: Agent, url: String, status: StatusCode },
    #[error("{agent} answers at {url} with an answer that does not hold credentials: {reason}")]
    Unreadable { agent: Agent, url: String, reason: &'static str },
    #[error("{agent} has no role: give the instance a profile with one")]
    NoRole { agent: Agent },
    #[error("could not read the token in \"{path}\" (AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE): {source}")]
    TokenFile { path: String, source: std::io::Error },
}

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agent {
    Container,
    Instance,
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Container => "the container's credentials agent",
            Self::Instance => "the instance's metadata service",
        })
    }
}

/// What to do about an agent that does not do its part.
fn advice(agent: Agent) -> &'static str {
    match agent {
        Agent::Container => "; does the task have a task role?",
        Agent::Instance => {
            "; outside of AWS, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; \
             in a container on EC2, the instance's metadata hop limit has to be 2"
        }
    }
}

/// Asks an agent; anything but success is an error.
pub(super) async fn ask(
    agent: Agent,
    method: Method,
    url: &Uri,
    headers: HeaderMap,
) -> Result<Bytes, MetadataError> {
    let silent = |reason: String| MetadataError::Silent { agent, url: url.to_string(), reason };
    let exchange = async {
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
        let stream = tokio::net::TcpStream::connect((host, url.port_u16().unwrap_or(80))).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let path = url.path_and_query().map_or("/", |it| it.as_str());
        let mut request = Request::builder().method(method).uri(path).body(Empty::<Bytes>::new())?;
        *request.headers_mut() = headers;
        if let Some(authority) = url.authority() {
            request.headers_mut().insert(HOST, authority.as_str().parse()?);
        }
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LIMIT).collect().await;
        connection.abort();
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>((status, body?.to_bytes()))
    };
    match tokio::time::timeout(PATIENCE, exchange).await {
        Err(_) => Err(silent(format!("no answer within {} s", PATIENCE.as_secs()))),
        Ok(Err(error)) => Err(silent(error.to_string())),
        Ok(Ok((status, body))) if status.is_success() => Ok(body),
        Ok(Ok((status, _))) => Err(MetadataError::Status { agent, url: url.to_string(), status }),
    }
}

/// What both agents answer with.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    access_key_id: String,
    secret_access_key: String,
    token: String,
    expiration: String,
}

/// Reads credentials out of an answer.
pub(super) fn credentials(agent: Agent, url: &Uri, body: &[u8]) -> Result<Credentials, MetadataError> {
    let unreadable = |reason| MetadataError::Unreadable { agent, url: url.to_string(), reason };
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|_| unreadable("AccessKeyId, SecretAccessKey, Token or Expiration is missing"))?;
    let expiration: jiff::Timestamp =
        answer.expiration.parse().map_err(|_| unreadable("Expiration is no time"))?;
    let name = match agent {
        Agent::Container => "container",
        Agent::Instance => "instance",
    };
    let expiry = Some(SystemTime::from(expiration));
    Ok(Credentials::new(answer.access_key_id, answer.secret_access_key, Some(answer.token), expiry, name))
}

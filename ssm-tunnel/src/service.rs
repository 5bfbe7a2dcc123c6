//! Systems Manager's side of a tunnel: starts, resumes and ends sessions, finds the instance to go through, and opens the
//! web socket that a session's bytes travel on.

use std::{net::IpAddr, sync::Arc, time::SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_ssm::{
    error::{ProvideErrorMetadata, SdkError},
    types::{InstanceInformationStringFilter, PingStatus},
};
use aws_session::{
    error::{CloudError, sorted},
    tls::{self, Roots},
};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use bootstrap_sql::Secret;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error as WsError, client::IntoClientRequest, http::HeaderName},
};

use super::{Route, TunnelError};

/// The document of Systems Manager that forwards a port of the instance's surroundings.
const DOCUMENT: &str = "AWS-StartPortForwardingSessionToRemoteHost";

/// What opens a session's web socket, once.
pub(super) struct Ticket {
    pub(super) session_id: String,
    url: String,
    pub(super) token: Secret,
}

/// Bytes in both directions, with TLS or, for a test on this machine, without.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

pub(super) type Socket = WebSocketStream<Box<dyn Wire>>;

/// Systems Manager in one region.
#[derive(Clone)]
pub struct Service {
    ssm: aws_sdk_ssm::Client,
    credentials: Option<SharedCredentialsProvider>,
    region: String,
    tls: Arc<rustls::ClientConfig>,
}

impl Service {
    /// With the configuration that every AWS tool reads.
    ///
    /// # Errors
    /// When this machine has no certificates of authorities.
    pub fn new(config: &SdkConfig) -> Result<Self, TunnelError> {
        Ok(Self {
            ssm: aws_sdk_ssm::Client::new(config),
            credentials: config.credentials_provider(),
            region: config.region().map(ToString::to_string).unwrap_or_default(),
            tls: Arc::new(tls::client_config(&Roots::System).map_err(TunnelError::Tls)?),
        })
    }

    /// An instance that Systems Manager can reach now, among those of an Auto Scaling group.
    ///
    /// # Errors
    /// When there is none, with what to look at.
    pub async fn online_instance(&self, group: &str) -> Result<String, TunnelError> {
        let filter = InstanceInformationStringFilter::builder()
            .key("tag:aws:autoscaling:groupName")
            .values(group)
            .build()
            .map_err(|it| TunnelError::Cloud("list the instances", CloudError::Refused(it.to_string())))?;
        let mut pages =
            self.ssm.describe_instance_information().filters(filter).into_paginator().items().send();
        let mut offline = Vec::new();
        while let Some(instance) = pages.next().await {
            let instance =
                instance.map_err(|it| failed("list the instances", "ssm:DescribeInstanceInformation", it))?;
            let id = instance.instance_id().unwrap_or_default().to_owned();
            if instance.ping_status() == Some(&PingStatus::Online) {
                return Ok(id);
            }
            offline.push(id);
        }
        Err(TunnelError::NoneOnline { group: group.to_owned(), offline })
    }

    /// Starts a session.
    pub(super) async fn start(&self, route: &Route) -> Result<Ticket, TunnelError> {
        let call = self
            .ssm
            .start_session()
            .target(&route.target)
            .document_name(DOCUMENT)
            .reason("cargo xtask tunnel")
            .parameters("host", vec![route.host.clone()])
            .parameters("portNumber", vec![route.port.to_string()]);
        let answer = call.send().await.map_err(|err| {
            if code(&err) == Some("TargetNotConnected") {
                return TunnelError::Offline { target: route.target.clone() };
            }
            failed("start a session", "ssm:StartSession", err)
        })?;
        ticket(answer.session_id, answer.stream_url, answer.token_value).ok_or_else(|| {
            TunnelError::Cloud("start a session", CloudError::Refused("the answer names no stream".into()))
        })
    }

    /// A new web socket for a running session; `None` when there is nothing to resume any more.
    pub(super) async fn resume(&self, session_id: &str) -> Result<Option<Ticket>, TunnelError> {
        match self.ssm.resume_session().session_id(session_id).send().await {
            Ok(answer) => Ok(ticket(answer.session_id, answer.stream_url, answer.token_value)),
            Err(err) if code(&err) == Some("DoesNotExistException") => Ok(None),
            Err(err) => Err(failed("resume the session", "ssm:ResumeSession", err)),
        }
    }

    /// Ends a session.
    pub(super) async fn terminate(&self, session_id: &str) -> Result<(), TunnelError> {
        let call = self.ssm.terminate_session().session_id(session_id);
        call.send().await.map(drop).map_err(|it| failed("end the session", "ssm:TerminateSession", it))
    }

    /// Opens the web socket of a ticket.
    pub(super) async fn connect(&self, ticket: &Ticket) -> Result<Socket, TunnelError> {
        let mut request = ticket
            .url
            .as_str()
            .into_client_request()
            .map_err(|it| TunnelError::Socket(format!("the stream's address is not valid: {it}")))?;
        let uri = request.uri().clone();
        let host = uri.host().unwrap_or_default().to_owned();
        let is_plain = uri.scheme_str() == Some("ws");
        if is_plain && !is_loopback(&host) {
            return Err(TunnelError::Socket(format!(
                "the service names a stream without encryption at {host}; the session's token does not go there"
            )));
        }
        if !uri.query().unwrap_or_default().contains("X-Amz-Signature=") {
            self.sign(&mut request).await?;
        }
        let port = uri.port_u16().unwrap_or(if is_plain { 80 } else { 443 });
        let tcp = TcpStream::connect((host.trim_matches(['[', ']']), port))
            .await
            .map_err(|it| TunnelError::Socket(format!("connect to {host}:{port}: {it}")))?;
        // Requests of a database are small and wait for their answers.
        tcp.set_nodelay(true).map_err(|it| TunnelError::Socket(it.to_string()))?;
        let wire: Box<dyn Wire> = if is_plain {
            Box::new(tcp)
        } else {
            let name = ServerName::try_from(host.clone())
                .map_err(|_| TunnelError::Socket(format!("\"{host}\" is not a host name")))?;
            let connector = tokio_rustls::TlsConnector::from(Arc::clone(&self.tls));
            Box::new(
                connector
                    .connect(name, tcp)
                    .await
                    .map_err(|it| TunnelError::Socket(format!("TLS with {host}: {it}")))?,
            )
        };
        match client_async(request, wire).await {
            Ok((socket, _)) => Ok(socket),
            Err(WsError::Http(answer)) => Err(TunnelError::Socket(format!(
                "{host} refuses the session's stream with status {}; if it is 403, allow ssmmessages:OpenDataChannel",
                answer.status()
            ))),
            Err(err) => Err(TunnelError::Socket(format!("open the session's stream at {host}: {err}"))),
        }
    }

    /// Signs the opening of the web socket. Only the host is signed: the other headers are made when it is sent.
    async fn sign(
        &self,
        request: &mut tokio_tungstenite::tungstenite::handshake::client::Request,
    ) -> Result<(), TunnelError> {
        let Some(provider) = &self.credentials else { return Ok(()) };
        let refused = |it: String| TunnelError::Cloud("sign the stream's request", CloudError::Refused(it));
        let credentials = provider.provide_credentials().await.map_err(|it| {
            TunnelError::Cloud("sign the stream's request", CloudError::Credentials(it.to_string()))
        })?;
        let identity = credentials.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("ssmmessages")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|it| refused(it.to_string()))?
            .into();
        let host =
            request.headers().get("host").and_then(|it| it.to_str().ok()).unwrap_or_default().to_owned();
        let uri = request.uri().to_string();
        let signable =
            SignableRequest::new("GET", uri, [("host", host.as_str())].into_iter(), SignableBody::Bytes(b""))
                .map_err(|it| refused(it.to_string()))?;
        let (instructions, _) = sign(signable, &params).map_err(|it| refused(it.to_string()))?.into_parts();
        for (name, value) in instructions.headers() {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|it| refused(it.to_string()))?;
            request.headers_mut().insert(name, value.parse().map_err(|_| refused("a header".into()))?);
        }
        Ok(())
    }
}

fn ticket(session_id: Option<String>, url: Option<String>, token: Option<String>) -> Option<Ticket> {
    // The service answers a session that has timed out with empty fields.
    let filled = |it: Option<String>| it.filter(|it| !it.is_empty());
    Some(Ticket { session_id: filled(session_id)?, url: filled(url)?, token: Secret::new(filled(token)?) })
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
}

fn code<E: ProvideErrorMetadata, R>(err: &SdkError<E, R>) -> Option<&str> {
    err.as_service_error().and_then(ProvideErrorMetadata::code)
}

fn failed<E, R>(what: &'static str, action: &'static str, err: SdkError<E, R>) -> TunnelError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    match sorted(err) {
        CloudError::Denied(reason) => TunnelError::Denied { what, action, reason },
        err => TunnelError::Cloud(what, err),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_streams_are_for_this_machine_only() {
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["ssmmessages.eu-west-1.amazonaws.com", "10.0.0.1", "localhost.example.com", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_timed_out_session_has_no_ticket() {
        let some = |it: &str| Some(it.to_owned());
        assert!(ticket(some("s"), some("wss://x"), some("t")).is_some());
        assert!(ticket(some("s"), some(""), some("")).is_none());
        assert!(ticket(some("s"), some("wss://x"), None).is_none());
    }
}

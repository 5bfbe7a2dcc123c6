//! TLS as it should be, and every way in which it is not.

use std::{sync::Arc, time::Duration};

use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use verify::{
    Outcome, Subject, Target,
    http::{Http, Request},
    subject::Detour,
};

use super::closed::{assert_says, one};
use super::server::{Reply, Server};
use super::subject;

/// Checks that a test of this module breaks.
pub(crate) const BROKEN: [&str; 4] = ["encrypted", "certificate", "old-tls", "plain-http"];

/// A server of TLS that says nothing more.
struct TlsServer {
    url: String,
    certificate: Vec<u8>,
    _tasks: JoinSet<()>,
}

impl TlsServer {
    async fn start(days: i64) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let now = std::time::SystemTime::now();
        params.not_before = (now - Duration::from_secs(86_400)).into();
        params.not_after = (now + Duration::from_secs(u64::try_from(days).unwrap() * 86_400)).into();
        let certificate = params.self_signed(&key).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Failed handshakes are what the tests are about.
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.read(&mut [0; 1]).await;
                }
            }
        });
        Self { url, certificate: certificate.pem().into_bytes(), _tasks: tasks }
    }

    fn subject(&self) -> Subject {
        Subject {
            authorities: Some(self.certificate.clone()),
            ..subject(Target::Serverless, self.url.clone())
        }
    }
}

#[tokio::test]
async fn good_tls_passes() {
    let server = TlsServer::start(90).await;
    for name in BROKEN {
        assert_eq!(one(&server.subject(), name).await, Outcome::Passed, "{name}");
    }
}

#[tokio::test]
async fn a_detour_keeps_the_name_that_tls_checks() {
    let server = TlsServer::start(90).await;
    let address = server.url.replace("https://localhost", "127.0.0.1");
    let detour = Detour::resolve(&address).await.unwrap();
    // The address has no port, so whatever is asked of it by name comes to the detour's.
    let by_name =
        Subject { url: "https://localhost".to_owned(), detour: Some(detour.clone()), ..server.subject() };
    for name in BROKEN {
        assert_eq!(one(&by_name, name).await, Outcome::Passed, "{name}");
    }
    let other_name =
        Subject { url: "https://api.example.com".to_owned(), detour: Some(detour), ..server.subject() };
    assert_says(&one(&other_name, "certificate").await, "not valid for name \"api.example.com\"");
    let sent = Http::new(&other_name).unwrap().send(&Request::get("https://api.example.com/")).await;
    assert!(sent.unwrap_err().contains("not valid for name"));
}

#[tokio::test]
async fn certificates_that_nobody_vouches_for_or_that_end_are_found() {
    let server = TlsServer::start(90).await;
    let stranger = Subject { authorities: None, ..server.subject() };
    assert_says(&one(&stranger, "certificate").await, "invalid peer certificate");
    let other_name = Subject { url: server.url.replace("localhost", "127.0.0.1"), ..server.subject() };
    assert_says(&one(&other_name, "certificate").await, "not valid for");
    let ends_soon = TlsServer::start(3).await;
    assert_says(&one(&ends_soon.subject(), "certificate").await, "was not renewed");
}

#[tokio::test]
async fn a_server_in_the_clear_is_found() {
    let public = subject(Target::Serverless, "http://api.example.com".to_owned());
    assert_says(&one(&public, "encrypted").await, "in the clear");
    // The hybrid deployment may do without a certificate, which is said.
    let hybrid = subject(Target::Hybrid, "http://api.example.com".to_owned());
    assert!(
        matches!(one(&hybrid, "encrypted").await, Outcome::Skipped(why) if why.contains("CertificateArn"))
    );

    let plain = Server::start(|_| Reply::new(200, "text/plain", "hello"), None).await;
    let claims_tls = subject(Target::Serverless, plain.url().replace("http:", "https:"));
    assert_says(&one(&claims_tls, "plain-http").await, "neither closed nor sent on");
    let redirects = Server::start(
        |_| Reply::new(301, "text/plain", "").with("location", "https://api.example.com/"),
        None,
    )
    .await;
    let redirected = subject(Target::Serverless, redirects.url().replace("http:", "https:"));
    assert_eq!(one(&redirected, "plain-http").await, Outcome::Passed);
}

#[tokio::test]
async fn a_server_of_old_is_found() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let agree = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 64]).await.unwrap();
        // The head of a ServerHello of TLS 1.1.
        stream.write_all(&[22, 3, 2, 0, 42]).await.unwrap();
    };
    let old = subject(Target::Serverless, url);
    let (outcome, ()) = tokio::join!(one(&old, "old-tls"), agree);
    assert_says(&outcome, "agrees to TLS 1.1");
}

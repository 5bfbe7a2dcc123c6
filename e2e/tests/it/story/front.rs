//! What stands before an API on the internet: TLS with a certificate for the public name, and HTTP to whatever is behind.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::authority::Identity;

/// A request of a caller.
pub(super) struct Call {
    pub(super) method: Method,
    /// Path and query, as sent.
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

pub(super) type Answer = Response<Full<Bytes>>;

/// The listener; it ends with the value.
pub(super) struct Front {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Front {
    /// Listens with a certificate and has every request answered by `behind`.
    pub(super) async fn start<F, R>(identity: &Identity, behind: F) -> Self
    where
        F: Fn(Call) -> R + Send + Sync + 'static,
        R: Future<Output = Answer> + Send + 'static,
    {
        let certificate =
            CertificateDer::from_pem_slice(identity.certificate.as_bytes()).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a certificate with its key");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let behind = Arc::new(behind);
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, behind) = (acceptor.clone(), Arc::clone(&behind));
                tokio::spawn(async move {
                    // Who speaks no TLS, or an old one, is not served: that is what a caller may expect.
                    let Ok(stream) = acceptor.accept(socket).await else { return };
                    let service = service_fn(move |request| {
                        let behind = Arc::clone(&behind);
                        async move { Ok::<_, Infallible>(behind(read(request).await).await) }
                    });
                    let server = hyper::server::conn::http1::Builder::new();
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, task }
    }

    /// A load balancer: passes everything on to an HTTP server, and its answer back.
    pub(super) async fn balancer(identity: &Identity, upstream: String) -> Self {
        let client = plain_client();
        Self::start(identity, move |call| pass_on(client.clone(), format!("{upstream}{}", call.target), call))
            .await
    }

    /// For `--connect-to`.
    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A client for plain HTTP on this machine; it wants a configuration for TLS all the same.
pub(super) fn plain_client() -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    client.use_preconfigured_tls(tls).build().expect("a client")
}

async fn read(request: Request<Incoming>) -> Call {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let target = head.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
    Call { method: head.method, target, headers: head.headers, body }
}

async fn pass_on(client: reqwest::Client, url: String, call: Call) -> Answer {
    let mut headers = call.headers;
    headers.remove("connection");
    headers.insert("x-forwarded-proto", hyper::header::HeaderValue::from_static("https"));
    let sent = client.request(call.method, url).headers(headers).body(call.body).send().await;
    let Ok(answer) = sent else { return answer(502, "text/plain", "") };
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers().iter().filter(|(name, _)| *name != "transfer-encoding") {
        response = response.header(name, value);
    }
    let body = answer.bytes().await.unwrap_or_default();
    response.body(Full::new(body)).expect("a response")
}

/// An answer of the front itself.
pub(super) fn answer(status: u16, kind: &str, body: &str) -> Answer {
    let response = Response::builder().status(status).header("content-type", kind);
    response.body(Full::new(Bytes::from(body.to_owned()))).expect("a response")
}

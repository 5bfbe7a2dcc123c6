//! Requests as values, sent as an ordinary client would: verified TLS, no redirects followed, a deadline for each.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::{Client, Method, redirect::Policy};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde_json::Value;

use super::subject::Subject;

/// What API Gateway allows a function, and a little more.
const TIMEOUT: Duration = Duration::from_secs(35);

/// How much of a body is shown when it is not what it should be.
const SHOWN_CHARS: usize = 300;

/// A request to be sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Absolute URL.
    pub url: String,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Option<String>,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self { method, url: url.into(), headers: Vec::new(), body: None }
    }

    /// A `GET`.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::GET, url)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds a JSON body.
    #[must_use]
    pub fn json(self, body: &(impl ToString + ?Sized)) -> Self {
        let mut it = self.header("content-type", "application/json");
        it.body = Some(body.to_string());
        it
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub status: u16,
    headers: reqwest::header::HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    /// A header, empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Status and body, for a report.
    pub fn describe(&self) -> String {
        let text = self.text();
        let mut shown: String = text.trim().chars().take(SHOWN_CHARS).collect();
        if shown.len() < text.trim().len() {
            shown.push('…');
        }
        match shown.as_str() {
            "" => format!("{} without a body", self.status),
            shown => format!("{} {shown}", self.status),
        }
    }
}

/// How requests are signed, where callers have to.
pub trait Signer: Send + Sync {
    /// Adds what makes the request a signed one.
    ///
    /// # Errors
    /// Why it cannot be signed.
    fn sign(&self, request: &mut Request) -> Result<(), String>;
}

/// The client.
#[derive(Clone)]
pub struct Http {
    client: Client,
    signer: Option<Arc<dyn Signer>>,
}

impl Http {
    /// A client for a subject, which trusts what this system trusts and the subject's authorities besides.
    ///
    /// # Errors
    /// When a certificate cannot be read, the system has none, or the subject's address is none.
    pub fn new(subject: &Subject) -> Result<Self, String> {
        let mut builder = Client::builder()
            .use_preconfigured_tls(tls_config(subject.authorities.as_deref())?)
            .redirect(Policy::none())
            .timeout(TIMEOUT)
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("pgapp-verify/", env!("CARGO_PKG_VERSION")));
        if let Some(detour) = &subject.detour {
            builder = builder.resolve_to_addrs(&subject.endpoint()?.host, &detour.addresses);
        }
        // A proxy for the internet has nothing to do with this machine, and would know no detour.
        if subject.is_local() || subject.detour.is_some() {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|err| format!("no HTTP client: {}", chain(&err)))?;
        Ok(Self { client, signer: None })
    }

    /// The same client, signing every request.
    #[must_use]
    pub fn signed_by(mut self, signer: Option<Arc<dyn Signer>>) -> Self {
        self.signer = signer;
        self
    }

    /// The same client as a stranger.
    #[must_use]
    pub fn unsigned(&self) -> Self {
        Self { client: self.client.clone(), signer: None }
    }

    /// Whether requests are signed.
    pub fn signs(&self) -> bool {
        self.signer.is_some()
    }

    /// Sends a request.
    ///
    /// # Errors
    /// Why nothing answered.
    pub async fn send(&self, request: &Request) -> Result<Answer, String> {
        let mut request = request.clone();
        if let Some(signer) = &self.signer {
            signer.sign(&mut request)?;
        }
        let what = format!("{} {}", request.method, request.url);
        let mut builder = self.client.request(request.method, &request.url);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        let fail = |err: &reqwest::Error| format!("{what}: {}", chain(err));
        let answer = builder.send().await.map_err(|err| fail(&err))?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.bytes().await.map_err(|err| fail(&err))?.to_vec();
        Ok(Answer { status, headers, body })
    }

    /// Sends a request until its answer is good, or until the patience is at an end: a database that is paused, a cache or
    /// a catalog that is read anew take their time. The last answer is returned, good or not.
    ///
    /// # Errors
    /// Why nothing answered, until the end.
    pub async fn send_until(
        &self,
        request: &Request,
        patience: Duration,
        is_good: impl Fn(&Answer) -> bool + Send,
    ) -> Result<Answer, String> {
        let deadline = Instant::now() + patience;
        let mut pause = Duration::from_millis(50);
        loop {
            let answer = self.send(request).await;
            if answer.as_ref().is_ok_and(&is_good) || Instant::now() + pause >= deadline {
                return answer;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(3));
        }
    }
}

/// TLS as a careful client does it: 1.2 or newer, certificates verified.
///
/// # Errors
/// When a certificate cannot be read, or the system has none.
pub fn tls_config(extra: Option<&[u8]>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    // Single certificates of a system that cannot be read are passed over, as browsers do.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in extra.map(CertificateDer::pem_slice_iter).into_iter().flatten() {
        let certificate = certificate.map_err(|err| format!("the file of authorities is no PEM: {err}"))?;
        roots.add(certificate).map_err(|err| format!("an authority cannot be used: {err}"))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|err| format!("no TLS: {err}"))?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// An error with its causes: `reqwest` says in its own words only that sending failed.
fn chain(err: &dyn std::error::Error) -> String {
    let mut text = err.to_string();
    let mut source = err.source();
    while let Some(it) = source {
        let cause = it.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        source = it.source();
    }
    text
}

//! Signed requests to the few actions of services whose SDKs would cost more to build than everything else here together:
//! EC2 for types of instances and quotas in use, and services that speak JSON.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_session::{
    error::by_code,
    tls::{self, Roots},
};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use reqwest::{Client, Url};
use roxmltree::Document;
use serde_json::Value;

use crate::cloud::{CloudError, CloudResult};

/// How long a connection may take to open, and a request to be answered.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(20));

/// A service that is called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Service {
    /// First part of the host name.
    pub(super) host: &'static str,
    /// Name in signatures.
    pub(super) signing: &'static str,
}

/// What signs and sends.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    credentials: Option<SharedCredentialsProvider>,
    region: String,
    endpoint: Option<String>,
}

impl Signed {
    pub(super) fn new(config: &SdkConfig, region: &str) -> Self {
        Self {
            credentials: config.credentials_provider(),
            region: region.to_owned(),
            endpoint: config.endpoint_url().map(str::to_owned),
        }
    }

    /// An action of a service that takes a form and answers with XML; returns the answer.
    pub(super) async fn query(
        &self,
        service: Service,
        version: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> CloudResult<String> {
        let all = [("Action", action), ("Version", version)];
        let form = Url::parse_with_params("http://form/", all.iter().chain(parameters))
            .map_err(|err| CloudError::Refused(err.to_string()))?;
        let body = form.query().unwrap_or_default().to_owned();
        let (status, text) = self.send(service, "application/x-www-form-urlencoded", None, body).await?;
        if status == 200 { Ok(text) } else { Err(of_xml(status, &text)) }
    }

    /// An action of a service that speaks JSON; returns the answer.
    pub(super) async fn json(&self, service: Service, target: &str, body: &Value) -> CloudResult<Value> {
        let (status, text) =
            self.send(service, "application/x-amz-json-1.1", Some(target), body.to_string()).await?;
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        if status == 200 {
            return Ok(answer);
        }
        let code = answer["__type"].as_str().unwrap_or_default();
        let code = code.rsplit('#').next().unwrap_or_default();
        let message = answer["message"].as_str().or_else(|| answer["Message"].as_str());
        Err(of_code(code, message.unwrap_or("AWS gives no reason"), status))
    }

    async fn send(
        &self,
        service: Service,
        content_type: &'static str,
        target: Option<&str>,
        body: String,
    ) -> CloudResult<(u16, String)> {
        let url = self.endpoint.clone().unwrap_or_else(|| {
            let domain = if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
            format!("https://{}.{}.{domain}/", service.host, self.region)
        });
        let url = Url::parse(&url).map_err(|err| CloudError::Refused(format!("{url}: {err}")))?;
        let mut headers = vec![("content-type", content_type.to_owned())];
        headers.extend(target.map(|it| ("x-amz-target", it.to_owned())));
        headers.extend(self.signature(service, url.as_str(), &headers, &body).await?);
        let mut request = client()?.post(url).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = request.send().await.map_err(|err| unreachable(&err))?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await.map_err(|err| unreachable(&err))?))
    }

    async fn signature(
        &self,
        service: Service,
        url: &str,
        headers: &[(&'static str, String)],
        body: &str,
    ) -> CloudResult<Vec<(&'static str, String)>> {
        let refused = |it: &dyn std::fmt::Display| CloudError::Refused(format!("sign a request: {it}"));
        let Some(provider) = &self.credentials else {
            return Err(CloudError::Credentials("no credentials are configured".into()));
        };
        let found = provider.provide_credentials().await;
        let identity = found.map_err(|err| CloudError::Credentials(err.to_string()))?.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(service.signing)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|err| refused(&err))?
            .into();
        let signed = headers.iter().map(|(name, value)| (*name, value.as_str()));
        let signable = SignableRequest::new("POST", url, signed, SignableBody::Bytes(body.as_bytes()))
            .map_err(|err| refused(&err))?;
        let (instructions, _) = sign(signable, &parameters).map_err(|err| refused(&err))?.into_parts();
        let (headers, _) = instructions.into_parts();
        Ok(headers.into_iter().map(|it| (it.name(), it.value().to_owned())).collect())
    }
}

/// A client with this crate's TLS and little patience.
pub(super) fn client() -> CloudResult<Client> {
    let tls = tls::client_config(&Roots::System).map_err(CloudError::Unreachable)?;
    Client::builder()
        .use_preconfigured_tls(tls)
        .connect_timeout(PATIENCE.0)
        .timeout(PATIENCE.1)
        .build()
        .map_err(|err| unreachable(&err))
}

pub(super) fn unreachable(err: &reqwest::Error) -> CloudError {
    let host = err.url().and_then(Url::host_str).unwrap_or("AWS").to_owned();
    CloudError::Unreachable(format!("{host} does not answer"))
}

/// Every text of a tag, in order.
pub(super) fn texts(xml: &str, tag: &str) -> Vec<String> {
    let Ok(document) = Document::parse(xml) else { return Vec::new() };
    let of_tag = document.descendants().filter(|it| it.is_element() && it.tag_name().name() == tag);
    of_tag.filter_map(|it| it.text()).map(|it| it.trim().to_owned()).collect()
}

fn of_xml(status: u16, xml: &str) -> CloudError {
    let first = |tag| texts(xml, tag).into_iter().next();
    let (code, message) = (first("Code").unwrap_or_default(), first("Message"));
    of_code(&code, message.as_deref().unwrap_or("AWS gives no reason"), status)
}

fn of_code(code: &str, message: &str, status: u16) -> CloudError {
    match by_code(code, message) {
        CloudError::Refused(_) if code.contains("NotFound") || code.contains("NoSuch") => {
            CloudError::NotFound(message.to_owned())
        }
        CloudError::Refused(_) if status == 403 => CloudError::Denied(message.to_owned()),
        CloudError::Refused(_) if status >= 500 => CloudError::Unreachable(message.to_owned()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_errors_sorted() {
        let xml = "<R xmlns='x'><s><item><zone>a</zone></item><item><zone> b </zone></item></s></R>";
        assert_eq!(texts(xml, "zone"), ["a", "b"]);
        assert_eq!(texts("no xml", "zone"), Vec::<String>::new());
        let denied = "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>";
        assert_eq!(of_xml(403, denied), CloudError::Denied("no".into()));
        let missing = of_code("ImageNotFoundException", "no image", 400);
        assert_eq!(missing, CloudError::NotFound("no image".into()));
        assert_eq!(of_code("Strange", "x", 502), CloudError::Unreachable("x".into()));
        assert_eq!(of_code("Strange", "x", 400), CloudError::Refused("x".into()));
    }
}

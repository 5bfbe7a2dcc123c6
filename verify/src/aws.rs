//! What checks need of AWS beside the stacks: the key that signs tokens, and signatures of requests.

use std::time::SystemTime;

use anyhow::{Context, bail};
use aws_config::SdkConfig;
use aws_credential_types::{Credentials, provider::ProvideCredentials};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use serde_json::Value;

use super::http::{Request, Signer};

/// The key that signs tokens, from the secret that the persist stack made.
///
/// # Errors
/// When the secret cannot be read.
pub async fn jwt_secret(config: &SdkConfig, arn: &str) -> anyhow::Result<String> {
    let client = aws_sdk_secretsmanager::Client::new(config);
    let answer = client.get_secret_value().secret_id(arn).send().await;
    let answer =
        answer.map_err(aws_sdk_secretsmanager::Error::from).context("read the secret that signs tokens")?;
    let text = answer.secret_string().unwrap_or_default();
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    match value["secret"].as_str() {
        Some(secret) => Ok(secret.to_owned()),
        // The text itself stays out of the message.
        None => bail!("secret {arn} has no field \"secret\""),
    }
}

/// Signs requests for API Gateway with the caller's credentials.
pub struct ApiGatewaySigner {
    credentials: Credentials,
    region: String,
}

impl ApiGatewaySigner {
    /// With the credentials that every AWS tool would use now.
    ///
    /// # Errors
    /// When there are no credentials, or no region.
    pub async fn new(config: &SdkConfig) -> anyhow::Result<Self> {
        let Some(region) = config.region() else { bail!("no region is configured; set AWS_REGION") };
        let Some(provider) = config.credentials_provider() else { bail!("no credentials are configured") };
        let credentials = provider.provide_credentials().await.context("find credentials to sign with")?;
        Ok(Self { credentials, region: region.to_string() })
    }
}

impl Signer for ApiGatewaySigner {
    fn sign(&self, request: &mut Request) -> Result<(), String> {
        let fail = |err: &dyn std::fmt::Display| format!("the request cannot be signed: {err}");
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("execute-api")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|err| fail(&err))?;
        let body = request.body.as_deref().unwrap_or_default().as_bytes();
        let headers = request.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let signable =
            SignableRequest::new(request.method.as_str(), &request.url, headers, SignableBody::Bytes(body))
                .map_err(|err| fail(&err))?;
        let (instructions, _) = sign(signable, &parameters.into()).map_err(|err| fail(&err))?.into_parts();
        let (headers, _) = instructions.into_parts();
        request.headers.extend(headers.iter().map(|it| (it.name(), it.value().to_owned())));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_requests_name_the_key_but_not_its_secret() {
        let credentials = Credentials::new("AKIDEXAMPLE", "topsecret", None, None, "test");
        let signer = ApiGatewaySigner { credentials, region: "us-east-1".to_owned() };
        let mut request = Request::get("https://x.execute-api.us-east-1.amazonaws.com/v1/animals");
        signer.sign(&mut request).unwrap();
        let of = |name| request.headers.iter().find(|(it, _)| *it == name).map(|(_, it)| it.as_str());
        let authorization = of("authorization").unwrap();
        assert!(authorization.contains("AKIDEXAMPLE/") && authorization.contains("/us-east-1/execute-api/"));
        assert!(!authorization.contains("topsecret"));
        assert!(of("x-amz-date").is_some());
    }
}

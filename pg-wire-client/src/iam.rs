//! Tokens that RDS and Aurora take instead of a password: requests signed with AWS credentials, valid for 15 minutes.
//!
//! Signed here, without asking AWS, one per new connection. A token proves itself when the connection is opened and
//! has no say afterwards, so that none is kept and none can be stale.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;

use crate::conninfo::Secret;
use crate::credentials::{Clock, TokenFuture, TokenSource};

/// What RDS allows at most.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// Signs tokens for one region.
#[derive(Clone)]
pub struct IamTokens {
    region: String,
    credentials: SharedCredentialsProvider,
    now: Clock,
}

impl IamTokens {
    /// Signs by the system's clock.
    pub fn new(region: impl Into<String>, credentials: impl ProvideCredentials + 'static) -> Self {
        let credentials = SharedCredentialsProvider::new(credentials);
        Self { region: region.into(), credentials, now: Arc::new(SystemTime::now) }
    }

    /// Signs by another clock.
    #[must_use]
    pub fn with_clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.now = Arc::new(now);
        self
    }

    async fn sign(&self, host: &str, port: u16, user: &str) -> Result<Secret, String> {
        let credentials = self.credentials.provide_credentials().await.map_err(|error| {
            // The reason is in the sources; a credentials error never holds the credentials.
            let mut text = format!("no AWS credentials to sign a database token with: {error}");
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            text
        })?;
        let failed = |error: &dyn std::fmt::Display| format!("a database token could not be signed: {error}");
        let mut settings = SigningSettings::default();
        settings.expires_in = Some(LIFETIME);
        settings.signature_location = SignatureLocation::QueryParams;
        let identity = credentials.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("rds-db")
            .time((self.now)())
            .settings(settings)
            .build()
            .map_err(|it| failed(&it))?;
        let user = percent_encoding::utf8_percent_encode(user, QUERY_VALUE);
        let mut url = format!("https://{host}:{port}/?Action=connect&DBUser={user}");
        let request = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::Bytes(&[]))
            .map_err(|it| failed(&it))?;
        let (instructions, _) = sign(request, &params.into()).map_err(|it| failed(&it))?.into_parts();
        for (name, value) in instructions.params() {
            let value = percent_encoding::utf8_percent_encode(value, QUERY_VALUE);
            url.push_str(&format!("&{name}={value}"));
        }
        Ok(Secret::new(url.split_off("https://".len())))
    }
}

/// Everything but RFC 3986's unreserved characters, as signatures want it.
const QUERY_VALUE: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl TokenSource for IamTokens {
    fn token<'a>(&'a self, host: &'a str, port: u16, user: &'a str) -> TokenFuture<'a> {
        Box::pin(self.sign(host, port, user))
    }
}

/// The region in the name of an RDS host, as in `NAME.ID.REGION.rds.amazonaws.com`.
pub fn region_of(host: &str) -> Option<&str> {
    let host =
        host.strip_suffix(".rds.amazonaws.com").or_else(|| host.strip_suffix(".rds.amazonaws.com.cn"))?;
    let (_, region) = host.rsplit_once('.')?;
    region.contains('-').then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::ProcessCredentials;
    use std::collections::BTreeSet;

    fn credentials(session: Option<&str>) -> ProcessCredentials {
        let session = session.map(ToOwned::to_owned);
        let variables = move |name: &str| match name {
            "AWS_ACCESS_KEY_ID" => Some("AKIDEXAMPLE".to_owned()),
            "AWS_SECRET_ACCESS_KEY" => Some("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned()),
            "AWS_SESSION_TOKEN" => session.clone(),
            _ => None,
        };
        ProcessCredentials::read(variables).unwrap()
    }

    async fn token(session: Option<&str>, user: &str) -> String {
        // 2026-01-02T03:04:05Z
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045);
        let tokens = IamTokens::new("eu-west-1", credentials(session)).with_clock(move || now);
        let host = "db.proxy-abc.eu-west-1.rds.amazonaws.com";
        tokens.token(host, 5432, user).await.unwrap().expose().to_owned()
    }

    // Expected values are those that botocore's `generate_db_auth_token` makes of the same input.
    #[tokio::test]
    async fn tokens_are_those_of_the_reference_implementation() {
        assert_eq!(token(None, "lambda_iam").await, REFERENCE_PLAIN);
        // The same parameters; their order has no meaning.
        let parts = |token: &str| token.split('&').map(ToOwned::to_owned).collect::<BTreeSet<_>>();
        let signed = token(Some("session/token+with=signs"), "odd user@x").await;
        assert_eq!(parts(&signed), parts(REFERENCE_SESSION));
    }

    const REFERENCE_PLAIN: &str = "db.proxy-abc.eu-west-1.rds.amazonaws.com:5432/?Action=connect&DBUser=lambda_iam&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20260102%2Feu-west-1%2Frds-db%2Faws4_request&X-Amz-Date=20260102T030405Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=e3e6ccfe3c21d79bd6999e0dceac7cb0ab3c030e204192e208873a5805801893";
    const REFERENCE_SESSION: &str = "db.proxy-abc.eu-west-1.rds.amazonaws.com:5432/?Action=connect&DBUser=odd%20user%40x&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20260102%2Feu-west-1%2Frds-db%2Faws4_request&X-Amz-Date=20260102T030405Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Security-Token=session%2Ftoken%2Bwith%3Dsigns&X-Amz-Signature=274116b4a674b323414086a6476ec6ee9075f4715712d2d5a902cca7e9eabacb";

    #[tokio::test]
    async fn absence_of_credentials_is_an_error_that_says_what_to_set() {
        let forbidden = |name: &str| (name == "AWS_EC2_METADATA_DISABLED").then(|| "true".to_owned());
        let tokens = IamTokens::new("eu-west-1", ProcessCredentials::read(forbidden).unwrap());
        let error = tokens.token("h", 1, "u").await.unwrap_err();
        assert!(error.contains("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"), "{error}");
    }

    #[tokio::test]
    async fn token_follows_the_clock() {
        let now =
            Arc::new(std::sync::Mutex::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045)));
        let clock = Arc::clone(&now);
        let tokens =
            IamTokens::new("eu-west-1", credentials(None)).with_clock(move || *clock.lock().unwrap());
        let first = tokens.token("h", 1, "u").await.unwrap();
        *now.lock().unwrap() += Duration::from_secs(16 * 60);
        let second = tokens.token("h", 1, "u").await.unwrap();
        assert!(first.expose().contains("X-Amz-Date=20260102T030405Z"), "{}", first.expose());
        assert!(second.expose().contains("X-Amz-Date=20260102T032005Z"), "{}", second.expose());
    }

    #[test]
    fn region_is_read_off_an_rds_host() {
        assert_eq!(region_of("db.cluster-x.eu-west-1.rds.amazonaws.com"), Some("eu-west-1"));
        assert_eq!(region_of("db.cluster-x.cn-north-1.rds.amazonaws.com.cn"), Some("cn-north-1"));
        assert_eq!(region_of("localhost"), None);
        assert_eq!(region_of("x.rds.amazonaws.com"), None);
    }
}

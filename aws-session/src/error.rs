//! Errors of calls, sorted by what a caller can do about them.

use std::{error::Error, fmt::Debug};

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// Why a call failed, sorted by what a caller can do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// There is no such stack, change set or bucket; AWS's words.
    #[error("{0}")]
    NotFound(String),
    /// The state has changed meanwhile: a change set that somebody else made obsolete, a stack that is at work.
    #[error("AWS refuses: {0}")]
    Stale(String),
    /// Too many requests; CloudFormation will take them later.
    #[error("AWS asks to slow down: {0}")]
    Throttled(String),
    /// AWS could not be reached or did not answer; the request may have been taken.
    #[error("AWS could not be reached: {0}")]
    Unreachable(String),
    /// Credentials are missing or no longer valid.
    #[error("AWS does not accept the credentials: {0}")]
    Credentials(String),
    /// The credentials are valid and do not allow this.
    #[error("AWS does not allow this: {0}")]
    Denied(String),
    /// The request makes no sense to AWS, now or ever.
    #[error("AWS refuses: {0}")]
    Refused(String),
}

impl CloudError {
    /// Whether the same call may work in a moment.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Throttled(_) | Self::Unreachable(_))
    }
}

/// The result of a call.
pub type CloudResult<T> = Result<T, CloudError>;

/// The code of an error that the service answered.
pub fn code_of<E: ProvideErrorMetadata, R>(err: &SdkError<E, R>) -> Option<&str> {
    err.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// An error of a call, sorted.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub fn sorted<E, R>(err: SdkError<E, R>) -> CloudError
where
    E: ProvideErrorMetadata + Error + 'static,
    R: Debug + 'static,
{
    match &err {
        SdkError::ServiceError(service) => {
            let meta = service.err();
            by_code(meta.code().unwrap_or_default(), meta.message().unwrap_or("AWS gives no reason"))
        }
        // The signer's failures come in the same wrapping as the network's; only these have such an error inside.
        _ if is_about_credentials(&err) => CloudError::Credentials(told_with_profile(chain(&err))),
        _ => CloudError::Unreachable(chain(&err)),
    }
}

/// Whether a search for credentials is among the causes.
fn is_about_credentials(err: &(dyn Error + 'static)) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(err);
    while let Some(it) = cause {
        // The orchestrator says so by itself where no provider is configured at all.
        if it.is::<CredentialsError>() || it.to_string().contains(NO_IDENTITY) {
            return true;
        }
        cause = it.source();
    }
    false
}

/// What the SDK says where there is nothing to look for credentials with.
const NO_IDENTITY: &str = "the credentials provider was not enabled";

/// Names the profile that was looked at: a wrong one is the usual reason.
fn told_with_profile(text: String) -> String {
    match std::env::var("AWS_PROFILE") {
        Ok(profile) if !profile.is_empty() => format!("{text} (AWS_PROFILE is \"{profile}\")"),
        _ => text,
    }
}

/// The error and its sources, which say the interesting part.
fn chain(err: &dyn Error) -> String {
    let mut parts = vec![err.to_string()];
    let mut source = err.source();
    while let Some(err) = source {
        let text = err.to_string();
        if !parts.iter().any(|it| it.contains(&text)) {
            parts.push(text);
        }
        source = err.source();
    }
    parts.join(": ")
}

/// An error by its code and AWS's words.
pub fn by_code(code: &str, message: &str) -> CloudError {
    let message = message.to_owned();
    match code {
        "Throttling"
        | "ThrottlingException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "SlowDown" => CloudError::Throttled(message),
        "InternalFailure"
        | "InternalError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "RequestTimeout" => CloudError::Unreachable(message),
        "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "MissingAuthenticationToken" => CloudError::Credentials(message),
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => CloudError::Denied(message),
        "ChangeSetNotFound" | "ChangeSetNotFoundException" | "NoSuchBucket" => CloudError::NotFound(message),
        "InvalidChangeSetStatus" | "InvalidChangeSetStatusException" => CloudError::Stale(message),
        // Somebody else was faster.
        "ValidationError" if message.contains("_IN_PROGRESS state and can not be updated") => {
            CloudError::Stale(message)
        }
        // A parameter in SSM that does not exist is told by the same code, and is no stack.
        "ValidationError" if message.contains("does not exist") && message.starts_with("Stack ") => {
            CloudError::NotFound(message)
        }
        _ => CloudError::Refused(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_by_what_can_be_done() {
        let kind = |code: &str, message: &str| {
            format!("{:?}", by_code(code, message)).split('(').next().unwrap().to_owned()
        };
        assert_eq!(kind("Throttling", "Rate exceeded"), "Throttled");
        assert_eq!(kind("ExpiredToken", "expired"), "Credentials");
        assert_eq!(kind("AccessDenied", "no"), "Denied");
        assert_eq!(kind("ValidationError", "Stack with id x does not exist"), "NotFound");
        assert_eq!(kind("ValidationError", "Stack [x] does not exist"), "NotFound");
        assert_eq!(kind("ValidationError", "Template error"), "Refused");
        let missing = "Parameter 'Image' failed to resolve: SSM parameter '/x' does not exist";
        assert_eq!(kind("ValidationError", missing), "Refused");
        assert_eq!(kind("ServiceUnavailable", "later"), "Unreachable");
        assert_eq!(kind("AlreadyExistsException", "x"), "Refused");
    }

    #[test]
    fn missing_credentials_are_told_from_a_lost_network() {
        #[derive(Debug, thiserror::Error)]
        #[error("dispatch failure")]
        struct Wrapping(#[source] Box<dyn Error + Send + Sync>);
        let missing = Wrapping(Box::new(CredentialsError::not_loaded("no provider has any")));
        assert!(is_about_credentials(&missing));
        let disabled = Wrapping(format!("io: {NO_IDENTITY}").into());
        assert!(is_about_credentials(&disabled));
        let lost = Wrapping("connection to tokens.sso.example refused while the identity was sent".into());
        assert!(!is_about_credentials(&lost));
    }
}

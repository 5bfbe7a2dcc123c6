//! Sorts the errors of the SDK by what a caller can do about them.

use std::{error::Error, fmt::Debug};

use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};

use crate::cloud::CloudError;

/// An error of a call, sorted.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(crate) fn sorted<E, R>(err: SdkError<E, R>) -> CloudError
where
    E: ProvideErrorMetadata + Error + 'static,
    R: Debug + 'static,
{
    match &err {
        SdkError::ServiceError(service) => {
            let meta = service.err();
            by_code(meta.code().unwrap_or_default(), meta.message().unwrap_or("AWS gives no reason"))
        }
        _ => {
            let text = chain(&err);
            // The signer's failures come in the same wrapping as the network's.
            if is_about_credentials(&text) {
                CloudError::Credentials(text)
            } else {
                CloudError::Unreachable(text)
            }
        }
    }
}

fn is_about_credentials(text: &str) -> bool {
    let text = text.to_lowercase();
    ["credential", "identity", "sso", "token"].iter().any(|it| text.contains(it))
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

fn by_code(code: &str, message: &str) -> CloudError {
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
        assert!(is_about_credentials("dispatch failure: the credentials provider was not enabled"));
        assert!(!is_about_credentials("dispatch failure: io error: connection refused"));
    }
}

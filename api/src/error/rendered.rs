//! An error, ready to be sent.

use bytes::Bytes;
use http::{HeaderName, StatusCode};
use serde::Serialize;
use serde_json::Value;

use super::{Verbosity, codes};

/// Status, headers and the fields of the body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rendered {
    pub(crate) status: StatusCode,
    pub(crate) reason: Option<String>,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) details: Option<Value>,
    pub(crate) hint: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
}

impl Rendered {
    /// One of our own errors: the status is the code's.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: codes::status_of(code),
            reason: None,
            code: code.to_owned(),
            message: message.into(),
            details: None,
            hint: None,
            headers: Vec::new(),
        }
    }

    pub(crate) fn details(self, details: impl Into<Value>) -> Self {
        Self { details: Some(details.into()), ..self }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub(super) fn header(mut self, name: &HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name.as_str().to_owned(), value.into()));
        self
    }

    /// The body.
    pub(crate) fn body(&self, verbosity: Verbosity) -> Bytes {
        #[derive(Serialize)]
        struct Verbose<'a> {
            code: &'a str,
            details: &'a Option<Value>,
            hint: &'a Option<String>,
            message: &'a str,
        }
        #[derive(Serialize)]
        struct Minimal<'a> {
            code: &'a str,
            message: &'a str,
        }
        let Rendered { code, message, details, hint, .. } = self;
        let text = match verbosity {
            Verbosity::Verbose => serde_json::to_vec(&Verbose { code, details, hint, message }),
            Verbosity::Minimal => serde_json::to_vec(&Minimal { code, message }),
        };
        text.expect("strings and JSON values always serialise").into()
    }
}

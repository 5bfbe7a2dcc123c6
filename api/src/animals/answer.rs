//! What a command came to → status, headers and JSON. Pure. Nothing about the database leaks into a message.

use http::StatusCode;
use http::header::{self, HeaderName};
use serde::Serialize;
use serde_json::value::RawValue;

use super::request::Refusal;

/// Seconds a caller is asked to wait when the database is unavailable: about what a paused Aurora takes to resume.
const RETRY_AFTER_SECONDS: u64 = 5;

/// An animal as the table holds it.
#[derive(Debug, Clone, Serialize)]
pub struct Stored {
    /// Name.
    pub name: String,
    /// Weight, digits as Postgres prints them.
    pub weight: Box<RawValue>,
    /// Height, digits as Postgres prints them.
    pub height: Box<RawValue>,
}

/// How a command ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The animals there are.
    Listed(Vec<Stored>),
    /// What was stored.
    Saved(Stored),
    /// It was there and is gone.
    Deleted,
    /// There is no such animal.
    NoSuchAnimal(String),
    /// The name does not fit into the table's index.
    NameTooLong,
    /// The database cannot be reached, or did not answer in time.
    Unavailable,
    /// A fault of ours; it is in the log.
    Failed,
}

/// An HTTP answer. `Content-Type` is always `application/json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// `Allow`, on 405.
    pub allow: Option<&'static str>,
    /// `Retry-After` in seconds, on 503.
    pub retry_after: Option<u64>,
    /// JSON; empty on 204.
    pub body: String,
}

impl Answer {
    fn new(status: StatusCode, body: &impl Serialize) -> Self {
        // Strings, numbers and maps with text keys always serialise.
        let body = serde_json::to_string(body).unwrap_or_default();
        Self { status, allow: None, retry_after: None, body }
    }

    /// Every header there is to send.
    pub fn headers(&self) -> Vec<(HeaderName, String)> {
        let mut headers = vec![(header::CONTENT_TYPE, "application/json".to_owned())];
        headers.extend(self.allow.map(|it| (header::ALLOW, it.to_owned())));
        headers.extend(self.retry_after.map(|it| (header::RETRY_AFTER, it.to_string())));
        headers
    }

    /// An answer that is a message.
    pub fn message(status: StatusCode, message: &str) -> Self {
        Self::new(status, &serde_json::json!({ "message": message }))
    }
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Listed(items) => {
                #[derive(Serialize)]
                struct Body {
                    items: Vec<Stored>,
                }
                Self::new(StatusCode::OK, &Body { items })
            }
            Outcome::Saved(item) => {
                #[derive(Serialize)]
                struct Body {
                    message: &'static str,
                    item: Stored,
                }
                Self::new(StatusCode::CREATED, &Body { message: "Animal saved", item })
            }
            Outcome::Deleted => {
                Self { status: StatusCode::NO_CONTENT, allow: None, retry_after: None, body: String::new() }
            }
            Outcome::NoSuchAnimal(name) => {
                Self::message(StatusCode::NOT_FOUND, &format!("Animal '{name}' not found."))
            }
            Outcome::NameTooLong => Self::message(StatusCode::BAD_REQUEST, "Name is too long."),
            Outcome::Unavailable => Self {
                retry_after: Some(RETRY_AFTER_SECONDS),
                ..Self::message(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The database is not available. Try again shortly.",
                )
            },
            Outcome::Failed => Self::message(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error."),
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let (status, allow) = match &refusal {
            Refusal::NotFound => (StatusCode::NOT_FOUND, None),
            Refusal::MethodNotAllowed(allow) => (StatusCode::METHOD_NOT_ALLOWED, Some(*allow)),
            Refusal::Body(_) | Refusal::NoName => (StatusCode::BAD_REQUEST, None),
        };
        Self { allow, ..Self::message(status, &refusal.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zebra() -> Stored {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        Stored { name: "Zebra".to_owned(), weight: raw("300.26"), height: raw("1.50") }
    }

    #[test]
    fn answers_show_what_was_stored() {
        let answer = Answer::from(Outcome::Saved(zebra()));
        assert_eq!(answer.status, StatusCode::CREATED);
        assert_eq!(
            answer.body,
            r#"{"message":"Animal saved","item":{"name":"Zebra","weight":300.26,"height":1.50}}"#
        );
        assert_eq!(
            Answer::from(Outcome::Listed(vec![zebra()])).body,
            r#"{"items":[{"name":"Zebra","weight":300.26,"height":1.50}]}"#
        );
    }

    #[test]
    fn absence_and_refusals_have_status_and_headers() {
        assert_eq!(Answer::from(Outcome::Deleted).body, "");
        let gone = Answer::from(Outcome::NoSuchAnimal("X".to_owned()));
        assert_eq!(
            (gone.status, &*gone.body),
            (StatusCode::NOT_FOUND, r#"{"message":"Animal 'X' not found."}"#)
        );
        let away = Answer::from(Outcome::Unavailable);
        assert_eq!((away.status, away.retry_after), (StatusCode::SERVICE_UNAVAILABLE, Some(5)));
        let refused = Answer::from(Refusal::MethodNotAllowed("DELETE"));
        assert_eq!((refused.status, refused.allow), (StatusCode::METHOD_NOT_ALLOWED, Some("DELETE")));
    }
}

//! `response.status` and `response.headers`: what the database says about its own answer.

use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value};

use super::PgrstResponse;
use crate::error::{ApiRequestError, Error};
use crate::framing::{final_status, is_framing};

/// Both settings, read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Overrides {
    status: Option<StatusCode>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Overrides {
    pub(super) fn read(status: Option<&str>, headers: Option<&[u8]>) -> Result<Self, Error> {
        let status = status.map(read_status).transpose()?;
        let headers = headers.map(read_headers).transpose()?.unwrap_or_default();
        Ok(Self { status, headers })
    }

    /// Replaces the status and every header that is named; headers named twice are sent twice.
    pub(super) fn apply(self, mut response: PgrstResponse) -> PgrstResponse {
        if let Some(status) = self.status {
            response.status = status;
        }
        for (name, _) in &self.headers {
            response.headers.remove(name);
        }
        for (name, value) in self.headers {
            response.headers.append(name, value);
        }
        response
    }
}

/// The digits that the text begins with.
fn read_status(text: &str) -> Result<StatusCode, Error> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok().and_then(final_status).ok_or_else(|| ApiRequestError::GucStatus.into())
}

fn read_headers(json: &[u8]) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
    let header = |object: Map<String, Value>| {
        let mut entries = object.into_iter();
        let (Some((name, Value::String(value))), None) = (entries.next(), entries.next()) else {
            return None;
        };
        let name = HeaderName::from_bytes(name.as_bytes()).ok().filter(|it| !is_framing(it))?;
        Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    };
    serde_json::from_slice::<Vec<Map<String, Value>>>(json)
        .ok()
        .and_then(|objects| objects.into_iter().map(header).collect())
        .ok_or_else(|| ApiRequestError::GucHeaders.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::HeaderMap;

    #[test]
    fn named_headers_are_replaced_and_repeated_ones_kept() {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert("content-range", HeaderValue::from_static("*/*"));
        let response = PgrstResponse::new(StatusCode::OK, headers, Bytes::new());
        let json = br#"[{"Set-Cookie":"a=1"},{"set-cookie":"b=2"},{"Content-Type":"text/plain"}]"#;
        let response = Overrides::read(Some("418abc"), Some(json)).unwrap().apply(response);
        assert_eq!(response.status.as_u16(), 418);
        assert_eq!(response.headers.get_all("set-cookie").iter().count(), 2);
        assert_eq!(response.headers.get_all("content-type").iter().collect::<Vec<_>>(), ["text/plain"]);
        assert!(response.headers.contains_key("content-range"));
    }

    #[test]
    fn anything_else_is_refused() {
        for json in [
            r#"{"a":"b"}"#,
            r#"[{"a":1}]"#,
            r#"[{"a":"b","c":"d"}]"#,
            "[{}]",
            "x",
            r#"[{"a":"b\nc"}]"#,
            r#"[{"Content-Length":"0"}]"#,
            r#"[{"transfer-encoding":"chunked"}]"#,
            r#"[{"Connection":"close"}]"#,
        ] {
            assert!(Overrides::read(None, Some(json.as_bytes())).is_err(), "{json}");
        }
        for status in ["", "x", "99999", "1", "101", "100 Continue"] {
            assert!(Overrides::read(Some(status), None).is_err(), "{status}");
        }
    }
}

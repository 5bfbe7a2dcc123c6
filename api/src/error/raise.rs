//! `RAISE SQLSTATE 'PGRST'`: a whole response in the `MESSAGE` and `DETAIL` of a database error.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{ApiRequestError, RaiseError};

/// `MESSAGE`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Message {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) details: Option<String>,
    pub(super) hint: Option<String>,
}

/// `DETAIL`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Detail {
    pub(super) status: u16,
    pub(super) status_text: Option<String>,
    pub(super) headers: BTreeMap<String, String>,
}

/// Reads both parts.
pub(super) fn parse(message: &str, detail: Option<&str>) -> Result<(Message, Detail), ApiRequestError> {
    let parsed = serde_json::from_str(message)
        .map_err(|_| ApiRequestError::PgrstParse(RaiseError::Message(message.to_owned())))?;
    let detail = detail.ok_or(ApiRequestError::PgrstParse(RaiseError::NoDetail))?;
    let details = serde_json::from_str(detail)
        .map_err(|_| ApiRequestError::PgrstParse(RaiseError::Detail(detail.to_owned())))?;
    Ok((parsed, details))
}

//! The opening of a session: the agent says who it is and what it wants, this side says what it did. Pure.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The version of the client that this side speaks like. Agents choose by it what they offer: from 1.1.70 on several
/// connections share a session.
pub(super) const CLIENT_VERSION: &str = "1.2.764.0";

/// The first agent that forwards to another host. An older one would connect to a port of its own machine.
const REMOTE_HOST_SINCE: Version = Version([3, 1, 1374, 0]);

/// The last agent that closes a session after 30 seconds without a keep-alive.
const KEEP_ALIVE_UNTIL: Version = Version([3, 1, 1511, 0]);

/// Version of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version([u32; 4]);

impl Version {
    /// Reads `3.3.3572.0`; what is missing or not a number counts as zero.
    pub(super) fn parse(text: &str) -> Self {
        let mut parts = [0; 4];
        for (part, digits) in parts.iter_mut().zip(text.trim().split('.')) {
            *part = digits.parse().unwrap_or(0);
        }
        Self(parts)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    agent_version: String,
    #[serde(default)]
    requested_client_actions: Vec<Action>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Action {
    action_type: String,
    #[serde(default)]
    action_parameters: serde_json::Value,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    client_version: &'static str,
    processed_client_actions: Vec<Processed>,
    errors: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Processed {
    action_type: String,
    action_status: u8,
    action_result: Option<()>,
    error: String,
}

const SUCCESS: u8 = 1;
const UNSUPPORTED: u8 = 3;

/// What was agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Agreement {
    /// Version of the agent, as it says.
    pub(super) agent_version: String,
    /// Whether the agent wants keep-alives.
    pub(super) keep_alive: bool,
    /// What to answer.
    pub(super) response: Bytes,
}

/// Why there is no agreement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Not a request.
    #[error("the agent's handshake is not readable: {0}")]
    Unreadable(String),
    /// The agent is too old.
    #[error(
        "the agent {0} on the instance cannot forward to another host; update it to 3.1.1374.0 or newer \
         (Systems Manager, Run Command, AWS-UpdateSSMAgent)"
    )]
    Old(String),
    /// The session is not one for ports.
    #[error("the service opened a session of type \"{0}\" instead of a port session")]
    Type(String),
    /// The account's preferences ask for more than TLS.
    #[error(
        "the preferences of Session Manager in this account encrypt sessions with a KMS key, which the tunnel does not \
         speak; switch it off under Session Manager > Preferences, or use `aws ssm start-session` with the plugin"
    )]
    Encryption,
}

/// Answers the agent's request.
///
/// # Errors
/// See [`HandshakeError`].
pub(super) fn answer(payload: &[u8]) -> Result<Agreement, HandshakeError> {
    let request: Request =
        serde_json::from_slice(payload).map_err(|it| HandshakeError::Unreadable(it.to_string()))?;
    let version = Version::parse(&request.agent_version);
    if version < REMOTE_HOST_SINCE {
        return Err(HandshakeError::Old(request.agent_version));
    }
    let mut processed = Vec::new();
    let mut errors = Vec::new();
    for action in request.requested_client_actions {
        let mut error = String::new();
        match action.action_type.as_str() {
            "SessionType" => {
                let kind = action.action_parameters["SessionType"].as_str().unwrap_or_default();
                if kind != "Port" {
                    return Err(HandshakeError::Type(kind.to_owned()));
                }
            }
            "KMSEncryption" => return Err(HandshakeError::Encryption),
            other => {
                error = format!("unsupported action {other}");
                errors.push(error.clone());
            }
        }
        let action_status = if error.is_empty() { SUCCESS } else { UNSUPPORTED };
        processed.push(Processed {
            action_type: action.action_type,
            action_status,
            action_result: None,
            error,
        });
    }
    let response = Response { client_version: CLIENT_VERSION, processed_client_actions: processed, errors };
    Ok(Agreement {
        keep_alive: version <= KEEP_ALIVE_UNTIL,
        agent_version: request.agent_version,
        response: serde_json::to_vec(&response).unwrap_or_default().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: &str, actions: &str) -> String {
        format!(r#"{{"AgentVersion":"{version}","RequestedClientActions":[{actions}]}}"#)
    }

    const PORT: &str = r#"{"ActionType":"SessionType","ActionParameters":{"SessionType":"Port","Properties":{"type":"LocalPortForwarding"}}}"#;

    #[test]
    fn a_port_session_is_answered() {
        let agreed = answer(request("3.3.3572.0", PORT).as_bytes()).unwrap();
        assert!(!agreed.keep_alive);
        assert_eq!(
            std::str::from_utf8(&agreed.response).unwrap(),
            r#"{"ClientVersion":"1.2.764.0","ProcessedClientActions":[{"ActionType":"SessionType","ActionStatus":1,"ActionResult":null,"Error":""}],"Errors":[]}"#
        );
    }

    #[test]
    fn agents_are_told_apart_by_version() {
        assert!(answer(request("3.1.1500.0", PORT).as_bytes()).unwrap().keep_alive);
        assert!(answer(request("3.1.1511.0", PORT).as_bytes()).unwrap().keep_alive);
        assert!(!answer(request("3.1.1512.0", PORT).as_bytes()).unwrap().keep_alive);
        assert_eq!(
            answer(request("3.0.196.0", PORT).as_bytes()),
            Err(HandshakeError::Old("3.0.196.0".into()))
        );
        assert!(Version::parse("3.10.0.0") > Version::parse("3.9"));
    }

    #[test]
    fn what_cannot_be_agreed_on_is_named() {
        let error = |actions| answer(request("3.3.0.0", actions).as_bytes()).unwrap_err();
        assert_eq!(
            error(r#"{"ActionType":"SessionType","ActionParameters":{"SessionType":"Standard_Stream"}}"#),
            HandshakeError::Type("Standard_Stream".into())
        );
        assert_eq!(error(r#"{"ActionType":"KMSEncryption"}"#), HandshakeError::Encryption);
        assert!(matches!(answer(b"[]"), Err(HandshakeError::Unreadable(_))));
        let agreed = answer(request("3.3.0.0", r#"{"ActionType":"Dance"}"#).as_bytes()).unwrap();
        assert!(
            std::str::from_utf8(&agreed.response)
                .unwrap()
                .contains(r#""Errors":["unsupported action Dance"]"#)
        );
    }
}

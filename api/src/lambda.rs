//! Behind Lambda: events become requests, and answers become what the front door wants.
//!
//! [`event`] is pure and serves both apps. [`rest`] is the REST server without a port; the animals app needs no more
//! than it has. What an answer says is decided elsewhere.

pub mod event;
pub mod rest;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::animals::answer::Answer;

/// An HTTP answer, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        let headers = answer.headers().into_iter();
        let headers = headers.filter_map(|(name, value)| Some((name, value.parse().ok()?))).collect();
        Self { status: answer.status, headers, body: answer.body.into() }
    }
}

/// What Lambda takes for an answer at most, in bytes.
const PAYLOAD_LIMIT: usize = 6 * 1024 * 1024;

/// The same behind a load balancer.
const BALANCER_LIMIT: usize = 1024 * 1024;

/// An answer as the function gives it; one that the door does not carry is replaced by one that says so.
pub fn payload(reply: &Reply, door: event::Door, trace_id: Option<&str>) -> Value {
    let limit = match door {
        event::Door::LoadBalancer { .. } => BALANCER_LIMIT,
        event::Door::Gateway | event::Door::SecondGateway => PAYLOAD_LIMIT,
    };
    let rendered = event::render(reply, door, trace_id);
    // Only a large body is worth counting: escaping can make it six times as long.
    if reply.body.len() * 6 > limit && rendered.to_string().len() > limit {
        return event::render(&rest::too_large(), door, trace_id);
    }
    rendered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_a_door_does_not_carry_are_replaced() {
        let reply = |n: usize| Reply {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::from("\"".repeat(n)),
        };
        let status = |n, door| payload(&reply(n), door, None)["statusCode"].clone();
        let balancer = event::Door::LoadBalancer { multi_value: true };
        assert_eq!(status(1000, balancer), 200);
        // A quote takes two bytes once escaped.
        assert_eq!(status(700 * 1024, balancer), 413);
        assert_eq!(status(700 * 1024, event::Door::Gateway), 200);
        assert_eq!(status(4 * 1024 * 1024, event::Door::SecondGateway), 413);
    }
}

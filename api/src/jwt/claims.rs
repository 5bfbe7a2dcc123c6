//! What a token says about its own validity.

use serde_json::{Map, Value};

use crate::error::JwtClaimsError;

/// Clocks of issuer and server may differ by this much.
const SKEW_SECONDS: i64 = 30;

/// Checks `exp`, `nbf`, `iat` and `aud`, in this order. A claim that is missing or null is fine.
pub fn validate(claims: &Map<String, Value>, audience: Option<&str>, now: i64) -> Result<(), JwtClaimsError> {
    if let Some(exp) = seconds(claims, "exp").map_err(|()| JwtClaimsError::ExpNotNumber)?
        && exp.is_before(now.saturating_sub(SKEW_SECONDS))
    {
        return Err(JwtClaimsError::Expired);
    }
    let in_future = |at: Time| at.is_after(now.saturating_add(SKEW_SECONDS));
    if seconds(claims, "nbf").map_err(|()| JwtClaimsError::NbfNotNumber)?.is_some_and(in_future) {
        return Err(JwtClaimsError::NotYetValid);
    }
    if seconds(claims, "iat").map_err(|()| JwtClaimsError::IatNotNumber)?.is_some_and(in_future) {
        return Err(JwtClaimsError::IssuedAtFuture);
    }
    match audience_fits(claims, audience) {
        Some(true) => Ok(()),
        Some(false) => Err(JwtClaimsError::NotInAudience),
        None => Err(JwtClaimsError::AudNotStringOrArray),
    }
}

/// A time: seconds since the epoch, which may have a fraction. One beyond what 64 bits can hold is one that no
/// clock will ever show.
fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<Time>, ()> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Ok(Some(Time::At { whole, has_more: false })),
            (None, Some(time)) if time.abs() < LATEST => {
                #[expect(clippy::cast_possible_truncation, reason = "checked to be in range")]
                let whole = time.floor() as i64;
                Ok(Some(Time::At { whole, has_more: time.fract() != 0.0 }))
            }
            (None, Some(time)) => Ok(Some(if time > 0.0 { Time::Never } else { Time::Past })),
            (None, None) => Err(()),
        },
        Some(_) => Err(()),
    }
}

/// Below this, a floating-point number has its whole part in 64 bits.
const LATEST: f64 = 9.2e18;

/// A time that a token names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Time {
    At {
        /// Whole seconds before it.
        whole: i64,
        /// It is later than these.
        has_more: bool,
    },
    /// Before any that a clock could show.
    Past,
    /// After all of them.
    Never,
}

impl Time {
    /// No token is valid forever: one that claims to be is refused.
    fn is_before(self, now: i64) -> bool {
        match self {
            Self::At { whole, .. } => whole < now,
            Self::Past | Self::Never => true,
        }
    }

    fn is_after(self, now: i64) -> bool {
        match self {
            Self::At { whole, has_more } => whole > now || (whole == now && has_more),
            Self::Past => false,
            Self::Never => true,
        }
    }
}

/// Whether the token is meant for us; `None` when `aud` has the wrong type. Without an audience of
/// our own everything fits, and so does a token that names none.
fn audience_fits(claims: &Map<String, Value>, audience: Option<&str>) -> Option<bool> {
    let fits = |it: &str| audience.is_none_or(|own| own == it);
    match claims.get("aud") {
        None | Some(Value::Null) => Some(true),
        Some(Value::String(aud)) => Some(fits(aud)),
        Some(Value::Array(auds)) => {
            let auds: Vec<&str> = auds.iter().map(Value::as_str).collect::<Option<_>>()?;
            Some(auds.is_empty() || auds.into_iter().any(fits))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use JwtClaimsError::{
        AudNotStringOrArray, ExpNotNumber, Expired, IatNotNumber, IssuedAtFuture, NbfNotNumber,
        NotInAudience, NotYetValid,
    };

    use super::*;

    #[test]
    fn claims_are_checked_with_skew() {
        let now = 1_000_000;
        for (json, audience, expected) in [
            ("{}", None, Ok(())),
            (r#"{"exp":999970}"#, None, Ok(())),
            (r#"{"exp":999969}"#, None, Err(Expired)),
            (r#"{"exp":null}"#, None, Ok(())),
            (r#"{"exp":"999"}"#, None, Err(ExpNotNumber)),
            (r#"{"exp":1e30}"#, None, Err(Expired)),
            (r#"{"exp":2000000.0}"#, None, Ok(())),
            (r#"{"exp":999970.5}"#, None, Ok(())),
            (r#"{"exp":999969.9}"#, None, Err(Expired)),
            (r#"{"exp":-1e30}"#, None, Err(Expired)),
            (r#"{"exp":99999999999999999999}"#, None, Err(Expired)),
            (r#"{"nbf":999999.5}"#, None, Ok(())),
            (r#"{"nbf":1000030.5}"#, None, Err(NotYetValid)),
            (r#"{"nbf":1e30}"#, None, Err(NotYetValid)),
            (r#"{"nbf":-1e30}"#, None, Ok(())),
            (r#"{"iat":9223372036854775808}"#, None, Err(IssuedAtFuture)),
            (r#"{"iat":2000000.25}"#, None, Err(IssuedAtFuture)),
            (r#"{"nbf":1000030}"#, None, Ok(())),
            (r#"{"nbf":1000031}"#, None, Err(NotYetValid)),
            (r#"{"nbf":true}"#, None, Err(NbfNotNumber)),
            (r#"{"iat":1000031}"#, None, Err(IssuedAtFuture)),
            (r#"{"iat":[]}"#, None, Err(IatNotNumber)),
            (r#"{"iat":1000031,"nbf":1000031,"exp":1}"#, None, Err(Expired)),
            (r#"{"aud":"a"}"#, None, Ok(())),
            (r#"{"aud":"a"}"#, Some("a"), Ok(())),
            (r#"{"aud":"b"}"#, Some("a"), Err(NotInAudience)),
            (r#"{"aud":["b","a"]}"#, Some("a"), Ok(())),
            (r#"{"aud":["b"]}"#, Some("a"), Err(NotInAudience)),
            (r#"{"aud":[]}"#, Some("a"), Ok(())),
            (r#"{"aud":null}"#, Some("a"), Ok(())),
            ("{}", Some("a"), Ok(())),
            (r#"{"aud":1}"#, None, Err(AudNotStringOrArray)),
            (r#"{"aud":["a",1]}"#, Some("a"), Err(AudNotStringOrArray)),
        ] {
            let claims = serde_json::from_str(json).unwrap();
            assert_eq!(validate(&claims, audience, now), expected, "{json} {audience:?}");
        }
    }
}

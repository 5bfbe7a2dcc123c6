//! What a token says about its own validity.

use serde_json::{Map, Value};

use crate::error::JwtClaimsError;

/// Clocks of issuer and server may differ by this much.
const SKEW_SECONDS: i64 = 30;

/// Checks `exp`, `nbf`, `iat` and `aud`, in this order. A claim that is missing or null is fine.
pub fn validate(claims: &Map<String, Value>, audience: Option<&str>, now: i64) -> Result<(), JwtClaimsError> {
    if let Some(exp) = seconds(claims, "exp").map_err(|()| JwtClaimsError::ExpNotNumber)?
        && now.saturating_sub(SKEW_SECONDS) > exp
    {
        return Err(JwtClaimsError::Expired);
    }
    let in_future = |at: i64| now.saturating_add(SKEW_SECONDS) < at;
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

/// A time. One that is not a whole number of seconds in 64 bits counts as the epoch.
fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, ()> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => {
            #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
            let whole = |it: f64| if it.fract() == 0.0 && it.abs() < 9.2e18 { it as i64 } else { 0 };
            Ok(Some(number.as_i64().or_else(|| number.as_f64().map(whole)).unwrap_or(0)))
        }
        Some(_) => Err(()),
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

//! Tokens for the local stack: JSON Web Tokens signed with its key (HS256).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use serde_json::{Map, Value};
use sha2::Sha256;

/// One claim of a token.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    name: String,
    value: Value,
}

/// Reads `NAME=TEXT` or `NAME:=JSON`.
///
/// # Errors
/// A sentence on what is wrong.
pub fn parse_claim(text: &str) -> Result<Claim, String> {
    let usage = "expected NAME=TEXT, or NAME:=JSON for a value that is no text";
    let (name, value) = text.split_once('=').ok_or(usage)?;
    let (name, value) = match name.strip_suffix(':') {
        Some(name) => {
            (name, serde_json::from_str(value).map_err(|it| format!("\"{value}\" is no JSON: {it}"))?)
        }
        None => (name, Value::from(value)),
    };
    match name {
        "" => Err(usage.to_owned()),
        "role" => Err("the role is said by --role".to_owned()),
        "exp" | "iat" => Err("the time is said by --ttl".to_owned()),
        _ => Ok(Claim { name: name.to_owned(), value }),
    }
}

/// Reads a duration such as `90s`, `30m`, `1h`, `7d`.
///
/// # Errors
/// A sentence on what is wrong.
pub fn parse_ttl(text: &str) -> Result<Duration, String> {
    let usage = || "expected a number with s, m, h or d, as in 30m".to_owned();
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(usage)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(usage()),
    };
    let number: u64 = number.parse().map_err(|_| usage())?;
    // A century is enough, and keeps the sum with the clock within its range.
    let total = number.checked_mul(seconds).filter(|it| (1..=100 * 366 * 86_400).contains(it));
    total.map(Duration::from_secs).ok_or_else(|| "expected a time between 1s and a century".to_owned())
}

/// A token for `role`, good from `now` on for `ttl`.
pub fn sign(role: &str, claims: &[Claim], ttl: Duration, now: Timestamp, secret: &str) -> String {
    let issued = now.as_second();
    let mut payload = Map::new();
    payload.insert("role".to_owned(), role.into());
    for Claim { name, value } in claims {
        payload.insert(name.clone(), value.clone());
    }
    payload.insert("iat".to_owned(), issued.into());
    payload.insert("exp".to_owned(), issued.saturating_add_unsigned(ttl.as_secs()).into());
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let payload = URL_SAFE_NO_PAD.encode(Value::Object(payload).to_string());
    let signed = format!("{header}.{payload}");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature(signed.as_bytes(), secret)))
}

/// HMAC-SHA-256.
fn signature(text: &[u8], secret: &str) -> Vec<u8> {
    match Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        Ok(mut mac) => {
            mac.update(text);
            mac.finalize().into_bytes().to_vec()
        }
        // HMAC takes a key of any length.
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_texts_or_json() {
        let claim = |text| parse_claim(text).map(|it| (it.name, it.value));
        assert_eq!(claim("team=a=b c"), Ok(("team".to_owned(), "a=b c".into())));
        assert_eq!(claim("sub=1"), Ok(("sub".to_owned(), "1".into())));
        assert_eq!(claim("tenant:=7"), Ok(("tenant".to_owned(), 7.into())));
        for bad in ["novalue", "=x", "a:=x", "role=x", "exp=1", ":=1"] {
            assert!(claim(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!(parse_ttl("30m"), Ok(Duration::from_secs(1800)));
        assert_eq!(parse_ttl("1h"), Ok(Duration::from_secs(3600)));
        for bad in ["soon", "", "h", "5", "0s", "-1h", "99999999999d", "1µ"] {
            assert!(parse_ttl(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_is_the_one_of_the_standard() {
        let now = Timestamp::from_second(1_000).unwrap();
        let claims = [parse_claim("sub=ann").unwrap()];
        let token = sign("member", &claims, Duration::from_secs(60), now, "secret");
        let parts: Vec<&str> = token.split('.').collect();
        let payload: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
        let expected = serde_json::json!({"role": "member", "sub": "ann", "iat": 1000, "exp": 1060});
        assert_eq!((parts.len(), payload), (3, expected));
        // The example of RFC 4231, case 2.
        let mac: String =
            signature(b"what do ya want for nothing?", "Jefe").iter().map(|it| format!("{it:02x}")).collect();
        assert_eq!(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}

//! Tokens (JWT, HS256) that checks show to a server.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs())
}

/// Signs claims with a key as the server has it: text, as it stands.
///
/// # Errors
/// When the key cannot be used.
pub fn sign(secret: &str, claims: &Value) -> Result<String, String> {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key)
        .map_err(|err| format!("the token cannot be signed: {err}"))
}

/// The role that a token names in its claim `role`.
pub fn role_of(token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    Some(claims.get("role")?.as_str()?.to_owned())
}

/// A token that says it needs no signature.
pub fn unsigned(role: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(&json!({"alg": "none", "typ": "JWT"}));
    format!("{head}.{}.", part(&json!({"role": role, "exp": now() + 60})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_three_parts() {
        let signed =
            sign("0123456789abcdef0123456789abcdef", &json!({"role": "a", "exp": now() + 60})).unwrap();
        assert_eq!(signed.split('.').filter(|it| !it.is_empty()).count(), 3);
        let unsigned = unsigned("a");
        assert_eq!((unsigned.split('.').count(), unsigned.ends_with('.')), (3, true));
        assert_eq!((role_of(&signed).as_deref(), role_of("no token")), (Some("a"), None));
    }
}

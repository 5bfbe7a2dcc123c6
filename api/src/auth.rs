//! Who is asking: bearer token → role and claims.
//!
//! [`crate::jwt`] reads and checks tokens; [`cache`] remembers those whose signature was good. Nothing here may
//! panic on any token.

pub mod cache;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::{Map, Value};

use crate::config::AppConfig;
use crate::error::JwtError;
use crate::jwt::{claims, token};
use crate::observability::{Observation, Observer};
use cache::TokenCache;

/// The outcome of authentication.
#[derive(Debug, Clone)]
pub struct AuthResult {
    /// Role to switch to.
    pub role: String,
    /// Claims for `request.jwt.claims`, with `role` set.
    pub claims: Map<String, Value>,
}

/// Verifies the request's token, or takes the anonymous role where there is none.
pub fn authenticate(
    verifier: &Verifier,
    conf: &AppConfig,
    observer: &Observer,
    headers: &HeaderMap,
) -> Result<AuthResult, JwtError> {
    let claims = match bearer(headers) {
        Some(token) => verifier.verify(token, observer)?,
        None => Arc::default(),
    };
    resolve(conf, &claims, unix_now())
}

/// Checks again what has to do with time, after the caller has taken some.
pub fn still_holds(conf: &AppConfig, auth: &AuthResult) -> Result<(), JwtError> {
    claims::validate(&auth.claims, conf.jwt_aud.as_deref(), unix_now()).map_err(JwtError::Claims)
}

/// Seconds since 1970. A clock before that counts as 1970.
fn unix_now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |it| i64::try_from(it.as_secs()).unwrap_or(i64::MAX))
}

/// The token of an `Authorization: Bearer …` header; an empty one for `Bearer` alone.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes().trim_ascii();
    let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
    let (scheme, token) = value.split_at(end);
    scheme.eq_ignore_ascii_case(b"bearer").then(|| token.trim_ascii())
}

/// Checks the claims and finds the role.
fn resolve(conf: &AppConfig, claims: &Map<String, Value>, now: i64) -> Result<AuthResult, JwtError> {
    claims::validate(claims, conf.jwt_aud.as_deref(), now).map_err(JwtError::Claims)?;
    let role = conf
        .jwt_role_claim_key
        .evaluate(claims)
        .map(|it| match it {
            Value::String(role) => role,
            other => other.to_string(),
        })
        .or_else(|| conf.db_anon_role.clone())
        .ok_or(JwtError::TokenRequired)?;
    let mut claims = claims.clone();
    claims.insert("role".into(), Value::String(role.clone()));
    Ok(AuthResult { role, claims })
}

/// Longer tokens are verified each time: what is remembered is bounded by bytes, too.
const MAX_REMEMBERED: usize = 16 * 1024;

/// Verifies tokens with the keys of one configuration, remembering those that were good.
pub struct Verifier {
    conf: Arc<AppConfig>,
    cache: TokenCache,
}

impl Verifier {
    /// A verifier that remembers nothing yet.
    pub fn new(conf: Arc<AppConfig>) -> Self {
        Self { cache: TokenCache::new(conf.jwt_cache_max_entries), conf }
    }

    /// Whether it says of every token what one made of this configuration would say.
    pub fn serves(&self, conf: &AppConfig) -> bool {
        self.conf.jwt_secret == conf.jwt_secret
            && self.conf.jwt_secret_is_base64 == conf.jwt_secret_is_base64
            && self.conf.jwt_cache_max_entries == conf.jwt_cache_max_entries
    }

    /// The claims of a token whose signature is good. Whether they are acceptable now is another
    /// question, so that a remembered token still expires.
    fn verify(&self, token: &[u8], observer: &Observer) -> Result<Arc<Map<String, Value>>, JwtError> {
        let keys = self.conf.jwt_keys.as_ref().ok_or(JwtError::SecretMissing)?;
        if self.conf.jwt_cache_max_entries == 0 || token.len() > MAX_REMEMBERED {
            return token::decode(keys, token).map(Arc::new);
        }
        let known = self.cache.get(token);
        observer.observe(&Observation::JwtCacheLookup(known.is_some()));
        if let Some(claims) = known {
            return Ok(claims);
        }
        let claims = Arc::new(token::decode(keys, token)?);
        for _ in 0..self.cache.insert(token, Arc::clone(&claims)) {
            observer.observe(&Observation::JwtCacheEviction);
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(value: &str) -> HeaderMap {
        [(AUTHORIZATION, value.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn bearer_is_found_whatever_its_case() {
        assert_eq!(bearer(&header("Bearer abc")), Some(&b"abc"[..]));
        assert_eq!(bearer(&header("bEARER   abc ")), Some(&b"abc"[..]));
        assert_eq!(bearer(&header("Bearer")), Some(&b""[..]));
        assert_eq!(bearer(&header("Bearer ")), Some(&b""[..]));
        assert_eq!(bearer(&header("Basic abc")), None);
        assert_eq!(bearer(&HeaderMap::new()), None);
    }

    #[test]
    fn role_comes_from_the_token_then_from_the_configuration() {
        let mut conf = AppConfig { db_anon_role: Some("anon".into()), ..AppConfig::default() };
        let claims = |json: &str| serde_json::from_str::<Map<String, Value>>(json).unwrap();
        let role = |conf: &AppConfig, json: &str| resolve(conf, &claims(json), 0).map(|it| it.role);
        assert_eq!(role(&conf, r#"{"role":"author"}"#), Ok("author".into()));
        assert_eq!(role(&conf, r#"{"role":5}"#), Ok("5".into()));
        assert_eq!(role(&conf, "{}"), Ok("anon".into()));
        conf.db_anon_role = None;
        assert_eq!(role(&conf, "{}"), Err(JwtError::TokenRequired));
        let with_role = resolve(&conf, &claims(r#"{"role":"author","a":1}"#), 0).unwrap().claims;
        assert_eq!(Value::Object(with_role), serde_json::json!({"role": "author", "a": 1}));
    }
}

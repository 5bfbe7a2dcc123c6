//! Compact JSON Web Signatures (RFC 7515): split, find the key, check, read the claims.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use super::keys::{Algorithm, KeySet};
use crate::error::{JwtClaimsError, JwtDecodeError, JwtError};

const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The claims of a token that one of the keys signed.
pub fn decode(keys: &KeySet, token: &[u8]) -> Result<Map<String, Value>, JwtError> {
    let payload = verified_payload(keys, token).map_err(JwtError::Decode)?;
    match serde_json::from_slice(&payload) {
        Ok(Value::Object(claims)) => Ok(claims),
        _ => Err(JwtError::Claims(JwtClaimsError::ParsingFailed)),
    }
}

fn verified_payload(keys: &KeySet, token: &[u8]) -> Result<Vec<u8>, JwtDecodeError> {
    if token.is_empty() {
        return Err(JwtDecodeError::EmptyAuthHeader);
    }
    let parts: Vec<&[u8]> = token.split(|it| *it == b'.').collect();
    let [header, payload, signature] = parts[..] else {
        return Err(JwtDecodeError::UnexpectedParts(parts.len()));
    };
    let signed = &token[..header.len() + 1 + payload.len()];
    let header = Header::parse(header)?;
    let payload = unbase64(payload)?;
    let signature = unbase64(signature)?;
    let kid = header.kid.as_deref();
    if !keys.any_fits(header.algorithm, kid) {
        return Err(JwtDecodeError::Key("No suitable key was found to decode the JWT".into()));
    }
    if !keys.verify(header.algorithm, kid, signed, &signature) {
        return Err(JwtDecodeError::Key("None of the keys was able to decode the JWT".into()));
    }
    Ok(payload)
}

struct Header {
    algorithm: Algorithm,
    kid: Option<String>,
}

impl Header {
    fn parse(encoded: &[u8]) -> Result<Self, JwtDecodeError> {
        let Ok(Value::Object(header)) = serde_json::from_slice(&unbase64(encoded)?) else {
            return Err(JwtDecodeError::BadCrypto);
        };
        let text = |name: &str| match header.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(JwtDecodeError::BadCrypto),
        };
        let algorithm = text("alg")?.ok_or(JwtDecodeError::BadCrypto)?;
        if algorithm == "none" {
            return Err(JwtDecodeError::BadAlgorithm(
                "JWT is unsecured but expected 'alg' was not 'none'".into(),
            ));
        }
        // Extensions that must be understood are not; encrypted tokens have five parts.
        if header.contains_key("crit") || header.contains_key("enc") {
            return Err(JwtDecodeError::BadCrypto);
        }
        let algorithm = Algorithm::from_name(algorithm).ok_or(JwtDecodeError::BadCrypto)?;
        Ok(Self { algorithm, kid: text("kid")?.map(str::to_owned) })
    }
}

fn unbase64(encoded: &[u8]) -> Result<Vec<u8>, JwtDecodeError> {
    BASE64URL.decode(encoded).map_err(|_| JwtDecodeError::BadCrypto)
}

#[cfg(test)]
mod tests;

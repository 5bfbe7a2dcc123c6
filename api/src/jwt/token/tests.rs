//! Tokens good and bad, against fixed keys and a fixed clock.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
};
use aws_lc_rs::{hmac, rsa};
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;

const SECRET: &str = "reallyreallyreallyreallyverysafe";

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token: header, claims, and a signature by `sign`.
fn token(header: &Value, claims: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", encode(header.to_string()), encode(claims));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", encode(signature))
}

fn hmac(algorithm: hmac::Algorithm, secret: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> {
    let key = hmac::Key::new(algorithm, secret);
    move |message| hmac::sign(&key, message).as_ref().to_vec()
}

fn keys(secret: &str) -> KeySet {
    KeySet::parse(secret.as_bytes()).unwrap()
}

fn accepts(keys: &KeySet, token: &str) -> bool {
    decode(keys, token.as_bytes()).is_ok_and(|it| it.get("role") == Some(&json!("author")))
}

const CLAIMS: &str = r#"{"role":"author"}"#;

fn key_error(text: &str) -> JwtError {
    JwtError::Decode(JwtDecodeError::Key(text.into()))
}

const NONE_DECODES: &str = "None of the keys was able to decode the JWT";
const NONE_FITS: &str = "No suitable key was found to decode the JWT";

#[test]
fn symmetric_algorithms() {
    let jwk = json!({"kty": "oct", "k": encode(SECRET)}).to_string();
    for (name, algorithm) in
        [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
    {
        let good = token(&json!({"alg": name}), CLAIMS, hmac(algorithm, SECRET.as_bytes()));
        assert!(accepts(&keys(&jwk), &good), "{name}");
        // A text secret is a key for HS256 alone.
        assert_eq!(accepts(&keys(SECRET), &good), name == "HS256", "{name}");
        let bad = token(&json!({"alg": name}), CLAIMS, hmac(algorithm, b"another secret"));
        assert_eq!(decode(&keys(&jwk), bad.as_bytes()), Err(key_error(NONE_DECODES)), "{name}");
    }
}

#[test]
fn rsa_algorithms() {
    let pair = rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
    let public = pair.public_key();
    let number = |it: &[u8]| encode(it);
    let jwk = json!({
        "kty": "RSA",
        "n": number(public.modulus().big_endian_without_leading_zero()),
        "e": number(public.exponent().big_endian_without_leading_zero()),
    });
    let sign = |encoding: &'static dyn RsaEncoding| {
        let pair = &pair;
        move |message: &[u8]| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
            signature
        }
    };
    let algorithms: [(&str, &'static dyn RsaEncoding); 6] = [
        ("RS256", &RSA_PKCS1_SHA256),
        ("RS384", &RSA_PKCS1_SHA384),
        ("RS512", &RSA_PKCS1_SHA512),
        ("PS256", &RSA_PSS_SHA256),
        ("PS384", &RSA_PSS_SHA384),
        ("PS512", &RSA_PSS_SHA512),
    ];
    for (name, encoding) in algorithms {
        let good = token(&json!({"alg": name}), CLAIMS, sign(encoding));
        assert!(accepts(&keys(&jwk.to_string()), &good), "{name}");
        let mut only = jwk.clone();
        only["alg"] = json!("RS256");
        assert_eq!(accepts(&keys(&only.to_string()), &good), name == "RS256", "{name}");
    }
    // The public key must not serve as a symmetric secret.
    let confused =
        token(&json!({"alg": "HS256"}), CLAIMS, hmac(hmac::HMAC_SHA256, jwk.to_string().as_bytes()));
    assert_eq!(decode(&keys(&jwk.to_string()), confused.as_bytes()), Err(key_error(NONE_FITS)));
}

#[test]
fn elliptic_curve_algorithms() {
    let algorithms: [(&str, &str, &'static EcdsaSigningAlgorithm); 3] = [
        ("ES256", "P-256", &ECDSA_P256_SHA256_FIXED_SIGNING),
        ("ES384", "P-384", &ECDSA_P384_SHA384_FIXED_SIGNING),
        ("ES512", "P-521", &ECDSA_P521_SHA512_FIXED_SIGNING),
    ];
    for (name, curve, algorithm) in algorithms {
        let pair = EcdsaKeyPair::generate(algorithm).unwrap();
        let point = &pair.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        let jwk = json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)}).to_string();
        let sign = |message: &[u8]| pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec();
        let good = token(&json!({"alg": name}), CLAIMS, sign);
        assert!(accepts(&keys(&jwk), &good), "{name}");
        // The algorithm says which curve: another one does not fit.
        let other = if name == "ES256" { "ES384" } else { "ES256" };
        let bad = token(&json!({"alg": other}), CLAIMS, sign);
        assert_eq!(decode(&keys(&jwk), bad.as_bytes()), Err(key_error(NONE_FITS)), "{name}");
    }
}

#[test]
fn edwards_curve_algorithm() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())}).to_string();
    let good = token(&json!({"alg": "EdDSA"}), CLAIMS, |message| pair.sign(message).as_ref().to_vec());
    assert!(accepts(&keys(&jwk), &good));
}

#[test]
fn key_sets_choose_by_kid() {
    let set = json!({"keys": [
        {"kty": "oct", "kid": "a", "k": encode("the very long and safe secret of a")},
        {"kty": "oct", "kid": "b", "k": encode("the very long and safe secret of b")},
        {"kty": "oct", "kid": "c", "k": encode("the very long and safe secret of c"), "use": "enc"},
        {"kty": "from the future"},
        {"kty": "oct", "kid": "d", "k": encode("the very long and safe secret of d"), "alg": "XS999"},
    ]})
    .to_string();
    let by = |kid: Option<&str>, secret: &str| {
        let header = match kid {
            Some(kid) => json!({"alg": "HS256", "kid": kid}),
            None => json!({"alg": "HS256"}),
        };
        let token = token(&header, CLAIMS, hmac(hmac::HMAC_SHA256, secret.as_bytes()));
        decode(&keys(&set), token.as_bytes()).map(|_| ())
    };
    assert_eq!(by(Some("a"), "the very long and safe secret of a"), Ok(()));
    assert_eq!(by(Some("b"), "the very long and safe secret of b"), Ok(()));
    assert_eq!(by(None, "the very long and safe secret of b"), Ok(()));
    assert_eq!(by(Some("a"), "the very long and safe secret of b"), Err(key_error(NONE_DECODES)));
    assert_eq!(by(Some("z"), "the very long and safe secret of a"), Err(key_error(NONE_FITS)));
    assert_eq!(by(Some("c"), "the very long and safe secret of c"), Err(key_error(NONE_FITS)));
    assert_eq!(by(Some("d"), "the very long and safe secret of d"), Err(key_error(NONE_FITS)));
}

#[test]
fn secrets_that_cannot_be_used_say_why() {
    for (secret, reason) in [
        ("short", "The JWT secret must be at least 32 characters long."),
        (r#"{"kty":"RSA","n":"AQAB"}"#, "JSON Web Key lacks 'e'"),
        (r#"{"kty":"oct","kid":"x","k":"not base64!"}"#, "'k' of JSON Web Key 'x' is not Base64url"),
        (
            r#"{"kty":"EC","crv":"secp256k1"}"#,
            "jwt-secret is a JSON Web Key that cannot verify tokens (kty 'EC')",
        ),
    ] {
        assert_eq!(KeySet::parse(secret.as_bytes()).err().as_deref(), Some(reason), "{secret}");
    }
    let broken = KeySet::parse(br#"{"keys":5}"#).err().unwrap();
    assert!(broken.starts_with("jwt-secret is not a valid JSON Web Key: "), "{broken}");
    // JSON that is no key is a text like any other.
    assert!(KeySet::parse(br#"{"this is":"a very long text secret"}"#).is_ok());
    assert!(KeySet::parse(&[0xff; 32]).is_ok());
}

#[test]
fn tokens_that_are_none() {
    use JwtDecodeError::{BadAlgorithm, BadCrypto, EmptyAuthHeader, UnexpectedParts};
    let header = |json: &str| format!("{}.{}.AA", encode(json), encode(CLAIMS));
    for (token, error) in [
        (String::new(), EmptyAuthHeader),
        ("a".into(), UnexpectedParts(1)),
        ("a.b".into(), UnexpectedParts(2)),
        ("a.b.c.d.e".into(), UnexpectedParts(5)),
        ("..".into(), BadCrypto),
        ("!.!.!".into(), BadCrypto),
        (header("[]"), BadCrypto),
        (header("{}"), BadCrypto),
        (header(r#"{"alg":"XS256"}"#), BadCrypto),
        (header(r#"{"alg":1}"#), BadCrypto),
        (header(r#"{"alg":"HS256","kid":1}"#), BadCrypto),
        (header(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#), BadCrypto),
        (
            header(r#"{"alg":"none"}"#),
            BadAlgorithm("JWT is unsecured but expected 'alg' was not 'none'".into()),
        ),
    ] {
        assert_eq!(decode(&keys(SECRET), token.as_bytes()), Err(JwtError::Decode(error)), "{token}");
    }
    let no_object = token(&json!({"alg": "HS256"}), "[1]", hmac(hmac::HMAC_SHA256, SECRET.as_bytes()));
    assert_eq!(
        decode(&keys(SECRET), no_object.as_bytes()),
        Err(JwtError::Claims(JwtClaimsError::ParsingFailed))
    );
}

proptest::proptest! {
    #[test]
    fn never_panics(token in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let _ = decode(&keys(SECRET), &token);
    }

    #[test]
    fn never_panics_behind_a_good_header(payload in ".{0,60}", signature in "[A-Za-z0-9_-]{0,60}") {
        for algorithm in ["HS256", "RS256", "ES256", "EdDSA"] {
            let header = encode(json!({"alg": algorithm}).to_string());
            let token = format!("{header}.{}.{signature}", encode(&payload));
            let _ = decode(&keys(SECRET), token.as_bytes());
        }
    }
}

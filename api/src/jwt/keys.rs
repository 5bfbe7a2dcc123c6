//! What `jwt-secret` stands for: a text secret, a JSON Web Key or a set of them (RFC 7517).

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// Shortest secret, as text or in a key: whoever knows one token could guess a shorter one.
const MIN_SECRET_BYTES: usize = 32;

/// Signature algorithms (RFC 7518, RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the standard")]
pub enum Algorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
}

impl Algorithm {
    /// The algorithm of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "HS256" => Self::HS256,
            "HS384" => Self::HS384,
            "HS512" => Self::HS512,
            "RS256" => Self::RS256,
            "RS384" => Self::RS384,
            "RS512" => Self::RS512,
            "PS256" => Self::PS256,
            "PS384" => Self::PS384,
            "PS512" => Self::PS512,
            "ES256" => Self::ES256,
            "ES384" => Self::ES384,
            "ES512" => Self::ES512,
            "EdDSA" | "Ed25519" => Self::EdDSA,
            _ => return None,
        })
    }
}

/// The keys tokens are verified with.
#[derive(Clone)]
pub struct KeySet(Vec<Key>);

#[derive(Clone)]
struct Key {
    id: Option<String>,
    /// Only for this algorithm, where the key says so.
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Clone)]
enum Material {
    Symmetric(Vec<u8>),
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Ec { curve: Curve, point: Vec<u8> },
    Ed25519(Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Curve {
    P256,
    P384,
    P521,
}

#[derive(Deserialize)]
struct Jwk {
    kty: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    k: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

impl KeySet {
    /// Reads a secret: JSON that looks like a key or a key set is one, anything else is a text secret
    /// for HS256.
    pub fn parse(secret: &[u8]) -> Result<Self, String> {
        let json = serde_json::from_slice::<serde_json::Value>(secret).ok();
        if let Some(serde_json::Value::Object(object)) = &json {
            let invalid = |error| format!("jwt-secret is not a valid JSON Web Key: {error}");
            if object.contains_key("keys") {
                let set: JwkSet = serde_json::from_slice(secret).map_err(invalid)?;
                return set
                    .keys
                    .into_iter()
                    .filter_map(|it| Key::from_jwk(it).transpose())
                    .collect::<Result<_, _>>()
                    .map(Self);
            }
            if object.contains_key("kty") {
                let jwk: Jwk = serde_json::from_slice(secret).map_err(invalid)?;
                let kind = jwk.kty.clone().unwrap_or_default();
                return match Key::from_jwk(jwk)? {
                    Some(key) => Ok(Self(vec![key])),
                    None => {
                        Err(format!("jwt-secret is a JSON Web Key that cannot verify tokens (kty '{kind}')"))
                    }
                };
            }
        }
        if secret.len() < MIN_SECRET_BYTES {
            return Err("The JWT secret must be at least 32 characters long.".into());
        }
        let material = Material::Symmetric(secret.to_vec());
        Ok(Self(vec![Key { id: None, algorithm: Some(Algorithm::HS256), material }]))
    }

    /// Whether some key fits the token's header: right kind, right algorithm, same `kid` if it names one.
    pub(super) fn any_fits(&self, algorithm: Algorithm, kid: Option<&str>) -> bool {
        self.0.iter().any(|it| it.fits(algorithm, kid))
    }

    /// Whether some fitting key made the signature.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        self.0.iter().any(|it| it.fits(algorithm, kid) && it.verify(algorithm, message, signature))
    }
}

impl Key {
    /// The key a JWK stands for; none for kinds and algorithms that are not supported, and for keys
    /// that encrypt: a set may hold keys for other purposes.
    fn from_jwk(jwk: Jwk) -> Result<Option<Self>, String> {
        let name = jwk.kid.clone().map_or_else(String::new, |it| format!(" '{it}'"));
        let bytes = |field: &str, value: &Option<String>| {
            let text = value.as_ref().ok_or_else(|| format!("JSON Web Key{name} lacks '{field}'"))?;
            URL_SAFE_NO_PAD
                .decode(text.trim_end_matches('='))
                .map_err(|_| format!("'{field}' of JSON Web Key{name} is not Base64url"))
        };
        let algorithm = match jwk.alg.as_deref().map(Algorithm::from_name) {
            Some(None) => return Ok(None),
            Some(it) => it,
            None => None,
        };
        if jwk.usage.as_deref() == Some("enc") {
            return Ok(None);
        }
        let material = match (jwk.kty.as_deref(), jwk.crv.as_deref()) {
            (Some("oct"), _) => {
                let secret = bytes("k", &jwk.k)?;
                if secret.len() < MIN_SECRET_BYTES {
                    return Err(format!(
                        "'k' of JSON Web Key{name} must be at least {MIN_SECRET_BYTES} bytes long"
                    ));
                }
                Material::Symmetric(secret)
            }
            (Some("RSA"), _) => Material::Rsa { n: bytes("n", &jwk.n)?, e: bytes("e", &jwk.e)? },
            (Some("OKP"), Some("Ed25519")) => Material::Ed25519(bytes("x", &jwk.x)?),
            (Some("EC"), Some(curve)) => {
                let curve = match curve {
                    "P-256" => Curve::P256,
                    "P-384" => Curve::P384,
                    "P-521" => Curve::P521,
                    _ => return Ok(None),
                };
                Material::Ec { curve, point: curve.point(&bytes("x", &jwk.x)?, &bytes("y", &jwk.y)?)? }
            }
            _ => return Ok(None),
        };
        Ok(Some(Self { id: jwk.kid, algorithm, material }))
    }

    fn fits(&self, algorithm: Algorithm, kid: Option<&str>) -> bool {
        use Algorithm::{
            ES256, ES384, ES512, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512,
        };
        let kind_fits = match &self.material {
            Material::Symmetric(_) => matches!(algorithm, HS256 | HS384 | HS512),
            Material::Rsa { .. } => matches!(algorithm, RS256 | RS384 | RS512 | PS256 | PS384 | PS512),
            Material::Ec { curve, .. } => {
                algorithm
                    == match curve {
                        Curve::P256 => ES256,
                        Curve::P384 => ES384,
                        Curve::P521 => ES512,
                    }
            }
            Material::Ed25519(_) => algorithm == EdDSA,
        };
        kind_fits
            && self.algorithm.is_none_or(|it| it == algorithm)
            && kid.is_none_or(|it| self.id.as_deref() == Some(it))
    }

    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Symmetric(secret) => {
                let digest = match algorithm {
                    Algorithm::HS256 => hmac::HMAC_SHA256,
                    Algorithm::HS384 => hmac::HMAC_SHA384,
                    Algorithm::HS512 => hmac::HMAC_SHA512,
                    _ => return false,
                };
                hmac::verify(&hmac::Key::new(digest, secret), message, signature).is_ok()
            }
            Material::Rsa { n, e } => {
                let parameters: &RsaParameters = match algorithm {
                    Algorithm::RS256 => &RSA_PKCS1_2048_8192_SHA256,
                    Algorithm::RS384 => &RSA_PKCS1_2048_8192_SHA384,
                    Algorithm::RS512 => &RSA_PKCS1_2048_8192_SHA512,
                    Algorithm::PS256 => &RSA_PSS_2048_8192_SHA256,
                    Algorithm::PS384 => &RSA_PSS_2048_8192_SHA384,
                    Algorithm::PS512 => &RSA_PSS_2048_8192_SHA512,
                    _ => return false,
                };
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }
            Material::Ec { curve, point } => {
                let scheme: &'static dyn VerificationAlgorithm = match curve {
                    Curve::P256 => &ECDSA_P256_SHA256_FIXED,
                    Curve::P384 => &ECDSA_P384_SHA384_FIXED,
                    Curve::P521 => &ECDSA_P521_SHA512_FIXED,
                };
                UnparsedPublicKey::new(scheme, point).verify(message, signature).is_ok()
            }
            Material::Ed25519(key) => {
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
            }
        }
    }
}

impl Curve {
    /// The uncompressed point. Coordinates may lack leading zeros.
    fn point(self, x: &[u8], y: &[u8]) -> Result<Vec<u8>, String> {
        let size: usize = match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        };
        let mut point = vec![4];
        for coordinate in [x, y] {
            let missing = size
                .checked_sub(coordinate.len())
                .ok_or_else(|| "a coordinate of an elliptic curve key is too long".to_owned())?;
            point.extend(std::iter::repeat_n(0, missing));
            point.extend_from_slice(coordinate);
        }
        Ok(point)
    }
}

//! Who is asking: bearer token → role and claims.

/// The outcome of authentication.
#[derive(Debug, Clone)]
pub struct AuthResult {
    /// Role to switch to.
    pub role: String,
    /// Claims for `request.jwt.claims`, with `role` set.
    pub claims: serde_json::Map<String, serde_json::Value>,
}

//! Passwords: they can be used, not printed.

use std::fmt;

/// A password. `Debug` and `Display` show a mask; the text is reachable only by [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// What stands in a plan or a message where a secret would be.
pub const MASK: &str = "********";

impl Secret {
    /// Takes a password.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Never put it into a message, a log line or SQL that is not confidential.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The SCRAM-SHA-256 verifier of this password with a fresh salt: what the server stores. Sending it instead of
    /// the password keeps the password itself away from the server's logs and statistics.
    pub(crate) fn scram_verifier(&self) -> Self {
        Self(postgres_protocol::password::scram_sha_256(self.0.as_bytes()))
    }

    /// `text` with every occurrence of the secret replaced by the mask.
    pub(crate) fn mask_in(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, MASK) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(********)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_masked_when_printed() {
        let secret = Secret::from("hunter2");
        assert!(!format!("{secret:?} {secret}").contains("hunter2"));
        assert_eq!(secret.mask_in("password=hunter2 refused"), "password=******** refused");
    }

    #[test]
    fn verifier_does_not_contain_the_password() {
        let verifier = Secret::from("hunter2").scram_verifier();
        assert!(verifier.expose().starts_with("SCRAM-SHA-256$4096:"));
        assert!(!verifier.expose().contains("hunter2"));
    }
}

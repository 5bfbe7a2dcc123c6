//! A base image with its digest.

/// A base image as it is built on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    /// Build argument.
    pub(super) argument: String,
    /// Name and tag, or what was given.
    pub(super) name: String,
    /// Digest in its registry; an image made on this machine has none.
    pub(super) digest: Option<String>,
    pub(super) reference: String,
}

impl Base {
    /// How the Dockerfile is told of it: by its digest where it has one.
    pub(super) fn reference(&self) -> &str {
        &self.reference
    }
}

//! Why there is no matrix.

/// A statement of ours failed.
#[derive(Debug, thiserror::Error)]
#[error("{action}")]
pub struct Error {
    /// What was tried.
    pub action: String,
    /// The server's reason.
    #[source]
    pub source: tokio_postgres::Error,
}

/// Names what was tried.
pub(crate) trait During<T> {
    fn during(self, action: impl Into<String>) -> Result<T, Error>;
}

impl<T> During<T> for Result<T, tokio_postgres::Error> {
    fn during(self, action: impl Into<String>) -> Result<T, Error> {
        self.map_err(|source| Error { action: action.into(), source })
    }
}

//! What can go wrong: only reading can.

/// Why a schema could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database did not answer a query on its catalog.
    #[error("could not {doing}")]
    Read {
        /// Verb phrase.
        doing: String,
        /// The database's reason.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The catalog holds something in a form that is not known.
    #[error("the catalog's entry of {object} was not understood")]
    Row {
        /// Which entry.
        object: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

impl Error {
    pub(crate) fn read(doing: &str, source: tokio_postgres::Error) -> Self {
        Self::Read { doing: doing.to_owned(), source }
    }
}

//! What goes wrong with a connection.

use crate::server_error::ServerError;

/// Why a connection could not be made or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No connection could be made, or it was lost. The message is libpq's, and ends with a newline.
    #[error("{message}")]
    Connection {
        /// Whether there was a connection before.
        was_established: bool,
        /// What happened.
        message: String,
    },
    /// A request took longer than it may.
    #[error("the database did not answer in time")]
    ResponseTimeout,
    /// The server answered with an error.
    #[error("{}", .0.message)]
    Server(Box<ServerError>),
    /// A value does not fit the protocol: text with a NUL, or more than two gigabytes.
    #[error("a value cannot be sent to the database: {0}")]
    Unencodable(String),
}

impl Error {
    /// No connection could be made.
    pub(crate) fn not_established(message: String) -> Self {
        Self::Connection { was_established: false, message }
    }

    /// The database does not answer.
    pub fn silent(was_established: bool) -> Self {
        Self::Connection { was_established, message: "the database does not answer\n".into() }
    }
}

impl From<ServerError> for Error {
    fn from(error: ServerError) -> Self {
        Self::Server(Box::new(error))
    }
}

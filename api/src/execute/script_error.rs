//! An error of the server in answer to a script.

use std::ops::Deref;

use pg_wire_client::ServerError;

use crate::error::{Cause, DbError};

/// An error, and where in a script it came.
pub(super) struct ScriptError {
    error: ServerError,
    /// It failed the statement that ends the script.
    at_ending: bool,
}

impl ScriptError {
    pub(super) fn new(error: ServerError, at_ending: bool) -> Self {
        Self { error, at_ending }
    }
}

impl Deref for ScriptError {
    type Target = ServerError;

    fn deref(&self) -> &ServerError {
        &self.error
    }
}

impl From<ScriptError> for DbError {
    fn from(it: ScriptError) -> Self {
        match Self::from(it.error) {
            Self::Server { code, message, detail, hint, authenticated, .. }
                if it.at_ending && code.starts_with("22") =>
            {
                Self::Server { code, message, detail, hint, authenticated, cause: Cause::Response }
            }
            other => other,
        }
    }
}

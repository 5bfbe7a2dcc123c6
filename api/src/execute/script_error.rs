//! An error of the server in answer to a script.

use std::ops::Deref;

use pg_wire_client::ServerError;

use crate::error::{Cause, DbError};

/// An error, and where in a script it came.
pub(super) struct ScriptError {
    error: ServerError,
    /// It failed the statement that ends the script.
    at_ending: bool,
    /// It came before a statement that was parsed for an earlier request took its values: the number of statements from
    /// that one to the last. What their types were then may not be what they are now.
    unbound: Option<usize>,
}

impl ScriptError {
    pub(super) fn new(error: ServerError, at_ending: bool) -> Self {
        Self { error, at_ending, unbound: None }
    }

    /// Before one of the last so many statements took its values, if it is one that was parsed earlier.
    pub(super) fn before_values(self, unbound: Option<usize>) -> Self {
        Self { unbound, ..self }
    }

    /// Where that is so, the number of statements from that one to the last.
    pub(super) fn unbound(&self) -> Option<usize> {
        self.unbound
    }

    /// A statement that was prepared earlier is gone, or is not what it would be if it were prepared now.
    pub(super) fn is_stale_statement(&self) -> bool {
        self.may_have_other_types() || self.error.is_stale_statement()
    }

    /// A value does not fit, or the statement cannot be analysed, by the types that its values had when it was parsed.
    /// Postgres keeps these even if the columns that they came from have others by now.
    fn may_have_other_types(&self) -> bool {
        let class = self.error.code.get(..2).unwrap_or_default();
        // A missing privilege is found out at the same time, and is none of that.
        self.unbound.is_some() && matches!(class, "22" | "42") && self.error.code != "42501"
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

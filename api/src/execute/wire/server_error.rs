//! `ErrorResponse`, decoded.

use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::ErrorResponseBody;

use crate::error::{Cause, DbError};
use crate::execute::connect::{LoginError, refusal};

/// An error as the server reports it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::execute) struct ServerError {
    /// Severity in the server's language.
    pub(in crate::execute) severity: String,
    /// The server ends the connection with this.
    pub(in crate::execute) is_fatal: bool,
    /// SQLSTATE.
    pub(in crate::execute) code: String,
    /// Primary message.
    pub(in crate::execute) message: String,
    /// Detail.
    pub(in crate::execute) detail: Option<String>,
    /// Hint.
    pub(in crate::execute) hint: Option<String>,
    /// Function of the server's source that raised it.
    pub(in crate::execute) routine: String,
    /// It was raised within a function that a statement called: whatever that is about, it is not the
    /// statement.
    pub(in crate::execute) has_context: bool,
    /// It failed the statement that ends a script.
    pub(in crate::execute) at_ending: bool,
    /// It came before a statement that was parsed for an earlier request took its values: the number of statements from
    /// that one to the last. What their types were then may not be what they are now.
    pub(in crate::execute) unbound: Option<usize>,
}

impl ServerError {
    /// What a server would say of a statement whose result columns are not what they were.
    pub(in crate::execute) fn stale_statement() -> Self {
        Self {
            severity: "ERROR".into(),
            code: "26000".into(),
            routine: "FetchPreparedStatement".into(),
            message: "result columns changed while the statement was prepared".into(),
            ..Self::default()
        }
    }

    /// A statement that we prepared is gone, or its result columns are not what they were.
    ///
    /// Functions may raise any code, and may lose statements of their own. A pooler names no function of its source.
    pub(in crate::execute) fn is_stale_statement(&self) -> bool {
        self.may_have_other_types()
            || (!self.has_context
                && matches!(
                    (&*self.code, &*self.routine),
                    ("26000", "FetchPreparedStatement" | "") | ("0A000", "RevalidateCachedQuery")
                ))
    }

    /// A value does not fit, or the statement cannot be analysed, by the types that its values had when it was parsed.
    /// Postgres keeps these even if the columns that they came from have others by now.
    fn may_have_other_types(&self) -> bool {
        let class = self.code.get(..2).unwrap_or_default();
        // A missing privilege is found out at the same time, and is none of that.
        self.unbound.is_some() && matches!(class, "22" | "42") && self.code != "42501"
    }
}

impl From<&ErrorResponseBody> for ServerError {
    fn from(body: &ErrorResponseBody) -> Self {
        let mut error = Self::default();
        let mut fields = body.fields();
        // A malformed field ends the list: what was read so far still says what happened.
        while let Ok(Some(field)) = fields.next() {
            let value = || String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'S' => error.severity = value(),
                // The same, but never translated.
                b'V' => error.is_fatal = matches!(field.value_bytes(), b"FATAL" | b"PANIC"),
                b'C' => error.code = value(),
                b'M' => error.message = value(),
                b'D' => error.detail = Some(value()),
                b'H' => error.hint = Some(value()),
                b'R' => error.routine = value(),
                b'W' => error.has_context = true,
                _ => {}
            }
        }
        error
    }
}

impl From<ServerError> for DbError {
    fn from(error: ServerError) -> Self {
        // Whatever the server's farewell was about, the client's request is not what failed.
        if error.is_fatal {
            return Self::Connection {
                was_established: true,
                message: "no connection to the server\n".into(),
            };
        }
        let cause = match error.at_ending && error.code.starts_with("22") {
            true => Cause::Response,
            false => Cause::of(&error.code, &error.message, Some(&error.routine), error.has_context),
        };
        let ServerError { code, message, detail, hint, .. } = error;
        Self::Server { code, message, detail, hint, authenticated: false, cause }
    }
}

impl From<ServerError> for LoginError {
    fn from(it: ServerError) -> Self {
        let message = refusal(&it.severity, &it.message, it.detail.as_deref(), it.hint.as_deref());
        Self::Refused { code: it.code, message }
    }
}

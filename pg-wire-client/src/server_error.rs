//! `ErrorResponse`, decoded.

use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::ErrorResponseBody;

use crate::login::{LoginError, refusal};

/// An error as the server reports it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerError {
    /// Severity in the server's language.
    pub severity: String,
    /// The server ends the connection with this.
    pub is_fatal: bool,
    /// SQLSTATE.
    pub code: String,
    /// Primary message.
    pub message: String,
    /// Detail.
    pub detail: Option<String>,
    /// Hint.
    pub hint: Option<String>,
    /// Function of the server's source that raised it.
    pub routine: String,
    /// It was raised within a function that a statement called: whatever that is about, it is not the
    /// statement.
    pub has_context: bool,
}

impl ServerError {
    /// What a server would say of a statement whose result columns are not what they were.
    pub fn stale_statement() -> Self {
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
    /// Functions may raise any code, and may lose their own statements. A pooler names no function of its source.
    pub fn is_stale_statement(&self) -> bool {
        !self.has_context
            && matches!(
                (&*self.code, &*self.routine),
                ("26000", "FetchPreparedStatement" | "") | ("0A000", "RevalidateCachedQuery")
            )
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

impl From<ServerError> for LoginError {
    fn from(it: ServerError) -> Self {
        let message = refusal(&it.severity, &it.message, it.detail.as_deref(), it.hint.as_deref());
        Self::Refused { code: it.code, message }
    }
}

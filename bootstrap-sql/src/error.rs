//! The errors of this crate. Variants are named after what failed; no variant can hold a secret.

use std::error::Error as StdError;
use std::fmt;

use crate::bundle::BundleError;
use crate::secret::Secret;
use crate::target::Target;
use crate::template::TemplateError;

/// Why a run or an import stopped. Whatever was begun was rolled back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The built-in files are not well formed.
    #[error("read the steps of target \"{target}\"")]
    Bundle {
        /// Whose steps.
        target: Target,
        /// What is wrong with them.
        #[source]
        source: BundleError,
    },
    /// A step cannot be rendered with the given variables.
    #[error("render step \"{target}/{step}\"")]
    Render {
        /// Whose step.
        target: Target,
        /// Name of the step.
        step: String,
        /// What is missing.
        #[source]
        source: TemplateError,
    },
    /// A step that was applied has another text now.
    #[error(
        "step \"{target}/{step}\" was changed after it had been applied on {applied_at}; restore the file and put \
         the change into a new step"
    )]
    Drift {
        /// Whose step.
        target: Target,
        /// Name of the step.
        step: String,
        /// When it was applied, as the server writes timestamps.
        applied_at: String,
    },
    /// A step that was never applied stands before one that was.
    #[error(
        "step \"{target}/{step}\" was not applied, but the later step \"{later}\" was; give the new step a number \
         above it"
    )]
    OutOfOrder {
        /// Whose step.
        target: Target,
        /// The step that is missing in the ledger.
        step: String,
        /// A later step that is in the ledger.
        later: String,
    },
    /// A step failed; nothing of it is left.
    #[error("step \"{target}/{step}\" failed")]
    Step {
        /// Whose step.
        target: Target,
        /// Name of the step.
        step: String,
        /// What the server said.
        #[source]
        source: ServerError,
    },
    /// A step ran, and its verification did not hold; nothing of it is left.
    #[error("step \"{target}/{step}\" did not have its effect: {}", failed.join("; "))]
    Verification {
        /// Whose step.
        target: Target,
        /// Name of the step.
        step: String,
        /// The checks that failed.
        failed: Vec<String>,
    },
    /// Work around the steps failed.
    #[error("{action}")]
    Server {
        /// What was tried.
        action: String,
        /// What the server said.
        #[source]
        source: ServerError,
    },
    /// The request cannot be right, whatever the server says.
    #[error("{0}")]
    Refused(String),
}

/// A failure reported by the server or by the connection to it, without the statement's text: the parts of Postgres's
/// report that repeat SQL (context, internal query) are dropped, because they may hold what a log must not.
#[derive(Debug)]
pub struct ServerError {
    /// SQLSTATE, when the server answered.
    pub code: Option<String>,
    /// The message.
    pub message: String,
    /// Detail, when there is one.
    pub detail: Option<String>,
    /// Hint, when there is one.
    pub hint: Option<String>,
    /// 1-based line of the failing statement in the text that was sent.
    pub line: Option<usize>,
}

impl ServerError {
    /// Takes over an error of the driver.
    pub(crate) fn new(error: &tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(db) => Self {
                code: Some(db.code().code().to_owned()),
                message: db.message().to_owned(),
                detail: db.detail().map(str::to_owned),
                hint: db.hint().map(str::to_owned),
                line: None,
            },
            None => {
                // The driver's own message often says little; the cause says the rest.
                let mut message = error.to_string();
                let mut source = error.source();
                while let Some(it) = source {
                    let text = it.to_string();
                    if !message.contains(&text) {
                        message = format!("{message}: {text}");
                    }
                    source = it.source();
                }
                Self { code: None, message, detail: None, hint: None, line: None }
            }
        }
    }

    /// Takes over an error of the driver for the text `sql`, whose failing line is worked out.
    pub(crate) fn in_text(error: &tokio_postgres::Error, sql: &str) -> Self {
        let line = error.as_db_error().and_then(|db| match db.position() {
            Some(tokio_postgres::error::ErrorPosition::Original(at)) => {
                let before = (*at as usize).saturating_sub(1);
                Some(1 + sql.chars().take(before).filter(|it| *it == '\n').count())
            }
            _ => None,
        });
        Self { line, ..Self::new(error) }
    }

    /// The same with every occurrence of `secret` masked.
    pub(crate) fn masked(self, secret: &Secret) -> Self {
        let mask = |text: String| secret.mask_in(&text);
        Self {
            code: self.code,
            message: mask(self.message),
            detail: self.detail.map(mask),
            hint: self.hint.map(mask),
            line: self.line,
        }
    }

    /// The same without the hint: in a report of what was left undone, Postgres's advice to drop with `CASCADE` would
    /// be the wrong one.
    pub(crate) fn without_hint(self) -> Self {
        Self { hint: None, ..self }
    }

    /// Whether the server answered with this SQLSTATE.
    pub(crate) fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

impl From<&tokio_postgres::Error> for ServerError {
    fn from(error: &tokio_postgres::Error) -> Self {
        Self::new(error)
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(detail) = &self.detail {
            write!(f, " ({detail})")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, " [hint: {hint}]")?;
        }
        if let Some(code) = &self.code {
            write!(f, " [{code}]")?;
        }
        Ok(())
    }
}

impl StdError for ServerError {}

/// Turns driver errors into [`Error::Server`] with the action that failed.
pub(crate) trait During<T> {
    /// Names what was tried.
    fn during(self, action: impl Into<String>) -> Result<T, Error>;
}

impl<T> During<T> for Result<T, tokio_postgres::Error> {
    fn during(self, action: impl Into<String>) -> Result<T, Error> {
        self.map_err(|it| Error::Server { action: action.into(), source: ServerError::new(&it) })
    }
}

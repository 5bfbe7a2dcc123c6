//! Why a folder cannot be used, or a database not be brought up to it, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use bootstrap_sql::{ServerError, Target};

use crate::name::NameError;
use crate::packages;
use crate::script::{NO_TRANSACTION, ScriptError};

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// There is nothing.
    #[error("there is no folder \"{}\"", root.display())]
    Missing {
        /// The path.
        root: PathBuf,
    },
    /// It is a file.
    #[error("\"{}\" is no folder", root.display())]
    NotAFolder {
        /// The path.
        root: PathBuf,
    },
    /// It is a folder of something else.
    #[error("\"{}\" holds no application: it has none of the folders origin, custom, aurora", root.display())]
    NoApplication {
        /// The path.
        root: PathBuf,
    },
    /// A file among the migrations is none.
    #[error("\"{file}\" is no migration")]
    Name {
        /// The file, relative to the folder.
        file: String,
        /// What its name lacks.
        #[source]
        source: NameError,
    },
    /// Two migrations without an order.
    #[error("\"{first}\" and \"{second}\" have the same time, so that their order is not known")]
    SameTime {
        /// One file.
        first: String,
        /// The other.
        second: String,
    },
    /// A file is not text.
    #[error("\"{file}\" is not UTF-8 text")]
    NotText {
        /// The file, relative to the folder.
        file: String,
    },
    /// A line of `packages.txt` asks for nothing that is known.
    #[error(transparent)]
    Package(#[from] packages::PackagesError),
    /// A build step is not there.
    #[error(
        "custom/packages.txt asks for the build step \"{folder}\", and there is no \"custom/{folder}/build.sh\""
    )]
    NoBuild {
        /// The folder.
        folder: String,
    },
    /// The system refused.
    #[error("read \"{}\"", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

impl FolderError {
    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    /// What to do next; `None` when the message says it all.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } | Self::NotAFolder { .. } | Self::NoApplication { .. } => {
                Some("`cargo xtask new DIR` makes an application; --app names its folder.".to_owned())
            }
            Self::Name { .. } => Some(
                "`cargo xtask db new WORDS` makes a migration with the right name; rename this file or move it elsewhere."
                    .to_owned(),
            ),
            Self::SameTime { .. } => Some("Rename the one that is to come second to a later second.".to_owned()),
            Self::NotText { .. } => Some("Save it as UTF-8.".to_owned()),
            Self::Package(_) => Some(
                "A line is a Debian package (postgresql-18-pgvector), `preload LIBRARY`, or `build FOLDER`.".to_owned(),
            ),
            Self::NoBuild { .. } => {
                Some("Write it: it runs as root in the image's build, and installs into \"$DESTDIR\".".to_owned())
            }
            Self::Read { .. } => None,
        }
    }
}

/// A statement of a file that the server did not accept.
#[derive(Debug)]
pub struct Failure {
    /// The file, relative to the folder.
    pub file: String,
    /// The place in it: the line that the server names, else the statement's first one.
    pub line: usize,
    /// The statement's beginning.
    pub statement: String,
    /// What the server said.
    pub server: ServerError,
    /// Where in a function or a block, as the server says it; the innermost place.
    pub context: Option<String>,
    /// The server's version, where it was asked for it.
    pub major: Option<u32>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.server.message)?;
        if let Some(code) = &self.server.code {
            write!(f, " [{code}]")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// Statement, detail and place, a line each.
    pub fn details(&self) -> Vec<String> {
        let mut lines = vec![format!("statement: {}", self.statement)];
        lines.extend(self.server.detail.iter().map(|it| format!("detail: {it}")));
        lines.extend(self.context.iter().map(|it| format!("at: {it}")));
        lines
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self.server.code.as_deref() {
            // "CREATE INDEX CONCURRENTLY cannot run inside a transaction block" and its like.
            Some("25001") => Some(format!(
                "This statement runs outside of a transaction only: make `{NO_TRANSACTION}` the first line of its file, \
                 and let the file hold nothing else, as what was done before a failure stays."
            )),
            Some("55P04") => Some(
                "A new value of an enum can be used once it is committed: put the statement that adds it into a migration \
                 before this one."
                    .to_owned(),
            ),
            Some("55P03") => Some(
                "Another session holds a lock on what is to be changed: end its transaction, or run the command again later."
                    .to_owned(),
            ),
            _ => match self.missing_extension() {
                Some(name) => Some(format!(
                    "Install it beside the server (Debian, Ubuntu: sudo apt-get install {package}) and try again; with \
                     {package} in {}, the images have it.",
                    packages::FILE,
                    package = packages::package_of(name, self.major)
                )),
                None => self.server.hint.clone(),
            },
        }
    }

    /// The extension that the server does not have, if that is what failed.
    pub fn missing_extension(&self) -> Option<&str> {
        let is_of_extension = self.server.message.starts_with("extension \"")
            || self.server.message.starts_with("could not open extension control file");
        let code = self.server.code.as_deref();
        let is_missing = is_of_extension && matches!(code, Some("0A000" | "58P01" | "22023"));
        let name = self.server.message.split('"').nth(1).filter(|_| is_missing)?;
        Some(name.rsplit('/').next().unwrap_or(name).trim_end_matches(".control"))
    }
}

/// Why a database was not brought up to a folder. What failed left nothing, unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file cannot be cut into statements.
    #[error("\"{file}\" cannot be run")]
    Script {
        /// The file, relative to the folder.
        file: String,
        /// Why not.
        #[source]
        source: ScriptError,
    },
    /// A file ends the transaction that it runs in.
    #[error("{file}:{line}: {statement} begins or ends a transaction, which is done for each file already")]
    TransactionControl {
        /// The file.
        file: String,
        /// The line.
        line: usize,
        /// The statement.
        statement: String,
    },
    /// A statement failed; nothing of its file is left.
    #[error("{0}")]
    Failed(Box<Failure>),
    /// A statement outside of a transaction failed; those before it in its file stay.
    #[error("{failure}; the file runs without a transaction, so {n_before} before it stay")]
    FailedHalfway {
        /// What failed.
        failure: Box<Failure>,
        /// Number of statements that were run, in words.
        n_before: String,
    },
    /// A file that was applied is another one now.
    #[error("\"{file}\" was changed after it had been applied on {applied_at}")]
    Changed {
        /// The file.
        file: String,
        /// When it was applied.
        applied_at: String,
    },
    /// A file that was never applied is older than one that was.
    #[error("\"{file}\" was not applied, and the younger \"{newest}\" was")]
    OutOfOrder {
        /// The file.
        file: String,
        /// The newest applied one.
        newest: String,
    },
    /// The ledger has nothing in common with the folder.
    #[error(
        "the {target} database was migrated by another application: it has had {n_applied} migrations, such as \
         \"{example}\", and none of this folder"
    )]
    OtherApplication {
        /// Which database.
        target: Target,
        /// Rows in its ledger.
        n_applied: usize,
        /// One of them.
        example: String,
    },
    /// Work around the files failed.
    #[error("{action}")]
    Server {
        /// What was tried.
        action: String,
        /// What the server said.
        #[source]
        source: ServerError,
    },
    /// The lock that the bootstrap takes, too.
    #[error(transparent)]
    Bootstrap(#[from] bootstrap_sql::Error),
}

impl Error {
    /// What to do next; `None` when the message says it all.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Folder(error) => error.hint(),
            Self::TransactionControl { .. } => Some(format!(
                "Remove the statement. What cannot run in a transaction goes into a file of its own that begins with `{NO_TRANSACTION}`."
            )),
            Self::Failed(failure) => lines(failure, failure.hint()),
            Self::FailedHalfway { failure, .. } => lines(
                failure,
                Some(failure.hint().unwrap_or_else(|| {
                    "Repair the file so that it can run again (IF NOT EXISTS, DROP … IF EXISTS).".to_owned()
                })),
            ),
            Self::Changed { .. } => Some(
                "Put the file back as it was and write the change into a new migration (`cargo xtask db new WORDS`). On a \
                 local stack, `cargo xtask db reset` makes the databases anew from the files as they are."
                    .to_owned(),
            ),
            Self::OutOfOrder { .. } => Some(
                "Give the file a later time; or apply it all the same with --out-of-order, if nothing in it depends on the \
                 order."
                    .to_owned(),
            ),
            Self::OtherApplication { .. } => {
                Some("Name the folder that belongs to this database with --app, or use another stack with --name.".to_owned())
            }
            _ => None,
        }
    }
}

fn lines(failure: &Failure, hint: Option<String>) -> Option<String> {
    let lines: Vec<String> = failure.details().into_iter().chain(hint).collect();
    Some(lines.join("\n"))
}

/// Turns errors of the driver into [`Error::Server`] with the action that failed.
pub(crate) trait During<T> {
    /// Names what was tried.
    fn during(self, action: impl Into<String>) -> Result<T, Error>;
}

impl<T> During<T> for Result<T, tokio_postgres::Error> {
    fn during(self, action: impl Into<String>) -> Result<T, Error> {
        self.map_err(|it| Error::Server { action: action.into(), source: ServerError::from(&it) })
    }
}

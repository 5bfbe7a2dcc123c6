//! A new application that works: what `cargo xtask new` writes.

use std::io;
use std::path::{Path, PathBuf};

use bootstrap_sql::Target;
use jiff::Timestamp;

use crate::error::FolderError;
use crate::folder::AppFolder;
use crate::name::{MigrationName, NameError};

/// Files with their texts; `{start}` stands for the name of the first migration.
const FILES: [(&str, &str); 4] = [
    ("pgapp.conf", include_str!("../skeleton/pgapp.conf")),
    ("custom/migrations/{start}", include_str!("../skeleton/custom/start.sql")),
    ("custom/seed.sql", include_str!("../skeleton/custom/seed.sql")),
    ("tests/notes.sql", include_str!("../skeleton/tests/notes.sql")),
];

/// Why there is no new application.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Something is there.
    #[error("\"{}\" is not empty; nothing was written", path.display())]
    NotEmpty {
        /// The folder, or the file of that name.
        path: PathBuf,
    },
    /// A file could not be written.
    #[error("write \"{}\"", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The words for a migration hold no letter and no digit.
    #[error("a migration's name needs a letter or a digit, as in `cargo xtask db new add_price`")]
    Words(#[from] NameError),
    /// The folder cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

/// Writes a new application into `dir`, which is made, or is there and empty. Answers with the files, relative to it.
///
/// # Errors
/// When the folder holds anything, and when the system refuses.
pub fn create(dir: &Path, now: Timestamp) -> Result<Vec<String>, CreateError> {
    let is_empty = match std::fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => false,
        Err(source) => return Err(CreateError::Write { path: dir.to_owned(), source }),
    };
    if !is_empty {
        return Err(CreateError::NotEmpty { path: dir.to_owned() });
    }
    let start = MigrationName::at(now, "start", &[])?;
    let mut written = Vec::new();
    for (file, text) in FILES {
        let file = file.replace("{start}", start.as_str());
        write_new(&dir.join(&file), text)?;
        written.push(file);
    }
    Ok(written)
}

/// Writes an empty migration for `target`, named by the clock; answers with its path.
///
/// # Errors
/// When the words hold no letter, and when the system refuses.
pub fn new_migration(
    app: &AppFolder,
    target: Target,
    words: &str,
    now: Timestamp,
) -> Result<PathBuf, CreateError> {
    let present = app.migrations(target)?;
    let taken: Vec<&str> = present.iter().map(|it| it.name.time()).collect();
    let name = MigrationName::at(now, words, &taken)?;
    let path = app.migrations_dir(target).join(name.as_str());
    write_new(&path, &format!("-- {}\n", words.replace(['\n', '\r'], " ")))?;
    Ok(path)
}

/// Writes a migration with this text, newer than all that are there; answers with its path.
///
/// # Errors
/// When the words hold no letter, and when the system refuses.
pub fn write_migration(
    app: &AppFolder,
    target: Target,
    words: &str,
    sql: &str,
    now: Timestamp,
) -> Result<PathBuf, CreateError> {
    let present = app.migrations(target)?;
    let names: Vec<&MigrationName> = present.iter().map(|it| &it.name).collect();
    let name = MigrationName::after(&names, now, words)?;
    let path = app.migrations_dir(target).join(name.as_str());
    write_new(&path, sql)?;
    Ok(path)
}

/// Never over a file that is there.
fn write_new(path: &Path, text: &str) -> Result<(), CreateError> {
    use std::io::Write as _;
    let write = || {
        std::fs::create_dir_all(path.parent().unwrap_or(path))?;
        std::fs::File::create_new(path)?.write_all(text.as_bytes())
    };
    write().map_err(|source| CreateError::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_application_is_one_and_is_written_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("Läden und mehr");
        let now: Timestamp = "2026-12-01T09:30:00Z".parse().unwrap();
        let written = create(&path, now).unwrap();
        assert!(written.contains(&"custom/migrations/20261201093000_start.sql".to_owned()), "{written:?}");
        let app = AppFolder::open(&path).unwrap();
        assert_eq!(app.migrations(Target::Custom).unwrap().len(), 1);
        assert!(app.seed(Target::Custom).unwrap().is_some() && app.conf().is_some());
        assert!(matches!(create(&path, now), Err(CreateError::NotEmpty { .. })));
        let file = path.join("pgapp.conf");
        assert!(matches!(create(&file, now), Err(CreateError::NotEmpty { .. })));

        let next = new_migration(&app, Target::Custom, "Add price", now).unwrap();
        assert!(
            next.ends_with("custom/migrations/20261201093000_add_price.sql")
                || next.ends_with("custom/migrations/20261201093001_add_price.sql")
        );
        assert_eq!(app.migrations(Target::Custom).unwrap().len(), 2);
        assert!(matches!(new_migration(&app, Target::Custom, "..", now), Err(CreateError::Words(_))));

        // The clock of another machine was ahead: what is written comes after all the same.
        std::fs::write(path.join("custom/migrations/20270101000000_ahead.sql"), "select 1").unwrap();
        let last = write_migration(&app, Target::Custom, "change", "select 2;\n", now).unwrap();
        assert!(last.ends_with("custom/migrations/20270101000001_change.sql"), "{last:?}");
        assert_eq!(app.migrations(Target::Custom).unwrap().last().unwrap().script.sql, "select 2;\n");
    }
}

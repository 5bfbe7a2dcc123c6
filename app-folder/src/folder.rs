//! An application's folder on disk, read whole and checked before any database is touched.

use std::path::{Path, PathBuf};

use bootstrap_sql::Target;
use sha2::{Digest, Sha256};

use crate::error::FolderError;
use crate::name::MigrationName;
use crate::packages::{self, Packages};
use crate::script::NO_TRANSACTION;

/// A folder with the parts of an application.
///
/// Invariant: it exists and holds at least one of `origin/`, `custom/`, `aurora/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppFolder {
    root: PathBuf,
}

/// SQL from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The file, for messages: relative to the application's folder.
    pub file: String,
    /// Its text.
    pub sql: String,
}

/// One forward step of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Whose.
    pub target: Target,
    /// File name; the order of migrations is the order of names.
    pub name: MigrationName,
    /// Its SQL.
    pub script: Script,
}

/// A file of `tests/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestFile {
    /// File name.
    pub name: String,
    /// Its SQL.
    pub script: Script,
}

impl Migration {
    /// SHA-256 of the text in hexadecimal, the same whatever ends the lines: a checkout may change that.
    pub fn checksum(&self) -> String {
        let text = self.script.sql.replace("\r\n", "\n");
        Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether it holds no statement: it was made and not written yet.
    pub fn is_empty(&self) -> bool {
        crate::script::statements(&self.script.sql).is_ok_and(|it| it.is_empty())
    }

    /// Whether it runs in a transaction, as all do that do not begin with [`NO_TRANSACTION`].
    pub fn is_transactional(&self) -> bool {
        let first = self.script.sql.trim_start_matches('\u{feff}').lines().next().unwrap_or_default();
        first.trim_end() != NO_TRANSACTION
    }
}

impl AppFolder {
    /// The folder at `path`, which is made absolute.
    ///
    /// # Errors
    /// When there is none, or when it holds no application.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let root = std::path::absolute(path).map_err(|source| FolderError::read(path, source))?;
        let found = std::fs::metadata(&root);
        match found {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(FolderError::Missing { root });
            }
            Err(source) => return Err(FolderError::read(&root, source)),
            Ok(it) if !it.is_dir() => return Err(FolderError::NotAFolder { root }),
            Ok(_) => {}
        }
        let this = Self { root };
        if !Target::ALL.into_iter().any(|it| this.has(it)) {
            return Err(FolderError::NoApplication { root: this.root });
        }
        Ok(this)
    }

    /// Its absolute path.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Whether the application has a part in this database.
    pub fn has(&self, target: Target) -> bool {
        self.root.join(target.as_str()).is_dir()
    }

    /// Where the migrations of a database are.
    pub fn migrations_dir(&self, target: Target) -> PathBuf {
        self.root.join(target.as_str()).join("migrations")
    }

    /// The migrations of a database in their order; none where it has no part.
    ///
    /// # Errors
    /// Files that are no migrations, two of one time, and what cannot be read.
    pub fn migrations(&self, target: Target) -> Result<Vec<Migration>, FolderError> {
        let dir = self.migrations_dir(target);
        let mut migrations = Vec::new();
        for file_name in sql_files(&dir)? {
            let file = format!("{target}/migrations/{file_name}");
            let name =
                file_name.parse().map_err(|source| FolderError::Name { file: file.clone(), source })?;
            migrations.push(Migration { target, name, script: self.read(file)? });
        }
        migrations.sort_by(|a, b| a.name.cmp(&b.name));
        let clash = migrations.windows(2).find(|it| it[0].name.time() == it[1].name.time());
        if let Some([first, second]) = clash {
            return Err(FolderError::SameTime {
                first: first.script.file.clone(),
                second: second.script.file.clone(),
            });
        }
        Ok(migrations)
    }

    /// The rows that a new database begins with.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn seed(&self, target: Target) -> Result<Option<Script>, FolderError> {
        let file = format!("{target}/seed.sql");
        if self.root.join(&file).is_file() { self.read(file).map(Some) } else { Ok(None) }
    }

    /// The files of `tests/`, by name.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn tests(&self) -> Result<Vec<TestFile>, FolderError> {
        let names = sql_files(&self.root.join("tests"))?;
        names
            .into_iter()
            .map(|name| Ok(TestFile { script: self.read(format!("tests/{name}"))?, name }))
            .collect()
    }

    /// The committed matrix of `db policies`; it need not be there.
    pub fn policies_file(&self) -> PathBuf {
        self.root.join("tests/policies.txt")
    }

    /// What the custom database's server needs installed beside it; nothing where there is no `custom/packages.txt`.
    ///
    /// # Errors
    /// A line that asks for nothing that is known, and a build step that is not there.
    pub fn packages(&self) -> Result<Packages, FolderError> {
        if !self.root.join(packages::FILE).is_file() {
            return Ok(Packages::default());
        }
        let packages = Packages::parse(&self.read(packages::FILE.to_owned())?.sql)?;
        let has_step = |folder: &String| self.root.join("custom").join(folder).join("build.sh").is_file();
        match packages.builds().iter().find(|it| !has_step(it)) {
            Some(folder) => Err(FolderError::NoBuild { folder: folder.clone() }),
            None => Ok(packages),
        }
    }

    /// Settings of the server, where the application brings some.
    pub fn conf(&self) -> Option<PathBuf> {
        Some(self.root.join("pgapp.conf")).filter(|it| it.is_file())
    }

    fn read(&self, file: String) -> Result<Script, FolderError> {
        let path = self.root.join(&file);
        let bytes = std::fs::read(&path).map_err(|source| FolderError::read(&path, source))?;
        match String::from_utf8(bytes) {
            Ok(sql) if !sql.contains('\0') => Ok(Script { file, sql }),
            _ => Err(FolderError::NotText { file }),
        }
    }
}

/// Names of a folder's `.sql` files in order; a folder that is not there has none. Files of an editor and of the system
/// begin with a dot and are passed over.
fn sql_files(dir: &Path) -> Result<Vec<String>, FolderError> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(FolderError::read(dir, source)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| FolderError::read(dir, source))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".sql") && !name.starts_with('.') && entry.path().is_file() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn a_folder_that_holds_no_application_is_refused_with_its_path() {
        let empty = folder(&[("README.md", "")]);
        for path in [empty.path().to_owned(), empty.path().join("nowhere"), empty.path().join("README.md")] {
            let error = AppFolder::open(&path).unwrap_err();
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
            assert!(error.hint().unwrap().contains("cargo xtask new"), "{error:?}");
        }
    }

    #[test]
    fn migrations_are_read_in_the_order_of_their_times() {
        let dir = folder(&[
            ("custom/migrations/20260102000000_b.sql", "select 2"),
            ("custom/migrations/20260101000000_z.sql", "select 1"),
            ("custom/migrations/README.md", ""),
            ("custom/migrations/.20260101000000_z.sql.swp.sql", ""),
        ]);
        let app = AppFolder::open(dir.path()).unwrap();
        let names: Vec<String> =
            app.migrations(Target::Custom).unwrap().iter().map(|it| it.script.file.clone()).collect();
        assert_eq!(
            names,
            ["custom/migrations/20260101000000_z.sql", "custom/migrations/20260102000000_b.sql"]
        );
        assert_eq!(app.migrations(Target::Origin).unwrap(), []);
        assert_eq!(app.seed(Target::Custom).unwrap(), None);
    }

    #[test]
    fn two_files_of_one_time_and_other_names_are_refused_by_name() {
        let dir = folder(&[
            ("custom/migrations/20260101000000_a.sql", ""),
            ("custom/migrations/20260101000000_b.sql", ""),
            ("origin/migrations/first.sql", ""),
            ("aurora/migrations/20260101000000_latin.sql", ""),
        ]);
        std::fs::write(dir.path().join("aurora/migrations/20260101000000_latin.sql"), [0xe9]).unwrap();
        let app = AppFolder::open(dir.path()).unwrap();
        let error = |target| app.migrations(target).unwrap_err().to_string();
        assert!(
            error(Target::Custom).contains("20260101000000_a.sql")
                && error(Target::Custom).contains("_b.sql")
        );
        assert!(error(Target::Origin).contains("origin/migrations/first.sql"));
        assert!(error(Target::Aurora).contains("UTF-8"));
    }

    #[test]
    fn line_ends_change_no_checksum_and_the_mark_is_the_first_line() {
        let migration = |sql: &str| Migration {
            target: Target::Custom,
            name: "20260101000000_a.sql".parse().unwrap(),
            script: Script { file: String::new(), sql: sql.to_owned() },
        };
        assert_eq!(migration("a\r\nb").checksum(), migration("a\nb").checksum());
        assert_ne!(migration("a\nb").checksum(), migration("a b").checksum());
        assert!(!migration("-- pgapp: no-transaction\nselect 1").is_transactional());
        assert!(!migration("-- pgapp: no-transaction\r\nselect 1").is_transactional());
        assert!(migration("select 1;\n-- pgapp: no-transaction").is_transactional());
    }
}

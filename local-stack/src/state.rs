//! What a stack remembers between commands: `.stack/<name>/`.
//!
//! Files are replaced whole, so a crash leaves the old or the new text. One lock file keeps two commands from working
//! on the same stack at once; the system releases it with the process.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config::{BackendKind, StackConfig, StackName};
use crate::process::ProcessIdentity;
use crate::service::ServiceName;

/// Version of the file's layout.
const FORMAT: u32 = 1;

/// Why a stack's own files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file operation failed.
    #[error("could not {doing} \"{}\"", path.display())]
    File {
        /// Verb phrase.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("\"{}\" is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file was written by a newer version of this program.
    #[error("\"{}\" has format {found}, this program knows {FORMAT}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
}

/// A running `pgapp-api`, as it was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiProcess {
    /// The process.
    pub process: ProcessIdentity,
    /// The program.
    pub program: PathBuf,
    /// Length and modification time of the program: unequal after a rebuild.
    pub build: String,
}

/// What is known about a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    format: u32,
    /// As it was set up.
    pub config: StackConfig,
    /// The backend in use.
    pub backend: BackendKind,
    /// Folder of data and logs; usually `.stack/<name>` itself.
    pub servers_dir: PathBuf,
    /// Folder of the server programs, so that `status` and `down` find the same ones as `up`.
    pub pg_bin_dir: Option<PathBuf>,
    /// Compose project.
    pub project: String,
    /// Services that `up` brought up and `down` has not taken down: one of these that does not run has failed.
    pub expected: BTreeSet<ServiceName>,
    /// Whether the origin's tables were imported; later imports are the user's.
    pub imported: bool,
    /// The REST server, native backend only.
    pub api: Option<ApiProcess>,
    /// The animals app, native backend only.
    #[serde(default)]
    pub animals: Option<ApiProcess>,
}

impl State {
    pub(crate) fn new(
        config: StackConfig,
        backend: BackendKind,
        servers_dir: PathBuf,
        project: String,
    ) -> Self {
        Self {
            format: FORMAT,
            config,
            backend,
            servers_dir,
            pg_bin_dir: None,
            project,
            expected: BTreeSet::new(),
            imported: false,
            api: None,
            animals: None,
        }
    }

    /// Where the process of a service that is no database is kept.
    pub(crate) fn process_mut(&mut self, service: ServiceName) -> Option<&mut Option<ApiProcess>> {
        match service {
            ServiceName::Api => Some(&mut self.api),
            ServiceName::Animals => Some(&mut self.animals),
            ServiceName::OriginDb | ServiceName::CustomDb => None,
        }
    }
}

/// Generated once per stack; never printed.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secrets {
    /// Password of the role that the REST server connects as.
    pub authenticator_password: String,
    /// Key that signs the stack's JSON Web Tokens (HS256).
    pub jwt_secret: String,
    /// Password of the role that the animals app connects as; stacks of earlier versions have none yet.
    #[serde(default)]
    pub animals_password: String,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(********)")
    }
}

impl Secrets {
    fn generate() -> Self {
        // PostgREST asks for 32 characters at least.
        Self {
            authenticator_password: random_text(32),
            jwt_secret: random_text(48),
            animals_password: random_text(32),
        }
    }
}

fn random_text(len: usize) -> String {
    use rand::Rng;
    rand::rng().sample_iter(rand::distr::Alphanumeric).take(len).map(char::from).collect()
}

/// A stack's folder.
#[derive(Debug, Clone)]
pub struct StackHome {
    dir: PathBuf,
}

impl StackHome {
    /// `<root>/.stack/<name>`; makes nothing.
    pub fn new(root: &Path, name: &StackName) -> Self {
        Self { dir: root.join(".stack").join(name.as_str()) }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Takes the stack's lock; `Err` with kind `WouldBlock` when another process holds it.
    pub(crate) fn try_lock(&self) -> Result<StackLock, StateError> {
        self.lock_with(|file| match file.try_lock() {
            Err(std::fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
            Ok(()) => Ok(()),
        })
    }

    /// Takes the stack's lock, waiting for its present holder. Blocks the thread.
    pub(crate) fn lock(&self) -> Result<StackLock, StateError> {
        self.lock_with(File::lock)
    }

    fn lock_with(&self, take: impl Fn(&File) -> io::Result<()>) -> Result<StackLock, StateError> {
        let path = self.lock_file();
        let lock = || loop {
            std::fs::create_dir_all(path.parent().unwrap_or(&path))?;
            let file = File::options().create(true).truncate(false).write(true).open(&path)?;
            take(&file)?;
            // Its former holder may have removed the file with the stack: then this is a lock on nothing.
            let is_current = std::fs::metadata(&path).is_ok_and(|it| is_same_file(&it, &file));
            if is_current {
                return Ok(StackLock { _file: file });
            }
        };
        lock().map_err(|source| StateError::File { doing: "lock", path: path.clone(), source })
    }

    /// Removes the lock's file; only for its holder, and the last thing that it does.
    pub(crate) fn remove_lock_file(&self, _held: &StackLock) -> Result<(), StateError> {
        let path = self.lock_file();
        std::fs::remove_file(&path).map_err(|source| StateError::File { doing: "remove", path, source })
    }

    /// Beside the folder, not in it: `down --volumes` removes the folder while it holds the lock.
    fn lock_file(&self) -> PathBuf {
        self.dir.with_extension("lock")
    }

    /// The stack's state; `None` when it was never set up.
    pub fn load(&self) -> Result<Option<State>, StateError> {
        let path = self.dir.join("state.json");
        let Some(value) = read_json::<serde_json::Value>(&path)? else { return Ok(None) };
        let found = value.get("format").and_then(serde_json::Value::as_u64).unwrap_or_default();
        if found > u64::from(FORMAT) {
            return Err(StateError::Newer { path, found: u32::try_from(found).unwrap_or(u32::MAX) });
        }
        let damaged = |error: serde_json::Error| StateError::Damaged { path, reason: error.to_string() };
        serde_json::from_value(value).map(Some).map_err(damaged)
    }

    /// Writes the state.
    pub(crate) fn save(&self, state: &State) -> Result<(), StateError> {
        self.write_json("state.json", state, 0o644)
    }

    /// The stack's secrets, made at first use.
    pub(crate) fn secrets(&self) -> Result<Secrets, StateError> {
        let secrets = match read_json::<Secrets>(&self.dir.join("secrets.json"))? {
            Some(secrets) if !secrets.animals_password.is_empty() => return Ok(secrets),
            Some(earlier) => Secrets { animals_password: random_text(32), ..earlier },
            None => Secrets::generate(),
        };
        self.write_json("secrets.json", &secrets, 0o600)?;
        Ok(secrets)
    }

    fn write_json<T: Serialize>(&self, name: &str, value: &T, mode: u32) -> Result<(), StateError> {
        let path = self.dir.join(name);
        let draft = self.dir.join(format!("{name}.new"));
        let write = || {
            std::fs::create_dir_all(&self.dir)?;
            let mut file = File::options().create(true).truncate(true).write(true).mode(mode).open(&draft)?;
            file.write_all(&serde_json::to_vec_pretty(value)?)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            std::fs::rename(&draft, &path)
        };
        write().map_err(|source| StateError::File { doing: "write", path: path.clone(), source })
    }

    /// Names of all stacks below a root.
    pub fn all(root: &Path) -> Vec<StackName> {
        let Ok(entries) = std::fs::read_dir(root.join(".stack")) else { return Vec::new() };
        let is_stack = |entry: &std::fs::DirEntry| entry.path().join("state.json").is_file();
        let mut names: Vec<StackName> = entries
            .flatten()
            .filter(is_stack)
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        names.sort_unstable();
        names
    }
}

fn is_same_file(path: &std::fs::Metadata, file: &File) -> bool {
    file.metadata().is_ok_and(|it| (it.dev(), it.ino()) == (path.dev(), path.ino()))
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StateError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StateError::File { doing: "read", path: path.to_owned(), source }),
    };
    let damaged =
        |error: serde_json::Error| StateError::Damaged { path: path.to_owned(), reason: error.to_string() };
    serde_json::from_slice(&bytes).map(Some).map_err(damaged)
}

/// The stack's lock, held until dropped.
#[derive(Debug)]
pub(crate) struct StackLock {
    _file: File,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn home(root: &Path) -> StackHome {
        StackHome::new(root, &StackName::default())
    }

    #[test]
    fn state_survives_a_round_trip() {
        let root = tempfile::tempdir().unwrap();
        let home = home(root.path());
        assert_eq!(home.load().unwrap(), None);
        let mut state =
            State::new(StackConfig::default(), BackendKind::Native, root.path().to_owned(), "p".to_owned());
        state.expected.insert(ServiceName::CustomDb);
        home.save(&state).unwrap();
        assert_eq!(home.load().unwrap(), Some(state));
        assert_eq!(StackHome::all(root.path()), vec![StackName::default()]);
    }

    #[test]
    fn damaged_and_newer_files_are_said_so() {
        let root = tempfile::tempdir().unwrap();
        let home = home(root.path());
        std::fs::create_dir_all(home.dir()).unwrap();
        std::fs::write(home.dir().join("state.json"), "{").unwrap();
        assert!(home.load().unwrap_err().to_string().contains("is damaged"));
        std::fs::write(home.dir().join("state.json"), r#"{"format": 7}"#).unwrap();
        assert!(home.load().unwrap_err().to_string().ends_with("has format 7, this program knows 1"));
    }

    #[test]
    fn secrets_are_made_once_for_the_owner_only() {
        let root = tempfile::tempdir().unwrap();
        let home = home(root.path());
        let first = home.secrets().unwrap();
        assert_eq!(home.secrets().unwrap().jwt_secret, first.jwt_secret);
        let mode = std::fs::metadata(home.dir().join("secrets.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!format!("{first:?}").contains(&first.jwt_secret));
    }

    #[test]
    fn what_an_earlier_version_wrote_is_read_and_completed() {
        let root = tempfile::tempdir().unwrap();
        let home = home(root.path());
        let state =
            State::new(StackConfig::default(), BackendKind::Native, root.path().to_owned(), "p".to_owned());
        let mut earlier = serde_json::to_value(&state).unwrap();
        earlier.as_object_mut().unwrap().remove("animals").unwrap();
        earlier["config"].as_object_mut().unwrap().remove("animals_port").unwrap();
        home.write_json("state.json", &earlier, 0o644).unwrap();
        assert_eq!(home.load().unwrap(), Some(state));

        let earlier = serde_json::json!({"authenticator_password": "a", "jwt_secret": "b"});
        home.write_json("secrets.json", &earlier, 0o600).unwrap();
        let first = home.secrets().unwrap();
        assert_eq!((&*first.jwt_secret, first.animals_password.len()), ("b", 32));
        assert_eq!(home.secrets().unwrap().animals_password, first.animals_password);
    }

    #[test]
    fn the_lock_is_exclusive() {
        let root = tempfile::tempdir().unwrap();
        let home = home(root.path());
        let held = home.try_lock().unwrap();
        assert!(home.try_lock().is_err());
        drop(held);
        let held = home.lock().unwrap();
        home.remove_lock_file(&held).unwrap();
        // Nobody can hold a file that is gone.
        home.try_lock().unwrap();
    }
}

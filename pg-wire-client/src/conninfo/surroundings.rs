//! What a connection string depends on besides its text.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Environment, user and files.
pub trait Surroundings {
    /// An environment variable, when set and UTF-8.
    fn var(&self, name: &str) -> Option<String>;
    /// The operating system's name of the current user.
    fn user(&self) -> Option<String>;
    /// The current user's home directory.
    fn home(&self) -> Option<PathBuf>;
    /// A file's text.
    fn read(&self, path: &Path) -> io::Result<String>;
    /// Group or others may use the file.
    fn accessible_to_others(&self, path: &Path) -> bool;
}

/// The surroundings of this process.
pub struct Process;

impl Surroundings for Process {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn user(&self) -> Option<String> {
        nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|it| it.name)
    }

    fn home(&self) -> Option<PathBuf> {
        match std::env::var_os("HOME") {
            Some(home) if !home.is_empty() => Some(home.into()),
            _ => nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|it| it.dir),
        }
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn accessible_to_others(&self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|it| it.permissions().mode() & 0o077 != 0)
    }
}

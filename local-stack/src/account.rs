//! Which operating-system user the servers run as.
//!
//! Postgres refuses to run as root. When this process is root, servers run as an existing unprivileged user and own
//! their files; otherwise they run as whoever started them. Nothing here creates users.

use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use nix::unistd::{User, geteuid};

/// Users tried, in this order, when started by root: the package's own, then the traditional nobodies.
const CANDIDATES: [&str; 4] = ["postgres", "_postgres", "nobody", "daemon"];

/// The user that server processes run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// The user of this process.
    Current,
    /// Another one, because this process is root.
    Other {
        /// Login name.
        name: String,
        /// User id, never 0.
        uid: u32,
        /// Primary group id.
        gid: u32,
    },
}

impl Account {
    /// The account for server processes; `None` when this process is root and the machine has no unprivileged user.
    pub fn for_servers() -> Option<Self> {
        if !geteuid().is_root() {
            return Some(Self::Current);
        }
        CANDIDATES.iter().find_map(|name| {
            let user = User::from_name(name).ok().flatten()?;
            let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
            (uid != 0).then_some(Self::Other { name: user.name, uid, gid })
        })
    }

    /// Makes `command` run as this account, from a folder it can always enter.
    pub(crate) fn apply<'a>(
        &self,
        command: &'a mut tokio::process::Command,
    ) -> &'a mut tokio::process::Command {
        if let Self::Other { name, uid, gid } = self {
            command.uid(*uid).gid(*gid).env("USER", name).env("LOGNAME", name).env_remove("HOME");
        }
        command.current_dir("/")
    }

    /// As [`Account::apply`], for the standard library's command.
    pub(crate) fn apply_std<'a>(
        &self,
        command: &'a mut std::process::Command,
    ) -> &'a mut std::process::Command {
        use std::os::unix::process::CommandExt;
        if let Self::Other { name, uid, gid } = self {
            command.uid(*uid).gid(*gid).env("USER", name).env("LOGNAME", name).env_remove("HOME");
        }
        command.current_dir("/")
    }

    /// Makes a folder with the given mode that belongs to this account; an existing one is handed over.
    pub(crate) fn create_dir(&self, dir: &Path, mode: u32) -> io::Result<()> {
        std::fs::create_dir_all(dir)?;
        self.own(dir)?;
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(mode))
    }

    /// Hands one file or folder to this account.
    pub(crate) fn own(&self, path: &Path) -> io::Result<()> {
        match self {
            Self::Current => Ok(()),
            Self::Other { uid, gid, .. } => chown(path, Some(*uid), Some(*gid)),
        }
    }

    /// Whether this account may enter every parent folder of `path`. Folders that do not exist yet do not count: they
    /// will be made readable by whoever makes them.
    pub fn can_reach(&self, path: &Path) -> bool {
        path.ancestors().skip(1).all(|dir| self.has_permission(dir, 0o1))
    }

    /// Whether this account may run the file at `path`.
    pub fn can_execute(&self, path: &Path) -> bool {
        self.can_reach(path) && self.has_permission(path, 0o5)
    }

    /// `bits` as in the last octal digit of a mode. Supplementary groups are left out on purpose: they are dropped
    /// together with root.
    fn has_permission(&self, path: &Path, bits: u32) -> bool {
        let Self::Other { uid, gid, .. } = self else { return true };
        let Ok(meta) = std::fs::metadata(path) else { return true };
        let shift = if meta.uid() == *uid {
            6
        } else if meta.gid() == *gid {
            3
        } else {
            0
        };
        (meta.mode() >> shift) & bits == bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn can_reach_is_false_below_a_closed_folder() {
        let dir = tempfile::tempdir().unwrap();
        let closed = dir.path().join("closed");
        std::fs::create_dir(&closed).unwrap();
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let stranger = Account::Other { name: "stranger".into(), uid: 4_000_000, gid: 4_000_000 };
        assert!(!stranger.can_reach(&closed.join("data")));
        assert!(stranger.can_reach(&dir.path().join("data")));
        assert!(Account::Current.can_reach(&closed.join("data")));
    }
}

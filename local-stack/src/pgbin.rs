//! Finds the Postgres server's programs on this machine.
//!
//! Order: `PG_BIN_DIR`, `pg_config --bindir`, `PATH`, the folders in which packages put them (newest major first).
//! Looking is all it does: it downloads nothing and starts nothing but `--version` and `--bindir`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The programs a cluster needs; a folder counts only when all are there.
const PROGRAMS: [&str; 3] = ["postgres", "initdb", "pg_ctl"];

/// Oldest major that the stack supports: what PostgREST v16 asks for.
pub const OLDEST_MAJOR: u32 = 13;

/// Folders of the usual packages; `*` stands for the major version.
const USUAL_DIRS: [&str; 11] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "/usr/lib64/pgsql/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/opt/local/lib/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/usr/local/pgsql/bin",
    "/usr/local/bin",
];

/// A folder that holds a server's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerBinaries {
    /// The folder.
    pub dir: PathBuf,
    /// Major version, for example 15.
    pub major: u32,
    /// The version as the server prints it, for example `15.14`.
    pub version: String,
    /// How it was found, for messages.
    pub found_by: &'static str,
}

/// Why the programs that were asked for cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// `PG_BIN_DIR` names a folder without a server.
    #[error("PG_BIN_DIR is \"{}\", but there is no {missing} in it", dir.display())]
    NotInPgBinDir {
        /// The value of `PG_BIN_DIR`.
        dir: PathBuf,
        /// The first program that is not there.
        missing: &'static str,
    },
    /// The server does not say which version it is.
    #[error("\"{} --version\" does not name a Postgres version: {output}", program.display())]
    ReadVersion {
        /// The server program.
        program: PathBuf,
        /// What it said instead.
        output: String,
    },
    /// The server is too old.
    #[error("Postgres {version} in \"{}\" is too old: version {OLDEST_MAJOR} or newer is needed", dir.display())]
    TooOld {
        /// Its folder.
        dir: PathBuf,
        /// Its version.
        version: String,
    },
}

/// Where to look; a value, so that tests can look elsewhere.
#[derive(Debug, Clone)]
pub struct SearchPath {
    /// `PG_BIN_DIR`.
    pub pg_bin_dir: Option<OsString>,
    /// `PATH`.
    pub path: OsString,
    /// Patterns of folders, as in the usual packages.
    pub usual_dirs: Vec<String>,
}

impl SearchPath {
    /// This process's environment and the usual folders.
    pub fn from_env() -> Self {
        Self {
            pg_bin_dir: std::env::var_os("PG_BIN_DIR").filter(|it| !it.is_empty()),
            path: std::env::var_os("PATH").unwrap_or_default(),
            usual_dirs: USUAL_DIRS.iter().map(ToString::to_string).collect(),
        }
    }
}

impl ServerBinaries {
    /// Finds a server, if possible of the major version `wanted` (that of existing data). `Ok(None)` means that there is
    /// none at all; an error, that the one asked for by name is unusable.
    pub fn find(search: &SearchPath, wanted: Option<u32>) -> Result<Option<Self>, FindError> {
        if let Some(dir) = &search.pg_bin_dir {
            let dir = PathBuf::from(dir);
            if let Some(missing) = missing_program(&dir) {
                return Err(FindError::NotInPgBinDir { dir, missing });
            }
            return Self::read(dir, "PG_BIN_DIR").map(Some);
        }
        let from_pg_config =
            pg_config_bindir(&search.path).into_iter().map(|dir| (dir, "pg_config --bindir"));
        let from_path = std::env::split_paths(&search.path).map(|dir| (dir, "PATH"));
        let usual = search.usual_dirs.iter().flat_map(|it| expand(it)).map(|dir| (dir, "a system folder"));
        let (mut first, mut too_old) = (None, None);
        for (dir, found_by) in from_pg_config.chain(from_path).chain(usual) {
            if missing_program(&dir).is_some() {
                continue;
            }
            match Self::read(behind_links(dir), found_by) {
                Ok(found) if wanted.is_none_or(|it| it == found.major) => return Ok(Some(found)),
                Ok(found) => first = first.or(Some(found)),
                Err(error @ FindError::TooOld { .. }) => too_old = Some(error),
                // A wrapper or a broken installation that nobody asked for by name: keep looking.
                Err(_) => {}
            }
        }
        match (first, too_old) {
            (Some(found), _) => Ok(Some(found)),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(None),
        }
    }

    /// The servers of other major versions than `major`, newest first and one of each: those of `more`, a list of
    /// folders such as `PATH` is, and those in the usual folders.
    pub fn of_other_majors(search: &SearchPath, more: &OsStr, major: u32) -> Vec<Self> {
        let named = std::env::split_paths(more).map(|dir| (dir, "PGAPP_PG_BIN_DIRS"));
        let usual = search.usual_dirs.iter().flat_map(|it| expand(it)).map(|dir| (dir, "a system folder"));
        let mut found: Vec<Self> = Vec::new();
        for (dir, found_by) in named.chain(usual).filter(|(dir, _)| missing_program(dir).is_none()) {
            if let Ok(server) = Self::read(behind_links(dir), found_by)
                && server.major != major
                && found.iter().all(|it| it.major != server.major)
            {
                found.push(server);
            }
        }
        found.sort_by_key(|it| std::cmp::Reverse(it.major));
        found
    }

    /// Reads the version of the server in a folder.
    pub fn read(dir: PathBuf, found_by: &'static str) -> Result<Self, FindError> {
        let program = dir.join("postgres");
        let output = Command::new(&program).arg("--version").stdin(Stdio::null()).output();
        let text = match output {
            Ok(it) if it.status.success() => String::from_utf8_lossy(&it.stdout).trim().to_owned(),
            Ok(it) => String::from_utf8_lossy(&it.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        let Some((major, version)) = parse_version(&text) else {
            return Err(FindError::ReadVersion { program, output: text });
        };
        if major < OLDEST_MAJOR {
            return Err(FindError::TooOld { dir, version });
        }
        Ok(Self { dir, major, version, found_by })
    }

    /// Full path of one of the programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Whether the extension's control file is installed beside this server.
    pub fn has_extension(&self, name: &str) -> bool {
        let Ok(output) = Command::new(self.program("pg_config")).arg("--sharedir").output() else {
            return self.share_dir_guesses().any(|it| it.join(format!("extension/{name}.control")).is_file());
        };
        let share = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        share.join(format!("extension/{name}.control")).is_file()
    }

    /// Whether a library that can be preloaded is installed beside this server.
    pub fn has_library(&self, name: &str) -> bool {
        let prefix = self.dir.parent().map(Path::to_owned).unwrap_or_default();
        let mut dirs = vec![prefix.join("lib"), prefix.join("lib/postgresql")];
        if let Ok(output) = Command::new(self.program("pg_config")).arg("--pkglibdir").output() {
            dirs.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
        }
        let is_file = |dir: &PathBuf, end: &str| dir.join(format!("{name}.{end}")).is_file();
        dirs.iter().any(|it| is_file(it, "so") || is_file(it, "dylib"))
    }

    /// Those of these Debian packages that are not installed; none where the server is not Debian's.
    pub fn lacking(&self, packages: &[String]) -> Vec<String> {
        if packages.is_empty() || !self.dir.starts_with("/usr/lib/postgresql") {
            return Vec::new();
        }
        let format = "${Package} ${db:Status-Status}\\n";
        let mut query = Command::new("dpkg-query");
        query.args(["--show", "--showformat", format, "--"]).args(packages).stdin(Stdio::null());
        let Ok(output) = query.output() else { return Vec::new() };
        let known = String::from_utf8_lossy(&output.stdout);
        let is_there = |name: &String| known.lines().any(|it| it == format!("{name} installed"));
        packages.iter().filter(|it| !is_there(it)).cloned().collect()
    }

    /// Debian keeps `pg_config` in another package than the server, so its answer may be missing.
    fn share_dir_guesses(&self) -> impl Iterator<Item = PathBuf> {
        let debian = PathBuf::from(format!("/usr/share/postgresql/{}", self.major));
        let prefix = self.dir.parent().map(Path::to_owned).unwrap_or_default();
        [debian, prefix.join("share"), prefix.join("share/postgresql")].into_iter()
    }
}

/// The real folder behind a folder of links such as /usr/local/bin: libraries and share files sit beside that one.
fn behind_links(dir: PathBuf) -> PathBuf {
    let real = std::fs::canonicalize(dir.join("postgres")).ok();
    let real = real.and_then(|it| it.parent().map(Path::to_owned));
    real.filter(|it| missing_program(it).is_none()).unwrap_or(dir)
}

fn missing_program(dir: &Path) -> Option<&'static str> {
    PROGRAMS.into_iter().find(|name| !dir.join(name).is_file())
}

fn pg_config_bindir(path: &OsStr) -> Option<PathBuf> {
    let program = std::env::split_paths(path).map(|it| it.join("pg_config")).find(|it| it.is_file())?;
    let output = Command::new(program).arg("--bindir").stdin(Stdio::null()).output().ok()?;
    let dir = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !dir.is_empty()).then(|| PathBuf::from(dir))
}

/// Folders that match a pattern with at most one `*`, the highest number first.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else { return vec![PathBuf::from(pattern)] };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let Ok(entries) = std::fs::read_dir(if parent.is_empty() { "/" } else { parent }) else {
        return Vec::new();
    };
    let mut found: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?;
            let number = version.trim_start_matches('-').split('.').next()?.parse().ok()?;
            let dir = format!("{parent}/{name}{after}");
            Some((number, PathBuf::from(dir)))
        })
        .collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, dir)| dir).collect()
}

/// `postgres (PostgreSQL) 15.14 (Debian …)`, `postgres (PostgreSQL) 18beta1`.
fn parse_version(text: &str) -> Option<(u32, String)> {
    let version = text.split_once("(PostgreSQL)")?.1.split_whitespace().next()?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some((digits.parse().ok()?, version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn fake_server(dir: &Path, version: &str) {
        std::fs::create_dir_all(dir).unwrap();
        for name in PROGRAMS {
            let path = dir.join(name);
            std::fs::write(&path, format!("#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    fn search(root: &Path) -> SearchPath {
        SearchPath {
            pg_bin_dir: None,
            path: OsString::new(),
            usual_dirs: vec![format!("{}/pg/*/bin", root.display())],
        }
    }

    #[test]
    fn version_text_is_parsed() {
        let debian = parse_version("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)");
        assert_eq!(debian, Some((15, "15.14".to_owned())));
        assert_eq!(parse_version("postgres (PostgreSQL) 18beta1"), Some((18, "18beta1".to_owned())));
        assert_eq!(parse_version("command not found"), None);
    }

    #[test]
    fn newest_major_of_the_usual_folders_wins() {
        let root = tempfile::tempdir().unwrap();
        for major in ["9", "14", "17"] {
            fake_server(&root.path().join(format!("pg/{major}/bin")), &format!("{major}.2"));
        }
        let found = ServerBinaries::find(&search(root.path()), None).unwrap().unwrap();
        assert_eq!((found.major, found.version.as_str()), (17, "17.2"));
    }

    #[test]
    fn the_major_of_existing_data_is_preferred() {
        let root = tempfile::tempdir().unwrap();
        for major in ["15", "17"] {
            fake_server(&root.path().join(format!("pg/{major}/bin")), &format!("{major}.2"));
        }
        let find = |wanted| ServerBinaries::find(&search(root.path()), wanted).unwrap().unwrap().major;
        assert_eq!(find(Some(15)), 15);
        assert_eq!(find(Some(16)), 17, "none fits: the caller compares and refuses");
    }

    #[test]
    fn path_comes_before_the_usual_folders() {
        let root = tempfile::tempdir().unwrap();
        fake_server(&root.path().join("pg/17/bin"), "17.2");
        fake_server(&root.path().join("mine"), "16.1");
        let path = root.path().join("mine").into_os_string();
        let found = ServerBinaries::find(&SearchPath { path, ..search(root.path()) }, None).unwrap().unwrap();
        assert_eq!((found.major, found.found_by), (16, "PATH"));
    }

    #[test]
    fn other_majors_are_found_once_each_and_named_folders_come_first() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for (dir, version) in [
            ("usual/15/bin", "15.14"),
            ("usual/18/bin", "18.0"),
            ("usual/16/bin", "16.3"),
            ("usual/9/bin", "9.6"),
            ("mine", "18.6"),
        ] {
            fake_server(&at(dir), version);
        }
        let mut search = search(root.path());
        search.usual_dirs = vec![format!("{}/usual/*/bin", root.path().display())];
        let more = std::env::join_paths([at("nothing"), at("mine")]).unwrap();
        let found = ServerBinaries::of_other_majors(&search, &more, 15);
        let versions: Vec<_> = found.iter().map(|it| it.version.as_str()).collect();
        assert_eq!(versions, ["18.6", "16.3"]);
        assert!(
            ServerBinaries::of_other_majors(
                &SearchPath { usual_dirs: Vec::new(), ..search },
                OsStr::new(""),
                15
            )
            .is_empty()
        );
    }

    #[test]
    fn pg_bin_dir_without_a_server_is_an_error_that_names_it() {
        let root = tempfile::tempdir().unwrap();
        fake_server(&root.path().join("pg/17/bin"), "17.2");
        let pg_bin_dir = Some(root.path().as_os_str().to_owned());
        let error =
            ServerBinaries::find(&SearchPath { pg_bin_dir, ..search(root.path()) }, None).unwrap_err();
        let expected = format!("PG_BIN_DIR is \"{}\", but there is no postgres in it", root.path().display());
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn only_a_too_old_server_is_said_so() {
        let root = tempfile::tempdir().unwrap();
        fake_server(&root.path().join("pg/11/bin"), "11.22");
        let error = ServerBinaries::find(&search(root.path()), None).unwrap_err();
        assert!(error.to_string().contains("Postgres 11.22"), "{error}");
        assert!(ServerBinaries::find(&search(Path::new("/nonexistent")), None).unwrap().is_none());
    }
}

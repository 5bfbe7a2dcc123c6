//! One Postgres cluster run by the programs on this machine: make, configure, start, stop.
//!
//! Shared by the native backend and by the tests' throw-away clusters. It knows nothing of stacks or of what is in the
//! databases. Everything runs as the cluster's [`Account`]; the data folder appears whole or not at all.

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::account::Account;
use crate::pgbin::ServerBinaries;
use crate::process::{ProcessIdentity, command_line};

/// File beside `postgresql.conf` that holds our settings; rewritten at every start, so ports may change.
const SETTINGS_FILE: &str = "local-stack.conf";

/// How names of folders begin, after the data folder's own name, in which a cluster is being made.
const DRAFT: &str = "initializing";

/// Longest wait for a start, recovery after a crash included.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Why an operation on a cluster failed.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
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
    /// A program could not be started.
    #[error("could not run \"{}\"", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// `initdb` refused.
    #[error("initdb could not create the database cluster \"{}\": {output}", data.display())]
    Init {
        /// The data folder.
        data: PathBuf,
        /// What it printed.
        output: String,
    },
    /// The server did not come up.
    #[error("Postgres did not start on port {port}; its log \"{}\" ends with:\n{tail}", log.display())]
    Start {
        /// The port.
        port: u16,
        /// The log file.
        log: PathBuf,
        /// Its last lines since this start.
        tail: String,
    },
    /// The server did not go down.
    #[error("Postgres (pid {pid}) did not stop within {} s", timeout.as_secs())]
    Stop {
        /// Its process id.
        pid: u32,
        /// How long we waited.
        timeout: Duration,
    },
    /// The data folder belongs to another major version.
    #[error("data folder \"{}\" was made by Postgres {data_major}, but the server found is Postgres {server_major}", data.display())]
    OtherMajor {
        /// The data folder.
        data: PathBuf,
        /// Its version.
        data_major: String,
        /// Version of the programs found.
        server_major: u32,
    },
    /// The data folder holds something that is no cluster.
    #[error("folder \"{}\" is not empty and is not a Postgres data folder", data.display())]
    NotACluster {
        /// The folder.
        data: PathBuf,
    },
}

impl ClusterError {
    fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { doing, path: path.to_owned(), source }
    }
}

/// How to stop a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// Ends sessions, writes everything down.
    Fast,
    /// As if it had crashed; the next start recovers.
    Immediate,
}

/// The data folder of a cluster: enough to see and stop its server, whichever programs run it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDir(pub PathBuf);

impl DataDir {
    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The major version that made it; `None` when there is no cluster in it.
    pub fn major(&self) -> Option<String> {
        std::fs::read_to_string(self.0.join("PG_VERSION")).ok().map(|it| it.trim().to_owned())
    }

    /// The running server of this folder. A number that now belongs to another program does not count.
    pub fn postmaster(&self) -> Option<ProcessIdentity> {
        let pid = self.pid_file_line(0)?.parse().ok()?;
        let identity = ProcessIdentity::of(pid)?;
        let command = command_line(pid)?;
        // pg_ctl passes the folder as given, so the server's command line names it.
        (command.contains("postgres") && names_folder(&command, &self.0.to_string_lossy()))
            .then_some(identity)
    }

    /// The port that the running server listens on, as it wrote itself.
    pub fn running_port(&self) -> Option<u16> {
        self.pid_file_line(3)?.parse().ok()
    }

    fn pid_file_line(&self, n: usize) -> Option<String> {
        let text = std::fs::read_to_string(self.pid_file()).ok()?;
        text.lines().nth(n).map(|it| it.trim().to_owned())
    }

    fn pid_file(&self) -> PathBuf {
        self.0.join("postmaster.pid")
    }

    /// Stops the server and waits for its end; `false` when it was not running.
    pub async fn stop(&self, mode: StopMode, timeout: Duration) -> Result<bool, ClusterError> {
        let Some(postmaster) = self.postmaster() else { return Ok(false) };
        let signal = match mode {
            StopMode::Fast => Signal::SIGINT,
            StopMode::Immediate => Signal::SIGQUIT,
        };
        postmaster.signal(signal).map_err(ClusterError::file("signal the server of", &self.0))?;
        if !postmaster.wait_gone(timeout).await {
            return Err(ClusterError::Stop { pid: postmaster.pid, timeout });
        }
        // The server removes it last; a crash-like stop may leave it.
        if mode == StopMode::Immediate {
            remove_if_there(&self.pid_file())?;
        }
        Ok(true)
    }
}

/// Whether words of a command line are this folder, and not one beside it whose name only begins with it.
fn names_folder(command: &str, folder: &str) -> bool {
    command.match_indices(folder).any(|(at, _)| {
        let is_start = at == 0 || command[..at].ends_with([' ', '=']);
        is_start
            && command[at + folder.len()..].trim_start_matches('/').chars().next().is_none_or(|it| it == ' ')
    })
}

/// A cluster on disk and how to run it.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The programs.
    pub binaries: ServerBinaries,
    /// Who they run as.
    pub account: Account,
    /// The data folder.
    pub data: DataDir,
    /// The server's log file; its folder exists and is writable by the account.
    pub log: PathBuf,
    /// TCP port on 127.0.0.1.
    pub port: u16,
    /// Folder for the unix socket; none: TCP only.
    pub socket_dir: Option<PathBuf>,
    /// Further settings, in `postgresql.conf` terms.
    pub settings: Vec<(String, String)>,
}

/// What a new cluster starts with.
#[derive(Debug, Clone, Copy)]
pub struct NewCluster<'a> {
    /// Its superuser.
    pub superuser: &'a str,
    /// The superuser's password.
    pub password: &'a str,
    /// Text of `pg_hba.conf`.
    pub hba: &'a str,
    /// A database to make, named by a plain identifier; besides `postgres`, which every cluster has.
    pub dbname: Option<&'a str>,
}

/// What a data folder holds.
#[derive(Debug, PartialEq, Eq)]
pub enum DataState {
    /// Nothing.
    Absent,
    /// A cluster of the server's own major version.
    Ready,
}

impl Cluster {
    /// Looks at the data folder; refuses one that this server cannot run.
    pub fn inspect(&self) -> Result<DataState, ClusterError> {
        let data = self.data.path();
        match self.data.major() {
            Some(major) if major == self.binaries.major.to_string() => return Ok(DataState::Ready),
            Some(data_major) => {
                let server_major = self.binaries.major;
                return Err(ClusterError::OtherMajor { data: data.to_owned(), data_major, server_major });
            }
            None => {}
        }
        match std::fs::read_dir(data).map(|mut entries| entries.next().is_none()) {
            Ok(true) => Ok(DataState::Absent),
            Ok(false) => Err(ClusterError::NotACluster { data: data.to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(DataState::Absent),
            Err(error) => Err(ClusterError::file("read the folder", data)(error)),
        }
    }

    /// Makes the cluster with its superuser, access rules and, if given, a database. The parent folder must exist.
    ///
    /// All work is done in a folder beside, which takes its final name only when complete: an interrupted run leaves
    /// nothing that looks like a cluster, and its leftovers go with the next run.
    pub async fn init(&self, new: &NewCluster<'_>) -> Result<(), ClusterError> {
        let data = self.data.path();
        self.sweep_drafts();
        // A separate name: children of a killed initdb may still be writing to theirs.
        let draft = sibling(data, &format!("{DRAFT}-{:08x}", rand::random::<u32>()));
        let pwfile = sibling(&draft, "password");
        self.write_secret(&pwfile, new.password)?;
        self.make_draft(&draft)?;
        let mut output = self.initdb(&draft, new.superuser, &pwfile, preferred_locale()).await?;
        if !output.status.success() && stderr(&output).contains("locale") {
            // Every system has C; only sorting and case folding of non-ASCII text suffer.
            remove_if_there(&draft)?;
            self.make_draft(&draft)?;
            output = self.initdb(&draft, new.superuser, &pwfile, "C").await?;
        }
        remove_if_there(&pwfile)?;
        if !output.status.success() {
            return Err(ClusterError::Init { data: data.to_owned(), output: stderr(&output) });
        }
        self.write_owned(&draft.join("pg_hba.conf"), new.hba)?;
        if let Some(dbname) = new.dbname {
            self.create_database(&draft, dbname).await?;
        }
        if data.exists() {
            std::fs::remove_dir(data).map_err(ClusterError::file("replace the empty folder", data))?;
        }
        std::fs::rename(&draft, data).map_err(ClusterError::file("finish the folder", data))
    }

    /// Removes what interrupted runs left. What cannot be removed yet goes with a later run.
    fn sweep_drafts(&self) {
        let prefix = sibling(self.data.path(), DRAFT);
        let (Some(parent), Some(prefix)) = (prefix.parent(), prefix.file_name()) else { return };
        for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(prefix.as_encoded_bytes()) {
                let _ = remove_if_there(&entry.path());
            }
        }
    }

    /// Made here and handed over, since the account may have no right to make folders in the parent.
    fn make_draft(&self, draft: &Path) -> Result<(), ClusterError> {
        self.account.create_dir(draft, 0o700).map_err(ClusterError::file("make", draft))
    }

    fn write_secret(&self, path: &Path, text: &str) -> Result<(), ClusterError> {
        let write = || {
            let mut file = std::fs::File::options().create_new(true).write(true).mode(0o600).open(path)?;
            file.write_all(text.as_bytes())?;
            self.account.own(path)
        };
        write().map_err(ClusterError::file("write", path))
    }

    /// Without a running server: the database is there before anything, such as pg_cron's scheduler, can miss it.
    async fn create_database(&self, dir: &Path, dbname: &str) -> Result<(), ClusterError> {
        let mut command = self.command("postgres");
        command.args(["--single", "-c", "fsync=off", "-D"]).arg(dir).arg("template1");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let run = async {
            let mut child = command.spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(format!("CREATE DATABASE \"{dbname}\"\n").as_bytes()).await?;
            }
            child.wait_with_output().await
        };
        let program = self.binaries.program("postgres");
        let output = run.await.map_err(|source| ClusterError::Run { program, source })?;
        let text = stderr(&output);
        if output.status.success() && !text.contains("ERROR") && !text.contains("FATAL") {
            return Ok(());
        }
        Err(ClusterError::Init { data: self.data.path().to_owned(), output: text })
    }

    async fn initdb(
        &self,
        dir: &Path,
        user: &str,
        pwfile: &Path,
        locale: &str,
    ) -> Result<Output, ClusterError> {
        let mut command = self.command("initdb");
        command.arg("-D").arg(dir).args([
            "-U",
            user,
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
            "--locale",
            locale,
        ]);
        command.arg("--pwfile").arg(pwfile);
        // Nothing in a brand-new cluster is worth seconds of fsync; once it runs, fsync is on.
        command.arg("--no-sync");
        self.output(command).await
    }

    /// Writes our settings, replacing those of the last start.
    pub fn configure(&self) -> Result<(), ClusterError> {
        let sockets = self.socket_dir.as_deref().map_or(String::new(), |it| it.display().to_string());
        let fixed = [
            ("listen_addresses".to_owned(), "127.0.0.1".to_owned()),
            ("port".to_owned(), self.port.to_string()),
            ("unix_socket_directories".to_owned(), sockets),
        ];
        let lines: String =
            fixed.iter().chain(&self.settings).map(|(name, value)| setting_line(name, value)).collect();
        let header = "# Rewritten at every start. Use ALTER SYSTEM for your own settings: they win.\n";
        self.write_owned(&self.data.path().join(SETTINGS_FILE), &format!("{header}{lines}"))?;

        let main = self.data.path().join("postgresql.conf");
        let text = std::fs::read_to_string(&main).map_err(ClusterError::file("read", &main))?;
        if !text.contains(SETTINGS_FILE) {
            self.write_owned(
                &main,
                &format!("{}\n\ninclude_if_exists = '{SETTINGS_FILE}'\n", text.trim_end()),
            )?;
        }
        Ok(())
    }

    /// A setting's line as the last start wrote it; empty where it had none.
    pub(crate) fn configured(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.data.path().join(SETTINGS_FILE)).unwrap_or_default();
        let begin = format!("{name} ");
        text.lines().find(|it| it.starts_with(&begin)).unwrap_or_default().to_owned()
    }

    /// The line as the next start writes it.
    pub(crate) fn setting(&self, name: &str) -> String {
        let found = self.settings.iter().find(|(it, _)| it == name);
        found.map_or_else(String::new, |(name, value)| setting_line(name, value).trim_end().to_owned())
    }

    /// Replaces a file at once, so that a crash leaves the old or the new text.
    fn write_owned(&self, path: &Path, text: &str) -> Result<(), ClusterError> {
        let draft = sibling(path, "new");
        let write = || {
            std::fs::write(&draft, text)?;
            self.account.own(&draft)?;
            std::fs::rename(&draft, path)
        };
        write().map_err(ClusterError::file("write", path))
    }

    /// Starts the server, detached from this process and its terminal, and waits until it accepts connections.
    pub async fn start(&self) -> Result<(), ClusterError> {
        self.clear_stale_lock_files()?;
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            let log_before = std::fs::metadata(&self.log).map_or(0, |it| it.len());
            let mut command = self.command("pg_ctl");
            command.arg("start").arg("-D").arg(self.data.path()).arg("-l").arg(&self.log);
            command.args(["-w", "-s", "-t", &START_TIMEOUT.as_secs().to_string()]);
            // pg_ctl starts the server in its own session. With inherited pipes we would wait for the server's end.
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let program = self.binaries.program("pg_ctl");
            let status = command.status().await.map_err(|source| ClusterError::Run { program, source })?;
            if status.success() {
                return Ok(());
            }
            // A server that an interrupted run had sent off was faster; whether it answers yet is the caller's question.
            if self.data.postmaster().is_some() && self.data.running_port() == Some(self.port) {
                return Ok(());
            }
            let tail = log_tail(&self.log, log_before);
            // Children of a killed server need a moment to notice; until then they hold its shared memory.
            let orphans = tail.contains("shared memory block") && tail.contains("still in use");
            if !orphans || Instant::now() >= deadline {
                return Err(ClusterError::Start { port: self.port, log: self.log.clone(), tail });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Postgres itself overcomes a lock file whose process is gone, but not one whose number was reused by a process of
    /// the same user, nor one of a killed server that nobody collected yet.
    fn clear_stale_lock_files(&self) -> Result<(), ClusterError> {
        if self.data.postmaster().is_some() {
            return Ok(());
        }
        let socket = |dir: &PathBuf| dir.join(format!(".s.PGSQL.{}.lock", self.port));
        let locks = [Some(self.data.pid_file()), self.socket_dir.as_ref().map(socket)];
        locks.into_iter().flatten().try_for_each(|it| remove_if_there(&it))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.program(program));
        self.account.apply(&mut command);
        // Untranslated messages, and none of the caller's PG* settings.
        command.env("LC_MESSAGES", "C");
        if cfg!(target_os = "macos") {
            // Without a locale in its environment, the server there turns multi-threaded and refuses to start.
            command.env("LC_ALL", preferred_locale());
        }
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        command
    }

    async fn output(&self, mut command: Command) -> Result<Output, ClusterError> {
        let program = PathBuf::from(command.as_std().get_program());
        command
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|source| ClusterError::Run { program, source })
    }
}

/// Sorting by code point with full Unicode case rules, where the system has such a locale.
fn preferred_locale() -> &'static str {
    if cfg!(target_os = "macos") { "en_US.UTF-8" } else { "C.UTF-8" }
}

fn setting_line(name: &str, value: &str) -> String {
    format!("{name} = '{}'\n", value.replace('\'', "''"))
}

fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(suffix);
    path.with_file_name(name)
}

pub(crate) fn remove_if_there(path: &Path) -> Result<(), ClusterError> {
    let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ClusterError::file("remove", path)(error))
        }
        _ => Ok(()),
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

/// The last lines that a log gained since it was `from` bytes long.
pub(crate) fn log_tail(log: &Path, from: u64) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let from = usize::try_from(from).unwrap_or(0).min(bytes.len());
    let text = String::from_utf8_lossy(&bytes[from..]);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_values_are_quoted() {
        assert_eq!(setting_line("cron.database_name", "it's"), "cron.database_name = 'it''s'\n");
    }

    #[test]
    fn server_of_a_folder_with_a_longer_name_is_another_one() {
        let ours = "/x/data";
        for command in ["postgres -D /x/data", "postgres -D /x/data -p 5432", "postgres --pgdata=/x/data/"] {
            assert!(names_folder(command, ours), "{command}");
        }
        for command in
            ["postgres -D /x/data2", "postgres -D /x/data/custom", "postgres -D /y/x/data", "postgres"]
        {
            assert!(!names_folder(command, ours), "{command}");
        }
    }

    #[test]
    fn siblings_stay_in_the_same_folder() {
        assert_eq!(sibling(Path::new("/a/data"), "initializing"), Path::new("/a/data.initializing"));
    }
}

//! A throw-away server from the programs on this machine.
//!
//! It costs a copy of a prepared data folder and a start, about 0.2 s. It ends with the process that made it, however
//! that ends: a small shell waits on a pipe that the system closes for us, then stops the server and removes its
//! folder. What even that could not remove is swept by the next run.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::{TestError, TestServer};
use crate::account::Account;
use crate::cluster::{Cluster, ClusterError, DataDir, NewCluster, StopMode, remove_if_there};
use crate::pgbin::{SearchPath, ServerBinaries};
use crate::ports;
use crate::process::ProcessIdentity;

const SUPERUSER: &str = "postgres";
const PASSWORD: &str = "postgres";

/// TCP asks for the password, as postgres_fdw insists for ordinary users; the socket's folder is closed to others.
const HBA: &str = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";

/// Speed before durability: nobody needs the data after a power cut. `synchronous_commit` stays on: what a test
/// committed must survive a server that the test kills.
const SETTINGS: [(&str, &str); 8] = [
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("max_wal_senders", "0"),
    ("wal_level", "minimal"),
    ("max_connections", "200"),
    ("shared_buffers", "32MB"),
    ("jit", "off"),
    ("log_line_prefix", "%m [%p] %q%u@%d "),
];

/// Waits for the end of its input, that is, of the process holding the other end; then cleans up.
const JANITOR: &str = r#"cat >/dev/null; "$1" stop -D "$2/data" -m immediate -s -t 10; rm -rf "$2""#;

/// Settings of a [`NativeServer`].
#[derive(Debug, Default, Clone)]
pub struct NativeServerBuilder {
    settings: Vec<(String, String)>,
}

impl NativeServerBuilder {
    /// Adds a setting, in `postgresql.conf` terms.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes and starts the server.
    pub async fn start(self) -> Result<NativeServer, TestError> {
        let binaries = ServerBinaries::find(&SearchPath::from_env(), None)?.ok_or(TestError::NoServer)?;
        let account = Account::for_servers().ok_or(TestError::NoAccount)?;
        let base = base_dir();
        account.create_dir(&base, 0o700)?;
        sweep(&base).await;
        let template = template(&base, &binaries, &account).await?;

        let dir = base.join(run_name());
        account.create_dir(&dir, 0o700)?;
        let mut settings: Vec<_> = SETTINGS.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        settings.extend(self.settings);
        let mut cluster = Cluster {
            binaries,
            account,
            data: DataDir(dir.join("data")),
            log: dir.join("log"),
            port: ports::free()?,
            socket_dir: Some(dir.clone()),
            settings,
        };
        let janitor = spawn_janitor(&cluster, &dir)?;
        let mut server = NativeServer { cluster: cluster.clone(), janitor };
        copy(&cluster, &template).await?;
        for attempts_left in (0..5).rev() {
            cluster.configure()?;
            match cluster.start().await {
                // Somebody took the port between our look and the server's.
                Err(ClusterError::Start { tail, .. }) if attempts_left > 0 && tail.contains("in use") => {
                    cluster.port = ports::free()?;
                }
                Err(error) => return Err(error.into()),
                Ok(()) => break,
            }
        }
        server.cluster = cluster;
        Ok(server)
    }
}

/// A running throw-away server. Dropping it stops the server and removes its data.
#[derive(Debug)]
pub struct NativeServer {
    cluster: Cluster,
    janitor: Child,
}

impl NativeServer {
    /// A server with further settings.
    pub fn builder() -> NativeServerBuilder {
        NativeServerBuilder::default()
    }

    /// Folder of the unix socket; password-free there.
    pub fn socket_dir(&self) -> Option<&Path> {
        self.cluster.socket_dir.as_deref()
    }

    /// The log so far, for assertions on what the server saw.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.cluster.log).unwrap_or_default()
    }
}

#[async_trait::async_trait]
impl TestServer for NativeServer {
    fn host(&self) -> &str {
        "127.0.0.1"
    }

    fn port(&self) -> u16 {
        self.cluster.port
    }

    fn superuser(&self) -> &str {
        SUPERUSER
    }

    fn password(&self) -> &str {
        PASSWORD
    }

    async fn stop(&self, mode: StopMode) -> Result<(), TestError> {
        self.cluster.data.stop(mode, Duration::from_secs(30)).await?;
        Ok(())
    }

    async fn kill(&self) -> Result<(), TestError> {
        let Some(postmaster) = self.cluster.data.postmaster() else { return Ok(()) };
        // Sessions notice the end of their server in their own time; a test wants them gone now.
        let mut processes = children(postmaster.pid).await?;
        processes.insert(0, postmaster);
        for process in &processes {
            process.signal(Signal::SIGKILL)?;
        }
        for process in processes {
            process.wait_gone(Duration::from_secs(30)).await;
        }
        Ok(())
    }

    async fn start(&self) -> Result<(), TestError> {
        Ok(self.cluster.start().await?)
    }
}

impl Drop for NativeServer {
    fn drop(&mut self) {
        drop(self.janitor.stdin.take());
        // A failure to wait leaves the janitor at work; there is nobody to tell.
        let _ = self.janitor.wait();
    }
}

async fn children(pid: u32) -> io::Result<Vec<ProcessIdentity>> {
    let output = tokio::process::Command::new("ps").args(["-A", "-o", "ppid=,pid="]).output().await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let child = |line: &str| {
        let (parent, child) = line.trim().split_once(char::is_whitespace)?;
        (parent.parse() == Ok(pid)).then(|| ProcessIdentity::of(child.trim().parse().ok()?))?
    };
    Ok(text.lines().filter_map(child).collect())
}

/// Free space that a memory file system must have before clusters go there; one takes some 60 MB.
const ROOM_IN_MEMORY: u64 = 2 << 30;

/// One folder per user, short because a unix socket's path may have 107 bytes at most. In memory where there is room:
/// most of a test's time with a separate cluster is the copying and syncing of files.
fn base_dir() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let has_room = nix::sys::statvfs::statvfs(memory)
        .is_ok_and(|it| it.blocks_available().saturating_mul(it.fragment_size()) >= ROOM_IN_MEMORY);
    let mut dir = if has_room { memory.to_owned() } else { std::env::temp_dir() };
    if dir.as_os_str().len() > 60 {
        dir = PathBuf::from("/tmp");
    }
    dir.join(format!("pgapp-test-{}", nix::unistd::geteuid()))
}

/// `PID-START-RANDOM`: whose it is can be read off the name.
fn run_name() -> String {
    let started = ProcessIdentity::current().map_or_else(String::new, |it| short_start(&it));
    format!("{}-{started}-{:08x}", std::process::id(), rand::random::<u32>())
}

fn short_start(identity: &ProcessIdentity) -> String {
    let kept: String = identity.started.chars().filter(char::is_ascii_alphanumeric).collect();
    kept[kept.len().saturating_sub(8)..].to_owned()
}

/// Removes what runs left whose process and janitor are both gone.
async fn sweep(base: &Path) {
    let Ok(entries) = std::fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let Some(name) = entry.file_name().to_str().map(ToOwned::to_owned) else { continue };
        let mut parts = name.splitn(3, '-');
        let (Some(Ok(pid)), Some(started), Some(_)) =
            (parts.next().map(str::parse::<u32>), parts.next(), parts.next())
        else {
            continue;
        };
        if ProcessIdentity::of(pid).is_some_and(|it| short_start(&it) == started) {
            continue;
        }
        let dir = entry.path();
        // The janitor of a process that ended just now may be at the same work: losing that race is fine.
        let _ = DataDir(dir.join("data")).stop(StopMode::Immediate, Duration::from_secs(10)).await;
        let _ = std::fs::remove_dir_all(&dir);
    }
}

/// The prepared data folder that clusters are copied from; made once per server version.
async fn template(base: &Path, binaries: &ServerBinaries, account: &Account) -> Result<PathBuf, TestError> {
    let data = base.join(format!("template-{}", binaries.version));
    let lock = std::fs::File::create(base.join("template.lock"))?;
    // Blocks this thread while another process makes it, about a second.
    lock.lock()?;
    if !data.join("PG_VERSION").exists() {
        remove_if_there(&data)?;
        let cluster = Cluster {
            binaries: binaries.clone(),
            account: account.clone(),
            data: DataDir(data.clone()),
            log: base.join("template.log"),
            port: 0,
            socket_dir: None,
            settings: Vec::new(),
        };
        cluster
            .init(&NewCluster { superuser: SUPERUSER, password: PASSWORD, hba: HBA, dbname: None })
            .await?;
    }
    Ok(data)
}

async fn copy(cluster: &Cluster, template: &Path) -> Result<(), TestError> {
    let mut command = tokio::process::Command::new("cp");
    cluster.account.apply(&mut command).arg("-Rp").arg(template).arg(cluster.data.path());
    let output = command.stdin(Stdio::null()).output().await?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()).into())
}

fn spawn_janitor(cluster: &Cluster, dir: &Path) -> Result<Child, TestError> {
    use std::os::unix::process::CommandExt;
    let mut command = std::process::Command::new("sh");
    command.args(["-c", JANITOR, "sh"]).arg(cluster.binaries.program("pg_ctl")).arg(dir);
    // A separate process group: a test runner that kills the test's group must not kill its janitor.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(cluster.account.apply_std(&mut command).spawn()?)
}

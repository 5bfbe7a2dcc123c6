//! A throw-away Postgres cluster with the local stack's users and databases: `somedb` of `someuser` as the origin,
//! `mydb` of the superuser `myuser` as the custom database. `initdb` runs once per machine, each test gets a copy.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bootstrap_sql::Secret;
use bootstrap_sql::fdw::FdwConfig;
use tokio_postgres::{Client, Config, NoTls};

pub(crate) const ORIGIN_PASSWORD: &str = "somepassword";

/// A running cluster; dropped, it is gone.
pub(crate) struct Cluster {
    /// Taken only when the cluster is taken apart.
    dir: Option<tempfile::TempDir>,
    server: Child,
    pub(crate) port: u16,
}

/// The user that the server runs as: Postgres refuses to be root.
struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    fn get() -> Option<Self> {
        let id = |flag: &str, user: &[&str]| -> u32 {
            let out = Command::new("id").arg(flag).args(user).output().unwrap();
            String::from_utf8(out.stdout).unwrap().trim().parse().unwrap()
        };
        (id("-u", &[]) == 0).then(|| Self { uid: id("-u", &["nobody"]), gid: id("-g", &["nobody"]) })
    }
}

fn command(program: &Path, account: Option<&Account>) -> Command {
    let mut command = Command::new(program);
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    command.current_dir("/");
    command
}

fn bin_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("PG_BIN_DIR") {
        return dir.into();
    }
    let mut majors: Vec<u32> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|it| it.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    majors.sort_unstable();
    if let Some(major) = majors.last() {
        return format!("/usr/lib/postgresql/{major}/bin").into();
    }
    let out =
        Command::new("pg_config").arg("--bindir").output().expect("set PG_BIN_DIR: no Postgres server found");
    String::from_utf8(out.stdout).unwrap().trim().into()
}

fn give(path: &Path, account: Option<&Account>) {
    if let Some(account) = account {
        chown(path, Some(account.uid), Some(account.gid)).unwrap();
    }
}

fn copy_tree(from: &Path, to: &Path, account: Option<&Account>) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    give(to, account);
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target, account);
        } else {
            fs::copy(entry.path(), &target).unwrap();
            give(&target, account);
        }
    }
}

/// Where clusters live: in memory where there is room for all that run at once, since copying them to a busy disk takes
/// most of a test's time.
fn base_dir() -> PathBuf {
    const NEEDED_KIB: u64 = 2 * 1024 * 1024;
    let memory = Path::new("/dev/shm");
    let free_kib = Command::new("df").args(["-Pk", "/dev/shm"]).output().ok().and_then(|out| {
        let text = String::from_utf8(out.stdout).ok()?;
        text.lines().nth(1)?.split_whitespace().nth(3)?.parse::<u64>().ok()
    });
    if free_kib.is_some_and(|it| it >= NEEDED_KIB) { memory.to_owned() } else { std::env::temp_dir() }
}

/// The data directory that every test copies, made by the first.
fn template(bin: &Path, account: Option<&Account>) -> PathBuf {
    let base = base_dir().join(format!("pgapp-bootstrap-test-{}", std::process::id()));
    let shared =
        base_dir().join(format!("pgapp-bootstrap-test{}", bin.display().to_string().replace('/', "-")));
    let lock = fs::File::create(base_dir().join("pgapp-bootstrap-test.lock")).unwrap();
    lock.lock().unwrap();
    if shared.join("ready").exists() {
        return shared;
    }
    let _ = fs::remove_dir_all(&base);
    let _ = fs::remove_dir_all(&shared);
    fs::create_dir(&base).unwrap();
    give(&base, account);
    let password_file = base.join("password");
    fs::write(&password_file, "mypassword").unwrap();
    give(&password_file, account);
    let data = base.join("data");
    let out = command(&bin.join("initdb"), account)
        .args([
            "-U",
            "myuser",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "--wal-segsize=1",
        ])
        .arg("--pwfile")
        .arg(&password_file)
        .arg("-D")
        .arg(&data)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let mut single = command(&bin.join("postgres"), account)
        .args(["--single", "-j", "-D"])
        .arg(&data)
        .arg("postgres")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let sql = format!(
        "CREATE ROLE someuser LOGIN PASSWORD '{ORIGIN_PASSWORD}';\n\nCREATE DATABASE somedb OWNER someuser;\n\n\
         CREATE DATABASE mydb;\n\n"
    );
    std::io::Write::write_all(&mut single.stdin.take().unwrap(), sql.as_bytes()).unwrap();
    assert!(single.wait().unwrap().success());
    fs::write(base.join("ready"), "").unwrap();
    fs::rename(&base, &shared).unwrap();
    shared
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts with further server settings, `name=value` each.
    pub(crate) async fn start_with(settings: &[&str]) -> Self {
        let (bin, account) = (bin_dir(), Account::get());
        let account = account.as_ref();
        let template = template(&bin, account);
        let mut dir = tempfile::Builder::new().prefix("pgapp-bootstrap-").tempdir_in(base_dir()).unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        give(dir.path(), account);
        let data = dir.path().join("data");
        copy_tree(&template.join("data"), &data, account);
        let bin_postgres = bin.join("postgres");
        // Another process may take the port between the choice and the start: then another one is chosen.
        let mut server = Self::spawn(&bin_postgres, account, dir.path(), settings);
        loop {
            let (shell, port) = server;
            let cluster = Self { dir: Some(dir), server: shell, port };
            if cluster.answers().await {
                return cluster;
            }
            assert!(cluster.log().contains("Address already in use"), "{}", cluster.log());
            dir = cluster.stop();
            server = Self::spawn(&bin_postgres, account, dir.path(), settings);
        }
    }

    fn spawn(postgres: &Path, account: Option<&Account>, dir: &Path, settings: &[&str]) -> (Child, u16) {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = fs::File::create(dir.join("log")).unwrap();
        // The shell ends the server when its standard input closes, which also happens when the test is killed.
        let mut shell = command(Path::new("/bin/sh"), account);
        shell
            .args(["-c", r#""$@" & pid=$!; read -r _; kill -QUIT $pid; wait $pid"#, "sh"])
            .arg(postgres)
            .arg("-D")
            .arg(dir.join("data"))
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "shared_buffers=16MB"])
            .args(["-c", &format!("port={port}"), "-c"])
            .arg(format!("unix_socket_directories={}", dir.display()));
        for setting in settings {
            shell.args(["-c", setting]);
        }
        let shell = shell.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        (shell, port)
    }

    /// Ends the server and keeps its directory.
    fn stop(mut self) -> tempfile::TempDir {
        self.end();
        self.dir.take().unwrap()
    }

    fn end(&mut self) {
        drop(self.server.stdin.take());
        let _ = self.server.wait();
    }

    async fn answers(&self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            if self.try_connect("mydb", "myuser", "mypassword").await.is_ok() {
                return true;
            }
            if self.log().contains("could not")
                || self.log().contains("FATAL:  ") && self.log().contains("exit")
            {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }

    /// Everything that the server has logged.
    pub(crate) fn log(&self) -> String {
        let dir = self.dir.as_ref().expect("taken only when the cluster is taken apart");
        fs::read_to_string(dir.path().join("log")).unwrap_or_default()
    }

    pub(crate) async fn try_connect(
        &self,
        dbname: &str,
        user: &str,
        password: &str,
    ) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = Config::new()
            .host("127.0.0.1")
            .port(self.port)
            .dbname(dbname)
            .user(user)
            .password(password)
            .connect(NoTls)
            .await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// The custom database as its owner.
    pub(crate) async fn custom(&self) -> Client {
        self.try_connect("mydb", "myuser", "mypassword").await.unwrap()
    }

    /// The origin as its owner, who is no superuser.
    pub(crate) async fn origin(&self) -> Client {
        self.try_connect("somedb", "someuser", ORIGIN_PASSWORD).await.unwrap()
    }

    /// The origin as somebody who may create extensions.
    pub(crate) async fn origin_as_superuser(&self) -> Client {
        self.try_connect("somedb", "myuser", "mypassword").await.unwrap()
    }

    pub(crate) fn fdw_config(&self) -> FdwConfig {
        FdwConfig::new("127.0.0.1", self.port, "somedb", "someuser", Secret::from(ORIGIN_PASSWORD))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end();
    }
}

/// The first column of all rows of a query, as text.
pub(crate) async fn texts(client: &Client, sql: &str) -> Vec<String> {
    client
        .simple_query(sql)
        .await
        .unwrap_or_else(|it| panic!("{sql}: {it:?}"))
        .into_iter()
        .filter_map(|it| match it {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("NULL").to_owned()),
            _ => None,
        })
        .collect()
}

/// The single value of a query, as text.
pub(crate) async fn text(client: &Client, sql: &str) -> String {
    let mut texts = texts(client, sql).await;
    assert_eq!(texts.len(), 1, "{sql}: {texts:?}");
    texts.remove(0)
}

//! The last resort where neither a server nor Docker is found: a server's programs from the network, kept for the next
//! time.
//!
//! The archives are those that the crate `postgresql_embedded` downloads. The crate itself would add 82 packages to
//! every build of the tool (an HTTP client with TLS, an ORM) for a path that most people never take; `curl` and `tar`,
//! which the systems without a Postgres have as well, do the same, and the checksum is verified here.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::account::Account;
use crate::event::{Event, Progress};
use crate::pgbin::ServerBinaries;

/// Where the archives are, and which version is taken.
#[derive(Debug, Clone)]
pub(crate) struct Archive {
    base_url: String,
    version: String,
}

/// Releases of the project whose archives the crate uses.
const ARCHIVES: &str = "https://github.com/theseus-rs/postgresql-binaries/releases/download";

/// The release taken; existing data of another major is refused as usual.
const VERSION: &str = "17.5.0";

impl Default for Archive {
    /// The usual place, or the mirror that `PGAPP_POSTGRES_ARCHIVES` names.
    fn default() -> Self {
        let mirror = std::env::var("PGAPP_POSTGRES_ARCHIVES").ok().filter(|it| !it.is_empty());
        Self::at(mirror.as_deref().unwrap_or(ARCHIVES))
    }
}

impl Archive {
    pub(crate) fn at(base_url: &str) -> Self {
        Self { base_url: base_url.to_owned(), version: VERSION.to_owned() }
    }

    fn url(&self, target: &str) -> String {
        let version = &self.version;
        format!("{}/{version}/postgresql-{version}-{target}.tar.gz", self.base_url)
    }

    /// The programs in `cache`, downloaded unless they are there; the reason if that fails.
    pub(crate) async fn server(
        &self,
        cache: &Path,
        account: &Account,
        progress: &Progress,
    ) -> Result<ServerBinaries, String> {
        let target = target().ok_or("there is no archive for this system")?;
        let home = cache.join(format!("postgresql-{}", self.version));
        if !home.join("bin/postgres").is_file() {
            self.fetch(&self.url(target), &home, account, progress).await?;
        }
        ServerBinaries::read(home.join("bin"), "download").map_err(|it| it.to_string())
    }

    /// Unpacks beside the final place, which appears whole or not at all.
    async fn fetch(
        &self,
        url: &str,
        home: &Path,
        account: &Account,
        progress: &Progress,
    ) -> Result<(), String> {
        let draft = home.with_extension("download");
        let describe = |it: std::io::Error| format!("\"{}\": {it}", draft.display());
        if draft.exists() {
            std::fs::remove_dir_all(&draft).map_err(describe)?;
        }
        if let Some(parent) = home.parent() {
            account.create_dir(parent, 0o755).map_err(describe)?;
        }
        account.create_dir(&draft, 0o755).map_err(describe)?;
        progress.emit(Event::Output { line: format!("downloading {url}") });
        let archive = draft.join("archive.tar.gz");
        curl(url, &archive).await?;
        let sums = draft.join("archive.sha256");
        curl(&format!("{url}.sha256"), &sums).await?;
        verify(&archive, &std::fs::read_to_string(&sums).map_err(describe)?)?;

        let unpacked = draft.join("unpacked");
        account.create_dir(&unpacked, 0o755).map_err(describe)?;
        // Archives hold one folder named after version and target.
        let mut tar = Command::new("tar");
        tar.args(["-xzf"]).arg(&archive).arg("-C").arg(&unpacked).arg("--strip-components=1");
        run(tar, "tar").await?;
        std::fs::rename(&unpacked, home).map_err(describe)?;
        std::fs::remove_dir_all(&draft).map_err(describe)
    }
}

/// The folder for downloaded programs: within the project, unless the servers' user cannot get there.
pub(crate) fn cache_dir(root: &Path, account: &Account) -> PathBuf {
    let dir = root.join(".stack/.cache");
    if account.can_reach(&dir.join("bin")) { dir } else { PathBuf::from("/var/lib/postgres-as-app/.cache") }
}

fn target() -> Option<&'static str> {
    let is_musl = cfg!(target_env = "musl");
    Some(match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") if is_musl => "x86_64-unknown-linux-musl",
        ("linux", "x86_64") => "x86_64-unknown-linux-gnu",
        ("linux", "aarch64") if is_musl => "aarch64-unknown-linux-musl",
        ("linux", "aarch64") => "aarch64-unknown-linux-gnu",
        ("macos", "x86_64") => "x86_64-apple-darwin",
        ("macos", "aarch64") => "aarch64-apple-darwin",
        _ => return None,
    })
}

async fn curl(url: &str, to: &Path) -> Result<(), String> {
    let mut command = Command::new("curl");
    command.args([
        "--fail",
        "--location",
        "--silent",
        "--show-error",
        "--connect-timeout",
        "10",
        "--retry",
        "2",
    ]);
    command.arg("--output").arg(to).arg(url);
    run(command, "curl").await
}

async fn run(mut command: Command, name: &str) -> Result<(), String> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    match command.output().await {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            Err(text.trim().lines().last().unwrap_or(name).to_owned())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(format!("the program `{name}` is not installed"))
        }
        Err(error) => Err(format!("{name}: {error}")),
    }
}

/// Compares an archive with the first word of its checksum file.
fn verify(archive: &Path, sums: &str) -> Result<(), String> {
    let expected = sums.split_whitespace().next().unwrap_or_default().to_lowercase();
    let bytes = std::fs::read(archive).map_err(|it| it.to_string())?;
    let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if found == expected {
        return Ok(());
    }
    Err(format!("the archive's checksum is {found}, announced was {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    /// A "release" that curl reads from disk.
    fn release(root: &Path) -> Archive {
        let version = "17.5.0";
        let name = format!("postgresql-{version}-{}", target().unwrap());
        let bin = root.join(&name).join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        for program in ["postgres", "initdb", "pg_ctl"] {
            std::fs::write(bin.join(program), "#!/bin/sh\necho 'postgres (PostgreSQL) 17.5'\n").unwrap();
            std::fs::set_permissions(bin.join(program), std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let dir = root.join(version);
        std::fs::create_dir(&dir).unwrap();
        let archive = dir.join(format!("{name}.tar.gz"));
        let tar = std::process::Command::new("tar")
            .arg("-czf")
            .arg(&archive)
            .arg("-C")
            .arg(root)
            .arg(&name)
            .status();
        assert!(tar.unwrap().success());
        let sum: String =
            Sha256::digest(std::fs::read(&archive).unwrap()).iter().map(|it| format!("{it:02x}")).collect();
        std::fs::write(dir.join(format!("{name}.tar.gz.sha256")), format!("{sum}  {name}.tar.gz\n")).unwrap();
        Archive { base_url: format!("file://{}", root.display()), version: version.to_owned() }
    }

    fn progress() -> Progress {
        Progress::new(Arc::new(|_: Event| {}))
    }

    #[tokio::test]
    async fn programs_are_unpacked_once_and_kept() {
        let root = tempfile::tempdir().unwrap();
        let cache = root.path().join("cache");
        let archive = release(root.path());
        let found = archive.server(&cache, &Account::Current, &progress()).await.unwrap();
        assert_eq!((found.major, found.dir), (17, cache.join("postgresql-17.5.0/bin")));
        // The second time nothing is fetched: the source is gone.
        std::fs::remove_dir_all(root.path().join("17.5.0")).unwrap();
        archive.server(&cache, &Account::Current, &progress()).await.unwrap();
    }

    #[tokio::test]
    async fn a_wrong_checksum_is_refused_and_leaves_no_programs() {
        let root = tempfile::tempdir().unwrap();
        let cache = root.path().join("cache");
        let archive = release(root.path());
        let sums = format!("17.5.0/postgresql-17.5.0-{}.tar.gz.sha256", target().unwrap());
        std::fs::write(root.path().join(sums), "00ff  some.tar.gz\n").unwrap();
        let error = archive.server(&cache, &Account::Current, &progress()).await.unwrap_err();
        assert!(error.ends_with("announced was 00ff"), "{error}");
        assert!(!cache.join("postgresql-17.5.0").exists());
    }

    #[tokio::test]
    async fn no_network_is_a_reason_not_a_crash() {
        let root = tempfile::tempdir().unwrap();
        let archive = Archive { base_url: "file:///nowhere".to_owned(), version: "17.5.0".to_owned() };
        let error = archive.server(root.path(), &Account::Current, &progress()).await.unwrap_err();
        assert!(error.starts_with("curl:"), "{error}");
    }
}

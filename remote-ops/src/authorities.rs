//! The authorities that sign the certificates of RDS. No operating system knows them; AWS publishes them as one file.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

use super::error::{RemoteError, RemoteResult};
pub use super::place::BUNDLE_URL;

/// The file: the one that is named (flag or `PGSSLROOTCERT`), else a copy that is fetched once into the cache folder.
///
/// # Errors
/// When there is neither a file nor a way to fetch it.
pub async fn bundle(named: Option<&Path>) -> RemoteResult<PathBuf> {
    if let Some(path) = named {
        if !path.is_file() {
            return Err(RemoteError::NoAuthorities(path.to_owned()));
        }
        return Ok(path.to_owned());
    }
    let path = cache_dir().ok_or(RemoteError::NoCacheFolder)?.join("rds-global-bundle.pem");
    if !path.is_file() {
        fetch(BUNDLE_URL, &path).await?;
    }
    Ok(path)
}

/// What is in that file.
///
/// # Errors
/// As [`bundle`], and when it cannot be read.
pub async fn read(named: Option<&Path>) -> RemoteResult<Vec<u8>> {
    let path = bundle(named).await?;
    std::fs::read(&path).map_err(|source| RemoteError::File { doing: "read", path, source })
}

fn cache_dir() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    Some(set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?.join("postgres-as-app"))
}

/// Fetches with `curl`, which knows this machine's proxies; the file appears whole or not at all.
async fn fetch(url: &str, path: &Path) -> RemoteResult<()> {
    let file = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| RemoteError::File { doing, path, source }
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(file("make the folder", folder))?;
    let part = path.with_extension(format!("{}.part", std::process::id()));
    let mut command = Command::new("curl");
    command.args(["--fail", "--silent", "--show-error", "--location", "--max-time", "60", "--output"]);
    command.arg(&part).arg(url).stdin(Stdio::null()).kill_on_drop(true);
    let out = match command.output().await {
        Err(err) if err.kind() == ErrorKind::NotFound => return Err(RemoteError::NoCurl),
        Err(err) => return Err(RemoteError::Fetch { said: err.to_string() }),
        Ok(out) => out,
    };
    if !out.status.success() {
        let _ = std::fs::remove_file(&part);
        return Err(RemoteError::Fetch { said: String::from_utf8_lossy(&out.stderr).trim().to_owned() });
    }
    std::fs::rename(&part, path).map_err(file("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_file_appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let (source, path) = (dir.path().join("source.pem"), dir.path().join("cache/rds.pem"));
        let url = format!("file://{}", source.display());
        let err = fetch(&url, &path).await.unwrap_err().to_string();
        assert!(err.contains("name the file with --ssl-root-cert"), "{err}");
        assert!(!path.exists());
        std::fs::write(&source, "certificates").unwrap();
        fetch(&url, &path).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "certificates");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_named_file_must_be_there() {
        assert!(
            bundle(Some(Path::new("/nowhere.pem")))
                .await
                .unwrap_err()
                .to_string()
                .starts_with("/nowhere.pem")
        );
    }
}

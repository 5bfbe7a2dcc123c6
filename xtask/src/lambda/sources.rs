//! A digest of what the artifact is made of, the same that Terraform computes from what is checked out.
//!
//! `infra-tf/main.tf` makes it of the same files: the manifests and the lock file, whatever below `api/src` and
//! `pg-wire-client/src` goes into the binary (code, SQL and HTML), and the authorities that are packed beside it, where the project keeps some.
//! It is the SHA-256 of the listing that `sha256sum` prints of them, in order of path.

use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};

const FILES: &[&str] = &["Cargo.lock", "Cargo.toml", "api/Cargo.toml", "pg-wire-client/Cargo.toml"];
const FOLDERS: &[&str] = &["api/src", "pg-wire-client/src"];
const EXTENSIONS: &[&str] = &["html", "rs", "sql"];

/// The digest of the sources of the workspace at `root`.
pub(super) fn digest(root: &Path) -> Result<String> {
    let mut files: Vec<String> = FILES.iter().map(|&it| it.to_owned()).collect();
    if root.join(super::KEPT_BUNDLE).is_file() {
        files.push(super::KEPT_BUNDLE.to_owned());
    }
    for folder in FOLDERS {
        collect(root, folder, &mut files)?;
    }
    files.sort();
    let mut listing = String::new();
    for file in files {
        let bytes = std::fs::read(root.join(&file)).with_context(|| format!("read {file}"))?;
        listing.push_str(&format!("{}  {file}\n", sha256(&bytes)));
    }
    Ok(sha256(listing.as_bytes()))
}

fn collect(root: &Path, folder: &str, files: &mut Vec<String>) -> Result<()> {
    let entries = std::fs::read_dir(root.join(folder)).with_context(|| format!("read {folder}"))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("read {folder}"))?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(root, &path, files)?;
        } else if entry.path().extension().is_some_and(|it| EXTENSIONS.iter().any(|known| it == *known)) {
            files.push(path);
        }
    }
    Ok(())
}

/// SHA-256 in hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_is_that_of_the_listing() {
        let dir = tempfile::tempdir().expect("a folder");
        let put = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        };
        put("Cargo.lock", "lock");
        put("Cargo.toml", "workspace");
        put("api/Cargo.toml", "manifest");
        put("api/src/lib.rs", "lib");
        put("api/src/a/b.rs", "b");
        put("api/src/a/c.sql", "sql");
        put("api/src/a/d.snap", "not counted");
        put("pg-wire-client/Cargo.toml", "client");
        put("pg-wire-client/src/lib.rs", "client lib");
        let line = |text: &str, path: &str| format!("{}  {path}\n", sha256(text.as_bytes()));
        let listing = [
            line("lock", "Cargo.lock"),
            line("workspace", "Cargo.toml"),
            line("manifest", "api/Cargo.toml"),
            line("b", "api/src/a/b.rs"),
            line("sql", "api/src/a/c.sql"),
            line("lib", "api/src/lib.rs"),
        ];
        let client =
            [line("client", "pg-wire-client/Cargo.toml"), line("client lib", "pg-wire-client/src/lib.rs")];
        let whole = [listing.concat(), client.concat()];
        assert_eq!(digest(dir.path()).expect("a digest"), sha256(whole.concat().as_bytes()));
        put(super::super::KEPT_BUNDLE, "pem");
        let listing = [listing.concat(), line("pem", super::super::KEPT_BUNDLE), client.concat()];
        assert_eq!(digest(dir.path()).expect("a digest"), sha256(listing.concat().as_bytes()));
        assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}

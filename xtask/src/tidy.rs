//! The project's own rules on its sources, each a function from files to findings.
//!
//! A finding is one line: where, what, and what to do. The rules are few and mechanical; everything that
//! needs judgement is for a reviewer.

mod covered;
mod layering;
mod links;
mod lockfile;
mod manifests;
mod phrases;
mod promises;
mod rooms;
mod sources;
mod words;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::cmd;

/// A file of the project, with its text when it is text.
pub(crate) struct SourceFile {
    /// Path from the root, with `/`.
    pub(crate) path: String,
    /// Contents; `None` for binary files.
    pub(crate) text: Option<String>,
    /// Size in bytes.
    pub(crate) n_bytes: u64,
}

/// Every rule over every file; the findings in order of file.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let files = read_all(root)?;
    let mut findings = Vec::new();
    findings.extend(sources::check(&files));
    findings.extend(covered::check(&files));
    findings.extend(layering::check(&files));
    findings.extend(manifests::check(&files));
    findings.extend(links::check(&files));
    findings.extend(lockfile::check(&files));
    findings.extend(phrases::check(&files));
    findings.extend(promises::check(&files));
    findings.extend(rooms::check(&files));
    findings.extend(words::check(&files));
    findings.sort();
    Ok(findings)
}

/// Files that git tracks, or would track.
pub(crate) fn project_files(root: &Path) -> Result<Vec<PathBuf>> {
    let sh = xshell::Shell::new()?;
    sh.change_dir(root);
    let listed = cmd!(sh, "git ls-files --cached --others --exclude-standard")
        .quiet()
        .read()
        .context("list the project's files")?;
    Ok(listed.lines().map(|line| root.join(line)).filter(|path| path.is_file()).collect())
}

fn read_all(root: &Path) -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    for path in project_files(root)? {
        let bytes = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        files.push(SourceFile {
            path: relative,
            n_bytes: bytes.len() as u64,
            text: String::from_utf8(bytes).ok(),
        });
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::SourceFile;

    /// A text file for the rules' tests.
    pub(super) fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.to_owned(), text: Some(text.to_owned()), n_bytes: text.len() as u64 }
    }
}

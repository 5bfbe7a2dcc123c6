//! Dockerfiles through hadolint, shell scripts through shellcheck.

use std::path::PathBuf;

use anyhow::Result;
use xshell::{Shell, cmd};

use super::Outcome;
use crate::{python, tidy, workspace};

/// Runs both tools over every file git tracks or would track.
pub(super) fn run(sh: &Shell) -> Result<Outcome> {
    let files = tidy::project_files(&workspace::root())?;
    let named = |test: fn(&str) -> bool| -> Vec<PathBuf> {
        files
            .iter()
            .filter(|file| file.file_name().and_then(|name| name.to_str()).is_some_and(test))
            .cloned()
            .collect()
    };
    let dockerfiles = named(|name| name.starts_with("Dockerfile") || name.ends_with(".Dockerfile"));
    if !dockerfiles.is_empty() {
        let hadolint = python::tool(sh, "hadolint")?;
        cmd!(sh, "{hadolint} --failure-threshold info {dockerfiles...}").quiet().run()?;
    }
    let mut scripts = named(|name| name.ends_with(".sh"));
    scripts.push(workspace::root().join(".ci").join("run"));
    let shellcheck = python::tool(sh, "shellcheck")?;
    cmd!(sh, "{shellcheck} {scripts...}").quiet().run()?;
    Ok(Outcome::Done)
}

//! The search for secrets without an engine: in what images are built from, as the gate does it.
//!
//! An example that looks like a key is found with the change that brings it, and not on the day of a release.

use std::path::Path;

use anyhow::{Context, Result};
use xshell::Shell;

use super::scan::Scan;
use crate::{tidy, workspace};

/// What the build contexts hold, as far as a rule over paths can say it; the contexts themselves are looked through when an
/// image is published.
fn is_built_from(path: &str) -> bool {
    let is_left_out = ["api/tests/", "api/benches/", "api/fuzz/"].iter().any(|it| path.starts_with(it));
    let is_in = ["api/", "pg-wire-client/", "local-stack/docker/"].iter().any(|it| path.starts_with(it));
    is_in && !is_left_out || matches!(path, "Cargo.toml" | "Cargo.lock")
}

/// Looks through the sources of the images.
pub(crate) fn scan(sh: &Shell) -> Result<()> {
    let root = workspace::root();
    let copy = sh.create_temp_dir().context("make a folder for the sources")?;
    for file in tidy::project_files(&root)? {
        let path = file.strip_prefix(&root).unwrap_or(&file);
        if path.to_str().is_some_and(is_built_from) {
            let target = copy.path().join(path);
            sh.create_dir(target.parent().unwrap_or(Path::new(".")))?;
            sh.copy_file(&file, &target)?;
        }
    }
    let mut scan = Scan::new(sh)?;
    scan.folder(copy.path(), "sources")?;
    scan.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_what_the_contexts_hold() {
        for path in [
            "api/src/main.rs",
            "api/Cargo.toml",
            "pg-wire-client/src/lib.rs",
            "local-stack/docker/compose.yaml",
            "Cargo.lock",
        ] {
            assert!(is_built_from(path), "{path}");
        }
        for path in ["api/tests/it/main.rs", "deploy/src/lib.rs", "README.md", "infra-cfn/params/rds.json"] {
            assert!(!is_built_from(path), "{path}");
        }
    }
}

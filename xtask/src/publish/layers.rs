//! An image's layers on disk: what each adds and hides, and what is left of it all.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

/// A layer: its archive, and the paths in it.
struct Layer {
    archive: PathBuf,
    paths: Vec<String>,
}

/// The layers of an image, lowest first.
pub(super) struct Layers(Vec<Layer>);

impl Layers {
    /// Reads what is in these archives.
    pub(super) fn list(sh: &Shell, archives: Vec<PathBuf>) -> Result<Self> {
        let one = |archive: PathBuf| {
            let text = cmd!(sh, "tar --list --file {archive}").quiet().read().context("list a layer")?;
            let paths = text.lines().map(|it| it.trim_start_matches("./").to_owned()).collect();
            Ok(Layer { archive, paths })
        };
        archives.into_iter().map(one).collect::<Result<_>>().map(Self)
    }

    /// Paths of the files that the lowest layers make together, without a leading slash; folders end with one.
    pub(super) fn files(&self, n_layers: usize) -> Vec<String> {
        overlay(self.0.iter().take(n_layers).map(|it| it.paths.as_slice()))
    }

    /// All of them.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Unpacks the layers above the lowest ones, each into a separate folder: a file that a later layer removes is still
    /// there for everybody who pulls the image.
    pub(super) fn unpack(&self, sh: &Shell, n_base: usize, into: &Path) -> Result<()> {
        for (index, Layer { archive, .. }) in self.0.iter().enumerate().skip(n_base) {
            let target = into.join(index.to_string());
            sh.create_dir(&target)?;
            cmd!(sh, "tar --extract --no-same-owner --file {archive} --directory {target}")
                .quiet()
                .run()
                .with_context(|| format!("unpack layer {index}"))?;
        }
        Ok(())
    }
}

/// What is seen through all layers: a file named `.wh.NAME` hides NAME below, `.wh..wh..opq` everything in its folder.
fn overlay<'a>(layers: impl Iterator<Item = &'a [String]>) -> Vec<String> {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for paths in layers {
        for path in paths {
            let (folder, name) =
                path.rsplit_once('/').map_or(("", path.as_str()), |(folder, name)| (folder, name));
            let Some(hidden) = name.strip_prefix(".wh.") else { continue };
            let within = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            if hidden == ".wh..opq" {
                seen.retain(|it| !it.starts_with(&within) || *it == within);
            } else {
                let (file, below) = (format!("{within}{hidden}"), format!("{within}{hidden}/"));
                seen.retain(|it| *it != file && !it.starts_with(&below));
            }
        }
        let is_mark = |path: &str| path.rsplit('/').next().is_some_and(|it| it.starts_with(".wh."));
        seen.extend(paths.iter().map(String::as_str).filter(|it| !it.is_empty() && !is_mark(it)));
    }
    seen.into_iter().map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(layers: &[&[&str]], expected: &[&str]) {
        let layers: Vec<Vec<String>> =
            layers.iter().map(|it| it.iter().map(ToString::to_string).collect()).collect();
        assert_eq!(overlay(layers.iter().map(Vec::as_slice)), expected);
    }

    #[test]
    fn later_layers_add_and_hide() {
        check(&[&["bin/", "bin/a"], &["bin/b"]], &["bin/", "bin/a", "bin/b"]);
        check(&[&["bin/", "bin/a", "bin/ab"], &["bin/.wh.a"]], &["bin/", "bin/ab"]);
        check(&[&["lib/", "lib/x/", "lib/x/y"], &["lib/.wh.x"], &["lib/x"]], &["lib/", "lib/x"]);
        check(&[&["etc/", "etc/a", "opt/b"], &["etc/.wh..wh..opq", "etc/c"]], &["etc/", "etc/c", "opt/b"]);
        check(&[&["a", "b"], &[".wh.a"]], &["b"]);
    }
}

//! What an image says about itself: the annotations of the OCI image specification.

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use super::{base::Base, image::Image};

/// What is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// Commit.
    pub(super) revision: String,
    /// Time of the commit, so that the same commit gives the same labels.
    pub(super) created: String,
    /// Whether something differs from the commit.
    pub(super) is_dirty: bool,
}

impl Source {
    /// Asks git.
    pub(super) fn of(sh: &Shell) -> Result<Self> {
        let ask = |args: &[&str]| {
            cmd!(sh, "git {args...}").quiet().ignore_stderr().read().context("ask git what is built")
        };
        Ok(Self {
            revision: ask(&["rev-parse", "HEAD"])?,
            created: ask(&["show", "--no-patch", "--format=%cI", "HEAD"])?,
            is_dirty: !ask(&["status", "--porcelain"])?.is_empty(),
        })
    }
}

/// The labels, key and value.
pub(super) fn of(image: &Image, source: &Source, bases: &[Base]) -> Vec<(String, String)> {
    let dirty = if source.is_dirty { "-dirty" } else { "" };
    let repository = env!("CARGO_PKG_REPOSITORY");
    let mut labels = vec![
        ("title", image.title.to_owned()),
        ("description", image.description.to_owned()),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("revision", format!("{}{dirty}", source.revision)),
        ("created", source.created.clone()),
        ("source", repository.to_owned()),
        ("url", repository.to_owned()),
        ("licenses", image.licenses.to_owned()),
    ];
    let runtime = bases.iter().find(|it| Some(it.argument.as_str()) == image.runtime_base);
    if let Some(base) = runtime {
        labels.push(("base.name", base.name.clone()));
        labels.extend(base.digest.clone().map(|it| ("base.digest", it)));
    }
    labels.into_iter().map(|(key, value)| (format!("org.opencontainers.image.{key}"), value)).collect()
}

/// The instruction of a Dockerfile that sets them.
pub(super) fn instruction(labels: &[(String, String)]) -> String {
    let pairs = labels.iter().map(|(key, value)| {
        // Within double quotes these three have a special meaning.
        let quoted: String = value
            .chars()
            .flat_map(|it| matches!(it, '"' | '\\' | '$').then_some('\\').into_iter().chain(Some(it)))
            .collect();
        format!("{key}=\"{quoted}\"")
    });
    format!("LABEL {}", pairs.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ImageArg;

    #[test]
    fn labels_name_version_and_revision() {
        let source =
            Source { revision: "abc".to_owned(), created: "2026-01-01T00:00:00Z".to_owned(), is_dirty: true };
        let labels = of(Image::of(ImageArg::Api), &source, &[]);
        let get = |key: &str| {
            let key = format!("org.opencontainers.image.{key}");
            labels.iter().find(|(it, _)| *it == key).map(|(_, value)| value.as_str())
        };
        assert_eq!(get("version"), Some(env!("CARGO_PKG_VERSION")));
        assert_eq!(get("revision"), Some("abc-dirty"));
        assert_eq!(get("base.name"), None);
        for key in ["created", "source", "licenses", "title"] {
            assert!(get(key).is_some_and(|it| !it.is_empty()), "{key}");
        }
    }

    #[test]
    fn one_instruction_has_them_all() {
        let labels = [("a.b".to_owned(), "two words".to_owned()), ("c".to_owned(), "\"$x\\".to_owned())];
        assert_eq!(instruction(&labels), r#"LABEL a.b="two words" c="\"\$x\\""#);
    }
}

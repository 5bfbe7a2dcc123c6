//! The images, as data.

use std::path::{Path, PathBuf};

use crate::cli::ImageArg;
use crate::workspace;

/// An image of this project.
#[derive(Debug)]
pub(super) struct Image {
    /// Name, the last part of its reference.
    pub(super) name: &'static str,
    /// Title, for people.
    pub(super) title: &'static str,
    /// What it is.
    pub(super) description: &'static str,
    /// Licences of what is in it, as an SPDX expression.
    pub(super) licenses: &'static str,
    /// Dockerfile, from the workspace's root.
    pub(super) dockerfile: &'static str,
    /// Build context, from the workspace's root.
    pub(super) context: &'static str,
    /// Base images: build argument and default, as in the Dockerfile.
    pub(super) bases: &'static [(&'static str, &'static str)],
    /// The base that the last stage stands on; nothing where it is built from scratch.
    pub(super) runtime_base: Option<&'static str>,
    /// Whether it is compiled, with a profile.
    pub(super) is_compiled: bool,
    /// Most bytes that a release of it may have.
    pub(super) max_size: Option<u64>,
}

const API: Image = Image {
    name: "api",
    title: "postgres-as-app API",
    description: "A REST server over a Postgres schema, compatible with PostgREST",
    licenses: "MIT OR Apache-2.0",
    dockerfile: "local-stack/docker/api.Dockerfile",
    context: ".",
    bases: &[("RUST_IMAGE", "rust:1.95-bookworm")],
    runtime_base: None,
    is_compiled: true,
    max_size: Some(40_000_000),
};

const CUSTOMDB: Image = Image {
    name: "customdb",
    title: "postgres-as-app custom database",
    description: "Postgres with pg_cron preloaded",
    licenses: "(MIT OR Apache-2.0) AND PostgreSQL",
    dockerfile: "local-stack/docker/customdb.Dockerfile",
    context: "local-stack/docker",
    bases: &[("POSTGRES_IMAGE", "postgres:15-bookworm")],
    runtime_base: Some("POSTGRES_IMAGE"),
    is_compiled: false,
    max_size: None,
};

/// Where an image is built from.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) dockerfile: PathBuf,
    pub(super) context: PathBuf,
}

impl Place {
    /// The workspace; or a context that was made with a copy of the Dockerfile.
    pub(super) fn of(image: &Image, staged: Option<&Path>) -> Self {
        let root = workspace::root();
        let dockerfile = root.join(image.dockerfile);
        match (staged, dockerfile.file_name()) {
            (Some(dir), Some(name)) => Self { dockerfile: dir.join(name), context: dir.to_owned() },
            _ => Self { dockerfile, context: root.join(image.context) },
        }
    }
}

impl Image {
    /// The image that was asked for.
    pub(super) const fn of(name: ImageArg) -> &'static Self {
        match name {
            ImageArg::Api => &API,
            ImageArg::Customdb => &CUSTOMDB,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_are_those_of_the_dockerfiles() {
        for image in [&API, &CUSTOMDB] {
            let text = std::fs::read_to_string(workspace::root().join(image.dockerfile)).unwrap();
            let named: Vec<(&str, &str)> = text
                .lines()
                .filter_map(|line| line.strip_prefix("ARG ")?.split_once('='))
                .filter(|(name, _)| name.ends_with("_IMAGE"))
                .collect();
            assert_eq!(named, image.bases, "{}", image.dockerfile);
        }
    }

    #[test]
    fn the_context_holds_every_manifest() {
        let root = workspace::root();
        let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
        let members = manifest.lines().find_map(|line| line.strip_prefix("members = [")).unwrap();
        let ignore = std::fs::read_to_string(root.join(".dockerignore")).unwrap();
        for member in members.split('"').skip(1).step_by(2).filter(|it| *it != "api") {
            let line = format!("!{member}/Cargo.toml");
            assert!(ignore.lines().any(|it| it == line), "add \"{line}\" to .dockerignore");
        }
    }
}

//! What an image must be before it is published: pure rules over what the engine says of it.

use std::collections::BTreeSet;

use super::{image::Image, megabytes};

/// What the engine knows of an image.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// User that it runs as.
    pub(super) user: String,
    /// Whether it says how its health is checked.
    pub(super) has_health_check: bool,
    /// `NAME=VALUE`.
    pub(super) environment: Vec<String>,
    /// Bytes.
    pub(super) size: u64,
    /// Keys of its labels.
    pub(super) labels: Vec<String>,
    /// Commands that made its layers.
    pub(super) history: String,
}

/// Programs that build software, and have no business where it runs. By their paths, with the folder.
const BUILD_TOOLS: [&str; 14] = [
    "bin/gcc",
    "bin/cc",
    "bin/g++",
    "bin/clang",
    "bin/ld",
    "bin/as",
    "bin/make",
    "bin/cmake",
    "bin/cargo",
    "bin/rustc",
    "bin/git",
    "bin/pip3",
    "bin/npm",
    "bin/go",
];

/// What package managers leave behind.
const LEFTOVERS: [&str; 3] = ["var/lib/apt/lists/", "var/cache/apt/archives/", "root/.cargo/"];

/// Labels that every image has.
const LABELS: [&str; 5] = ["version", "revision", "source", "created", "licenses"];

/// Words in the name of a variable that is a secret; an image's environment is for everybody to read.
const SECRET_WORDS: [&str; 5] = ["PASSWORD", "SECRET", "TOKEN", "PRIVATE", "CREDENTIAL"];

/// Everything that is wrong with an image. `files` are paths without a leading slash.
pub(super) fn complaints(
    image: &Image,
    facts: &Facts,
    files: &[String],
    base_files: &[String],
    is_release: bool,
) -> Vec<String> {
    let mut found = Vec::new();
    let user = facts.user.split(':').next().unwrap_or_default();
    if matches!(user, "" | "0" | "root") {
        found.push("it runs as root: give it a USER".to_owned());
    }
    if !facts.has_health_check {
        found.push("it has no HEALTHCHECK".to_owned());
    }
    for label in LABELS.map(|it| format!("org.opencontainers.image.{it}")) {
        if !facts.labels.contains(&label) {
            found.push(format!("it has no label {label}"));
        }
    }
    for name in facts.environment.iter().filter_map(|it| it.split('=').next()) {
        if SECRET_WORDS.iter().any(|word| name.to_uppercase().contains(word)) {
            found.push(format!("its environment has {name}, for everybody to read"));
        }
    }
    let is_tool = |path: &str| {
        BUILD_TOOLS.iter().any(|tool| {
            path.strip_suffix(tool).is_some_and(|folder| folder.is_empty() || folder.ends_with('/'))
        })
    };
    let is_leftover = |path: &str| {
        // The folders themselves, and the locks in them, are part of the system.
        let is_file = !path.ends_with('/') && !path.ends_with("/lock");
        is_file && LEFTOVERS.iter().any(|folder| path.starts_with(folder))
    };
    let of_base: BTreeSet<&str> = base_files.iter().map(String::as_str).collect();
    for path in files {
        if is_tool(path) {
            found.push(format!("it has a build tool: /{path}"));
        } else if is_leftover(path) && !of_base.contains(path.as_str()) {
            found.push(format!("it has what a package manager left: /{path}"));
        }
    }
    if let Some(max) = image.max_size.filter(|max| is_release && facts.size > *max) {
        found.push(format!("it has {} MB, {} are allowed", megabytes(facts.size), megabytes(max)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ImageArg;

    fn good() -> Facts {
        Facts {
            user: "65532:65532".to_owned(),
            has_health_check: true,
            environment: vec!["PATH=/usr/local/bin".to_owned()],
            size: 40_000_000,
            labels: LABELS.iter().map(|it| format!("org.opencontainers.image.{it}")).collect(),
            history: String::new(),
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Facts), files: &[&str], expected: &[&str]) {
        let mut facts = good();
        change(&mut facts);
        let files: Vec<String> = files.iter().map(|it| (*it).to_owned()).collect();
        let found = complaints(
            Image::of(ImageArg::Api),
            &facts,
            &files,
            &["var/lib/apt/lists/of_base".to_owned()],
            true,
        );
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (complaint, part) in found.iter().zip(expected) {
            assert!(complaint.contains(part), "{complaint}");
        }
    }

    #[test]
    fn a_good_image_has_nothing_wrong() {
        let files = [
            "usr/local/bin/pgapp-api",
            "usr/bin/basic",
            "var/lib/apt/lists/",
            "var/lib/apt/lists/lock",
            "var/lib/apt/lists/of_base",
            "bin/ash",
        ];
        check(|_| {}, &files, &[]);
    }

    #[test]
    fn each_rule_can_be_broken() {
        for user in ["", "root", "0", "0:65532"] {
            check(|it| it.user = user.to_owned(), &[], &["runs as root"]);
        }
        check(|it| it.has_health_check = false, &[], &["HEALTHCHECK"]);
        check(|it| it.labels.clear(), &[], &["version", "revision", "source", "created", "licenses"]);
        check(|it| it.environment.push("PGRST_JWT_SECRET=x".to_owned()), &[], &["PGRST_JWT_SECRET"]);
        check(|it| it.size += 100_000, &[], &["40.1 MB"]);
        check(|_| {}, &["usr/bin/gcc", "bin/ld"], &["/usr/bin/gcc", "/bin/ld"]);
        check(|_| {}, &["var/lib/apt/lists/deb.example_InRelease"], &["package manager"]);
    }

    #[test]
    fn a_secret_is_not_shown() {
        let mut facts = good();
        facts.environment.push("DB_PASSWORD=hunter2".to_owned());
        let found = complaints(Image::of(ImageArg::Api), &facts, &[], &[], true);
        assert!(found.iter().all(|it| !it.contains("hunter2")));
    }

    #[test]
    fn only_releases_have_a_limit() {
        let facts = Facts { size: 1 << 40, ..good() };
        assert!(complaints(Image::of(ImageArg::Api), &facts, &[], &[], false).is_empty());
        assert!(complaints(Image::of(ImageArg::Customdb), &facts, &[], &[], true).is_empty());
    }
}

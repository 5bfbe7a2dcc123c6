//! Base images: which, and by which digest.

use anyhow::{Result, bail};

use super::{base::Base, docker::Docker, image::Image, registry::without_tag};

/// Finds the digest of each base, pulling what is not there; `given` are `ARGUMENT=IMAGE`, over environment and default.
pub(super) fn resolve(docker: &Docker<'_>, image: &Image, given: &[String]) -> Result<Vec<Base>> {
    let mut over = Vec::new();
    for text in given {
        match text.split_once('=') {
            Some((argument, name))
                if image.bases.iter().any(|(it, _)| *it == argument) && !name.is_empty() =>
            {
                over.push((argument, name));
            }
            _ => {
                let known: Vec<&str> = image.bases.iter().map(|(it, _)| *it).collect();
                bail!("--base {text}: expected {}=IMAGE", known.join("=IMAGE or "));
            }
        }
    }
    let one = |(argument, default): &(&str, &str)| {
        let given = over.iter().find(|(it, _)| it == argument).map(|(_, name)| (*name).to_owned());
        let from_env = || std::env::var(argument).ok().filter(|it| !it.is_empty());
        let name = given.or_else(from_env).unwrap_or_else(|| (*default).to_owned());
        let digests = docker.ensure_image(&name)?;
        Ok(pinned(argument, &name, &digests))
    };
    image.bases.iter().map(one).collect()
}

/// The image with its digest: the one in its name, else the one under which its registry knows it.
fn pinned(argument: &str, name: &str, repo_digests: &[String]) -> Base {
    let base = |digest: Option<&str>, reference: String| Base {
        argument: argument.to_owned(),
        name: name.split('@').next().unwrap_or(name).to_owned(),
        digest: digest.map(ToOwned::to_owned),
        reference,
    };
    if let Some((_, digest)) = name.split_once('@') {
        return base(Some(digest), name.to_owned());
    }
    let repository = without_tag(name);
    let known = repo_digests.iter().find_map(|it| it.split_once('@').filter(|(repo, _)| *repo == repository));
    match known {
        Some((_, digest)) => base(Some(digest), format!("{repository}@{digest}")),
        None => base(None, name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, digests: &[&str], reference: &str, digest: Option<&str>) {
        let digests: Vec<String> = digests.iter().map(|it| (*it).to_owned()).collect();
        let base = pinned("X_IMAGE", name, &digests);
        assert_eq!((base.reference(), base.digest.as_deref()), (reference, digest));
    }

    #[test]
    fn a_base_is_built_on_by_its_digest() {
        check("rust:1.95", &["rust@sha256:aa"], "rust@sha256:aa", Some("sha256:aa"));
        check(
            "h:5000/rust:1",
            &["rust@sha256:aa", "h:5000/rust@sha256:bb"],
            "h:5000/rust@sha256:bb",
            Some("sha256:bb"),
        );
        check("rust:1.95@sha256:cc", &[], "rust:1.95@sha256:cc", Some("sha256:cc"));
        check("rust:1.95", &[], "rust:1.95", None);
    }
}

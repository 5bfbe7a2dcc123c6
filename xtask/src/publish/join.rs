//! One tag for several processors: joins what was built and pushed on a machine of each kind.

use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::json;

use super::{
    docker::Docker,
    image::Image,
    registry::{self, Registry},
};
use crate::{cli::PublishArgs, output};

/// Joins the tags of `--join` to `tag`.
pub(super) fn run(
    docker: &Docker<'_>,
    args: &PublishArgs,
    registry: &Registry,
    image: &Image,
    tag: &str,
) -> Result<ExitCode> {
    let reference = registry.reference(image.name, tag);
    let parts: Vec<String> = args.join.iter().map(|part| registry.reference(image.name, part)).collect();
    if args.dry_run {
        output::note(&format!("dry run: {reference} was not made of {}", parts.join(" and ")));
        return Ok(ExitCode::SUCCESS);
    }
    let session = registry::log_in(docker.shell(), Some(registry), args.username.as_deref())?;
    let digest = docker
        .join(&session, &reference, &parts, registry.is_loopback())
        .with_context(|| format!("make {reference}; the tags to join have to be pushed first"))?;
    let pinned = format!("{}@{digest}", registry::without_tag(&reference));
    if args.json {
        let value = json!({
            "image": image.name, "reference": reference, "digest": digest, "pinned": pinned, "parts": parts,
        });
        output::data(&serde_json::to_string_pretty(&value)?);
    } else {
        output::data(&pinned);
    }
    Ok(ExitCode::SUCCESS)
}
